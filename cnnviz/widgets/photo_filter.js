// PhotoFilterExplorer: controls, three canvases and keyboard around the pure functions of photo_filter_arithmetic.js.

const TRAITS = [
  "filter", "kernel_size", "weight", "padding_mode", "strength", "noise", "amount", "seed", "display", "zoom", "pixel",
];
const PHOTO = ["_photo", "_shape", "_title"];
const ZOOMS = ["whole photo", "top left", "top right", "bottom left", "bottom right"];
const DISPLAYS = [
  ["auto", "what fits the filter"], ["photo", "photo, clipped to 0..255"], ["signed", "signed, zero in the middle"],
  ["absolute", "size without sign"],
];
const BEYOND = 3; // pixels beyond the border that a zoomed corner shows
const CORNER = 24; // pixels along the longer side of a zoomed corner
const BORDER = "#e69f00"; // --third; an element that is not on the page yet cannot be asked for it
const SHARP = 512; // pixels along the longer side of a canvas

// Blue, white, red: 511 colours from -1 to 1, as little-endian ABGR.
const SIGNED = Uint32Array.from({ length: 511 }, (_, i) => {
  const t = Math.abs(i - 255) / 255, end = i < 255 ? [33, 102, 172] : [178, 24, 43];
  const [r, g, b] = end.map((value) => Math.round(247 + t * (value - 247)));
  return (255 << 24) | (b << 16) | (g << 8) | r;
});

/** Colour the values of a photo into RGBA words: "photo" 0..255, "absolute" 0..scale, "signed" -scale..scale. */
export function coloured({ height, width, channels, data }, drawn, scale) {
  const size = height * width, words = new Uint32Array(size), factor = drawn === "photo" ? 1 : 255 / scale;
  if (drawn === "signed") {
    for (let i = 0; i < size; i++) {
      const value = channels === 1 ? data[i] : (data[i] + data[i + size] + data[i + 2 * size]) / 3;
      words[i] = SIGNED[Math.min(Math.max(Math.round(value * factor), -255), 255) + 255];
    }
    return words;
  }
  const size2 = channels === 1 ? 0 : size;
  const byte = (value) => level(drawn === "photo" ? value : Math.abs(value) * factor);
  for (let i = 0; i < size; i++) {
    const red = byte(data[i]);
    words[i] = channels === 1 ? 0xff000000 | (red << 16) | (red << 8) | red
      : 0xff000000 | (byte(data[i + 2 * size2]) << 16) | (byte(data[i + size2]) << 8) | red;
  }
  return words;
}

/** The part of a photo that is shown: { top, left, rows, columns }, in pixels; a corner reaches beyond the border. */
export function region(zoom, [height, width]) {
  if (zoom === "whole photo") return { top: 0, left: 0, rows: height, columns: width };
  const share = Math.min(1, CORNER / Math.max(height, width)), rows = height * share, columns = width * share;
  const [vertical, horizontal] = zoom.split(" ");
  return {
    rows, columns,
    top: vertical === "top" ? -BEYOND : height + BEYOND - rows,
    left: horizontal === "left" ? -BEYOND : width + BEYOND - columns,
  };
}

/** Remember the last result for the last arguments, compared one by one. */
function remember(compute) {
  let last = [], value;
  return (...now) => {
    if (now.length !== last.length || now.some((item, i) => item !== last[i])) [last, value] = [now, compute(...now)];
    return value;
  };
}

