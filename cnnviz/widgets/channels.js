// ChannelExplorer: which input channels a filter reads, in full, grouped, depthwise and 1x1 convolutions, and what that costs.
// Counted by layer_cost.js, drawn by channels_drawing.js.

const CHANNEL_TRAITS = ["kind", "in_channels", "out_channels", "groups", "kernel_size", "size", "bias", "channel"];
const SEPARABLE = "depthwise separable";
const KINDS = ["full", "grouped", "depthwise", ["1x1", "1 × 1"], SEPARABLE];
const MOST = 32; // channels that can be drawn

/** The name of a single convolution. */
export function kindOf({ in_channels, groups, kernel_size }) {
  if (groups === 1) return kernel_size === 1 ? "1x1" : "full";
  return groups === in_channels ? "depthwise" : "grouped";
}

/** What has to change for a convolution to become one of this kind; nothing if it is one. */
export function ofKind(kind, state) {
  const { in_channels, out_channels, kernel_size } = state;
  if (kind === SEPARABLE) return { groups: in_channels };
  if (kindOf(state) === kind) return {};
  if (kind === "1x1") return { groups: 1, kernel_size: 1 };
  const wide = Math.max(kernel_size, 3);
  if (kind === "full") return { groups: 1, kernel_size: wide };
  if (kind === "grouped") {
    const even = (count, least) => Math.max(least, count + (count % 2));
    return { in_channels: even(in_channels, 4), out_channels: even(out_channels, 2), groups: 2, kernel_size: wide };
  }
  const inputs = Math.max(in_channels, 2);
  const multiplier = Math.min(Math.max(Math.round(out_channels / inputs), 1), Math.floor(MOST / inputs));
  return { in_channels: inputs, out_channels: inputs * multiplier, groups: inputs, kernel_size: wide };
}

/** The values that a number may take beside the others, and why these. */
export function legalValues(state, name) {
  const { kind, in_channels, out_channels, groups } = state;
  const all = range(1, MOST);
  if (name === "groups") {
    const both = in_channels === out_channels ? in_channels : `${in_channels} and ${out_channels}`;
    const values = kind === SEPARABLE ? [in_channels] : all.filter((g) => in_channels % g === 0 && out_channels % g === 0);
    return { values, why: `divides ${both}: ${values.join(", ")}` };
  }
  if (kind === SEPARABLE || (name === "in_channels" && kind === "depthwise")) return { values: all, why: "" };
  return { values: all.filter((count) => count % groups === 0), why: `a multiple of groups = ${groups}` };
}
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** The state after a choice, made legal, and the reason where another value was taken than the one wanted. */
export function adapted(state, name, wanted) {
  let [value, note] = [wanted, ""];
  if (["in_channels", "out_channels", "groups"].includes(name)) {
    const { values, why } = legalValues(state, name);
    if (!values.includes(wanted)) {
      const further = wanted > state[name] ? values.filter((one) => one > wanted) : values.filter((one) => one < wanted).reverse();
      [value, note] = [further[0] ?? (wanted > state[name] ? values.at(-1) : values[0]), why];
    }
  }
  const next = { ...state, [name]: value };
  if (name === "kind") Object.assign(next, ofKind(value, state));
  else if (state.kind === SEPARABLE) next.groups = next.in_channels;
  else {
    if (state.kind === "depthwise" && name === "in_channels") {
      next.groups = value;
      next.out_channels = value * Math.min(state.out_channels / state.in_channels, Math.floor(MOST / value));
    }
    next.kind = kindOf(next);
  }
  next.channel = Math.min(next.channel, next.out_channels - 1);
  return [next, note];
}

/** The layers in the words of layer_cost.js. Padding keeps the size. */
export function layersOf({ kind, in_channels, out_channels, kernel_size, groups, bias }) {
  const conv = (filters, k, g) => ({ kind: "conv", out_channels: filters, kernel_size: k, padding: (k - 1) / 2, groups: g, bias });
  if (kind === SEPARABLE) return [conv(in_channels, kernel_size, in_channels), conv(out_channels, 1, 1)];
  return [conv(out_channels, kernel_size, groups)];
}

/** What the convolution costs, and what the full one of the same shapes would. */
export function channelCosts(state) {
  const shape = [state.in_channels, state.size, state.size];
  const rows = costs(layersOf(state), shape);
  return { rows, cost: total(rows), full: total(costs(layersOf({ ...state, kind: "full", groups: 1 }), shape)) };
}

