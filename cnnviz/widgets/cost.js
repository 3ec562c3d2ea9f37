// CostExplorer: two designs that do the same work, layer by layer, counted by layer_cost.js. analysis/designs.py builds
// the same pairs in Python and hands over ranges and examples.

const SETTINGS = [
  "in_channels", "out_channels", "reduced", "kernel_size", "groups", "size", "width", "resolution",
  "out1x1", "reduce3x3", "out3x3", "reduce5x5", "out5x5", "pool_projection", "num_classes",
];
const COST_TRAITS = ["comparison", "measure", "bias", ...SETTINGS];
const MEASURES = { parameters: "parameters", mult_adds: "mult-adds", activation_bytes: "memory" };
const KEY_OF = Object.fromEntries(Object.entries(MEASURES).map(([key, word]) => [word, key]));
const TITLES = {
  "stacked 3x3": "a large filter by 3 × 3 filters", bottleneck: "a filter by a bottleneck",
  grouped: "full by grouped", "depthwise separable": "full by depthwise separable",
  "width multiplier": "MobileNet by a thinner one", "resolution multiplier": "MobileNet's maps by smaller ones",
  inception: "naive Inception by reduced", "global average pooling": "flatten by global average pooling",
};
const LABELS = {
  in_channels: "channels in", out_channels: "filters", reduced: "bottleneck", kernel_size: "kernel_size", groups: "groups",
  size: "height, width", width: "width α", resolution: "resolution ρ", out1x1: "1 × 1 filters", reduce3x3: "before 3 × 3",
  out3x3: "3 × 3 filters", reduce5x5: "before 5 × 5", out5x5: "5 × 5 filters", pool_projection: "after pooling", num_classes: "classes",
};
const OWN = "your own numbers";

/** The whole number nearest to factor * count, halves up, at least 1. */
export const scaledCount = (factor, count) => Math.max(1, Math.floor(factor * count + 0.5));

/** The two designs of a state: { name, layers, shape } each. */
export function designsOf(state) {
  const { in_channels: c, out_channels: f, kernel_size: k, size, groups, reduced, width, resolution, bias } = state;
  const conv = (out_channels, kernel_size, g = 1) =>
    ({ kind: "conv", out_channels, kernel_size, padding: (kernel_size - 1) / 2, groups: g, bias });
  const image = [c, size, size];
  const design = (name, layers, shape = image) => ({ name, layers, shape });
  const separable = (inputs, outputs) => [conv(inputs, k, inputs), conv(outputs, 1)];
  const thinner = (alpha, rho) => {
    const [inputs, outputs, side] = [scaledCount(alpha, c), scaledCount(alpha, f), scaledCount(rho, size)];
    return design(`width ${short(alpha, 6)}, ${side} x ${side}`, separable(inputs, outputs), [inputs, side, side]);
  };
  const pool = { kind: "max pool", kernel_size: 3, stride: 1, padding: 1 };
  const module_ = (name, branches) => design(name, [{ kind: "concat", branches }]);
  const classifier = [{ kind: "flatten" }, { kind: "linear", out_features: state.num_classes, bias }];
  switch (state.comparison) {
    case "stacked 3x3": {
      const depth = (k - 1) / 2;
      return [design(`one ${k} x ${k}`, [conv(c, k)]), design(`${depth} of 3 x 3`, Array(depth).fill(conv(c, 3)))];
    }
    case "bottleneck":
      return [design(`${k} x ${k} at once`, [conv(f, k)]), design(`1 x 1 to ${reduced} channels first`, [conv(reduced, 1), conv(f, k)])];
    case "grouped": return [design("full", [conv(f, k)]), design(`in ${groups} groups`, [conv(f, k, groups)])];
    case "depthwise separable": return [design("full", [conv(f, k)]), design("depthwise, then 1 x 1", separable(c, f))];
    case "width multiplier": return [thinner(1, 1), thinner(width, 1)];
    case "resolution multiplier": return [thinner(width, 1), thinner(width, resolution)];
    case "inception": {
      const [one, three, five] = [conv(state.out1x1, 1), conv(state.out3x3, 3), conv(state.out5x5, 5)];
      return [module_("naive module", [[one], [three], [five], [pool]]), module_("reduced by 1 x 1", [
        [one], [conv(state.reduce3x3, 1), three], [conv(state.reduce5x5, 1), five], [pool, conv(state.pool_projection, 1)],
      ])];
    }
    default: return [design("flatten, linear", classifier), design("global average pool, linear", [{ kind: "global average pool" }, ...classifier])];
  }
}