function render({ model, el }) {
  let state = {};
  let under = null; // [row, column] under the pointer
  const link = connect(model, [...TRAITS, ...PHOTO], () => { load(); ask(); });

  function load() {
    state = { ...link.read(), _presets: model.get("_presets") };
  }
  function update(changes) {
    state = changed(state, changes);
    ask();
    link.write(Object.fromEntries(TRAITS.filter((name) => state[name] !== model.get(name)).map((name) => [name, state[name]])));
  }

  // What is computed, each kept until what it depends on changes.
  const photoOf = remember((view, shape) => photoFrom(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), shape));
  const noisyOf = remember((photo, noise, amount, seed) => addNoise(photo, { noise, amount, seed }));
  const respondedOf = remember((input, filter, kernel_size, weight, padding_mode, _presets) =>
    responded(input, { filter, kernel_size, weight, padding_mode, _presets }));
  const blendedOf = remember(blended);
  const measuredOf = remember((photo, input, out) => {
    const change = difference(photo, out), noise = difference(photo, { result: input, offset: 0 });
    return {
      change, result: statistics(out.result), error: statistics(change).rms, noise: statistics(noise).rms,
      scales: { result: scaleFor(out.result.data), change: scaleFor(change.data) },
    };
  });
  const all = () => {
    const { noise, amount, seed, filter, kernel_size, weight, padding_mode, strength } = state;
    const photo = photoOf(state._photo, state._shape), input = noisyOf(photo, noise, amount, seed);
    const out = blendedOf(input, respondedOf(input, filter, kernel_size, weight, padding_mode, state._presets), strength);
    return { photo, out, measured: measuredOf(photo, input, out) };
  };

  // Controls
  const pick = (name, label, options) => choice({ name, label, options, onChange: (value) => update({ [name]: value }) });
  const range = (name, label, max, step, format) =>
    slider({ name, label, min: 0, max, step, format, onChange: (value) => update({ [name]: value }) });
  const controls = {
    filter: pick("filter", "filter", [...Object.keys(model.get("_presets")), [EDITED, "your own numbers"],
      [EDGES, "edge magnitude (both sobel)"], [MEDIAN, "median (no convolution)"]]),
    kernel_size: choice({
      name: "kernel_size", label: "kernel size", options: [["3", "3 × 3"], ["5", "5 × 5"]],
      onChange: (value) => update({ kernel_size: Number(value) }),
    }),
    padding_mode: pick("padding_mode", "border", [["zeros", "zeros (black)"], "reflect", "replicate", "circular",
      ["valid", "valid: none, result smaller"]]),
    zoom: pick("zoom", "look at", ZOOMS),
    strength: range("strength", "strength", 3, 0.05, (value) => value.toFixed(2)),
    display: pick("display", "draw result as", DISPLAYS),
    noise: pick("noise", "noise", ["none", "gaussian", "salt and pepper"]),
    amount: range("amount", "noise amount", 100, 1,
      (value) => (state.noise === "salt and pepper" ? `${value}%` : short(value, 1))),
    seed: range("seed", "noise seed", 99, 1, String),
  };
  const cells = numberGrid({
    label: "kernel",
    onChange: (row, column, value) => update({
      weight: state.weight.map((line, r) => line.map((old, c) => (r === row && c === column ? value : old))),
    }),
  });
  const instead = element("div", { class: "cnnviz-photo-instead" });

  // Pictures
  const panels = Object.fromEntries(["input", "result", "difference"].map((name) => [name, panel(name)]));
  const formula = element("div", { class: "cnnviz-formula cnnviz-photo-written" });
  const speech = announcer();
  const code_ = element("pre", { class: "cnnviz-code", tabindex: 0, "aria-label": "PyTorch code" });
  const copied = element("span", { role: "status" });
  const copy = button({ name: "copy", label: "Copy as PyTorch", onClick: copyCode });
  const details = element("details", {}, element("summary", { text: "PyTorch" }), code_);

  const root = element("div", { class: "cnnviz", role: "group", "aria-label": "Photo filter explorer" },
    element("div", { class: "cnnviz-photo-settings" },
      element("div", { class: "cnnviz-controls" }, ...Object.values(controls).map((control) => control.root)),
      element("div", { class: "cnnviz-photo-kernel" },
        element("div", { class: "cnnviz-photo-title", text: "kernel" }), cells.root, instead)),
    element("div", { class: "cnnviz-photos" }, ...Object.values(panels).map((one) => one.root)),
    formula, element("div", { class: "cnnviz-row" }, copy.root, copied), details, speech.root);
  el.replaceChildren(root);

  function panel(name) {
    const canvas = element("canvas", {
      class: "cnnviz-photo", role: "img", "data-panel": name, tabindex: name === "input" ? 0 : undefined,
      "data-lm-suppress-shortcuts": "true",
      onpointermove: (event) => { under = pixelAt(event); ask(); }, onpointerleave: () => { under = null; ask(); },
      onclick: (event) => update({ pixel: pixelAt(event) }), onkeydown: moveByKey,
    });
    const title = element("div", { class: "cnnviz-photo-title" });
    const [low, middle, high] = [element("span"), element("span"), element("span")];
    const bar = element("div", { class: "cnnviz-photo-bar" });
    const caption = element("figcaption", { class: "cnnviz-photo-caption" });
    const root = element("figure", { class: "cnnviz-photo-panel" }, title, canvas, bar,
      element("div", { class: "cnnviz-photo-ticks", "aria-hidden": "true" }, low, middle, high), caption);
    return { root, canvas, title, bar, ticks: [low, middle, high], caption, pixelsOf: remember(pixels) };
  }

  function pixelAt({ target, clientX, clientY }) {
    const box = target.getBoundingClientRect(), { top, left, rows, columns } = region(state.zoom, state._shape);
    const down = (clientY - box.top) / box.height, across = (clientX - box.left) / box.width;
    return inside([Math.floor(top + down * rows), Math.floor(left + across * columns)]);
  }
  const inside = ([row, column]) => [row, column].map((i, axis) => Math.min(Math.max(i, 0), state._shape[axis] - 1));

  function moveByKey(event) {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const far = event.shiftKey ? 10 : 1;
    update({ pixel: inside(state.pixel.map((i, axis) => i + far * by[axis])) });
  }

  async function copyCode() {
    details.open = true;
    getSelection()?.selectAllChildren(code_);
    // Only a secure page has a clipboard; elsewhere the code is selected, ready for the keyboard.
    try {
      await navigator.clipboard.writeText(code(state));
      copied.textContent = "copied";
    } catch {
      copied.textContent = "selected: press Ctrl+C";
    }
  }

  // Drawing
  const paint = () => {
    const { photo, out, measured } = all(), drawn = drawnAs(state);
    draw(panels.input, out.padded, "photo", 255, -out.reach);
    draw(panels.result, out.result, drawn, drawn === "photo" ? 255 : measured.scales.result, out.offset);
    draw(panels.difference, measured.change, "signed", measured.scales.change, out.offset);
    write(photo, out, measured, drawn);
    showControls();
  };
  const ask = oncePerFrame(paint);

  function draw({ canvas, pixelsOf, bar, ticks }, photo, drawn, scale, offset) {
    const [height, width] = state._shape;
    const size = Math.max(1, Math.round(SHARP / Math.max(height, width)));
    const { top, left, rows, columns } = region(state.zoom, state._shape);
    fit(canvas, width * size, height * size);
    const context = canvas.getContext("2d"), zoom = canvas.width / columns;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingEnabled = false;
    context.setTransform(zoom, 0, 0, canvas.height / rows, -left * zoom, (-top * canvas.height) / rows);
    context.drawImage(pixelsOf(photo, drawn, scale), offset, offset);
    if (state.zoom !== "whole photo") outline(context, 0, 0, width, height, zoom, [BORDER]);
    const [row, column] = under ?? state.pixel, around = canvas === panels.input.canvas ? (state.kernel_size - 1) / 2 : 0;
    const more = Math.max(around, 7 / zoom - 0.5); // a mark that can be seen also on the whole photo
    outline(context, column - more, row - more, 2 * more + 1, 2 * more + 1, zoom, ["#000000", "#ffffff"]);
    bar.dataset.scale = drawn;
    const ends = drawn === "signed" ? [`−${scale}`, "0", `+${scale}`] : ["0", "", scale];
    ticks.forEach((tick, i) => { tick.textContent = ends[i]; });
  }

  function outline(context, x, y, wide, tall, zoom, colours) {
    colours.forEach((colour, i) => {
      context.strokeStyle = colour;
      context.lineWidth = (i === 0 ? 4 : 2) / zoom;
      context.strokeRect(x, y, wide, tall);
    });
  }

  function write(photo, out, measured, drawn) {
    const { noise, kernel_size: k } = state, [row, column] = under ?? state.pixel, { result } = out;
    const noisy = noise !== "none" && state.amount > 0, pixels = photo.height * photo.width;
    const frame = pixels - (photo.height - k + 1) * (photo.width - k + 1);
    const share = `${frame} of ${pixels} pixels (${percent(frame / pixels)})`;
    const quality = (error) => (error === 0 ? "equal to the clean photo"
      : `${error.toFixed(1)} grey levels from the clean photo, PSNR ${psnr(error).toFixed(1)} dB`);
    const seen = state.padding_mode === "valid" ? "have no result" : "see beyond the border";
    const cut = drawn === "photo" ? "clipped" : "drawn on the scale above";
    say(panels.input, noisy ? "Noisy photo" : "Photo",
      `${state._title}.${noisy ? ` ${quality(measured.noise)}.` : ""}`);
    say(panels.result, `Result${result.height < photo.height ? `, ${result.height} × ${result.width}` : ""}`,
      `Values ${short(measured.result.least, 0)} to ${short(measured.result.largest, 0)}, mean ${measured.result.mean.toFixed(1)}; `
      + `${percent(measured.result.outside)} outside 0..255 (${cut}). ${share} ${seen}.`);
    say(panels.difference, noisy ? "Result − clean photo" : "Result − photo",
      `${noisy ? `Result: ${quality(measured.error)}` : `Changed by ${measured.error.toFixed(1)} grey levels (root mean square)`}.`
      + `${photo.channels === 3 ? " Mean of the three planes." : ""} Red: brighter, blue: darker.`);
    const text = writtenOut(out, state, row, column);
    if (formula.textContent !== text) formula.textContent = text;
    if (document.activeElement === panels.input.canvas) speech.say(text);
    const lines = code(state);
    if (code_.textContent !== lines) code_.textContent = lines;
    copied.textContent = copied.dataset.code === lines ? copied.textContent : "";
    copied.dataset.code = lines;
  }
  function say({ title, caption, canvas }, name, text) {
    if (title.textContent !== name) title.textContent = name;
    if (caption.textContent === text) return;
    caption.textContent = text;
    const keys = canvas === panels.input.canvas ? " Arrow keys move the pixel that is written out." : "";
    canvas.setAttribute("aria-label", `${name}: ${text}${keys}`);
  }

  function showControls() {
    for (const [name, control] of Object.entries(controls)) control.set({ value: state[name] });
    controls.amount.set({ value: state.amount, disabled: state.noise === "none" && "choose a noise first" });
    controls.seed.set({ value: state.seed, disabled: state.noise === "none" });
    const own = state.filter !== EDGES && state.filter !== MEDIAN;
    cells.root.hidden = !own;
    instead.hidden = own;
    if (own) cells.set(state.weight);
    else if (state.filter === EDGES) instead.textContent = "√(x² + y²) of the two responses to sobel x and sobel y";
    else {
      const count = state.kernel_size ** 2;
      instead.textContent = `the middle one of the ${count} sorted values under the window: no weights, no sum`;
    }
  }

  load();
  paint();
  return () => { link.close(); root.remove(); };
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** A canvas with one pixel for each pixel of the photo. */
function pixels(photo, drawn, scale) {
  const canvas = document.createElement("canvas");
  fit(canvas, photo.width, photo.height);
  const bytes = new Uint8ClampedArray(coloured(photo, drawn, scale).buffer);
  canvas.getContext("2d").putImageData(new ImageData(bytes, photo.width, photo.height), 0, 0);
  return canvas;
}

function fit(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
}

const widget = { render };
export default widget;
