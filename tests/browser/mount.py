"""A widget on a blank page, with its style sheet and a model that nobody else has."""

import json

from cnnviz.widgets.explorer import as_text

MOUNT = """(text) => {
    const { state, width, css } = JSON.parse(text), listeners = {};
    for (const [name, value] of Object.entries(state)) if (value?.base64 !== undefined) {
        state[name] = new DataView(Uint8Array.from(atob(value.base64), (byte) => byte.charCodeAt(0)).buffer);
    }
    window.state = state;
    window.told = {};
    window.model = {
        get: (name) => state[name],
        set: (name, value) => {
            state[name] = told[name] = value;
            (listeners[`change:${name}`] ?? []).forEach((call) => call());
        },
        save_changes: () => {}, off: () => {},
        on: (event, call) => { (listeners[event] ??= []).push(call); },
    };
    document.body.innerHTML = `<style>${css}</style><div id="widget" style="width: ${width}px"></div>`;
    window.closeWidget?.();
    window.closeWidget = module.default.render({ model: window.model, el: document.getElementById("widget") });
}"""
# The picture is painted, and the model is told: at the latest 100 ms after the change.
TOLD = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(() => setTimeout(done)), 120))"
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
NAMELESS = """() => [...document.querySelectorAll("input, select, button, [tabindex]")]
    .filter((node) => !node.labels?.length && !node.getAttribute("aria-label") && !node.textContent)
    .map((node) => node.outerHTML)"""
SET = "([name, value]) => model.set(name, value)"
HEIGHT = "() => document.querySelector('.cnnviz').offsetHeight"
# Texts of a drawing that reach beyond the widget, and pairs of texts that lie on one another.
OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll(".cnnviz text")].filter((node) => node.textContent
        && getComputedStyle(node).visibility === "visible").map((node) => [node.textContent, node.getBoundingClientRect()]);
    const room = document.querySelector(".cnnviz").getBoundingClientRect();
    const cut = boxes.filter(([, box]) => box.left < room.left || box.right > room.right).map(([text]) => text);
    const apart = (one, two) => one.right <= two.left || two.right <= one.left || one.bottom - 4 <= two.top || two.bottom - 4 <= one.top;
    return [...cut, ...boxes.flatMap(([text, one], n) => boxes.slice(n + 1).filter(([, two]) => !apart(one, two)).map(([other]) => `${text} | ${other}`))];
}"""  # noqa: E501


def state_of(explorer):
    """Everything that the browser is told."""
    return explorer.get_state(explorer._own_traits())


def mount(page, explorer, width=1080):
    """Put the explorer on a page that has its module; wait until it is painted."""
    show(page, state_of(explorer), explorer._css, width)


def show(page, state, css, width=1080):
    """Put a widget in this state on a page that has its module; wait until it is painted."""
    page.evaluate(MOUNT, json.dumps({"state": state, "width": width, "css": css}, default=as_text))
    page.evaluate(PAINTED)


def tell(page, explorer):
    """Hand the explorer's present state to the mounted widget, as Python would."""
    page.evaluate(
        "(text) => { Object.assign(window.state, JSON.parse(text)); model.set('bias', window.state.bias); }",
        json.dumps(state_of(explorer), default=as_text),
    )
    page.evaluate(PAINTED)