/** Both designs with their rows and sums. */
export function counted(state) {
  return designsOf(state).map((design) => {
    const rows = costs(design.layers, design.shape);
    return { ...design, rows, sum: total(rows) };
  });
}

/** 0.287 -> "28.7 %, 3.5 times less"; 1.333 -> "133.3 %"; 3 -> "3.0 times as much" */
export function ratio(share) {
  if (share === 1) return "the same";
  const [whole, tenth] = (Math.floor(10 * Math.max(share, 1 / share) + 0.5) / 10).toFixed(1).split(".");
  const factor = `${thousands(whole)}.${tenth} times`;
  return share < 1 ? `${percent(share)}, ${factor} less` : share < 2 ? percent(share) : `${factor} as much`;
}

const written = (measure, number) => (measure === "activation_bytes" ? kilobytes(number) : thousands(number));

/** The sentence that Python's describe() says. */
export function describe(state, pair = counted(state)) {
  const sides = pair.map(({ name, shape, sum }) => `${name}, ${shape.join(" x ")} in: ${thousands(sum.parameters)} parameters, `
    + `${thousands(sum.mult_adds)} mult-adds, outputs of ${kilobytes(sum.activation_bytes)}`).join("; ");
  const shares = Object.entries(MEASURES).map(([key, word]) => `${word} ${ratio(pair[1].sum[key] / pair[0].sum[key])}`).join(", ");
  const { comparison } = state;
  return `${comparison[0].toUpperCase()}${comparison.slice(1)}. ${sides}. The second design against the first: ${shares}.`;
}

/** The rule behind the ratio of the mult-adds, filled in: [symbols, numbers, share]. The share is exact. */
export function rule(state) {
  const { in_channels: c, out_channels: f, kernel_size: k, size, groups, reduced, width, resolution } = state;
  const { out1x1: f1, reduce3x3: r3, out3x3: f3, reduce5x5: r5, out5x5: f5, pool_projection: p } = state;
  switch (state.comparison) {
    case "stacked 3x3": {
      const depth = (k - 1) / 2;
      return ["n · 3² / k², with n = (k - 1)/2 to see as far", `${depth} · 3² / ${k}²`, (depth * 9) / k ** 2];
    }
    case "bottleneck":
      return ["bottleneck/(k² · filters) + bottleneck/channels", `${reduced}/(${k}² · ${f}) + ${reduced}/${c}`, reduced / (k ** 2 * f) + reduced / c];
    case "grouped": return ["1/groups", `1/${groups}`, 1 / groups];
    case "depthwise separable": return ["1/N + 1/K², N filters of K x K", `1/${f} + 1/${k}²`, 1 / f + 1 / k ** 2];
    case "width multiplier": {
      const [a, b] = [scaledCount(width, c), scaledCount(width, f)];
      return [`α · M · (K² + α · N) / (M · (K² + N)), near α² = ${percent(width ** 2)}`,
        `${a} · (${k}² + ${b}) / (${c} · (${k}² + ${f}))`, (a * (k ** 2 + b)) / (c * (k ** 2 + f))];
    }
    case "resolution multiplier": {
      const side = scaledCount(resolution, size);
      return [`(ρ · size)² / size², near ρ² = ${percent(resolution ** 2)}`, `${side}² / ${size}²`, side ** 2 / size ** 2];
    }
    case "inception":
      return ["(C · (F1 + R3 + R5 + P) + 3² · R3 · F3 + 5² · R5 · F5) / (C · (F1 + 3² · F3 + 5² · F5))",
        `(${c} · (${f1} + ${r3} + ${r5} + ${p}) + 3² · ${r3} · ${f3} + 5² · ${r5} · ${f5}) / (${c} · (${f1} + 3² · ${f3} + 5² · ${f5}))`,
        (c * (f1 + r3 + r5 + p) + 9 * r3 * f3 + 25 * r5 * f5) / (c * (f1 + 9 * f3 + 25 * f5))];
    default: return ["1/size²", `1/${size}²`, 1 / size ** 2];
  }
}

