// LossSurfaceExplorer: controls, pointer and keyboard around loss_surface_arithmetic.js and the canvases of
// loss_surface_drawing.js. Each view has two canvases: what is slow to paint, and above it marker, cut and path.

const TRAITS = [
  "left", "right", "plane", "logarithmic", "ceiling", "azimuth", "elevation", "alpha", "beta", "cut", "path", "points", "seed",
];
const DATA = ["_networks", "_index", "_numbers", "_predictions", "_seconds", "_computing", "_progress", "_problem"];
const SETTINGS_SHOWN = ["azimuth", "elevation", "cut", "ceiling", "alpha", "beta", "logarithmic", "path"];
const LOOKS = [{ ink: "input", dash: [] }, { ink: "weight", dash: [7, 4] }]; // of the left and the right network
const ALONG = 161; // points of a cut
const [PLOT, BAR] = [186, 38]; // pixels: heights of the cut's plot and of the scale
const VIEW = "surface; left and right turn it, up and down tilt it";
const MAP_KEYS = "map; arrow keys move the marker by a point, with shift by five";

function render({ model, el }) {
  let state = {};
  let all = {}; // Python's surfaces
  let version = 0; // of `all` and of the look
  let colours = null; // read again when the theme changes
  let room = 1060; // pixels
  const link = connect(model, TRAITS, () => { state = link.read(); paint(); });
  const unlisten = DATA.map((name) => {
    const listener = () => { load(); paint(); };
    model.on(`change:${name}`, listener);
    return () => model.off(`change:${name}`, listener);
  });

  let loaded = null;
  function load() {
    const [index, numbers] = [model.get("_index"), model.get("_numbers")];
    if (loaded && loaded[0] === index && loaded[1] === numbers) return;
    loaded = [index, numbers];
    all = surfacesOf(index, numbers, model.get("_predictions"));
    version++;
  }
  const surfaceOf = (name) => all[name]?.[state.plane];
  const planes = () => [...new Set(Object.values(all).flatMap((one) => Object.keys(one)))];
  const names = () => (state.left === state.right ? [state.left] : [state.left, state.right]);

  function update(changes) {
    const before = state;
    state = { ...state, ...changes };
    const box = boxOf(names().map(surfaceOf).filter(Boolean));
    for (const axis of ["alpha", "beta"]) state[axis] = Math.min(Math.max(state[axis], box[axis][0]), box[axis][1]);
    paint();
    link.write(Object.fromEntries(TRAITS.filter((name) => state[name] !== before[name]).map((name) => [name, state[name]])));
  }

  // Controls
  let places = { ceiling: [null], alpha: [0], beta: [0] }; // what these sliders stop at
  const degrees = (value) => `${Math.round(value)}°`;
  const stops = (name, label, format) => slider({
    name, label, min: 0, max: 1, format: () => format(state[name]), onChange: (place) => update({ [name]: places[name][place] }),
  });
  const angle = (name, label, min, max) => slider({ name, label, min, max, format: degrees, onChange: (value) => update({ [name]: value }) });
  const controls = {
    left: choice({ name: "left", label: "left", options: [], onChange: (left) => update({ left }) }),
    right: choice({ name: "right", label: "right", options: [], onChange: (right) => update({ right }) }),
    plane: choice({ name: "plane", label: "plane", options: [], onChange: (plane) => update({ plane }) }),
    azimuth: angle("azimuth", "turn", -180, 180),
    elevation: angle("elevation", "tilt", 5, 90),
    cut: angle("cut", "cut", 0, 180),
    alpha: stops("alpha", "marker, alpha", (value) => number(value)),
    beta: stops("beta", "marker, beta", (value) => number(value)),
    ceiling: stops("ceiling", "ceiling", (value) => (value === null ? "none" : number(value, 2))),
    logarithmic: toggle({ name: "logarithmic", label: "logarithmic", onChange: (logarithmic) => update({ logarithmic }) }),
    path: toggle({ name: "path", label: "path of training", onChange: (path) => update({ path }) }),
  };
  const noPath = element("span", { class: "cnnviz-why", text: "" });
  controls.path.root.append(noPath);

  // The page
  const spoken = announcer();
  const images = thumbnails(model);
  const panels = [0, 1].map((side) => panel(side));
  const scaleCanvas = element("canvas", { class: "cnnviz-surface-scale" });
  const cutCanvas = element("canvas", { role: "img", "aria-label": "loss along the cut" });
  const sides = element("div", { class: "cnnviz-surface-sides" }, ...panels.map((one) => one.root));
  const words = element("div", { class: "cnnviz-surface-words" });
  const computing = computeRow();
  const stage = element("div", { class: "cnnviz-surface-stage", role: "group" }, scaleCanvas, sides,
    element("div", { class: "cnnviz-surface-name", text: "Loss along the cut" }), cutCanvas, words);
  const root = element("div", { class: "cnnviz cnnviz-surface" },
    element("div", { class: "cnnviz-controls cnnviz-surface-choices" }, ...["left", "right", "plane"].map((name) => controls[name].root)),
    element("div", { class: "cnnviz-controls" }, ...SETTINGS_SHOWN.map((name) => controls[name].root)),
    stage, computing.root, spoken.root);

  function panel(side) {
    const name = element("span");
    const swatch = element("span", { class: `cnnviz-surface-swatch cnnviz-surface-${side}` });
    const stack = (kind, label, handlers) => {
      const below = element("canvas");
      const above = element("canvas", {
        class: `cnnviz-surface-${kind}`, tabindex: 0, role: "application", "aria-label": label, ...KEYS, ...handlers,
      });
      return { below, above, root: element("div", { class: "cnnviz-surface-layers" }, below, above) };
    };
    /** Whether a press begins a drag, which then goes on outside the canvas, too. */
    const taken = (event) => {
      if (event.button === 0) event.target.setPointerCapture(event.pointerId);
      return event.button === 0;
    };
    let start = null; // of a drag: pointer and angles
    const view = stack("view", VIEW, {
      onpointerdown: (event) => { if (taken(event)) start = { x: event.clientX, y: event.clientY, ...state }; },
      onpointermove: (event) => {
        if (!(event.buttons & 1) || !start) return;
        turn(start.azimuth + 0.5 * (event.clientX - start.x), start.elevation + 0.4 * (event.clientY - start.y));
      },
      onkeydown: (event) => byKey(event, ([right, down]) => turn(state.azimuth + 5 * right, state.elevation - 5 * down)),
    });
    const map = stack("map", MAP_KEYS, {
      onpointerdown: (event) => { if (taken(event)) point(event); },
      onpointermove: (event) => { if (event.buttons & 1) point(event); },
      onkeydown: (event) => byKey(event, ([right, down]) => step(right, -down)),
    });
    const surface = () => surfaceOf([state.left, state.right][side]) ?? reference();
    const snap = (axis, value) => (value >= axis[0] && value <= axis.at(-1) ? axis[nearest(axis, value)] : value);
    function point(event) {
      const frame = event.target.getBoundingClientRect();
      const plan = mapPlan(shape.box, frame.width, frame.height);
      const [alpha, beta] = [plan.alpha(event.clientX - frame.left), plan.beta(event.clientY - frame.top)];
      if (surface()) update({ alpha: snap(surface().alphas, alpha), beta: snap(surface().betas, beta) });
    }
    function step(right, up) {
      if (!surface()) return;
      const moved = (axis, value, by) => axis[Math.min(Math.max(nearest(axis, value) + by, 0), axis.length - 1)];
      update({ alpha: right ? moved(surface().alphas, state.alpha, right) : state.alpha, beta: up ? moved(surface().betas, state.beta, up) : state.beta });
    }
    const reading = element("div", { class: "cnnviz-surface-reading" });
    const [loss, accuracy, where, right] = [element("b", { "data-reading": "loss" }), element("span", { "data-reading": "accuracy" }),
      element("span", { class: "cnnviz-surface-where" }), element("span", { "data-reading": "right" })];
    const guesses = images.guesses();
    reading.append(element("div", {}, loss), element("div", {}, accuracy), element("div", {}, where), element("div", {}, right), guesses.root);
    const node = element("section", { class: "cnnviz-surface-panel", "data-side": "ab"[side] },
      element("div", { class: "cnnviz-surface-name" }, swatch, name), view.root,
      element("div", { class: "cnnviz-surface-below" }, map.root, reading));
    return { root: node, name, view, map, loss, accuracy, where, right, guesses };
  }
  const reference = () => surfaceOf(state.left) ?? surfaceOf(state.right);
  const turn = (azimuth, elevation) => update({ azimuth: ((((azimuth + 180) % 360) + 360) % 360) - 180, elevation: Math.min(Math.max(elevation, 5), 90) });
  function byKey(event, act) {
    const by = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    act(by.map((value) => value * (event.shiftKey ? 5 : 1)));
  }

  function computeRow() {
    const points = slider({ name: "points", label: "points a side", min: 5, max: 101, step: 2, onChange: (value) => update({ points: value }) });
    const seed = slider({ name: "seed", label: "seed", min: 0, max: 20, onChange: (value) => update({ seed: value }) });
    const press = button({ name: "compute", label: "Compute", onClick: () => model.send(model.get("_computing") ? "stop" : "compute") });
    const message = element("span", { class: "cnnviz-surface-message", role: "status" });
    const node = element("div", { class: "cnnviz-surface-compute" }, points.root, seed.root, element("div", { class: "cnnviz-row" }, press.root, message));
    return {
      root: node,
      set() {
        const [seconds, busy, problem] = [model.get("_seconds"), model.get("_computing"), model.get("_problem")];
        node.hidden = !(seconds > 0);
        if (node.hidden) return;
        const offline = model.kernel === false;
        points.set({ value: state.points, disabled: busy || offline });
        setAttribute(seed.input, "max", Math.max(20, state.seed));
        seed.set({ value: state.seed, high: Math.max(20, state.seed), disabled: busy || offline });
        press.set({ label: busy ? "Stop" : "Compute", disabled: offline });
        const many = model.get("_networks").length;
        const work = `${state.points} × ${state.points} points${many > 1 ? ` for ${many} networks` : ""}`;
        const cost = `${work}, random directions of seed ${state.seed}: ${aboutSeconds(seconds * state.points ** 2)}`;
        write(message, offline ? "Computing another plane needs Python: run the notebook." : busy ? model.get("_progress") : problem ? `It ended with ${problem}` : cost);
        message.classList.toggle("cnnviz-warning", !busy && problem !== "" && !offline);
      },
    };
  }

  // What follows from the state, kept as long as it holds
  let shape = {}; // of the surfaces that are shown: box, scale, heights, meshes
  function prepare() {
    const key = JSON.stringify([version, state.left, state.right, state.plane, state.logarithmic, state.ceiling]);
    if (shape.key === key) return;
    const surfaces = names().map(surfaceOf);
    const shown = surfaces.filter(Boolean);
    const box = boxOf(shown);
    const [scale, square] = [scaleOf(shown, state), squared(box)];
    const heights = surfaces.map((surface) => surface && heightsOf(surface, scale));
    const clips = shown.some((surface) => countsOf(surface, state).beyond > 0);
    shape = { key, surfaces, shown, box, scale, square, heights, clips, meshes: surfaces.map((surface, n) => surface && meshOf(surface, heights[n], square)) };
    places = { ceiling: ceilings(extremes(shown), state.ceiling), alpha: reference()?.alphas ?? [0], beta: reference()?.betas ?? [0] };
  }

  const drawn = { data: "", camera: "" };
  const paint = oncePerFrame(() => {
    prepare();
    setControls();
    colours ??= coloursOf(root);
    const one = names().length === 1;
    root.classList.toggle("cnnviz-surface-single", one);
    root.classList.toggle("cnnviz-surface-narrow", room < 860);
    panels[1].root.hidden = one;
    draw(one);
    names().forEach((name, n) => readOut(panels[n], name, shape.surfaces[n]));
    const sentences = names().map((name, n) => sentence(name, shape.surfaces[n], state)).join(" ");
    const paths = state.path ? names().flatMap((name, n) => (shape.surfaces[n]?.path ? [pathWords(name, shape.surfaces[n])] : [])) : [];
    const nothing = planes().length === 0 ? `${model.get("_networks").join(" and ")}: no plane is computed yet.` : "";
    write(words, nothing || [sentences, ...paths].join(" "));
    setAttribute(stage, "aria-label", nothing || sentences);
    spoken.say(nothing || sentences);
    computing.set();
  });

  function setControls() {
    const listed = model.get("_networks");
    for (const side of ["left", "right"]) {
      controls[side].root.hidden = listed.length < 2;
      controls[side].set({ value: state[side], options: listed });
    }
    controls.plane.set({ value: state.plane, options: planes() });
    for (const name of ["azimuth", "elevation", "cut"]) controls[name].set({ value: state[name] });
    for (const name of ["ceiling", "alpha", "beta"]) {
      const last = places[name].length - 1;
      const at = name === "ceiling" ? places.ceiling.indexOf(state.ceiling) : nearest(places[name], state[name]);
      setAttribute(controls[name].input, "max", last);
      setAttribute(controls[name].input, "aria-valuetext", state[name] === null ? "none" : number(state[name]));
      controls[name].set({ value: at < 0 ? last : at, high: last, disabled: !reference() });
    }
    controls.logarithmic.set({ value: state.logarithmic });
    const paths = shape.shown.some((surface) => surface.path);
    controls.path.set({ value: state.path && paths, disabled: !paths });
    write(noPath, paths ? "" : "no path is known in this plane");
  }

  function draw(one) {
    const gap = 20;
    const inner = one ? room : (room - gap) / 2;
    const beside = one && room >= 860; // view and map side by side
    const view = beside ? [Math.floor(0.56 * room), 480] : [Math.floor(inner), Math.round(Math.min(Math.max(0.6 * inner, 280), 330))];
    const map = inner >= 470 ? [300, 292] : [Math.floor(inner), 292];
    const { box, scale, square, clips } = shape;
    const look = { box, scale, square, colours };
    const data = JSON.stringify([shape.key, room, colours, globalThis.devicePixelRatio]);
    const camera = JSON.stringify([data, state.azimuth, state.elevation]);
    const eye = cameraOf(state, ...view);
    const marker = { alpha: state.alpha, beta: state.beta, cut: state.cut };
    const cut = cutPoints(box, marker, ALONG);
    if (drawn.data !== data) paintScale(scaleCanvas, { scale, clips, known: shape.shown.length > 0, colours, width: room, height: BAR });
    names().forEach((_, n) => {
      const [surface, mesh, heights] = [shape.surfaces[n], shape.meshes[n], shape.heights[n]];
      const path = state.path ? surface?.path : undefined;
      const sized = { ...look, surface, heights, mesh, camera: eye, marker, cut, path };
      const reading = surface && readingOf(surface, state);
      if (drawn.camera !== camera) paintSurface(panels[n].view.below, { ...sized, width: view[0], height: view[1] });
      paintOnSurface(panels[n].view.above, { ...sized, reading, width: view[0], height: view[1] });
      if (drawn.data !== data) paintMap(panels[n].map.below, { ...sized, width: map[0], height: map[1] });
      paintOnMap(panels[n].map.above, { ...sized, width: map[0], height: map[1] });
    });
    Object.assign(drawn, { data, camera });
    const lines = names().map((name, n) => ({
      name, look: LOOKS[n],
      values: shape.surfaces[n] ? cut.map(({ alpha, beta }) => Math.min(1, bilinear(shape.surfaces[n], shape.heights[n], alpha, beta))) : cut.map(() => NaN),
    }));
    paintCut(cutCanvas, { ts: cut.map(({ t }) => t), lines, scale, colours, width: room, height: PLOT });
  }

  function readOut(one, name, surface) {
    write(one.name, name);
    if (!surface) {
      [one.loss, one.accuracy, one.where, one.right].forEach((node) => write(node, ""));
      write(one.loss, "not computed");
      return one.guesses.set(null);
    }
    const reading = readingOf(surface, state);
    write(one.where, `at alpha ${number(reading.alpha)}, beta ${number(reading.beta)}`);
    write(one.loss, reading.known ? `loss ${number(reading.loss)} ± ${number(reading.error, 2)}` : "not computed here");
    write(one.accuracy, reading.known ? `accuracy ${percent(reading.accuracy)}` : "");
    const right = reading.predictions.filter((guess, n) => guess === surface.labels[n]).length;
    write(one.right, reading.known && surface.labels.length ? `right in ${right} of the first ${surface.labels.length} images` : "");
    one.guesses.set(reading.known ? reading.predictions : null, surface.labels);
    one.guesses.root.style.visibility = images.areOf(surface) ? "" : "hidden"; // its place stays
  }

  const unwatch = watchLook(stage, (width) => {
    room = width;
    colours = null;
    paint();
  });
  load();
  state = link.read();
  el.append(root);
  paint();
  return () => { link.close(); unlisten.forEach((end) => end()); unwatch(); };
}