/** How many channels go in and come out of each layer, in how many groups. */
const links = (state) => layersOf(state).map(({ out_channels, kernel_size, groups }) => ({
  inputs: state.in_channels, outputs: out_channels, groups, kernel_size,
}));

/**
 * What a channel is connected with: of the input (volume 0) all that depends on it, of a later volume all that it is
 * made from. { volumes: a Set of channels each, slices: [filter, channel] pairs of each layer }.
 */
export function connected(state, { volume, channel }) {
  const layers = links(state);
  const volumes = [...layers.map(() => new Set()), new Set()];
  const slices = layers.map(() => []);
  volumes[volume].add(channel);
  const size = (count, { groups }) => count / groups;
  const forward = layers.map((layer, index) => () => {
    for (const c of volumes[index]) {
      const group = Math.floor(c / size(layer.inputs, layer));
      for (let i = 0; i < size(layer.outputs, layer); i++) {
        const f = group * size(layer.outputs, layer) + i;
        volumes[index + 1].add(f);
        slices[index].push([f, c]);
      }
    }
  });
  const backward = layers.map((layer, index) => () => {
    for (const f of volumes[index + 1]) {
      const group = Math.floor(f / size(layer.outputs, layer));
      for (let i = 0; i < size(layer.inputs, layer); i++) {
        const c = group * size(layer.inputs, layer) + i;
        volumes[index].add(c);
        slices[index].push([f, c]);
      }
    }
  });
  if (volume === 0) forward.forEach((go) => go());
  else backward.slice(0, volume).reverse().forEach((go) => go());
  return { volumes, slices };
}

const KIND_NAMES = {
  full: "Full convolution", grouped: "Grouped convolution", depthwise: "Depthwise convolution", "1x1": "1x1 convolution",
  [SEPARABLE]: "Depthwise separable convolution",
};
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const span = (channels) => {
  const sorted = [...channels].sort((a, b) => a - b);
  return sorted.length === 1 ? `channel ${sorted[0]}` : `channels ${sorted[0]} to ${sorted.at(-1)}`;
};

/** The sentence that Python's describe() says. */
export function describe(state, { cost, full } = channelCosts(state)) {
  const { kind, in_channels, out_channels, groups, kernel_size: k, size, channel } = state;
  const how = kind === SEPARABLE ? `a ${k} x ${k} filter for each channel, then ${out_channels} filters of 1 x 1`
    : `${count(out_channels, "filter")} of ${k} x ${k} in ${count(groups, "group")}, each reads ${in_channels / groups} of the ${count(in_channels, "channel")}`;
  const share = (name) => `${thousands(cost[name])} ${name.replace("_", "-")} (${percent(cost[name] / full[name])} of the full convolution's)`;
  const volume = links(state).length;
  return `${KIND_NAMES[kind]}: ${how}; ${in_channels} x ${size} x ${size} in, ${out_channels} x ${size} x ${size} out. `
    + `${share("parameters")}, ${share("mult_adds")}. `
    + `Output channel ${channel} is made from input ${span(connected(state, { volume, channel }).volumes[0])}.`;
}

/** What lights up for a channel, with its numbers. */
export function pointedText(state, lit) {
  const { kind, kernel_size: k, bias, in_channels, groups, out_channels } = state;
  const { volume, channel } = lit;
  const { volumes, slices } = connected(state, lit);
  const weights = slices.map((pairs, index) => pairs.length * links(state)[index].kernel_size ** 2);
  const plusBias = bias ? " and 1 bias" : "";
  const mark = groups > 1 && kind !== SEPARABLE ? ` (group ${groupOf(channel, volume ? out_channels : in_channels, groups)})` : "";
  if (volume === 0) {
    if (kind === SEPARABLE) return `Input channel ${channel} is filtered alone (${weights[0]} weights); then all ${volumes[2].size} output channels mix it in, with a weight each.`;
    return `Input channel ${channel}${mark} is read by filter${volumes[1].size === 1 ? "" : "s"} ${span(volumes[1]).replace(/channels? /, "")}: ${volumes[1].size} of ${out_channels}; ${count(weights[0], "weight")} touch${weights[0] === 1 ? "es" : ""} it.`;
  }
  if (kind === SEPARABLE) {
    if (volume === 1) return `Depthwise filter ${channel} reads input channel ${channel} alone: ${k} · ${k} = ${weights[0]} weights${plusBias}. It finds patterns in space and mixes no channels.`;
    return `1 × 1 filter ${channel} mixes ${count(in_channels, "channel")} at each place: ${weights[1]} weights${plusBias}. It looks at no neighbours.`;
  }
  return `Filter ${channel}${mark} makes output channel ${channel} from input ${span(volumes[0])}: ${count(volumes[0].size, "slice")} of ${k} · ${k} = ${weights[0]} weights${plusBias}.`;
}

