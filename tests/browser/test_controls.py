"""What all widgets share in the browser: how often they paint and tell Python, by the test's own clock."""

import pytest

from cnnviz.widgets import ChannelExplorer, CostExplorer, ReceptiveFieldExplorer
from cnnviz.widgets.explorer import module
from tests.browser.mount import mount

pytestmark = pytest.mark.browser

PAINT = """() => {
    window.painted = 0;
    window.paint = module.oncePerFrame(() => { window.painted += 1; });
}"""
CONNECT = """() => {
    window.told = [];
    const [state, waiting, listeners] = [{ stride: 1, padding: 0 }, {}, {}];
    window.python = (name, value) => {
        state[name] = value;
        (listeners[`change:${name}`] ?? []).forEach((call) => call());
    };
    window.noticed = 0;
    window.link = module.connect({
        get: (name) => state[name],
        set: (name, value) => { waiting[name] = value; window.python(name, value); },
        save_changes: () => {
            told.push({ ...waiting });
            Object.keys(waiting).forEach((name) => delete waiting[name]);
        },
        on: (event, call) => { (listeners[event] ??= []).push(call); },
        off: (event, call) => { listeners[event] = listeners[event].filter((other) => other !== call); },
    }, ["stride", "padding"], () => { window.noticed += 1; });
}"""

# A slider goes up and down again: what is meanwhile added to the page or taken off it, and what is measured.
DRAG = """(name) => {
    const slider = document.querySelector(`input[name=${name}]`), found = [];
    const measure = (owner, name) => {
        const { get, value } = Object.getOwnPropertyDescriptor(owner, name);
        const noted = (call) => function (...args) { found.push(name); return call.apply(this, args); };
        Object.defineProperty(owner, name, get ? { get: noted(get) } : { value: noted(value) });
    };
    for (const name of ["clientWidth", "clientHeight", "getBoundingClientRect"]) measure(Element.prototype, name);
    for (const name of ["offsetTop", "offsetWidth", "offsetHeight"]) measure(HTMLElement.prototype, name);
    measure(window, "getComputedStyle");
    const observer = new MutationObserver(() => {});
    observer.observe(document.querySelector(".cnnviz"), { childList: true, subtree: true });
    const move = (by) => {
        slider.stepUp(by);
        slider.dispatchEvent(new Event("input"));
        found.push(...observer.takeRecords().map(({ target }) => target.outerHTML));
    };
    move(1);
    return new Promise((done) => requestAnimationFrame(() => { move(-1); done(found); }));
}"""


@pytest.fixture
def controls(page, import_module):
    """The shared module on a page whose time stands still but for `clock.run_for`."""
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    import_module(module())
    return page


def test_the_first_paint_comes_at_once_and_all_others_of_a_frame_are_one(controls):
    controls.evaluate(PAINT)
    assert controls.evaluate("() => { paint(); return painted; }") == 1
    assert controls.evaluate("() => { paint(); paint(); paint(); return painted; }") == 1
    controls.clock.run_for(20)
    assert controls.evaluate("painted") == 2
    controls.clock.run_for(100)
    assert controls.evaluate("painted") == 2


def test_python_is_told_ten_times_a_second_and_always_of_the_last_value(controls):
    controls.evaluate(CONNECT)
    for value in range(101):  # a slider dragged for a second, an event every 10 ms
        controls.evaluate("(stride) => link.write({ stride })", value)
        controls.clock.run_for(10)
    controls.clock.run_for(200)
    told = [change["stride"] for change in controls.evaluate("told")]
    assert 8 <= len(told) <= 12
    assert told == sorted(set(told))
    assert told[-1] == 100
    assert controls.evaluate("noticed") == 0  # what the widget itself told is no news to it


def test_what_is_not_told_yet_is_read_nevertheless_and_changes_go_together(controls):
    controls.evaluate(CONNECT)
    controls.evaluate("() => { link.write({ stride: 3 }); link.write({ padding: 2 }); }")
    assert controls.evaluate("link.read()") == {"stride": 3, "padding": 2}
    assert controls.evaluate("told") == []
    controls.clock.run_for(30)
    assert controls.evaluate("told") == [{"stride": 3, "padding": 2}]


def test_a_widget_that_is_closed_tells_what_it_still_knows_and_hears_no_more(controls):
    controls.evaluate(CONNECT)
    controls.evaluate("() => python('stride', 2)")
    assert controls.evaluate("noticed") == 1
    controls.evaluate("() => { link.write({ padding: 1 }); link.close(); python('stride', 4); }")
    assert controls.evaluate("told") == [{"padding": 1}]
    assert controls.evaluate("noticed") == 1
    controls.clock.run_for(500)
    assert controls.evaluate("told") == [{"padding": 1}]


@pytest.mark.parametrize(
    ("explorer", "name"),
    [
        (ChannelExplorer(kind="grouped"), "kernel_size"),
        (CostExplorer(), "in_channels"),
        (ReceptiveFieldExplorer(), "image_size"),
    ],
)
def test_a_slider_that_moves_changes_texts_in_their_places_and_measures_nothing(import_module, explorer, name):
    """New nodes and measures in the middle of a change are what makes browsers slow."""
    page = import_module(explorer._esm)
    mount(page, explorer)
    assert page.evaluate(DRAG, name) == []