/** What a row of `costs` is called, and a note to it: its groups, its branch. Later layers of a branch begin with "then". */
export function rowName({ layer, path, input, output }) {
  const { kind, kernel_size: k, groups } = layer;
  const [, branch, place] = path.split(".");
  const name = `${place > 0 ? "then " : ""}${kind}${k ? ` ${k}×${k}` : ""}`;
  const grouped = kind === "conv" && groups > 1 && (groups === input[0] ? "depthwise" : `${groups} groups`);
  return [name, kind === "concat" ? `to ${output[0]} channels` : place === "0" ? `branch ${branch}` : grouped || ""];
}

/** The state with the numbers of an example of a comparison. */
export const withExample = (state, comparison, comparisons, example = Object.keys(comparisons[comparison].examples)[0]) =>
  ({ ...state, comparison, ...comparisons[comparison].examples[example] });

const upTo = (first, last, step) => Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step);
const ROUND = {
  channels: [...upTo(8, 128, 8), ...upTo(144, 320, 16), ...upTo(352, 1024, 32)],
  size: [...upTo(1, 32, 1), ...upTo(40, 64, 8), ...upTo(80, 128, 16), 160, 192, 224],
  num_classes: [...upTo(1, 10, 1), 20, 50, 100, 200, 500, 1000, 2000, 4096],
};

/** The places of a slider: legal numbers, close together where they are small, and always the present one. */
export function placesOf(state, name, [low, high, step]) {
  const { in_channels, out_channels, size, groups, comparison } = state;
  const grouped = comparison === "grouped";
  if (name === "groups") return upTo(1, Math.min(in_channels, out_channels), 1).filter((g) => in_channels % g === 0 && out_channels % g === 0);
  // Only resolutions that change the number of pixels.
  if (name === "resolution") return upTo(1, size, 1).map((side) => (side === scaledCount(state.resolution, size) ? state.resolution : Number((side / size).toFixed(3))));
  if (name === "width") return upTo(1, 20, 1).map((twentieth) => twentieth / 20);
  const round = ROUND[name] ?? (step === 8 ? ROUND.channels : upTo(low, high, step));
  const legal = round.filter((value) => value >= low && value <= high && !(grouped && name.endsWith("channels") && value % groups));
  return [...new Set([...legal, state[name]])].sort((a, b) => a - b);
}