/** What the kind of convolution saves, filled in. */
export function savings(state) {
  const { kind, in_channels: c, out_channels: f, groups: g, kernel_size: k } = state;
  const share = (value) => `${percent(value)} of the weights of the full convolution`;
  if (kind === SEPARABLE) return `1/out_channels + 1/kernel_size² = 1/${f} + 1/${k}² = ${share(1 / f + 1 / k ** 2)}.`;
  if (kind === "grouped") return `1/groups = 1/${g} = ${share(1 / g)}: each filter reads ${c}/${g} = ${c / g} channels, and no channel of another group.`;
  if (kind === "depthwise") return `1/groups = 1/${g} = ${share(1 / g)}: channel multiplier ${f}/${c} = ${f / c}; channels never mix.`;
  if (kind === "1x1") return `Each filter mixes all ${count(c, "channel")} of one place; it looks at no neighbours.`;
  return `Each of the ${count(f, "filter")} reads all ${count(c, "channel")}: every output channel depends on every input channel.`;
}

const SYMBOLS = {
  parameters: { one: "out_channels · in_channels/groups · kernel_size²", two: "in_channels · kernel_size² + out_channels · in_channels" },
  mult_adds: { one: "size² · out_channels · in_channels/groups · kernel_size²", two: "size² · (in_channels · kernel_size² + out_channels · in_channels)" },
};

/** The torch line for the present settings. */
export function code(state) {
  const conv = (c, { out_channels, kernel_size, padding, groups, bias }) => {
    const options = [c, out_channels, `kernel_size=${kernel_size}`];
    if (padding) options.push(`padding=${padding}`);
    if (groups > 1) options.push(`groups=${groups}`);
    if (!bias) options.push("bias=False");
    return `nn.Conv2d(${options.join(", ")})`;
  };
  const lines = layersOf(state).map((layer) => conv(state.in_channels, layer));
  return lines.length === 1 ? lines[0] : `nn.Sequential(\n${lines.map((line) => `    ${line},\n`).join("")})`;
}

/** Two lines above each column of the drawing. */
export function headings(state) {
  const { size } = state;
  const volume = (channels) => `${channels} × ${size} × ${size}`;
  const layers = links(state);
  return layers.flatMap(({ inputs, outputs, groups, kernel_size: k }, index) => [
    [index ? "between" : "input", volume(inputs)],
    [count(outputs, "filter"), `each ${inputs / groups} × ${k} × ${k}`],
  ]).concat([["output", volume(state.out_channels)]]);
}

