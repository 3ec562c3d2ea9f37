"""The curves of the training monitor, read back from its drawing."""

import math

import nbformat
import pytest

from cnnviz.widgets.explorer import module
from cnnviz.widgets.training_monitor import TrainingMonitor

pytestmark = pytest.mark.browser

RECORDS = [
    {"epoch": 0, "train_loss": 2.3, "test_loss": 2.3, "train_error": 0.9, "test_error": 0.9, "seconds": 0.1},
    {"epoch": 1, "train_loss": 1.0, "test_loss": 0.5, "train_error": 0.3, "test_error": 0.2, "seconds": 1.0},
    {"epoch": 2, "train_loss": 0.4, "test_loss": 0.3, "train_error": 0.1, "test_error": 0.05, "seconds": 1.0},
]
PROGRESS = {"epoch": 3, "epochs": 4, "done": 7, "total": 20, "share": 0.5875, "left": 65.2}


def monitor(records=RECORDS, state="running", **traits):
    """A monitor in the middle of a run, without the run."""
    made = TrainingMonitor(**traits)
    made._title, made._state, made._records, made._progress = "LeNet5 on digits", state, records, PROGRESS
    return made


@pytest.fixture
def show(page, tmp_path):
    def open_page(widget):
        page.goto(widget.to_html(tmp_path / "page.html").as_uri())
        return page

    return open_page


@pytest.fixture
def functions(import_module):
    return import_module(module("training_monitor"))


def points(page, quantity, part):
    """The corners of one curve in the drawing's own units."""
    path = page.locator(f"svg[aria-label^={quantity}] .cnnviz-curve.cnnviz-{part} > path").first.get_attribute("d")
    return [tuple(map(float, corner.split(","))) for corner in path.replace("M", " ").replace("L", " ").split()]


def test_points_stand_at_their_epoch_and_value(show):
    page = show(monitor())
    left, right, top, bottom = 54, 430, 24, 214  # the box of the curves
    for part in ("train", "test"):
        expected = [
            (left + record["epoch"] / 4 * (right - left), bottom - record[f"{part}_error"] * (bottom - top))
            for record in RECORDS
        ]
        assert points(page, "error", part) == [pytest.approx(corner, abs=0.06) for corner in expected]


def test_axes_stay_while_the_run_goes_on(functions):
    axis = """([values, quantity, log]) => {
        const { low, high } = module.axis(values, quantity, 10, log);
        return [low, high];
    }"""
    losses, errors = [2.31, 2.1, 1.4, 0.7, 0.33, 0.21, 0.17], [0.9, 0.8, 0.4, 0.11, 0.06, 0.05, 0.04]
    for values, quantity in ((losses, "loss"), (errors, "error")):
        for log in (False, True):
            ranges = [functions.evaluate(axis, [values[:n], quantity, log]) for n in range(1, len(values) + 1)]
            assert len({tuple(pair) for pair in ranges}) == 1


def test_a_loss_that_explodes_does_not_flatten_what_came_before(functions):
    high = functions.evaluate("() => module.axis([2.3, 1.9, 5e8], 'loss', 10, false).high")
    assert 2.3 <= high <= 10
    assert functions.evaluate("() => module.place(5e8, module.axis([2.3, 5e8], 'loss', 10, false))") == 1


@pytest.mark.parametrize("value", [0.001, 0.03, 0.5, 1])
def test_a_logarithmic_axis_gives_each_decade_the_same_room(functions, value):
    share = functions.evaluate("(value) => module.place(value, module.axis([value, 0.9], 'error', 10, true))", value)
    low = min(0.01, value)
    assert share == pytest.approx(math.log10(value / low) / math.log10(1 / low))


def test_what_has_no_place_is_a_gap(functions):
    place = "([value, log]) => module.place(value, module.axis([0.5], 'error', 10, log))"
    assert functions.evaluate(place, [None, False]) is None
    assert functions.evaluate(place, [0, True]) is None
    assert functions.evaluate(place, [0, False]) == 0


