// Controls shared by every widget of cnnviz: plain inputs with labels, reachable from the keyboard.
// Joined in front of each widget's own module, because an anywidget's module cannot import a file.

/** Make an element: attributes by name (`on...` are listeners, `text` is its text), then its children. */
export function element(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "text", "line", "path", "defs", "pattern", "title", "tspan"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "text") node.textContent = value;
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/**
 * Write the text of a node that holds nothing else, unless it stands there: even the same text has to be laid out again.
 * The text changes in its place; a new one would have to be styled, too.
 */
export function write(node, text) {
  const { firstChild: old } = node;
  if ((old?.data ?? "") === text) return;
  if (old) old.data = text;
  else node.append(text);
}

/** Set an attribute, unless it has that value. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// JupyterLab takes the arrow keys away from an input that does not carry this mark itself.
const KEYS = { "data-lm-suppress-shortcuts": "true" };
let serial = 0;

/** A labelled range input. `set({ value, low, high, why })` moves it; outside low..high it stays and says why. */
export function slider({ name, label, min, max, step = 1, format = String, onChange }) {
  const id = `cnnviz-${name}-${serial++}`;
  const input = element("input", { type: "range", id, name, min, max, step, ...KEYS, "aria-describedby": `${id}-why` });
  const shown = element("output", { for: id, class: "cnnviz-value" });
  const why = element("span", { id: `${id}-why`, class: "cnnviz-why", role: "status" });
  const root = element("div", { class: "cnnviz-control" },
    element("label", { for: id, text: label }), input, shown, why);
  let legal = { low: min, high: max, why: {} };
  input.addEventListener("input", () => {
    const wanted = Number(input.value);
    const value = Math.min(Math.max(wanted, legal.low), legal.high);
    if (wanted !== value) input.value = value;
    write(shown, format(value));
    write(why, wanted > value ? legal.why.high ?? "" : wanted < value ? legal.why.low ?? "" : "");
    onChange(value);
  });
  return {
    root, input,
    set({ value, low = min, high = max, why: reasons = {}, disabled = false }) {
      legal = { low, high, why: reasons };
      input.disabled = Boolean(disabled);
      root.classList.toggle("cnnviz-off", Boolean(disabled));
      if (disabled) write(why, typeof disabled === "string" ? disabled : "");
      else if (value !== low && value !== high) write(why, "");
      if (Number(input.value) !== value) input.value = value;
      write(shown, format(value));
    },
  };
}

/** A labelled list of named choices; `options` are strings, or [value, text], and true if it is shown but not offered. */
export function choice({ name, label, options, onChange }) {
  const id = `cnnviz-${name}-${serial++}`;
  const select = element("select", { id, name, ...KEYS, onchange: () => onChange(select.value) });
  const root = element("div", { class: "cnnviz-control" }, element("label", { for: id, text: label }), select);
  let [listed, pending] = ["", null];
  const list = (items) => {
    const pairs = items.map((item) => (Array.isArray(item) ? item : [item, item]));
    if (listed === JSON.stringify(pairs)) return;
    listed = JSON.stringify(pairs);
    select.replaceChildren(...pairs.map(([value, text, hidden]) => element("option", { value, text, hidden })));
  };
  const choose = (value) => { if (select.value !== value) select.value = value; };
  list(options);
  return {
    root, input: select,
    set({ value, options: items = undefined, disabled = false }) {
      clearTimeout(pending);
      // A list takes as long as a drawing and is seen when it is opened: while a slider is dragged only the last counts.
      const later = items && [...select.options].some((option) => option.value === value);
      if (later) pending = setTimeout(() => { list(items); choose(value); }, 100);
      else if (items) list(items);
      choose(value);
      select.disabled = Boolean(disabled);
      root.classList.toggle("cnnviz-off", Boolean(disabled));
    },
  };
}

/** A labelled check box. */
export function toggle({ name, label, onChange }) {
  const id = `cnnviz-${name}-${serial++}`;
  const input = element("input", { type: "checkbox", id, name, ...KEYS, onchange: () => onChange(input.checked) });
  const root = element("div", { class: "cnnviz-control" }, element("label", { for: id, text: label }), input);
  return {
    root, input,
    set({ value, disabled = false }) {
      input.checked = value;
      input.disabled = Boolean(disabled);
      root.classList.toggle("cnnviz-off", Boolean(disabled));
    },
  };
}

/** A button; `set({ label, disabled, pressed })`. */
export function button({ name, label, title, onClick }) {
  const input = element("button", { type: "button", name, title, text: label, ...KEYS, onclick: onClick });
  return {
    root: input, input,
    set({ label: text, disabled = false, pressed = undefined }) {
      if (text !== undefined) write(input, text);
      input.disabled = Boolean(disabled);
      if (pressed !== undefined) setAttribute(input, "aria-pressed", pressed);
    },
  };
}