function render({ model, el }) {
  let state = {};
  let pointed = null; // { volume, channel } under the pointer or the keyboard
  let width = 1060;
  let colours = null; // paletteOf(root), as the theme has them
  let note = {}; // { name, text }: why a slider went further than it was moved
  const link = connect(model, CHANNEL_TRAITS, () => { load(); paint(); });

  function load() {
    state = link.read();
    pointed = null;
  }
  function choose(name, value) {
    const before = state;
    const [next, text] = adapted(state, name, value);
    state = next;
    note = { name, text };
    if (pointed && name !== "channel") pointed = null;
    paint();
    link.write(Object.fromEntries(CHANNEL_TRAITS.filter((trait) => state[trait] !== before[trait]).map((trait) => [trait, state[trait]])));
  }

  // Controls
  const number = (name, label, min, max, step = 1) => slider({ name, label, min, max, step, onChange: (value) => choose(name, value) });
  const controls = {
    kind: choice({ name: "kind", label: "convolution", options: KINDS, onChange: (value) => choose("kind", value) }),
    in_channels: number("in_channels", "in_channels", 1, MOST),
    out_channels: number("out_channels", "out_channels", 1, MOST),
    groups: number("groups", "groups", 1, MOST),
    kernel_size: number("kernel_size", "kernel_size", 1, 7, 2),
    size: number("size", "height, width", 1, 224),
    channel: number("channel", "look at output", 0, MOST - 1),
    bias: toggle({ name: "bias", label: "bias", onChange: (value) => choose("bias", value) }),
  };

  // The page
  const stillAt = () => ({ volume: links(state).length, channel: state.channel });
  const canvas = element("canvas", { "aria-hidden": "true" });
  const stage = element("div", {
    class: "cnnviz-drawing cnnviz-channels-stage", tabindex: 0, role: "application", ...KEYS, onkeydown: key,
    onpointermove: (event) => point(hit(event)), onpointerleave: () => point(null), onblur: () => point(null),
    onclick: (event) => { const at = hit(event); if (at?.volume === links(state).length) choose("channel", at.channel); },
  }, canvas);
  const pointedLine = element("div", { class: "cnnviz-channels-pointed" });
  const saved = element("div", { class: "cnnviz-channels-saved" });
  const lines = Object.fromEntries(["parameters", "mult_adds"].map((name) => [name, costLine(name)]));
  const pytorch = element("pre", { class: "cnnviz-code cnnviz-channels-code", tabindex: 0, "aria-label": "PyTorch code" });
  const spoken = announcer();
  const root = element("div", { class: "cnnviz" },
    element("div", { class: "cnnviz-controls cnnviz-channels-controls" }, ...Object.values(controls).map((control) => control.root)),
    stage, pointedLine,
    element("div", { class: "cnnviz-channels-costs" }, ...Object.values(lines).flatMap((line) => line.nodes)), saved, pytorch, spoken.root);

  function costLine(name) {
    const [symbols, formula, value, bar, share] = ["div", "span", "output", "div", "div"].map((tag) => element(tag));
    value.dataset.number = name;
    share.dataset.share = name;
    formula.dataset.formula = name;
    symbols.className = "cnnviz-channels-symbols";
    bar.className = "cnnviz-channels-bar";
    const nodes = [
      element("b", { text: name.replace("_", "-") }),
      element("div", {}, symbols, formula, value),
      element("div", {}, bar, share),
    ];
    return { nodes, symbols, formula, value, bar, share };
  }

  // Pointer and keyboard
  function hit(event) {
    const box = stage.getBoundingClientRect();
    return channelAt(layout(links(state), width), event.clientX - box.left, event.clientY - box.top);
  }
  function point(at) {
    if (JSON.stringify(at) === JSON.stringify(pointed)) return;
    pointed = at;
    paint();
  }
  function key(event) {
    const { volume, channel } = pointed ?? stillAt();
    const counts = [state.in_channels, ...links(state).map(({ outputs }) => outputs)];
    const moves = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0], Home: [0, -MOST], End: [0, MOST] };
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const to = Math.min(Math.max(volume + by[0], 0), counts.length - 1);
    const at = { volume: to, channel: Math.min(Math.max(channel + by[1], 0), counts[to] - 1) };
    if (to === counts.length - 1) choose("channel", at.channel);
    point(at);
    spoken.say(pointedText(state, at));
  }

  // Drawing
  const paint = oncePerFrame(() => {
    const lit = pointed ?? stillAt();
    setControls();
    colours ??= paletteOf(root);
    paintChannels(canvas, layout(links(state), width), headings(state), connected(state, lit), colours);
    write(pointedLine, pointedText(state, lit));
    const { rows, cost, full } = channelCosts(state);
    const words = describe(state, { cost, full });
    for (const [name, line] of Object.entries(lines)) {
      write(line.symbols, SYMBOLS[name][state.kind === SEPARABLE ? "two" : "one"] + (name === "parameters" && state.bias ? " + biases" : ""));
      write(line.formula, `${formulaOf(rows, name)} = `);
      write(line.value, thousands(cost[name]));
      line.bar.style.backgroundSize = `${Math.min(100, 100 * cost[name] / full[name])}%`;
      write(line.share, `${percent(cost[name] / full[name])} of the full one`);
    }
    write(saved, savings(state));
    write(pytorch, code(state));
    setAttribute(stage, "aria-label", `${words} Arrow keys move to other channels.`);
    if (!pointed) spoken.say(words);
  });

  function setControls() {
    const separable = state.kind === SEPARABLE;
    for (const [name, control] of Object.entries(controls)) {
      control.set({ value: state[name], disabled: name === "groups" && separable && "as many as channels, then 1" });
      const why = control.root.querySelector(".cnnviz-why");
      if (why && note.name === name) write(why, note.text);
      else if (why && !(name === "groups" && separable)) write(why, "");
    }
    setAttribute(controls.channel.input, "max", state.out_channels - 1);
    controls.channel.set({ value: state.channel });
  }

  const unwatch = watchLook(stage, (room) => {
    width = Math.max(420, room);
    colours = null;
    paint();
  });
  load();
  el.append(root);
  paint();
  return () => { link.close(); unwatch(); };
}

const widget = { render };
export default widget;