def test_a_curve_with_a_gap_is_drawn_in_two_parts(show):
    broken = [RECORDS[0], RECORDS[1] | {"train_loss": None}, RECORDS[2]]
    page = show(monitor(broken))
    path = page.locator("svg[aria-label^=loss] .cnnviz-train > path").first.get_attribute("d")
    assert path.count("M") == 2
    assert page.locator("tbody tr").nth(1).locator("td").nth(1).inner_text() == "not finite"


def test_every_number_stands_in_the_table(show):
    page = show(monitor())
    rows = [row.split("\t") for row in page.locator("tbody tr").all_inner_texts()]
    assert rows[2] == ["2", "0.4000", "0.3000", "10.00 %", "5.00 %", "1.0"]
    assert len(rows) == 3


def test_train_and_test_differ_in_dashes_marks_and_names_not_only_in_colour(show):
    page = show(monitor())
    dashes = [
        page.locator(f"svg[aria-label^=error] .cnnviz-curve.cnnviz-{part} > path").first.evaluate(
            "(path) => getComputedStyle(path).strokeDasharray"
        )
        for part in ("train", "test")
    ]
    assert dashes == ["6px, 4px", "none"]
    assert page.locator("svg[aria-label^=error] .cnnviz-name").all_text_contents() == ["train", "test"]


@pytest.mark.parametrize("seconds", [(8.4, "8 s"), (125, "2 min 5 s"), (3780, "1 h 3 min")])
def test_time_is_told_in_words(functions, seconds):
    assert functions.evaluate("(s) => module.duration(s)", seconds[0]) == seconds[1]


def test_progress_is_told_with_the_time_left(show):
    page = show(monitor())
    assert page.get_by_text("training, epoch 3 of 4, batch 7 of 20, about 1 min 5 s left").is_visible()
    assert page.locator("progress").evaluate("(bar) => bar.value") == pytest.approx(0.5875)


LAYERS = {
    "layers": ["conv1", "conv2", "fc"],
    "epochs": [0, 2],
    "activation_std": [[1.0, 0.1, 0.01], [1.0, 1.0, 2.0]],
    "gradient_std": [[1e-6, 1e-4, 1e-2], [1e-3, None, 1e-2]],
    "update_ratio": [[None, None, None], [1e-3, 2e-3, 1e-2]],
    "silent": [[None, None, None], [None, 0.75, None]],
}


def looked_into(**traits):
    widget = monitor(signals=True, **traits)
    widget._layers = LAYERS
    return widget


def test_signals_are_drawn_when_they_are_asked_for(show):
    page = show(looked_into())
    assert page.locator("svg").count() == 5
    page.get_by_label("signals").uncheck()
    assert page.locator("svg").count() == 2
    assert show(monitor(signals=True)).get_by_text("This run records no signals yet.").is_visible()


def test_each_layer_stands_at_its_place_and_value_before_training_and_now(show):
    chart = show(looked_into()).locator("svg[aria-label^='activations']")
    for part, values in zip(("train", "test"), LAYERS["activation_std"], strict=True):
        [points] = [chart.locator(f".cnnviz-{part} > path").first.get_attribute("d")]
        places = [tuple(map(float, point.split(","))) for point in points[1:].split("L")]
        across, down = zip(*places, strict=True)
        assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.2)
        low, high = min(values), max(values)
        for value, place in zip(values, down, strict=True):  # a decade is as high everywhere
            share = math.log(value / low) / math.log(high / low)
            assert place == pytest.approx(max(down) - share * (max(down) - min(down)), abs=0.3)


def test_what_has_no_place_on_the_logarithm_is_a_gap_and_no_step_is_no_curve(show):
    page = show(looked_into())
    assert page.locator("svg[aria-label^='gradients'] .cnnviz-test > path").first.get_attribute("d").count("M") == 2
    ratios = page.locator("svg[aria-label^='update']")
    assert ratios.locator(".cnnviz-curve").count() == 1
    assert ratios.locator(".cnnviz-chance").count() == 1  # the healthy 0.001


