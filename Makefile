# Every target sets up .venv in this checkout first: made once, and made again when the requirements change.
PYTHON ?= python3
WORKERS ?= 2
MINUTES ?= 9
BIN := .venv/bin
READY := .venv/.ready
OLDEST := .venv-oldest
OLDEST_READY := $(OLDEST)/.ready
ENOUGH = import sys; v = sys.version.split()[0]; sys.exit(sys.version_info < (3, 11) and \
	f"cnnviz needs Python 3.11 or later and this is {v}: try make PYTHON=python3.12, for instance")
UV = $$(grep '^uv==' requirements.txt)
# As in CI: little data and one thread for each of the two processes that run tests.
QUICK = CNNVIZ_PROFILE=quick OMP_NUM_THREADS=1

# In a container the learner is often root, and JupyterLab wants to be told that this is meant.
ROOT_TOO := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab test test-oldest lint bench gpu picture requirements

lab: $(READY)   ## open the course in JupyterLab
	$(BIN)/python -m jupyterlab $(ROOT_TOO) --ServerApp.root_dir=notebooks \
		--LabApp.default_url=/lab/tree/00_start_here.ipynb

test: lint      ## every test: package, browser, chapters
	$(QUICK) $(BIN)/python -m pytest tests -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=10
	$(QUICK) $(BIN)/python -m pytest notebooks --nbval-lax --nbval-current-env --nbval-cell-timeout=120 \
		-n $(WORKERS) --dist loadscope --durations=10

lint: $(READY)  ## style, import direction, stripped notebooks
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/python -m nbstripout --verify --keep-id notebooks/*.ipynb

bench: $(READY) ## ratios against baselines measured in the same run
	$(BIN)/python -m benchmarks

gpu: $(READY)   ## missing full results, most important first, until MINUTES are up
	$(BIN)/python -m cnnviz.training all --scale full --minutes $(MINUTES)

picture: $(READY)       ## the moving picture of the README
	$(BIN)/python -c "from cnnviz.figures.convolution import readme_picture as p; p().save('data/samples/convolution.gif')"

requirements: $(READY)  ## compile the pins from pyproject.toml, for every platform
	$(BIN)/python -m uv pip compile --upgrade --universal --python-version 3.11 --extra test --extra mp4 --extra parallel \
		--no-header --no-annotate --quiet --output-file requirements.txt pyproject.toml

test-oldest: $(OLDEST_READY)    ## unit tests with the oldest version of every package that pyproject.toml allows
	$(QUICK) $(OLDEST)/bin/python -m pytest tests --ignore=tests/browser -n $(WORKERS) --dist loadfile

# The last line of each is the mark: without it, what an interrupt left behind is thrown away and made again.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c '$(ENOUGH)'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(BIN)/python -m uv pip install --quiet --python $(BIN)/python -r requirements.txt -e .
	touch $@

$(OLDEST_READY): pyproject.toml
	@$(PYTHON) -c '$(ENOUGH)'
	rm -rf $(OLDEST)
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check $(UV)
	$(OLDEST)/bin/python -m uv pip install --quiet --python $(OLDEST)/bin/python --resolution lowest-direct -e '.[test]'
	touch $@