/** The images that Python sent, of which surfaces they are, and lists of them with what a network sees in each. */
function thumbnails(model) {
  const [count = 0, height, width] = model.get("_image_shape");
  const [view, classes, labels] = [model.get("_images"), model.get("_class_names"), model.get("_image_labels")];
  const bytes = count ? new Uint8Array(view.buffer, view.byteOffset, view.byteLength) : [];
  const nameOf = (label) => classes[label] ?? String(label);
  function picture(n) {
    const canvas = element("canvas", { width, height, "aria-hidden": true });
    const image = new ImageData(width, height);
    const from = n * height * width * 3;
    for (let i = 0; i < height * width; i++) image.data.set([...bytes.subarray(from + 3 * i, from + 3 * i + 3), 255], 4 * i);
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }
  return {
    /** Whether these are the first images that a surface was computed with. */
    areOf: (surface) => labels.every((label, n) => surface.labels[n] === label),
    guesses() {
      const items = Array.from({ length: count }, (_, n) => {
        const label = element("span");
        return { label, root: element("li", {}, picture(n), label) };
      });
      return {
        root: element("ol", { class: "cnnviz-surface-guesses", "aria-label": "what the network sees in the first images" }, ...items.map((item) => item.root)),
        set(predictions, labels = []) {
          items.forEach(({ label, root }, n) => {
            const known = predictions !== null && n < labels.length;
            const right = known && predictions[n] === labels[n];
            write(label, known ? `${right ? "✓" : "✗"} ${nameOf(predictions[n])}` : "–");
            setAttribute(root, "data-right", known ? right : "");
            setAttribute(root, "title", known ? `${right ? "right" : "wrong"}: ${nameOf(predictions[n])}${right ? "" : `, it is ${nameOf(labels[n])}`}` : "");
          });
        },
      };
    },
  };
}

const widget = { render };
export default widget;
