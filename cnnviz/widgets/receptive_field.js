// ReceptiveFieldExplorer: controls, a table of layers, pointer and keyboard around the pure functions of
// receptive_field_arithmetic.js and the canvases of receptive_field_drawing.js.

const TRAITS = ["preset", "layers", "image_size", "layer", "position", "zoom"];
const KINDS = ["conv", "max pool", "average pool"];
const NUMBERS = ["kernel_size", "stride", "padding", "dilation"];
const SHOWN = ["map", "field", "jump", "start"];
const PHOTO = 256; // pixels along a side of the photo that Python sends
const TALL = [360, 430]; // pixels: the pyramid is as tall as the photo, within these
const HEADS = {
  map: "units along each side of the layer's output", field: "pixels along each side that one unit can see",
  jump: "pixels from the field of one unit to that of the next",
  start: "pixel at which the field of the first unit begins; negative where it lies in the padding",
};

function render({ model, el }) {
  let state = {};
  let anchor = [0.5, 0.5]; // of the field's middle, down and across, as shares of the image
  let colours = null; // read again when the theme changes
  let widths = { pyramid: 600, photo: 430 }; // of the canvases: asked for while it is dragged, all would be laid out twice
  let field = null; // fieldOf(state), kept until a setting changes
  const presets = model.get("_presets");
  const link = connect(model, TRAITS, () => { load(); paint(); });

  function load() {
    state = link.read();
    field = null;
    hold();
  }
  /** Remember where the unit is, so that it stays there through other layers and sizes. */
  function hold() {
    const map = maps(state)[state.layer + 1];
    anchor = state.position.map((unit) => centreOf(map, unit) / state.image_size);
  }
  function update(changes) {
    const wanted = { ...state, ...changes, ...("preset" in changes ? presets[changes.preset] : {}) };
    const reason = wanted.layers === state.layers && wanted.image_size === state.image_size ? null : refused(wanted);
    write(message, reason ? `not possible: ${numbered(reason)}` : "");
    if (reason) return paint();
    if ("preset" in changes) anchor = [0.5, 0.5];
    const before = state;
    state = changed(state, changes, anchor, presets);
    if ("position" in changes) hold();
    const news = TRAITS.filter((name) => JSON.stringify(state[name]) !== JSON.stringify(before[name]));
    if (news.length > 0) field = null;
    paint();
    link.write(Object.fromEntries(news.map((name) => [name, state[name]])));
  }

  // Controls
  const controls = {
    preset: choice({ name: "preset", label: "stack", options: Object.keys(presets), onChange: (preset) => update({ preset }) }),
    image_size: slider({ name: "image_size", label: "image size", min: LIMITS.image_size[0], max: LIMITS.image_size[1], onChange: (image_size) => update({ image_size }) }),
    layer: slider({ name: "layer", label: "look at layer", min: 1, max: 1, onChange: (value) => update({ layer: value - 1 }) }),
    zoom: toggle({ name: "zoom", label: "zoom to field", onChange: (zoom) => update({ zoom }) }),
  };
  const adders = [
    button({ name: "add conv", label: "Add convolution", onClick: () => add({ kind: "conv", kernel_size: 3, stride: 1, padding: 0, dilation: 1 }) }),
    button({ name: "add pool", label: "Add max pooling", onClick: () => add({ kind: "max pool", kernel_size: 2, stride: 2, padding: 0 }) }),
  ];
  /** The table counts layers from 1, Python's words from 0. */
  const numbered = (reason) => reason.replace(/^layer (\d+)/, (_, index) => `layer ${Number(index) + 1}`);
  const add = (layer) => update({ layers: [...state.layers, layer] });

  // The table of layers: what is set on the left, what follows from it on the right.
  const rows = [];
  const body = element("tbody");
  const head = ["", "layer", "kernel", "stride", "padding", "dilation", ...SHOWN, "order"];
  const table = element("div", { class: "cnnviz-stack" }, element("table", {},
    element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col", text, title: HEADS[text] })))), body));
  function layerRow(index) {
    const set = (key, value) => update({ layers: state.layers.map((layer, i) => (i === index ? edited(layer, key, value) : layer)) });
    const kind = element("select", { name: `kind ${index}`, "aria-label": `kind of layer ${index + 1}`, ...KEYS, onchange: () => set("kind", kind.value) },
      ...KINDS.map((name) => element("option", { value: name, text: name })));
    const inputs = NUMBERS.map((key) => {
      const [min, max] = LIMITS[key];
      const input = element("input", {
        type: "number", name: `${key} ${index}`, min, max, step: 1, "aria-label": `${key.replace("_", " ")} of layer ${index + 1}`, ...KEYS,
        onchange: () => {
          const value = Number(input.value);
          if (Number.isInteger(value) && input.value.trim() !== "" && value >= min && value <= max) set(key, value);
          else { write(message, `not possible: ${key.replace("_", " ")} must be a whole number in ${min}..${max}`); paint(); }
        },
      });
      return input;
    });
    const cells = SHOWN.map((name) => element("td", { "data-shown": name }));
    const press = (name, label, title, onClick) => button({ name: `${name} ${index}`, label, title, onClick });
    const up = press("up", "↑", `move layer ${index + 1} up`, () => swap(index, index - 1, "up"));
    const down = press("down", "↓", `move layer ${index + 1} down`, () => swap(index, index + 1, "down"));
    const remove = press("remove", "×", `remove layer ${index + 1}`, () => update({ layers: state.layers.filter((_, i) => i !== index) }));
    const look = press("look", String(index + 1), `look at layer ${index + 1}`, () => update({ layer: index }));
    for (const { input } of [up, down, remove, look]) input.setAttribute("aria-label", input.title);
    const root = element("tr", {}, element("td", {}, look.root), element("td", {}, kind), ...inputs.map((input) => element("td", {}, input)),
      ...cells, element("td", {}, up.root, down.root, remove.root));
    return { root, kind, inputs, cells, up, down, remove, look };
  }
  function swap(from, to, name) {
    update({ layers: state.layers.map((layer, i) => state.layers[i === from ? to : i === to ? from : i]) });
    rows[to].root.querySelector(`[name^="${name}"]:not(:disabled)`)?.focus();
  }
  /** A layer with one number changed; a layer that changes its kind takes that kind's usual numbers. */
  function edited(layer, key, value) {
    if (key !== "kind") return { ...layer, [key]: value };
    const { kernel_size: k, stride } = layer;
    if (value === "conv") return { kind: value, kernel_size: k, stride: layer.kind === "conv" ? stride : 1, padding: 0, dilation: 1 };
    return { kind: value, kernel_size: k, stride: layer.kind === "conv" ? k : stride, padding: layer.kind === "conv" ? 0 : layer.padding };
  }

  // The page
  const message = element("div", { class: "cnnviz-why", role: "status" });
  const spoken = announcer();
  const canvas = (name, label) => element("canvas", {
    class: "cnnviz-field", "data-panel": name, tabindex: 0, role: "application", "aria-label": label, ...KEYS,
    onpointerdown: (event) => { if (event.button === 0) { event.target.setPointerCapture(event.pointerId); drag(event, true); } },
    onpointermove: (event) => { if (event.buttons & 1) drag(event, false); },
    onkeydown: move,
  });
  const canvases = {
    pyramid: canvas("pyramid", "pyramid; left and right move the unit, up and down choose the layer"),
    photo: canvas("photo", "photo; arrow keys move the unit"),
  };
  const title = element("div", { class: "cnnviz-photo-title" });
  const readout = element("div", { class: "cnnviz-formula cnnviz-field-text" });
  const stage = element("div", { class: "cnnviz-fields", role: "group" },
    element("figure", {}, element("div", { class: "cnnviz-photo-title", text: "One row of units: what the chosen one sees" }), canvases.pyramid),
    element("figure", {}, title, canvases.photo));
  const note = element("p", { class: "cnnviz-field-note", text:
    "Orange frame: every pixel that the unit can see. White line: the fewest pixels with 95 % of the squared gradient. Bright: a large gradient. " +
    "Assumed: random weights of mean zero, no ReLU, no normalisation; a pool counts as one pixel of its window, each with the same chance. " +
    "Then the mean square of a pixel's gradient is proportional to the number of paths from the unit to the pixel (Luo et al., 2016)." });
  const root = element("div", { class: "cnnviz cnnviz-receptive-field" },
    element("div", { class: "cnnviz-controls" }, ...Object.values(controls).map((control) => control.root)),
    element("div", { class: "cnnviz-row" }, ...adders.map(({ root: node }) => node), message), table,
    stage, readout, note, spoken.root);

  // Pointer and keyboard
  function drag(event, pressed) {
    const box = event.target.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const map = field.unit;
    if (event.target === canvases.photo) {
      const at = (levels, share) => { const [from, to] = shownPixels(state, levels); return unitAt(map, from + share * (to - from)); };
      return place([at(field.vertical, y / box.height), at(field.horizontal, x / box.width)]);
    }
    const plan = pyramid(state, field.horizontal, box.width, box.height);
    const level = Math.round((plan.y(0) - y) / plan.gap);
    if (pressed && level >= 1 && level <= state.layers.length && level !== state.layer + 1) return update({ layer: level - 1 });
    const pixel = (x - plan.x(0)) / plan.scale;
    place([state.position[0], unitAt(map, pixel)]);
  }
  function place(position) {
    if (position.some((unit, axis) => unit !== state.position[axis])) update({ position });
  }
  function move(event) {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target === canvases.pyramid && by[0] !== 0) {
      const layer = Math.min(Math.max(state.layer - by[0], 0), state.layers.length - 1);
      if (layer !== state.layer) update({ layer });
      return;
    }
    const last = field.unit.side - 1;
    const far = event.shiftKey ? 5 : 1;
    place(state.position.map((unit, axis) => Math.min(Math.max(unit + far * by[axis], 0), last)));
  }

  // Drawing
  const photo = picture(model.get("_photo"));
  let sampled = {}; // the photo at the image size: { size, bytes }
  const paint = oncePerFrame(() => {
    field ??= fieldOf(state);
    setControls();
    draw();
    const words = describe(state, field);
    write(readout, words);
    setAttribute(stage, "aria-label", words);
    spoken.say(words);
  });

  function setControls() {
    const count = state.layers.length;
    controls.preset.set({ value: state.preset, options: state.preset === "own" ? [...Object.keys(presets), "own"] : Object.keys(presets) });
    controls.image_size.set({ value: state.image_size, ...sizeLimits() });
    setAttribute(controls.layer.input, "max", count);
    controls.layer.set({ value: state.layer + 1, low: 1, high: count });
    controls.zoom.set({ value: state.zoom });
    adders.forEach((adder) => adder.set({ disabled: count >= MOST_LAYERS }));
    while (rows.length < count) { rows.push(layerRow(rows.length)); body.append(rows.at(-1).root); }
    while (rows.length > count) rows.pop().root.remove();
    const all = maps(state);
    rows.forEach((row, index) => {
      if (index === state.layer && row.root.getAttribute("aria-current") !== "true") show(row.root);
      const layer = state.layers[index];
      const { side, size, jump, start } = all[index + 1];
      setAttribute(row.root, "aria-current", index === state.layer);
      if (row.kind.value !== layer.kind) row.kind.value = layer.kind;
      NUMBERS.forEach((key, i) => {
        const input = row.inputs[i];
        input.disabled = !(key in layer);
        const text = String(layer[key] ?? "");
        if (input.value !== text) input.value = text;
      });
      [`${side} × ${side}`, `${size} × ${size}`, jump, start].forEach((value, i) => write(row.cells[i], String(value)));
      row.look.set({ pressed: index === state.layer });
      row.up.set({ disabled: index === 0 });
      row.down.set({ disabled: index === count - 1 });
      row.remove.set({ disabled: count === 1 });
    });
  }
  /** Scroll the table, and only it, to a row. */
  function show(row) {
    const [top, head] = [row.offsetTop, body.offsetTop];
    table.scrollTop = Math.min(Math.max(table.scrollTop, top + row.offsetHeight - table.clientHeight), top - head);
  }
  /** The smallest image that the layers fit on, found again when a layer changes. */
  let limits = null;
  function sizeLimits() {
    if (limits?.layers !== state.layers) limits = { layers: state.layers, found: smallest() };
    return limits.found;
  }
  function smallest() {
    let [low, high] = [LIMITS.image_size[0], state.image_size];
    const reason = refused({ ...state, image_size: low });
    if (!reason) return {};
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (refused({ ...state, image_size: middle })) low = middle; else high = middle;
    }
    const [layer] = numbered(refused({ ...state, image_size: high - 1 })).split(" (");
    return { low: high, why: { low: `stops at ${high}: ${layer} needs as many pixels` } };
  }

  function draw() {
    colours ??= Object.fromEntries(["paper", "panel", "ink", "soft-ink", "line", "output", "weight"]
      .map((role) => [role, getComputedStyle(root).getPropertyValue(`--${role}`).trim()]));
    colours.font ??= getComputedStyle(root).fontFamily;
    if (sampled.size !== state.image_size) sampled = { size: state.image_size, bytes: shrunk(photo, state.image_size) };
    const width = widths.pyramid;
    const side = Math.min(widths.photo, TALL[1]);
    const height = Math.max(side, TALL[0]);
    const centre = centreOf(field.unit, state.position[0]);
    const line = Math.min(Math.max(Math.floor(centre), 0), state.image_size - 1) * state.image_size * 4;
    const row = (unit) => `rgb(${sampled.bytes[line + 4 * unit]},${sampled.bytes[line + 4 * unit + 1]},${sampled.bytes[line + 4 * unit + 2]})`;
    paintPyramid(sized(canvases.pyramid, width, height), { state, field, colours, width, height, row });
    paintPhoto(sized(canvases.photo, side, side), { state, field, colours, side, pixels: sampled.bytes });
    const [most, effect] = [field.unit.size, Math.sqrt(field.pixels).toFixed(1)];
    write(title, `Field ${most} × ${most}, in effect ${effect} × ${effect}`);
  }

  const unwatch = watchLook(stage, (room) => {
    // A container query would do, but a canvas in one has all laid out before it writes a text.
    root.classList.toggle("cnnviz-narrow", room < 760);
    widths = Object.fromEntries(Object.entries(canvases).map(([name, { parentNode }]) => [name, parentNode.clientWidth]));
    colours = null;
    paint();
    show(rows[state.layer].root);
  });
  load();
  el.append(root);
  paint();
  return () => { link.close(); unwatch(); };
}

/** A canvas with the photo that Python sent: red, green and blue of each pixel. */
function picture(view) {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const canvas = element("canvas", { width: PHOTO, height: PHOTO });
  const image = new ImageData(PHOTO, PHOTO);
  for (let i = 0; i < PHOTO * PHOTO; i++) image.data.set([bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2], 255], 4 * i);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The bytes of the photo at n x n pixels. */
function shrunk(photo, n) {
  shrinker ??= element("canvas", { width: PHOTO, height: PHOTO }).getContext("2d", { willReadFrequently: true });
  shrinker.imageSmoothingQuality = "high";
  shrinker.drawImage(photo, 0, 0, n, n);
  return shrinker.getImageData(0, 0, n, n).data;
}
let shrinker = null; // one canvas for all sizes: a new one takes longer than what is painted on it

const widget = { render };
export default widget;