function render({ model, el }) {
  let state = {};
  const comparisons = model.get("_comparisons");
  const link = connect(model, COST_TRAITS, () => { state = link.read(); paint(); });

  function update(changes) {
    const before = state;
    state = { ...state, ...changes };
    paint();
    // Python takes a comparison together with its numbers.
    const sent = COST_TRAITS.filter((name) => state[name] !== before[name] || (changes.comparison && name in changes));
    link.write(Object.fromEntries(sent.map((name) => [name, state[name]])));
  }
  function load(comparison, example) {
    const { comparison: name, bias, measure, ...numbers } = withExample(state, comparison, comparisons, example);
    const used = comparisons[comparison].settings;
    update({ comparison, ...Object.fromEntries(Object.entries(numbers).filter(([key]) => key in used)) });
  }
  const examples = () => comparisons[state.comparison].examples;
  const example = () => Object.keys(examples()).find((one) => Object.entries(examples()[one]).every(([key, value]) => state[key] === value)) ?? OWN;

  // Controls
  let places = {}; // of each slider, the numbers that it stops at
  const numbers = Object.fromEntries(SETTINGS.map((name) => [name, slider({
    name, label: LABELS[name], min: 0, max: 1, format: (place) => short(places[name]?.[place] ?? 0),
    onChange: (place) => update({ [name]: places[name][place] }),
  })]));
  const controls = {
    comparison: choice({ name: "comparison", label: "replace", options: Object.entries(TITLES), onChange: (value) => load(value) }),
    example: choice({ name: "example", label: "example", options: [], onChange: (value) => load(state.comparison, value) }),
    measure: choice({ name: "measure", label: "write out", options: ["mult-adds", "parameters", "memory"], onChange: (measure) => update({ measure }) }),
    bias: toggle({ name: "bias", label: "bias", onChange: (bias) => update({ bias }) }),
  };
  function setControls() {
    const { settings } = comparisons[state.comparison];
    controls.comparison.set({ value: state.comparison });
    controls.example.set({ value: example(), options: [...Object.keys(examples()), [OWN, OWN, true]] });
    controls.measure.set({ value: state.measure });
    controls.bias.set({ value: state.bias });
    for (const [name, control] of Object.entries(numbers)) {
      control.root.hidden = !(name in settings);
      if (!(name in settings)) continue;
      places[name] = placesOf(state, name, settings[name]);
      setAttribute(control.input, "max", places[name].length - 1);
      setAttribute(control.input, "aria-valuetext", short(state[name]));
      control.set({ value: places[name].indexOf(state[name]), high: places[name].length - 1 });
    }
    if (!("groups" in settings)) return;
    const divisors = places.groups.length > 6 ? [...places.groups.slice(0, 4), "…", places.groups.at(-1)] : places.groups;
    write(numbers.groups.root.querySelector(".cnnviz-why"), `divides ${state.in_channels} and ${state.out_channels}: ${divisors.join(", ")}`);
  }

  // The page
  const spoken = announcer();
  const sums = element("div", { class: "cnnviz-cost-sums" });
  const sumLines = Object.entries(MEASURES).map(([key, word]) => {
    const bars = [element("div", { class: "cnnviz-cost-track" }), element("div", { class: "cnnviz-cost-track" })];
    const outputs = ["a", "b"].map((side) => element("output", { "data-sum": key, "data-side": side }));
    const share = element("div", { class: "cnnviz-cost-share", "data-share": key });
    sums.append(element("b", { text: word }), element("div", {}, ...bars.map((bar, side) =>
      element("div", { class: `cnnviz-cost-bar cnnviz-cost-${"ab"[side]}` }, element("span", { text: "AB"[side] }), bar, outputs[side]))), share);
    return { key, bars, outputs, share };
  });
  const sides = ["a", "b"].map((side) => {
    const [title, sub] = [element("span"), element("div", { class: "cnnviz-cost-sub" })];
    const body = element("tbody");
    const head = element("thead", {}, element("tr", {}, ...["layer", "output", ...Object.values(MEASURES)].map((text) => element("th", { text, scope: "col" }))));
    const root = element("section", { class: `cnnviz-cost-side cnnviz-cost-${side}` },
      element("h4", {}, element("span", { class: "cnnviz-cost-mark", text: side.toUpperCase() }), title), sub, element("table", {}, head, body));
    return { side, root, title, sub, body, lines: [] };
  });
  const tables = element("div", { class: "cnnviz-cost-sides", role: "group" }, ...sides.map((side) => side.root));
  const [symbols, filled] = [element("div", { class: "cnnviz-cost-symbols" }), element("div", { class: "cnnviz-cost-rule" })];
  const sumsWritten = ["a", "b"].map((side) => element("div", { class: "cnnviz-cost-formula", "data-formula": side }));
  const root = element("div", { class: "cnnviz" },
    element("div", { class: "cnnviz-controls cnnviz-cost-choices" }, ...Object.values(controls).map((control) => control.root)),
    element("div", { class: "cnnviz-controls cnnviz-cost-numbers" }, ...Object.values(numbers).map((control) => control.root)),
    sums, tables,
    element("div", { class: "cnnviz-cost-formulas" }, ...sumsWritten), symbols, filled,
    element("div", { class: "cnnviz-cost-note", text: "One image, float32 (4 bytes a number). ReLU and normalisation are not counted; memory is what the layers put out." }), spoken.root);

  // Drawing
  const paint = oncePerFrame(() => {
    setControls();
    setAttribute(root, "data-comparison", state.comparison);
    const pair = counted(state);
    const [a, b] = pair;
    for (const { key, bars, outputs, share } of sumLines) {
      const most = Math.max(a.sum[key], b.sum[key], 1);
      pair.forEach(({ sum }, i) => {
        bars[i].style.backgroundSize = `${(100 * sum[key]) / most}%`;
        write(outputs[i], written(key, sum[key]));
      });
      write(share, ratio(b.sum[key] / a.sum[key]));
    }
    const most = Object.fromEntries(Object.keys(MEASURES).map((key) => [key, Math.max(1, ...pair.flatMap(({ rows }) => rows.map((row) => row[key])))]));
    pair.forEach((design, i) => paintSide(sides[i], design, most));
    const key = KEY_OF[state.measure];
    pair.forEach(({ rows, sum }, i) => write(sumsWritten[i], `${"AB"[i]}  ${formulaOf(rows, key)} = ${thousands(sum[key])}${key === "activation_bytes" ? " bytes" : ` ${state.measure}`}`));
    const [letters, figures, share] = rule(state);
    write(symbols, `B/A in mult-adds: ${letters}`);
    write(filled, `${figures} =\u00a0${percent(share).replace(" ", "\u00a0")}`);
    const words = describe(state, pair);
    setAttribute(tables, "aria-label", words);
    spoken.say(words);
  });

  function paintSide({ title, sub, body, lines, side }, { name, shape, rows }, most) {
    write(title, name.replaceAll(" x ", " × "));
    const field = rows.at(-1).receptive_field;
    write(sub, `input ${shape.join(" × ")}, output ${rows.at(-1).output.join(" × ")}, receptive field ${field} × ${field}`);
    while (lines.length < rows.length) lines.push(tableLine());
    if (body.children.length !== rows.length) body.replaceChildren(...lines.slice(0, rows.length).map((line) => line.root));
    rows.forEach((row, index) => {
      const line = lines[index];
      const [name, note] = rowName(row);
      write(line.name, name);
      write(line.note, note);
      line.root.classList.toggle("cnnviz-cost-then", name.startsWith("then"));
      write(line.shape, row.output.join("×"));
      for (const [key, cell] of Object.entries(line.cells)) {
        setAttribute(cell, "data-cell", `${side} ${index} ${key}`);
        write(cell, written(key, row[key]));
        cell.style.backgroundSize = `${(100 * row[key]) / most[key]}% 5px`;
      }
    });
  }
  function tableLine() {
    const [name, note, shape] = [element("span"), element("small"), element("td", { class: "cnnviz-cost-shape" })];
    const cells = Object.fromEntries(Object.keys(MEASURES).map((key) => [key, element("td")]));
    const line = element("tr", {}, element("th", { scope: "row" }, name, " ", note), shape, ...Object.values(cells));
    return { root: line, name, note, shape, cells };
  }

  state = link.read();
  el.append(root);
  paint();
  return () => link.close();
}

const widget = { render };
export default widget;
