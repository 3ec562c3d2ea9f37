// ConvolutionExplorer: controls, drawing and keyboard around the pure functions of convolution_arithmetic.js.

const TRAITS = [
  "mode", "source", "input_size", "kernel_size", "stride", "padding", "padding_mode", "dilation", "output_padding",
  "out_channels", "kernels", "input", "weight", "bias", "filter", "step", "speed",
];
const MODES = ["convolution", "transposed convolution", "max pooling", "average pooling"];
const SOURCES = ["numbers", "digit", "photo", "colour photo"];
const COLOURS = ["red", "green", "blue"];

/** Where everything is drawn, in pixels: cell size, and per panel its grids { panel, channel, x, y, n }. */
export function layout(state, width) {
  const { canvas, output } = sizes(state);
  const [left, right] = isTransposed(state) ? [state.input_size, canvas] : [canvas, output];
  const inputs = state.input.length;
  const outputs = isPooling(state) ? inputs : state.out_channels;
  const rows = Math.max(inputs, outputs);
  const rowHeight = rows === 1 ? 310 : 215;
  const columns = { left: 0, kernel: 0.44 * width, right: 0.64 * width };
  const room = { left: 0.41 * width, kernel: 0.17 * width, right: 0.355 * width };
  const cell = Math.min(42, room.left / left, room.kernel / state.kernel_size, room.right / right,
    (rowHeight - 30) / Math.max(left, right, state.kernel_size));
  const grids = (panel, count, n) => range(count).map((channel) => ({
    panel, channel, n, x: columns[panel] + 1, y: 40 + channel * rowHeight,
  }));
  return {
    cell, columns, height: 28 + rows * rowHeight,
    left: grids("left", inputs, left),
    kernel: isPooling(state) ? [] : grids("kernel", inputs, state.kernel_size),
    right: grids("right", outputs, right),
  };
}

