// ConvolutionExplorer: controls, pointer and keyboard around the pure functions of convolution_arithmetic.js and
// convolution_drawing.js, painted by convolution_painter.js.

const TRAITS = [
  "mode", "source", "input_size", "kernel_size", "stride", "padding", "padding_mode", "dilation", "output_padding",
  "global_pooling", "out_channels", "kernels", "input", "weight", "bias", "filter", "step", "speed",
];
const MODES = ["convolution", ["transposed convolution", "transposed"], "max pooling", "average pooling", "L2-norm pooling"];
const SOURCES = ["numbers", "digit", "photo", "colour photo"];

function render({ model, el }) {
  let state = {};
  let computed = null; // forward(state), kept until a setting changes
  let cursor = null; // { panel, channel, row, column } under the pointer or the keyboard
  let timer = null; // of the running animation
  let revealing = false; // while an animation is under way, outputs yet to come are faint
  let width = 760;
  let painted = null; // what stands on the canvas of input and filter
  let colours = null; // palette(root), read again when the theme changes
  const pictures = model.get("_pictures");
  const presets = model.get("_presets");

  const shown = () => windowed(state);
  const link = connect(model, TRAITS, () => { load(); paint(); });

  /** Change settings: keep the arrays in step, draw, tell Python. */
  function update(changes, note = "") {
    // Of two changes within one frame the second slider does not know yet where it stops now; it goes back.
    if (refusal({ ...state, ...changes })) return paint();
    const before = state;
    state = complete({ ...state, ...changes }, pictures, presets);
    const changed = TRAITS.filter((name) => state[name] !== before[name] &&
      JSON.stringify(state[name]) !== JSON.stringify(before[name]));
    if (changed.length === 0) return;
    if (changed.some((name) => !["step", "filter", "speed"].includes(name))) {
      computed = null;
      if (timer === null) revealing = false;
    }
    write(message, note);
    paint();
    link.write(Object.fromEntries(changed.map((name) => [name, state[name]])));
  }

  function load() {
    state = complete(link.read(), pictures, presets);
    computed = null;
  }

  /** Take a choice that may be illegal with the other settings; say what else had to change, or why it cannot be. */
  function choose(changes) {
    const [legal, notes] = adapt({ ...state, ...changes });
    if (legal) update(legal, notes.join("; "));
    else message.textContent = `not possible: ${notes[0]}`;
    paint();
  }

  // Controls
  const number = (name, label) => slider({
    name, label, min: RANGES[name][0], max: RANGES[name][1], onChange: (value) => update({ [name]: value }),
  });
  const controls = {
    mode: choice({ name: "mode", label: "mode", options: MODES, onChange: (mode) => choose({ mode, ...freeOf(mode) }) }),
    source: choice({ name: "source", label: "input", options: SOURCES, onChange: (source) => update({ source }) }),
    input_size: number("input_size", "input size"),
    kernel_size: number("kernel_size", "kernel size"),
    stride: number("stride", "stride"),
    padding: number("padding", "padding"),
    amount: choice({
      name: "amount", label: "padding as", options: ["number", "valid", "same", "full"],
      onChange: (word) => choose({ padding: word === "number" ? padAmounts(state)[0] : word }),
    }),
    padding_mode: choice({
      name: "padding_mode", label: "padding mode", options: ["zeros", "reflect", "replicate", "circular"],
      onChange: (padding_mode) => {
        const reason = refusal({ ...state, padding_mode });
        if (reason) { message.textContent = `not possible: ${reason}`; paint(); } else update({ padding_mode });
      },
    }),
    dilation: number("dilation", "dilation"),
    output_padding: number("output_padding", "output padding"),
    global_pooling: toggle({ name: "global_pooling", label: "global pooling", onChange: (global_pooling) => choose({ global_pooling }) }),
    out_channels: number("out_channels", "filters"),
    filter: choice({ name: "filter", label: "show filter", options: ["0"], onChange: (value) => update({ filter: Number(value) }) }),
    kernel: choice({
      name: "kernel", label: "kernel", options: Object.keys(presets),
      onChange: (name) => update({ kernels: state.kernels.map((old, f) => (f === state.filter ? name : old)) }),
    }),
    bias: slider({
      name: "bias", label: "bias", min: -20, max: 20, format: short,
      onChange: (value) => update({ bias: state.bias.map((old, f) => (f === state.filter ? value : old)) }),
    }),
  };
  /** Settings of one mode mean nothing in the others; they go back to their neutral values. */
  const freeOf = (mode) => (mode === "convolution" ? { output_padding: 0, global_pooling: false } : {
    ...(mode === "transposed convolution" ? { global_pooling: false } : {}),
    padding_mode: "zeros", padding: typeof state.padding === "string" ? 0 : state.padding,
    ...(mode === "transposed convolution" ? {} : { output_padding: 0 }),
  });

  const play = button({ name: "play", label: "Play", title: "Move the window step by step", onClick: () => (timer === null ? start() : pause()) });
  const back = button({ name: "back", label: "Step back", onClick: () => move(-1) });
  const next = button({ name: "next", label: "Step", onClick: () => move(1) });
  const scrub = slider({ name: "step", label: "step", min: 0, max: 1, format: (value) => `${value + 1}`, onChange: (step) => { revealing = true; update({ step }); } });
  const speed = slider({ name: "speed", label: "steps / second", min: 1, max: 30, onChange: (value) => { update({ speed: value }); if (timer !== null) start(); } });
  const copy = button({ name: "copy", label: "Copy as PyTorch", onClick: copyCode });

  function move(by) {
    const count = sizes(shown()).steps ** 2;
    revealing = true;
    update({ step: (state.step + by + count) % count });
    paint();
  }
  function start() {
    clearInterval(timer);
    const last = sizes(shown()).steps ** 2 - 1;
    if (state.step >= last && !revealing) update({ step: 0 });
    revealing = true;
    timer = setInterval(() => move(1), 1000 / state.speed);
    paint();
  }
  function pause() {
    clearInterval(timer);
    timer = null;
    paint();
  }
  async function copyCode() {
    details.open = true;
    write(code, pytorch(state));
    getSelection()?.selectAllChildren(code);
    // Without a secure page there is no clipboard; the code is then selected, ready for Ctrl+C.
    const done = await navigator.clipboard?.writeText(pytorch(state)).then(() => true, () => false);
    message.textContent = done ? "copied" : "the code is selected: copy it with Ctrl+C";
    spoken.say(message.textContent);
  }

  // The page
  const heading = element("div", { class: "cnnviz-formula cnnviz-size" });
  const kept = element("div", { class: "cnnviz-formula cnnviz-kept" });
  const sum = element("div", { class: "cnnviz-formula cnnviz-sum" });
  const pointed = element("div", { class: "cnnviz-formula cnnviz-pointed" });
  const message = element("div", { class: "cnnviz-why", role: "status" });
  const code = element("pre", { class: "cnnviz-code", tabindex: 0 });
  const details = element("details", { ontoggle: () => paint() }, element("summary", { text: "the same in PyTorch" }), code);
  const spoken = announcer();
  // Two canvases are painted, one upon the other; the panels stand upon them and take the keyboard's focus.
  const panel = (name) => element("div", {
    class: "cnnviz-panel", tabindex: 0, role: "application", "data-panel": name, ...KEYS, onkeydown: (event) => key(event, name),
    onfocus: () => { if (cursor?.panel !== name) point({ panel: name, channel: 0, row: 0, column: 0 }); },
    onblur: () => point(null),
  });
  const panels = { left: panel("left"), kernel: panel("kernel"), right: panel("right") };
  const [still, moving] = [element("canvas", { "aria-hidden": "true" }), element("canvas", { "aria-hidden": "true" })];
  const stage = element("div", {
    class: "cnnviz-drawing", role: "group", onpointermove: (event) => point(hit(event)), onpointerleave: () => point(null),
    onclick: (event) => select(hit(event)), ondblclick: (event) => edit(hit(event)),
  }, still, moving, ...Object.values(panels));
  const root = element("div", { class: "cnnviz cnnviz-convolution" },
    element("div", { class: "cnnviz-controls" }, ...Object.values(controls).map((control) => control.root)),
    message, stage, sum,
    element("div", { class: "cnnviz-row" }, play.root, back.root, next.root, copy.root),
    element("div", { class: "cnnviz-controls" }, scrub.root, speed.root),
    heading, kept, pointed, details, spoken.root);

  // Pointer and keyboard
  function hit(event) {
    const box = stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const plan = layout(shown(), width);
    for (const grid of [...plan.left, ...plan.kernel, ...plan.right]) {
      const [row, column] = [Math.floor((y - grid.y) / plan.cell), Math.floor((x - grid.x) / plan.cell)];
      if (row >= 0 && row < grid.n && column >= 0 && column < grid.n) return { panel: grid.panel, channel: grid.channel, row, column };
    }
    return null;
  }
  function point(cell) {
    if (JSON.stringify(cell) === JSON.stringify(cursor)) return;
    cursor = cell;
    paint();
  }
  /** A click on a place of the window makes it the present step. */
  function select(cell) {
    if (!cell) return;
    const { steps } = sizes(shown());
    if (cell.panel === (isTransposed(state) ? "left" : "right")) {
      const filter = cell.panel === "right" ? { filter: cell.channel } : {};
      update({ step: cell.row * steps + cell.column, ...filter });
    }
  }
  function key(event, name) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const grids = layout(shown(), width)[name];
    if (!cursor || cursor.panel !== name || grids.length === 0) return;
    if (moves[event.key]) {
      const n = grids[0].n;
      const line = Math.min(Math.max(cursor.channel * n + cursor.row + moves[event.key][0], 0), grids.length * n - 1);
      const column = Math.min(Math.max(cursor.column + moves[event.key][1], 0), n - 1);
      point({ panel: name, channel: Math.floor(line / n), row: line % n, column });
      spoken.say(pointedText(seen()));
    } else if (event.key === "Enter") {
      select(cursor);
      edit(cursor);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** An input over a cell of the input or the kernel; Enter or leaving it keeps the number, Escape drops it. */
  function edit(cell) {
    const place = cell && editable(cell);
    if (!place) return;
    const plan = layout(shown(), width);
    const grid = plan[cell.panel][cell.channel];
    let open = true;
    const close = (keep) => {
      if (!open) return;
      open = false;
      const value = Number(field.value);
      if (keep && field.value.trim() !== "" && Number.isFinite(value)) place.set(value);
      field.remove();
      panels[cell.panel].focus();
      point(cell);
    };
    const field = element("input", {
      type: "number", step: "any", value: place.value, class: "cnnviz-edit", "aria-label": "value of the cell", ...KEYS,
      onkeydown: (event) => { if (event.key === "Enter") close(true); if (event.key === "Escape") close(false); event.stopPropagation(); },
      onblur: () => close(true),
    });
    const size = Math.max(plan.cell, 58);
    field.style.cssText = `left:${grid.x + (cell.column + 0.5) * plan.cell - size / 2}px; top:${grid.y + (cell.row + 0.5) * plan.cell - 15}px; width:${size}px`;
    stage.append(field);
    field.select();
  }
  function editable({ panel: name, channel, row, column }) {
    const replaced = (square, r, c, value) => square.map((line, i) => (i === r ? line.map((old, j) => (j === c ? value : old)) : line));
    if (name === "kernel") {
      const f = state.filter;
      return {
        value: state.weight[f][channel][row][column],
        set: (value) => update({
          kernels: state.kernels.map((old, i) => (i === f ? "edited" : old)),
          weight: state.weight.map((filter, i) => (i === f ? filter.map((square, c) => (c === channel ? replaced(square, row, column, value) : square)) : filter)),
        }),
      };
    }
    if (name !== "left") return null;
    const shift = isTransposed(state) ? 0 : sizes(shown()).before;
    const [r, c] = [row - shift, column - shift];
    if (r < 0 || c < 0 || r >= state.input_size || c >= state.input_size) return null;
    return {
      value: state.input[channel][r][c],
      set: (value) => update({ source: "own", input: state.input.map((square, i) => (i === channel ? replaced(square, r, c, value) : square)) }),
    };
  }

  // Drawing
  const paint = oncePerFrame(() => {
    computed ??= forward(shown());
    setControls();
    draw();
    write(heading, formula(shown()));
    write(kept, `${keptText(shown(), computed)}${state.mode === "max pooling" ? " They are drawn faint; of equal numbers the first counts." : ""}`);
    write(sum, sumText(shown(), computed));
    write(pointed, cursor ? pointedText(seen()) : "Point at a cell, or reach it with Tab and the arrow keys: what it feeds, or is fed by, lights up.");
    if (details.open) write(code, pytorch(state));
    const words = describe(state, computed);
    setAttribute(stage, "aria-label", words);
    spoken.say(revealing ? `Step ${state.step + 1}. ${sum.textContent}` : `${words} Step ${state.step + 1}: ${sum.textContent}`);
  });

  function setControls() {
    const [pooled, turned] = [isPooling(state), isTransposed(state)];
    const off = {
      padding: typeof state.padding === "string" ? `set by "${state.padding}"` : state.mode === "L2-norm pooling" && "L2-norm pooling has none",
      dilation: pooled && state.mode !== "max pooling" && `${state.mode} has none`,
      output_padding: !turned && "transposed convolution only",
      out_channels: pooled && "pooling keeps the channels",
    };
    if (state.global_pooling) for (const name of ["kernel_size", "stride", "padding", "dilation"]) off[name] = "global: the window is the whole input";
    for (const name of Object.keys(RANGES)) {
      const value = name === "padding" ? padAmounts(state)[0] : state[name];
      controls[name].set({ value, ...(name === "out_channels" ? {} : limits(state, name)), disabled: off[name] });
    }
    controls.mode.set({ value: state.mode });
    controls.source.set({ value: state.source, options: state.source === "own" ? [...SOURCES, "own"] : SOURCES });
    controls.amount.set({ value: typeof state.padding === "string" ? state.padding : "number", disabled: state.mode !== "convolution" });
    controls.global_pooling.set({ value: state.global_pooling, disabled: !pooled });
    controls.padding_mode.set({ value: state.padding_mode, disabled: state.mode !== "convolution" });
    const count = pooled ? state.input.length : state.out_channels;
    controls.filter.set({ value: String(state.filter), options: range(count).map(String), disabled: count === 1 });
    const kernel = pooled ? Object.keys(presets)[0] : state.kernels[state.filter];
    controls.kernel.set({ value: kernel, options: kernel === "edited" ? [...Object.keys(presets), "edited"] : Object.keys(presets), disabled: pooled });
    controls.bias.set({ value: pooled ? 0 : state.bias[state.filter], disabled: pooled && "pooling has none" });
    play.set({ label: timer === null ? "Play" : "Pause", pressed: timer !== null });
    const last = sizes(shown()).steps ** 2 - 1;
    setAttribute(scrub.input, "max", last);
    scrub.set({ value: state.step, low: 0, high: last });
    speed.set({ value: state.speed });
  }

  const seen = () => ({ state: shown(), computed, plan: layout(shown(), width), cursor, revealing });

  function draw() {
    const view = seen();
    const { plan } = view;
    setAttribute(panels.left, "aria-label", "input; arrow keys move, Enter edits a number");
    setAttribute(panels.kernel, "aria-label", `filter ${state.filter}; arrow keys move, Enter edits a weight`);
    setAttribute(panels.right, "aria-label", "output; arrow keys move, Enter goes to the step");
    for (const [name, node] of Object.entries(panels)) setAttribute(node, "style", panelStyle(plan, name));
    colours ??= palette(root);
    // A slider often leaves input and filter as they are: they are painted again only when they change.
    const shapes = [...drawInput(view), ...drawKernel(view)];
    const looks = JSON.stringify([shapes, plan.width, plan.height, colours, devicePixelRatio]);
    if (looks !== painted) paintShapes(still, shapes, plan, colours);
    painted = looks;
    paintShapes(moving, [...drawOutput(view), ...drawMarks(view)], plan, colours);
  }

  const unwatch = watchLook(stage, (room) => {
    width = Math.max(320, room);
    colours = null;
    paint();
  });
  load();
  el.append(root);
  paint();
  return () => { pause(); link.close(); unwatch(); };
}

const widget = { render };
export default widget;
