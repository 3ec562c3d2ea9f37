// PathLengthExplorer: controls, pointer, keyboard and words around the pure functions of path_lengths_arithmetic.js and
// the pictures of path_lengths_drawing.js.

const TRAITS = ["network", "stage", "example", "length", "logarithmic"];
const [WIDE, WORDS, GAP] = [860, [300, 216], 14]; // pixels: from where on it is wide; the column of words, wide and narrow
const STAGE = "pictures over the path length; left and right move the mark, with shift by five, home and end to the ends";

function render({ model, el }) {
  const networks = profilesOf(model.get("_index"), model.get("_numbers"));
  const [lectures, negligible] = [model.get("_lectures"), model.get("_negligible")];
  let state = settled(read(model), {}, networks);
  let room = 1060; // pixels
  const link = connect(model, TRAITS, () => { state = settled(link.read(), state, networks); paint(); });

  function update(changes) {
    const before = state;
    state = settled({ ...state, ...changes }, before, networks);
    paint();
    link.write(Object.fromEntries(TRAITS.filter((name) => state[name] !== before[name]).map((name) => [name, state[name]])));
  }
  const stages = () => [...networks.get(state.network).keys()];

  // What is shown, kept as long as it holds: another mark changes none of it
  const views = new Map();
  function view(stage) {
    const key = JSON.stringify([state.network, stage, state.example]);
    const one = networks.get(state.network).get(stage);
    const example = state.example === null ? null : Math.min(state.example, one.images - 1);
    if (!views.has(key)) views.set(key, viewOf(one, example, negligible));
    return views.get(key);
  }

  // Controls
  const images = () => networks.get(state.network).get(state.stage).images;
  const named = (name, label, format, onChange) => slider({ name, label, min: 0, max: 1, format, onChange });
  const exampleWords = () => (state.example === null ? `mean of ${images()}` : `image ${state.example + 1} of ${images()}`);
  const controls = {
    network: choice({ name: "network", label: "network", options: [...networks].map(([name, found]) => [name, `${name} (${found.values().next().value.blocks} blocks)`]), onChange: (network) => update({ network }) }),
    stage: named("stage", "stage", () => state.stage, (place) => update({ stage: stages()[place] })),
    example: named("example", "images", exampleWords, (place) => update({ example: place === 0 ? null : place - 1 })),
    length: named("length", "marked length", () => `${state.length} of ${view(state.stage).blocks}`, (length) => update({ length })),
    logarithmic: toggle({ name: "logarithmic", label: "number, log axis", onChange: (logarithmic) => update({ logarithmic }) }),
  };
  function place(name, value, high, words) {
    setAttribute(controls[name].input, "max", high);
    setAttribute(controls[name].input, "aria-valuetext", words);
    controls[name].set({ value, low: 0, high, disabled: high === 0 });
  }
  function setControls(blocks) {
    controls.network.set({ value: state.network });
    place("stage", stages().indexOf(state.stage), stages().length - 1, state.stage);
    place("example", state.example === null ? 0 : state.example + 1, images(), exampleWords());
    place("length", state.length, blocks, `${state.length} of ${blocks}`);
    controls.logarithmic.set({ value: state.logarithmic });
  }

  // The page
  const spoken = announcer();
  const [crossing, fixed, mark] = [element("g"), element("g"), element("g")];
  const picture = element("svg", {
    class: "cnnviz-paths-picture", tabindex: 0, role: "application", "aria-label": STAGE, ...KEYS,
    onpointerdown: (event) => {
      if (event.button !== 0) return;
      picture.setPointerCapture(event.pointerId);
      point(event);
    },
    onpointermove: (event) => { if (event.buttons & 1) point(event); },
    onkeydown: (event) => {
      const far = event.shiftKey ? 5 : 1;
      const length = { ArrowLeft: state.length - far, ArrowRight: state.length + far, Home: 0, End: Infinity }[event.key];
      if (length === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      update({ length: Math.min(Math.max(length, 0), view(state.stage).blocks) });
    },
  }, crossing, fixed, mark);
  function point(event) {
    const length = drawn.plan.lengthAt(event.clientX - picture.getBoundingClientRect().left);
    if (length !== state.length) update({ length });
  }
  const line = (look) => {
    const words = element("span");
    return { words, root: element("div", { class: "cnnviz-paths-words", "data-look": look }, ...(look ? [swatch(look)] : []), words) };
  };
  const [heading, whole] = [element("b"), element("div")];
  const lines = Object.fromEntries(["count", "sample", "rms", "exact", "signed", "product"].map((look) => [look, line(look)]));
  const claim = element("div", { "data-look": "lectures" });
  const column = (...nodes) => element("div", {}, ...nodes);
  const stage = element("div", { class: "cnnviz-paths-stage", role: "group" }, picture,
    column(heading, lines.count.root, whole),
    column(lines.sample.root, lines.rms.root, element("div", { class: "cnnviz-paths-note", text: "Relative to the gradient that enters the last block." })),
    column(lines.exact.root, lines.signed.root, lines.product.root, claim));
  stage.style.gridTemplateRows = PANELS.map((height) => `${height}px`).join(" ");
  const root = element("div", { class: "cnnviz cnnviz-paths" },
    element("div", { class: "cnnviz-controls" }, ...Object.values(controls).map((control) => control.root)), stage, spoken.root);

  const drawn = {}; // what the fixed part of the picture shows
  const paint = oncePerFrame(() => {
    const shown = view(state.stage);
    setControls(shown.blocks);
    const key = JSON.stringify([state.network, state.stage, state.example, state.logarithmic, room]);
    if (drawn.key !== key) {
      const beside = WORDS[room < WIDE ? 1 : 0];
      stage.style.gridTemplateColumns = `1fr ${beside}px`;
      const plan = planOf(room - beside - GAP, shown.blocks);
      const axes = axesOf(stages().map(view), state.logarithmic);
      if (!shown.sample && !shown.rms) axes[1] = null;
      if (shown.carried.length === 0) axes[2] = null;
      setAttribute(picture, "width", plan.width);
      setAttribute(picture, "height", plan.height);
      fixed.replaceChildren(...pictures(plan, shown, axes, shown.blocks === lectures[0] ? lectures.slice(1) : null));
      Object.assign(drawn, { key, plan, axes });
    }
    crossing.replaceChildren(lineAt(drawn.plan, state.length));
    mark.replaceChildren(...markOf(drawn.plan, shown, drawn.axes, state.length));
    readOut(shown);
    const words = describe(state, shown, lectures);
    setAttribute(stage, "aria-label", words);
    spoken.say(words);
  });

  const tight = (node, words) => write(node, words.replaceAll(" %", "\u00a0%"));
  function readOut(shown) {
    const { length } = state;
    write(heading, `Length ${length} of ${shown.blocks}`);
    tight(lines.count.words, `${quantity(shown.paths[length])} of ${quantity(shown.all)} paths: ${share(shown.counts[length])}`);
    write(whole, `All paths: mean length ${short(shown.blocks / 2)}.`);
    const { sample, rms } = strengths(shown, length);
    const only = shown.onlyFirst ? `drawn for the first ${shown.onlyFirst} images only` : "not measured";
    write(lines.sample.words, `sampled paths: ${sample ?? only}`);
    write(lines.rms.words, `all paths, root mean square: ${rms ?? "not measured"}`);
    for (const [look, name] of [["exact", "exact, norms"], ["signed", "exact, signed"], ["product", "number × one path (Veit)"]]) {
      const one = shown.carried.find((other) => other.look === look);
      const without = look === "product" && !shown.sample ? only : "nothing to share out";
      const range = one && (one.band ? `95 % at lengths ${one.band.join(" to ")}` : `no range with 95 %: ${share(one.against)} point the other way`);
      tight(lines[look].words, `${name}: ${one ? `${share(one.values[length])}; ${range}` : without}`);
    }
    const [blocks, low, high] = lectures;
    const held = shown.carried.map(({ look, values }) => `${{ exact: "norms", signed: "signed", product: "Veit" }[look]} ${share(between(values, low, high))}`);
    tight(claim, shown.blocks === blocks && held.length > 0 ? `The lectures say: ${low} to ${high} carry most. Here: ${held.join(", ")}.` : "");
  }

  const unwatch = watchLook(stage, (width) => { room = width; paint(); });
  el.append(root);
  paint();
  return () => { link.close(); unwatch(); };
}
const read = (model) => Object.fromEntries(TRAITS.map((name) => [name, model.get(name)]));

const widget = { render };
export default widget;