/** A value as it is written in a cell: three figures are enough there. */
export function cellText(value) {
  const size = Math.abs(value);
  return short(value, Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function render({ model, el }) {
  let state = {};
  let computed = null; // forward(state), kept until a setting changes
  let cursor = null; // { panel, channel, row, column } under the pointer or the keyboard
  let timer = null; // of the running animation
  let revealing = false; // while an animation is under way, outputs yet to come are faint
  let width = 760;
  const pictures = model.get("_pictures");
  const presets = model.get("_presets");

  const link = connect(model, TRAITS, () => { load(); paint(); });

  /** Change settings: keep the arrays in step, draw, tell Python. A setting that is not legal never comes this far. */
  function update(changes, note = "") {
    const before = state;
    state = complete({ ...state, ...changes }, pictures, presets);
    const changed = TRAITS.filter((name) => JSON.stringify(state[name]) !== JSON.stringify(before[name]));
    if (changed.length === 0) return;
    if (changed.some((name) => !["step", "filter", "speed"].includes(name))) {
      computed = null;
      if (timer === null) revealing = false;
    }
    message.textContent = note;
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
  const freeOf = (mode) => (mode === "convolution" ? { output_padding: 0 } : {
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
    const count = sizes(state).steps ** 2;
    revealing = true;
    update({ step: (state.step + by + count) % count });
    paint();
  }
  function start() {
    clearInterval(timer);
    const last = sizes(state).steps ** 2 - 1;
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
    getSelection()?.selectAllChildren(code);
    // Without a secure page there is no clipboard; the code is then selected, ready for Ctrl+C.
    const done = await navigator.clipboard?.writeText(pytorch(state)).then(() => true, () => false);
    message.textContent = done ? "copied" : "the code is selected: copy it with Ctrl+C";
    spoken.say(message.textContent);
  }

  // The page
  const heading = element("div", { class: "cnnviz-formula cnnviz-size" });
  const sum = element("div", { class: "cnnviz-formula cnnviz-sum", tabindex: 0, "aria-label": "the sum of products of this step" });
  const pointed = element("div", { class: "cnnviz-formula cnnviz-pointed" });
  const message = element("div", { class: "cnnviz-why", role: "status" });
  const code = element("pre", { class: "cnnviz-code", tabindex: 0 });
  const details = element("details", {}, element("summary", { text: "the same in PyTorch" }), code);
  const spoken = announcer();
  const panel = (name) => element("g", {
    tabindex: 0, role: "application", "data-panel": name, ...KEYS, onkeydown: (event) => key(event, name),
    onfocus: () => { if (cursor?.panel !== name) point({ panel: name, channel: 0, row: 0, column: 0 }); },
    onblur: () => point(null),
  });
  const panels = { left: panel("left"), kernel: panel("kernel"), right: panel("right") };
  const signsAndHatch = element("g", { "pointer-events": "none" });
  const marks = element("g", { "pointer-events": "none" });
  const hatch = element("defs");
  hatch.innerHTML = HATCH;
  const svg = element("svg", {
    class: "cnnviz-drawing", role: "group", onpointermove: (event) => point(hit(event)), onpointerleave: () => point(null),
    onclick: (event) => select(hit(event)), ondblclick: (event) => edit(hit(event)),
  }, hatch, ...Object.values(panels), signsAndHatch, marks);
  const stage = element("div", { class: "cnnviz-stage" }, svg);
  const root = element("div", { class: "cnnviz cnnviz-convolution" },
    element("div", { class: "cnnviz-controls" }, ...Object.values(controls).map((control) => control.root)),
    message, stage, sum,
    element("div", { class: "cnnviz-row" }, play.root, back.root, next.root, copy.root),
    element("div", { class: "cnnviz-controls" }, scrub.root, speed.root),
    heading, pointed, details, spoken.root);

  // Pointer and keyboard
  function hit(event) {
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const plan = layout(state, width);
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
    const { steps } = sizes(state);
    if (cell.panel === (isTransposed(state) ? "left" : "right")) {
      const filter = cell.panel === "right" ? { filter: cell.channel } : {};
      update({ step: cell.row * steps + cell.column, ...filter });
    }
  }
  function key(event, name) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const grids = layout(state, width)[name];
    if (!cursor || cursor.panel !== name || grids.length === 0) return;
    if (moves[event.key]) {
      const n = grids[0].n;
      const line = Math.min(Math.max(cursor.channel * n + cursor.row + moves[event.key][0], 0), grids.length * n - 1);
      const column = Math.min(Math.max(cursor.column + moves[event.key][1], 0), n - 1);
      point({ panel: name, channel: Math.floor(line / n), row: line % n, column });
      spoken.say(pointedText());
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
    const plan = layout(state, width);
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
    const shift = isTransposed(state) ? 0 : sizes(state).before;
    const [r, c] = [row - shift, column - shift];
    if (r < 0 || c < 0 || r >= state.input_size || c >= state.input_size) return null;
    return {
      value: state.input[channel][r][c],
      set: (value) => update({ source: "own", input: state.input.map((square, i) => (i === channel ? replaced(square, r, c, value) : square)) }),
    };
  }

  // Drawing
  const paint = oncePerFrame(() => {
    computed ??= forward(state);
    setControls();
    draw();
    heading.textContent = formula(state);
    sum.textContent = sumText(state, computed);
    pointed.textContent = cursor ? pointedText() : "Point at a cell, or reach it with Tab and the arrow keys: what it feeds, or is fed by, lights up.";
    const text = pytorch(state);
    if (code.textContent !== text) code.textContent = text;
    svg.setAttribute("aria-label", describe(state));
    spoken.say(revealing ? `Step ${state.step + 1}. ${sum.textContent}` : `${describe(state)} Step ${state.step + 1}: ${sum.textContent}`);
  });

  function setControls() {
    const [pooled, turned] = [isPooling(state), isTransposed(state)];
    const off = {
      padding: typeof state.padding === "string" && `set by "${state.padding}"`,
      dilation: state.mode === "average pooling" && "average pooling has none",
      output_padding: !turned && "transposed convolution only",
      out_channels: pooled && "pooling keeps the channels",
    };
    for (const name of Object.keys(RANGES)) {
      const value = name === "padding" ? padAmounts(state)[0] : state[name];
      controls[name].set({ value, ...(name === "out_channels" ? {} : limits(state, name)), disabled: off[name] });
    }
    controls.mode.set({ value: state.mode });
    controls.source.set({ value: state.source, options: state.source === "own" ? [...SOURCES, "own"] : SOURCES });
    controls.amount.set({ value: typeof state.padding === "string" ? state.padding : "number", disabled: state.mode !== "convolution" });
    controls.padding_mode.set({ value: state.padding_mode, disabled: state.mode !== "convolution" });
    const count = pooled ? state.input.length : state.out_channels;
    controls.filter.set({ value: String(state.filter), options: range(count).map(String), disabled: count === 1 });
    const kernel = pooled ? Object.keys(presets)[0] : state.kernels[state.filter];
    controls.kernel.set({ value: kernel, options: kernel === "edited" ? [...Object.keys(presets), "edited"] : Object.keys(presets), disabled: pooled });
    controls.bias.set({ value: pooled ? 0 : state.bias[state.filter], disabled: pooled && "pooling has none" });
    play.set({ label: timer === null ? "Play" : "Pause", pressed: timer !== null });
    const last = sizes(state).steps ** 2 - 1;
    scrub.input.max = last;
    scrub.set({ value: state.step, low: 0, high: last });
    speed.set({ value: state.speed });
  }

  function draw() {
    const plan = layout(state, width);
    svg.setAttribute("height", plan.height);
    svg.setAttribute("viewBox", `0 0 ${width} ${plan.height}`);
    const { before, canvas, output } = sizes(state);
    const turned = isTransposed(state);
    const n = state.input_size;
    panels.left.setAttribute("aria-label", "input; arrow keys move, Enter edits a number");
    fill(panels.left, title(plan.columns.left, `input ${state.input.length} x ${n} x ${n}`) +
      plan.left.map((grid) => inputGrid(grid, plan.cell, turned ? 0 : before)).join(""));
    panels.kernel.setAttribute("aria-label", `filter ${state.filter}; arrow keys move, Enter edits a weight`);
    fill(panels.kernel, isPooling(state)
      ? title(plan.columns.kernel, state.mode.split(" ")[0])
      : title(plan.columns.kernel, `filter ${state.filter} of ${state.out_channels}`) +
        plan.kernel.map((grid) => label(grid, state.input.length > 1 ? `weights for ${COLOURS[grid.channel]}` : "") + signedGrid(grid, plan.cell, state.weight[state.filter][grid.channel], "var(--weight)", "var(--input)", () => 1)).join(""));
    panels.right.setAttribute("aria-label", "output; arrow keys move, Enter goes to the step");
    fill(panels.right, title(plan.columns.right, `output ${computed.output.length} x ${output} x ${output}`) +
      plan.right.map((grid) => outputGrid(grid, plan.cell)).join(""));
    fill(signsAndHatch, signs(plan) + leftoverHatch(plan));
    fill(marks, stepMarks(plan) + cursorMarks(plan));
  }

  /** Most changes leave most of the picture alone; what stays need not be laid out and painted again. */
  const drawn = new Map();
  function fill(group, markup) {
    if (drawn.get(group) === markup) return;
    drawn.set(group, markup);
    group.innerHTML = markup;
  }

  /** input * kernel = output, once a row. */
  function signs({ left, kernel, right, cell, columns }) {
    const sign = (grid, x, text) => `<text class="cnnviz-sign" x="${x}" y="${grid.y + (1.5 * cell)}">${text}</text>`;
    const between = (columns.kernel + state.kernel_size * cell + columns.right) / 2;
    if (isPooling(state)) return right.map((grid) => sign(grid, columns.kernel + 40, "→")).join("");
    return left.filter((grid) => kernel[grid.channel]).map((grid) =>
      sign(grid, (grid.x + grid.n * cell + columns.kernel) / 2, "∗")).join("") + sign(right[0], between, "=");
  }

  const title = (x, text) => `<text class="cnnviz-title" x="${x}" y="14">${text}</text>`;
  const label = (grid, text) => `<text class="cnnviz-label" x="${grid.x}" y="${grid.y - 5}">${text}</text>`;

  function inputGrid(grid, cell, offset) {
    const values = computed.canvas[grid.channel];
    const n = state.input_size;
    const inside = (i) => i >= offset && i < offset + n;
    const top = Math.max(...state.input.flat(2).map(Math.abs), 1);
    const scale = state.source.endsWith("photo") ? 255 : 16;
    const shade = (value) => {
      const level = Math.round(255 * Math.min(Math.max(value / scale, 0), 1));
      if (state.source === "colour photo") return `rgb(${COLOURS.map((_, c) => (c === grid.channel ? level : 0)).join(",")})`;
      return `rgb(${level},${level},${level})`;
    };
    const picture = !["numbers", "own"].includes(state.source);
    const caption = state.input.length > 1 ? [`channel ${grid.channel}, ${COLOURS[grid.channel]}`] : [];
    if (grid.n > n && grid.channel === 0) caption.push(`padded to ${grid.n} x ${grid.n}`);
    return label(grid, caption.join(", ")) +
      cells(grid, cell, values, (value, row, column) => {
        if (!inside(row) || !inside(column)) return { style: 'class="cnnviz-pad"', ink: "var(--soft-ink)" };
        if (!picture) return { style: `class="cnnviz-cell" fill="var(--input)" fill-opacity="${(0.06 + 0.4 * Math.abs(value) / top).toFixed(3)}"`, ink: "var(--ink)" };
        const light = state.source === "colour photo" ? grid.channel === 1 && value > 150 : value / scale > 0.55;
        return { style: `class="cnnviz-cell" fill="${shade(value)}"`, ink: light ? "#000" : "#fff" };
      });
  }

  function signedGrid(grid, cell, values, positive, negative, opacity) {
    const top = Math.max(...values.flat().filter(Number.isFinite).map(Math.abs), 1e-9);
    return cells(grid, cell, values, (value, row, column) => ({
      style: `class="cnnviz-cell" fill="${value < 0 ? negative : positive}" fill-opacity="${(0.04 + 0.46 * Math.min(Math.abs(value) / top, 1)).toFixed(3)}" opacity="${opacity(row, column)}"`,
      ink: "var(--ink)", opacity: opacity(row, column),
    }));
  }

  function outputGrid(grid, cell) {
    const { before, output, steps } = sizes(state);
    const turned = isTransposed(state);
    const values = turned ? computed.full[grid.channel] : computed.output[grid.channel];
    const [now, column] = position(state);
    // A cell is finished once no later step can change it.
    const finished = (r, c) => {
      if (!turned) return r * steps + c <= state.step;
      const [rows, columns] = [stepsOver(state, r), stepsOver(state, c)];
      return rows.length === 0 || columns.length === 0 || rows.at(-1) * steps + columns.at(-1) <= now * steps + column;
    };
    const kept = (i) => !turned || (i >= before && i < before + output);
    const caption = computed.output.length > 1 ? [`channel ${grid.channel}`] : [];
    if (turned && grid.n > output && grid.channel === 0) caption.push(`cropped from ${grid.n} x ${grid.n}`);
    return label(grid, caption.join(", ")) + signedGrid(grid, cell, values, "var(--output)", "var(--accent)", (r, c) =>
      (!kept(r) || !kept(c) ? 0.25 : revealing && !finished(r, c) ? 0.22 : 1));
  }

  /** Rectangles and numbers of one grid; the numbers are left out where they would be too small to read. */
  function cells(grid, cell, values, look) {
    const texts = values.map((line) => line.map(cellText));
    const longest = Math.max(...texts.flat().map((text) => text.length));
    const size = Math.min(14, cell * 0.46, (0.86 * cell) / (0.65 * longest));
    const boxes = [];
    const words = [];
    values.forEach((line, row) => line.forEach((value, column) => {
      const { style, ink, opacity = 1 } = look(value, row, column);
      const [x, y] = [grid.x + column * cell, grid.y + row * cell];
      boxes.push(`<rect x="${x}" y="${y}" width="${cell}" height="${cell}" ${style}/>`);
      if (size >= 6.5) words.push(`<text x="${x + cell / 2}" y="${y + cell / 2}" fill="${ink}" opacity="${opacity}" data-cell="${grid.panel} ${grid.channel} ${row} ${column}">${texts[row][column]}</text>`);
    }));
    return `${boxes.join("")}<g class="cnnviz-numbers" font-size="${size.toFixed(1)}">${words.join("")}</g>`;
  }

  const box = (grid, cell, row, column, className, rows = 1, columns = 1) =>
    `<rect class="${className}" x="${grid.x + column * cell}" y="${grid.y + row * cell}" width="${columns * cell}" height="${rows * cell}"/>`;

  function leftoverHatch({ left, cell }) {
    const { canvas, leftover } = sizes(state);
    if (leftover === 0) return "";
    return left.map((grid) => box(grid, cell, canvas - leftover, 0, "cnnviz-leftover", leftover, canvas) +
      box(grid, cell, 0, canvas - leftover, "cnnviz-leftover", canvas - leftover, leftover)).join("");
  }

  function stepMarks({ left, right, cell }) {
    const [row, column] = position(state);
    const turned = isTransposed(state);
    const over = isPooling(state) ? (grids) => [grids[state.filter]] : (grids) => grids;
    const one = isPooling(state) || !turned ? [right[state.filter]] : left;
    const window = turned ? right : over(left);
    return window.map((grid) => windowBoxes(grid, cell, row, column, "cnnviz-window") + timesWeights(grid, cell, row, column)).join("") +
      one.map((grid) => box(grid, cell, row, column, "cnnviz-now")).join("");
  }

  /** In the corner of each cell of the window, where there is room, the weight that it is multiplied by. */
  function timesWeights(grid, cell, row, column) {
    if (cell < 30 || isPooling(state) || isTransposed(state)) return "";
    const weights = state.weight[state.filter][grid.channel];
    return windowAt(state, row).map((r, a) => windowAt(state, column).map((c, b) =>
      `<text class="cnnviz-times" x="${grid.x + (c + 1) * cell - 3}" y="${grid.y + (r + 1) * cell - 3}">·${cellText(weights[a][b])}</text>`).join("")).join("");
  }

  /** The window at a step: one frame where it is solid, a frame for each cell where dilation leaves holes. */
  function windowBoxes(grid, cell, row, column, className) {
    const [rows, columns] = [windowAt(state, row), windowAt(state, column)];
    if (state.dilation === 1) return box(grid, cell, rows[0], columns[0], className, rows.length, columns.length);
    return rows.map((r) => columns.map((c) => box(grid, cell, r, c, className)).join("")).join("");
  }

  function cursorMarks(plan) {
    const grid = cursor && plan[cursor.panel][cursor.channel];
    if (!grid || cursor.row >= grid.n || cursor.column >= grid.n) return "";
    const { row, column } = cursor;
    const own = box(grid, plan.cell, row, column, "cnnviz-cursor");
    const [stepSide, windowSide] = isTransposed(state) ? ["left", "right"] : ["right", "left"];
    const across = (grids) => (isPooling(state) ? [grids[cursor.channel]] : grids);
    if (cursor.panel === stepSide) return own + across(plan[windowSide]).map((other) => windowBoxes(other, plan.cell, row, column, "cnnviz-linked")).join("");
    if (cursor.panel === windowSide) return own + across(plan[stepSide]).map((other) => pairs(stepsOver(state, row), stepsOver(state, column), other, plan.cell)).join("");
    const touched = (a) => range(sizes(state).steps).map((i) => windowAt(state, i)[a]);
    return own + pairs(touched(row), touched(column), plan[windowSide][isTransposed(state) ? state.filter : cursor.channel], plan.cell);
  }
  const pairs = (rows, columns, grid, cell) => rows.map((r) => columns.map((c) => box(grid, cell, r, c, "cnnviz-linked")).join("")).join("");

  function pointedText() {
    const grid = layout(state, width)[cursor.panel][cursor.channel];
    if (!grid || cursor.row >= grid.n || cursor.column >= grid.n) return "";
    const { panel: name, channel, row, column } = cursor;
    const { before, steps } = sizes(state);
    const turned = isTransposed(state);
    if (name === "kernel") return `weight[${state.filter}, ${channel}, ${row}, ${column}] = ${short(state.weight[state.filter][channel][row][column])} is used ${steps ** 2} times, once at every step.`;
    const fed = stepsOver(state, row).length * stepsOver(state, column).length;
    if (name === "left" && turned) return `input[${channel}, ${row}, ${column}] = ${short(computed.canvas[channel][row][column])} feeds ${state.kernel_size ** 2} cells of each output channel.`;
    if (name === "left") {
      const [r, c] = [row - before, column - before];
      const inside = r >= 0 && c >= 0 && r < state.input_size && c < state.input_size;
      return `${inside ? `input[${channel}, ${r}, ${c}]` : "padding"} = ${short(computed.canvas[channel][row][column])} feeds ${fed} ${fed === 1 ? "output" : "outputs"} of each channel.`;
    }
    const values = turned ? computed.full : computed.output;
    const [r, c] = turned ? [row - before, column - before] : [row, column];
    const from = turned ? `${fed} input ${fed === 1 ? "cell" : "cells"}` : `a window of ${state.kernel_size ** 2} cells`;
    const kept = r >= 0 && c >= 0 && r < sizes(state).output && c < sizes(state).output;
    return `${kept ? `output[${channel}, ${r}, ${c}]` : "cropped away"} = ${short(values[channel][row][column])}, from ${from}${isPooling(state) ? "" : " of each input channel"}.`;
  }

  const watcher = new ResizeObserver(([entry]) => {
    const now = Math.max(320, Math.floor(entry.contentRect.width));
    if (now === width) return;
    width = now;
    paint();
  });
  watcher.observe(stage);
  load();
  el.append(root);
  paint();
  return () => { pause(); link.close(); watcher.disconnect(); };
}

const HATCH = '<pattern id="cnnviz-hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
  '<line y2="6" stroke="var(--ink)" stroke-width="1.6" stroke-opacity="0.55"/></pattern>';

const widget = { render };
export default widget;