def test_the_layer_whose_filters_rest_is_named(show):
    assert show(looked_into()).get_by_text("Filters that no gradient reaches: 75 % in conv2.").is_visible()


def test_the_axis_has_whole_decades_around_the_numbers(functions):
    axis = functions.evaluate("() => module.decades([0.002, 3])")
    assert (axis["low"], axis["high"]) == (pytest.approx(0.001), 10)
    flat = functions.evaluate("() => module.decades([1, 1.5])")
    assert flat["high"] / flat["low"] == pytest.approx(1000)


def test_the_button_asks_to_stop_and_says_what_else_to_do(functions):
    page = functions
    widget = monitor()
    names = (
        "logarithmic",
        "_state",
        "_title",
        "_notes",
        "_records",
        "_progress",
        "_diagnoses",
        "signals",
        "_layers",
        "_filters",
        "_classes",
        "_description",
    )
    page.evaluate(
        """(state) => {
            window.sent = [];
            const model = { get: (name) => state[name], set() {}, save_changes() {}, on() {}, off() {},
                            send: (content) => window.sent.push(content) };
            module.default.render({ model, el: document.body });
        }""",
        {name: getattr(widget, name) for name in names},
    )
    page.get_by_role("button", name="Stop").press("Enter")
    assert page.evaluate("window.sent") == ["stop"]
    assert page.get_by_text("interrupt the cell").is_visible()


def test_the_button_rests_when_no_run_does(show):
    assert show(monitor(state="finished")).get_by_role("button", name="Stop").is_disabled()


def test_warnings_and_notes_are_read_out_once_each(show):
    widget = monitor()
    widget._diagnoses, widget._notes = ["The loss is not finite since epoch 2."], ["Data: shapes instead of cifar10."]
    page = show(widget)
    assert page.get_by_role("alert").inner_text() == "The loss is not finite since epoch 2."
    assert page.get_by_text("Data: shapes instead of cifar10.").is_visible()


def test_the_page_works_without_a_kernel_and_the_axis_can_be_changed(show):
    page = show(monitor(state="finished"))
    before = points(page, "error", "test")
    page.get_by_label("logarithmic").press("Space")
    page.wait_for_function("document.querySelector('svg[aria-label^=error]').textContent.includes('10 %')")
    after = points(page, "error", "test")
    assert [x for x, _ in before] == [x for x, _ in after]
    assert before[1:] != after[1:]


def test_the_region_of_the_table_can_be_scrolled_from_the_keyboard(show):
    assert show(monitor()).get_by_role("region", name="numbers of every epoch").get_attribute("tabindex") == "0"


CELLS = (
    "import torch\n"
    "from cnnviz.datasets import load_dataset\n"
    "from cnnviz.models import lenet5\n"
    "from cnnviz.training import Recipe, fit\n"
    "from cnnviz.widgets import FeatureMapExplorer, TrainingMonitor\n"
    "data, model = load_dataset('digits'), lenet5()\n"
    "explorer = FeatureMapExplorer(model, data.normalise(data.x_test[:2]))\n"
    "explorer",
    "monitor = TrainingMonitor()\n"
    "records = monitor.watch(fit(model, data, Recipe(epochs=1000, batch_size=32, lr=0.01), device='cpu'))",
)


def test_widgets_answer_while_a_cell_trains_and_the_button_stops_it(open_notebook, jupyterlab):
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), jupyterlab.folder / "training.ipynb")
    opened = open_notebook("training.ipynb")
    page = opened.page
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    page.get_by_text("training, epoch").wait_for(timeout=60_000)
    page.locator("input[name=channel]").press("ArrowRight")
    page.get_by_text("channel 1; blue below 0").wait_for()  # the kernel drew it, in the middle of the training
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("stopped", exact=True).wait_for()
    opened.wait_until_idle()
    assert 0 < int(opened.evaluate("len(records)")) < 1000
    assert opened.evaluate("monitor._state") == "'stopped'"
    assert opened.errors() == []
