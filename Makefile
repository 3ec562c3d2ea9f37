# Every target sets up .venv in this checkout first; it is made once, and remade when the requirements change.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

$(READY): requirements.txt pyproject.toml
	rm -rf .venv
	$(PYTHON) -c 'import sys; sys.exit("cnnviz needs Python 3.11 or later, this is " + sys.version.split()[0] + "; say make PYTHON=python3.12, for instance" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet "$$(grep '^uv==' requirements.txt | cut -d' ' -f1)"
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet -r requirements.txt -e .
	touch $@