/** A grid of number inputs; `onChange(row, column, value)`; cells that do not hold a number keep the old one. */
export function numberGrid({ label, onChange }) {
  const root = element("div", { class: "cnnviz-grid", role: "group", "aria-label": label });
  let cells = [];
  const build = (rows, columns) => {
    root.style.setProperty("--columns", columns);
    cells = Array.from({ length: rows }, (_, row) => Array.from({ length: columns }, (_, column) =>
      element("input", {
        type: "number", step: "any", ...KEYS, "aria-label": `${label}, row ${row}, column ${column}`,
        onchange: ({ target }) => {
          const value = Number(target.value);
          if (target.value.trim() === "" || !Number.isFinite(value)) target.value = target.dataset.value;
          else onChange(row, column, value);
        },
      })));
    root.replaceChildren(...cells.flat());
  };
  return {
    root,
    set(values) {
      if (cells.length !== values.length || cells[0]?.length !== values[0].length) build(values.length, values[0].length);
      values.forEach((line, row) => line.forEach((value, column) => {
        const cell = cells[row][column];
        const text = short(value);
        if (cell.dataset.value !== text) cell.dataset.value = cell.value = text;
      }));
    },
  };
}

/**
 * A row of nodes that are pressed like buttons, one stop of the Tab key for all: click, Enter and Space press, the arrow
 * keys `back` and `forth`, Home and End go from one to the next. `press(n)` and, where the pointer or the focus is, `look(n)`
 * are told the number of the node; `look(null)` where neither is any more.
 */
export function roving(nodes, { back, forth, press, look }) {
  nodes.forEach((node, n) => {
    for (const [name, value] of Object.entries({ tabindex: n === 0 ? 0 : -1, role: "button", ...KEYS })) setAttribute(node, name, value);
    const on = {
      click: () => press(n),
      focus() { nodes.forEach((other) => setAttribute(other, "tabindex", other === node ? 0 : -1)); look(n); },
      blur: () => look(null),
      pointerenter: () => look(n),
      pointerleave: () => look(nodes.includes(document.activeElement) ? nodes.indexOf(document.activeElement) : null),
      keydown(event) {
        const to = { [back]: n - 1, [forth]: n + 1, Home: 0, End: nodes.length - 1 }[event.key];
        if (to === undefined && event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        if (to === undefined) press(n); else nodes[to]?.focus();
      },
    };
    for (const [name, listener] of Object.entries(on)) node.addEventListener(name, listener);
  });
}

/** A live region that a screen reader speaks. */
export function announcer() {
  const root = element("div", { class: "cnnviz-hidden", role: "status", "aria-live": "polite" });
  let pending = null;
  return {
    root,
    // While a slider is dragged only the last sentence is worth hearing.
    say(text) {
      clearTimeout(pending);
      pending = setTimeout(() => { root.textContent = text; }, 150);
    },
  };
}

/** A number as it is written in a cell: at most `digits` decimals, no trailing zeros, a true minus sign never. */
export function short(value, digits = 3) {
  if (!Number.isFinite(value)) return value === -Infinity ? "-∞" : String(value);
  return String(Number(value.toFixed(digits)) + 0);
}

/**
 * Call `paint` at once, and after that at most once per frame, however often it is asked for. The frame is asked for
 * first: while we paint, the browser gets ready for it.
 */
export function oncePerFrame(paint) {
  let [waiting, asked] = [false, false];
  const go = () => {
    [waiting, asked] = [true, false];
    requestAnimationFrame(() => { waiting = false; if (asked) go(); });
    paint();
  };
  return () => { if (waiting) asked = true; else go(); };
}

/**
 * Call `changed(width)` when a stage is given its room and when its look changes; return what ends it. The style sheet
 * gives a stage's ink a transition of a moment: its end says that the theme has changed; a busy page may skip it, and
 * cancels it. JupyterLab takes what is out of sight off the page (it has no width then), and puts it back, perhaps in
 * another theme.
 */
export function watchLook(stage, changed) {
  const look = () => {
    const width = Math.floor(stage.getBoundingClientRect().width);
    if (width > 0) changed(width);
  };
  const watcher = new ResizeObserver(look);
  watcher.observe(stage);
  for (const end of ["transitionend", "transitioncancel"]) stage.addEventListener(end, look);
  return () => watcher.disconnect();
}

/**
 * Tie a view to its model: `read()` the traits, `write(changes)` them to Python, `changed` when Python changed them.
 * Python is told a frame later, and of a dragged slider ten times a second: what the learner sees comes first.
 */
export function connect(model, names, changed) {
  let own = false;
  let pending = {};
  const listener = () => { if (!own) changed(); };
  for (const name of names) model.on(`change:${name}`, listener);
  const tell = () => {
    const changes = pending;
    pending = {};
    if (Object.keys(changes).length === 0) return;
    own = true;
    try {
      for (const [name, value] of Object.entries(changes)) model.set(name, value);
    } finally {
      own = false;
    }
    model.save_changes();
  };
  let [timer, told] = [null, -Infinity];
  const tellSoon = () => {
    timer ??= setTimeout(() => { [timer, told] = [null, performance.now()]; tell(); }, Math.max(20, told + 100 - performance.now()));
  };
  return {
    read: () => ({ ...Object.fromEntries(names.map((name) => [name, model.get(name)])), ...pending }),
    write(changes) {
      Object.assign(pending, changes);
      tellSoon();
    },
    close() {
      tell();
      names.forEach((name) => model.off(`change:${name}`, listener));
    },
  };
}

/** The context of a canvas of `width` x `height` pixels of the page, drawn with `scale` pixels of the screen for each. */
export function sized(canvas, width, height, scale = globalThis.devicePixelRatio) {
  const size = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) {
    [canvas.width, canvas.height] = size;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

/** The same, emptied. */
export function emptied(canvas, width, height, scale = globalThis.devicePixelRatio) {
  const context = sized(canvas, width, height, scale);
  context.clearRect(0, 0, width, height);
  return context;
}
