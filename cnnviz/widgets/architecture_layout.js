// Where the boxes, the edges and the bars of an architecture stand. Nothing here draws; widths of texts come from outside.

const LOOK = {
  title: "600 12px", note: "11px", label: "10.5px", // fonts; the family is the page's
  line: 24, pill: 20, block: 36, // heights of a box: one line, a function, two lines
  header: 22, padding: 10, // of the frame around the parts of an opened box
  across: 12, lane: 8, // from box to box in a row, from edge to edge
  gap: 12, wide: 20, tag: 15, // from row to row: edges straight down, edges that bend; what a shape takes
  bar: 15, // height of a bar
  widest: 250, widestBlock: 140,
};

/** "256 × 56 × 56"; without any dimension it is one number. */
export const shapeText = (shape) => shape.join(" × ") || "one number";

/** The instance of a part: which type it is, its name, and where its fields stand. */
const instance = (type, name, label, index) => ({ type, name, label, index });
export const topOf = (network) => instance(network.root, "", network.model, 0);
export const typeOf = (network, part) => network.types[part.type];

/** How many parts there are in one of a type, itself included. */
function sizeOf(network, number) {
  network.sizes ??= [];
  return (network.sizes[number] ??= 1 + network.types[number].parts.reduce((sum, [, type]) => sum + sizeOf(network, type), 0));
}

/** The parts of a part. */
export function partsOf(network, part) {
  let index = part.index + 1;
  return typeOf(network, part).parts.map(([label, type]) => {
    const inner = instance(type, part.name ? `${part.name}.${label}` : label, label, index);
    index += sizeOf(network, type);
    return inner;
  });
}

/** The part of that name, or null. */
export function find(network, name) {
  let part = topOf(network);
  while (part && part.name !== name)
    part = partsOf(network, part).find((inner) => name === inner.name || name.startsWith(`${inner.name}.`)) ?? null;
  return part;
}

/** Receptive field and jump at the output of a part: [size, jump], each a number or [height, width]; null if not known. */
export const fieldOf = (network, part) => network.fields[part.index];

/** The same classes within one another and the same windows, whatever the numbers of channels. */
function skeleton(network, number) {
  network.skeletons ??= [];
  const { kind, kernel, parts, out } = network.types[number];
  return (network.skeletons[number] ??=
    JSON.stringify([kind, kernel, out.map((shape) => shape.slice(1)), parts.map(([, type]) => skeleton(network, type))]));
}

/**
 * What is drawn for the parts of a part: nodes of one part, or of several like ones behind each other, and the edges
 * between nodes: [source, target, shape], negative for inputs and outputs as in Python.
 * Folded are three or more identical ones that take what the one or two before them give; with `alike`, also four or
 * more of the same build whose channels differ. Names in `unfolded` (of the first of a row) stay apart.
 */
export function nodesOf(network, part, { unfolded = new Set(), alike = false } = {}) {
  const parts = partsOf(network, part), { edges } = typeOf(network, part);
  const [takes, gives] = [parts.map(() => []), parts.map(() => [])];
  for (const [source, target] of edges) {
    if (target >= 0) takes[target].push(source < 0 ? "input" : source - target);
    if (source >= 0) gives[source].push(target < 0 ? "output" : target - source);
  }
  const from = takes.map((list) => [...new Set(list)].sort().join());
  const chain = (a, b, same) => same(parts[a].type) === same(parts[b].type) &&
    ["-1", "-1,-2"].includes(from[b]) && (b === a + 1 || from[b] === from[b - 1]) &&
    gives[b - 1].every((far) => far === 1 || (far === 2 && from[b] !== "-1"));
  const runFrom = (first, same) => {
    let last = first;
    while (last + 1 < parts.length && chain(first, last + 1, same)) last += 1;
    return last - first + 1;
  };
  const nodes = [], at = [], rows = [];
  for (let first = 0; first < parts.length;) {
    const equal = runFrom(first, (type) => type);
    const near = alike ? runFrom(first, (type) => skeleton(network, type)) : 0;
    let count = near >= 4 && near > equal ? near : equal >= 3 ? equal : 1;
    if (count > 1) rows.push([parts[first].name, count]);
    const apart = unfolded.has(parts[first].name) ? count : 1;
    if (apart > 1) count = 1;
    for (let k = 0; k < apart; k++, first += count) {
      nodes.push({ parts: parts.slice(first, first + count), unfoldedFirst: apart > 1 && k === 0 ? apart : 0 });
      for (let i = 0; i < count; i++) at[first + i] = nodes.length - 1;
    }
  }
  const joined = new Map();
  for (const [source, target, shape] of edges) {
    const [a, b] = [source < 0 ? source : at[source], target < 0 ? target : at[target]];
    const group = source >= 0 && nodes[a].parts.length > 1;
    if (a === b && a >= 0) continue;
    if (group && parts[source] !== nodes[a].parts.at(-1)) { // of a folded row, what its last gives is what leaves
      if (edges.some(([s, t]) => s >= 0 && at[s] === a && parts[s] === nodes[a].parts.at(-1) && (t < 0 ? t : at[t]) === b)) continue;
    }
    joined.set(JSON.stringify([a, b, shape]), [a, b, shape]);
  }
  return { nodes, edges: [...joined.values()], rows };
}

/** "3×3, stride 2" of a layer with a window; "" of others. */
export function windowText({ kernel, stride, dilation, groups, in: [shape] }) {
  if (!kernel) return "";
  const both = (sizes) => (new Set(sizes).size === 1 ? String(sizes[0]) : sizes.join("×"));
  const words = [kernel.join("×")];
  if (stride && stride.some((s) => s !== 1)) words.push(`stride ${both(stride)}`);
  if (dilation && dilation.some((d) => d !== 1)) words.push(`dilation ${both(dilation)}`);
  if (groups > 1) words.push(shape && groups === shape[0] ? "depthwise" : `${groups} groups`);
  return words.join(", ");
}

const SHORTER = { Conv1d: "conv", Conv2d: "conv", Conv3d: "conv", ConvTranspose2d: "transposed conv", MaxPool2d: "max pool", AvgPool2d: "average pool",
  AdaptiveAvgPool2d: "average pool", BatchNorm2d: "batch norm", LocalResponseNorm: "response norm" };

/** What a box says beside its name: the class, its window; of a plain sequence, what is in it. */
export function noteOf(network, part) {
  const type = typeOf(network, part);
  if (type.parts.length === 0) return [SHORTER[type.kind] ?? type.kind, windowText(type)].filter(Boolean).join(" ");
  if (!["Sequential", "ModuleList"].includes(type.kind)) return type.kind;
  const inner = partsOf(network, part), kinds = new Set(inner.map(({ type: number }) => network.types[number].kind));
  if (kinds.size === 1 && inner.length > 1 && !kinds.has("Sequential")) return `${inner.length} × ${[...kinds][0]}`;
  const windows = leaves(network, part).filter(({ type: number }) => {
    const { kernel, sums, kind } = network.types[number];
    return kernel || sums[1] || /Pool/.test(kind);
  });
  const words = windows.map(({ type: number }) => {
    const { kernel, kind } = network.types[number];
    const kernelText = kernel ? kernel.join("×") : "";
    return /Pool/.test(kind) ? `${SHORTER[kind] ?? kind} ${kernelText}`.trim() : kernelText || (SHORTER[kind] ?? kind);
  });
  if (words.length === 1 && words[0].includes("×") && !words[0].includes(" ")) return `conv ${words[0]}`;
  if (words.length > 0 && words.length <= 3) return words.join(" → ");
  const convolutions = windows.filter(({ type: number }) => /Conv/.test(network.types[number].kind)).length;
  return convolutions > 1 ? `${convolutions} convolutions` : `${inner.length} parts`;
}

function leaves(network, part) {
  const inner = partsOf(network, part);
  return inner.length === 0 ? [part] : inner.flatMap((one) => leaves(network, one));
}

/** The family of a part decides the colour of its edge; its texts say the same. */
export function familyOf({ kind, parts, sums, source }) {
  if (parts.length) return "container";
  if (source === null) return "function";
  if (/Pool/.test(kind)) return "pool";
  return sums[1] > 0 ? "weights" : "plain";
}

/** Cut a text to a width, with an ellipsis. */
function cut(text, room, width) {
  if (width(text) <= room) return text;
  let n = text.length;
  while (n > 1 && width(`${text.slice(0, n)}…`) > room) n -= 1;
  return `${text.slice(0, n).trimEnd()}…`;
}

/** The positions with the least weighted squared distance to the wanted ones that keep order and distances `apart`. */
export function settle(wanted, weights, apart) {
  const offsets = wanted.map(() => 0);
  for (let i = 1; i < wanted.length; i++) offsets[i] = offsets[i - 1] + apart[i - 1];
  const blocks = [];
  wanted.forEach((place, i) => {
    blocks.push({ sum: (place - offsets[i]) * weights[i], weight: weights[i], count: 1 });
    while (blocks.length > 1 && blocks.at(-2).sum / blocks.at(-2).weight > blocks.at(-1).sum / blocks.at(-1).weight) {
      const last = blocks.pop();
      for (const key of ["sum", "weight", "count"]) blocks.at(-1)[key] += last[key];
    }
  });
  return blocks.flatMap(({ sum, weight, count }) => Array(count).fill(sum / weight)).map((place, i) => place + offsets[i]);
}

/** The middle of the places, by their weights; their mean where all weigh the same. */
function middleOf(pairs) {
  if (new Set(pairs.map(([, weight]) => weight)).size === 1) return pairs.reduce((sum, [place]) => sum + place, 0) / pairs.length;
  pairs.sort((a, b) => a[0] - b[0]);
  const half = pairs.reduce((sum, [, weight]) => sum + weight, 0) / 2;
  let sum = 0;
  for (let i = 0; i < pairs.length; i++) {
    sum += pairs[i][1];
    if (sum > half) return pairs[i][0];
    if (sum === half) return (pairs[i][0] + pairs[i + 1][0]) / 2;
  }
  return 0;
}

/**
 * The picture of a part: { width, height, boxes, edges, bands }, y downwards. A box: { node, part, count, x, y, w, h,
 * title, note, style, family, depth }; style "frame" has its parts within. An edge: { points, label, from, to }.
 * A band: { y, h, boxes }: what the bars stand for, and where.
 */
export function layOut(network, part, { depth = 1, unfolded = new Set(), textWidth }) {
  return arrange(network, part, { level: 1, depth, unfolded, textWidth, copies: [part] });
}

function arrange(network, part, options) {
  const { level, depth, unfolded, textWidth } = options;
  const graph = nodesOf(network, part, { unfolded, alike: level > 1 });
  // Within an opened row of like parts, a box stands for the corresponding parts of all of them
  const copies = options.copies.map((copy) => partsOf(network, copy));
  let from = 0;
  const nodes = graph.nodes.map((node) => {
    const [first] = node.parts, type = typeOf(network, first);
    const all = copies.flatMap((inner) => inner.slice(from, from + node.parts.length));
    from += node.parts.length;
    return { ...node, part: first, all, type, count: node.parts.length, open: level < depth && type.parts.length > 0, real: true };
  });
  const ends = new Map(); // of the part itself: -1 is the first input or output
  const edges = graph.edges.map(([source, target, shape]) => {
    const end = (number, side) => {
      if (number >= 0) return nodes[number];
      const key = `${side} ${number}`;
      if (!ends.has(key)) ends.set(key, { end: side, number: ~number, shape, w: 2, h: 0 });
      return ends.get(key);
    };
    return { from: end(source, "in"), to: end(target, "out"), shape };
  });
  const inputs = [...ends.values()].filter(({ end }) => end === "in").sort((a, b) => a.number - b.number);
  const outputs = [...ends.values()].filter(({ end }) => end === "out").sort((a, b) => a.number - b.number);

  // Rows: below all that a node takes from
  const working = nodes.filter(({ type }) => type.runs), idle = nodes.filter(({ type }) => !type.runs);
  const order = [...inputs, ...working, ...outputs];
  for (const node of order) node.row = 0;
  for (const node of order) {
    if (node.end !== "out") node.row = Math.max(node.real ? 1 : 0, ...edges.filter(({ to }) => to === node).map(({ from }) => from.row + 1));
  }
  const last = Math.max(0, ...working.map(({ row }) => row)) + 1;
  for (const node of outputs) node.row = last;
  for (const node of idle) node.row = last + 1;
  const rows = Array.from({ length: idle.length ? last + 2 : last + 1 }, () => []);
  for (const node of [...order, ...idle]) rows[node.row].push(node);

  measure(network, rows, options);
  for (const node of inputs) if (level === 1) Object.assign(node, { h: LOOK.tag, w: textWidth(shapeText(node.shape), LOOK.label) + 8 });
  tag(nodes, edges, level, textWidth);

  // An edge over several rows gets a lane in each; edges of the same tensor share their lanes
  const lanes = new Map(), hops = [];
  for (const edge of edges) {
    edge.stops = [edge.from];
    const key = (row) => `${order.indexOf(edge.from)} ${edge.shape} ${row}`;
    for (let row = edge.from.row + 1; row < edge.to.row; row++) {
      if (!lanes.has(key(row))) {
        lanes.set(key(row), { lane: true, row, w: 1, h: 0 });
        rows[row].push(lanes.get(key(row)));
        hops.push([edge.stops.at(-1), lanes.get(key(row))]);
      }
      edge.stops.push(lanes.get(key(row)));
    }
    hops.push([edge.stops.at(-1), edge.to]);
    edge.stops.push(edge.to);
  }
  const near = new Map(rows.flat().map((node) => [node, { up: [], down: [] }]));
  for (const [a, b] of hops) {
    near.get(a).down.push(b);
    near.get(b).up.push(a);
  }
  uncross(rows, near);
  across(rows, near, edges);
  const height = down(rows, edges);
  const left = Math.min(...rows.flat().map(({ x, w }) => x - w / 2));
  const right = Math.max(...rows.flat().map(({ x, w }) => x + w / 2));
  for (const node of rows.flat()) node.x -= left;
  return collect(network, rows, edges, { width: right - left, height, inputs, outputs, level });
}

/** Give every box its texts and its size. */
function measure(network, rows, options) {
  const { textWidth, level } = options;
  const titleWidth = (text) => textWidth(text, LOOK.title), noteWidth = (text) => textWidth(text, LOOK.note);
  for (const row of rows) {
    const boxes = row.filter(({ real }) => real);
    for (const node of boxes) {
      const { part, type, count } = node;
      const times = count > 1 ? ` × ${count}` : "";
      node.title = count > 1 ? `${part.label} … ${node.parts.at(-1).label}` : part.label;
      node.note = type.source === null ? "" : type.runs ? noteOf(network, part) + (type.again ? ", again" : "") : "does not run";
      node.family = familyOf(type);
      if (node.open) {
        node.inner = arrange(network, part, { ...options, level: level + 1, copies: node.all });
        node.style = "frame";
        node.note = (type.kind === "Sequential" ? "" : type.kind) + times;
        const head = titleWidth(node.title) + noteWidth(node.note) + 3 * LOOK.padding;
        node.w = Math.max(node.inner.width + 2 * LOOK.padding, Math.min(head, LOOK.widest));
        node.note = cut(node.note, Math.max(0, node.w - titleWidth(node.title) - 3 * LOOK.padding), noteWidth);
        node.title = cut(node.title, node.w - 2 * LOOK.padding, titleWidth);
        node.h = LOOK.header + node.inner.height;
      } else if (type.source === null || type.kind === "Identity") {
        Object.assign(node, { style: "pill", note: times.trim() ? times.trim() : "", h: LOOK.pill });
        node.w = titleWidth(node.title) + (node.note ? noteWidth(node.note) + 8 : 0) + 22;
      } else if (boxes.length === 1) {
        Object.assign(node, { style: "line", note: node.note + times, h: LOOK.line });
        node.w = Math.min(LOOK.widest, titleWidth(node.title) + noteWidth(node.note) + 34);
      } else {
        Object.assign(node, { style: "block", note: node.note + times, h: LOOK.block });
        node.title = cut(node.title, LOOK.widestBlock, titleWidth);
        node.note = cut(node.note, LOOK.widestBlock, noteWidth);
        node.w = Math.max(48, titleWidth(node.title) + 16, noteWidth(node.note) + 14);
      }
    }
  }
  // Boxes that stand alone in their row are as wide as the widest of them: a column
  const column = rows.flat().filter(({ style }) => style === "line");
  const widest = Math.max(0, ...column.map(({ w }) => w));
  for (const node of column) {
    node.w = widest;
    node.title = cut(node.title, widest - 20, titleWidth);
    node.note = cut(node.note, Math.max(0, widest - titleWidth(node.title) - 34), noteWidth);
  }
  const frames = rows.filter((row) => row.filter(({ real }) => real).length === 1).flat().filter(({ style }) => style === "frame");
  const broad = Math.max(0, ...frames.map(({ w }) => w));
  for (const node of frames) if (node.w > 0.5 * broad) node.w = broad;
  for (const node of rows.flat()) if (node.style === "frame") node.shift = (node.w - node.inner.width) / 2;
  // Several boxes in a row: a bar for each
  for (const row of rows) {
    const boxes = row.filter(({ real }) => real);
    row.lines = bandBoxes(boxes).length;
    row.high = Math.max(0, ...boxes.map(({ h }) => h), row.lines > 1 ? row.lines * LOOK.bar : 0);
  }
}

/** The boxes of a row that have a bar: those that cost something. */
const bandBoxes = (boxes) => boxes.filter(({ type }) => type.sums.some((sum) => sum > 0));

/** The shape that leaves a box stands under it, where it is not the shape that enters. */
function tag(nodes, edges, level, textWidth) {
  for (const node of nodes) {
    const leaving = edges.filter(({ from, to }) => from === node && (level === 1 || !to.end)); // else it stands under the frame
    const out = [...new Set(leaving.map(({ shape }) => shapeText(shape)))];
    const into = new Set(edges.filter(({ to }) => to === node).map(({ shape }) => shapeText(shape)));
    node.tag = out.length && (node.open || !(out.length === 1 && into.size === 1 && into.has(out[0]))) ? out.slice(0, 2).join(", ") + (out.length > 2 ? " …" : "") : "";
    if (node.tag) node.w2 = textWidth(node.tag, LOOK.label) + 8;
  }
}

/** Order the nodes of each row so that edges cross little: by the mean place of their neighbours, up and down. */
function uncross(rows, near) {
  const place = () => rows.forEach((row) => row.forEach((node, i) => { node.i = i; }));
  const crossings = () => {
    let sum = 0;
    for (const row of rows) {
      const pairs = row.flatMap((node) => near.get(node).down.map((to) => [node.i, to.i]));
      if (pairs.length > 400) continue;
      for (let a = 0; a < pairs.length; a++)
        for (let b = 0; b < a; b++)
          if ((pairs[a][0] - pairs[b][0]) * (pairs[a][1] - pairs[b][1]) < 0) sum += 1;
    }
    return sum;
  };
  place();
  let best = { sum: crossings(), order: rows.map((row) => [...row]) };
  for (let sweep = 0; sweep < 8 && best.sum > 0; sweep++) {
    const side = sweep % 2 ? "down" : "up", walk = sweep % 2 ? [...rows].reverse() : rows;
    for (const row of walk) {
      for (const node of row) {
        const others = near.get(node)[side];
        node.mean = others.length ? others.reduce((sum, { i }) => sum + i, 0) / others.length : node.i;
      }
      row.sort((a, b) => a.mean - b.mean || a.i - b.i);
      row.forEach((node, i) => { node.i = i; });
    }
    const sum = crossings();
    if (sum < best.sum) best = { sum, order: rows.map((row) => [...row]) };
  }
  best.order.forEach((row, r) => { rows[r].splice(0, rows[r].length, ...row); });
  // Lanes alone beside one box stand right of it; two and more on both sides would cut the column off from its bars
  place();
}

/** Where an edge leaves or enters a box, from its middle. */
const port = (node, side, edge) => {
  if (node.style !== "frame") return 0;
  const list = side === "out" ? node.inner.outputs : node.inner.inputs;
  const found = list.find((end) => shapeText(end.shape) === shapeText(edge.shape)) ?? list[0];
  return found ? found.x + node.shift - node.w / 2 : 0;
};

/** Set every x, the middle of a node: near the middle of its neighbours, never nearer to the next than allowed. */
function across(rows, near, edges) {
  const room = (node) => (node.lane ? 0 : Math.max(node.w, node.w2 ?? 0) / 2);
  const apart = (a, b) => room(a) + room(b) + (a.lane && b.lane ? LOOK.lane : LOOK.across);
  const ports = new Map();
  for (const edge of edges) {
    const note = (a, b) => { if (!ports.has(a)) ports.set(a, new Map()); ports.get(a).set(b, [port(edge.from, "out", edge), port(edge.to, "in", edge)]); };
    note(edge.stops[0], edge.stops[1]);
    note(edge.stops.at(-2), edge.stops.at(-1));
  }
  const bends = (a, b) => { // how far b should stand from a for a straight edge
    const [out, into] = ports.get(a)?.get(b) ?? [0, 0];
    const modest = (offset) => (Math.abs(offset) > 40 ? 0 : offset); // large frames stand one below the other
    return (a.lane ? 0 : modest(out)) - (b.lane ? 0 : modest(into));
  };
  const pull = (a, b) => (a.lane && b.lane ? 8 : a.lane || b.lane ? 1 : 3);
  for (const row of rows) {
    let x = 0;
    row.forEach((node, i) => { x += i ? apart(row[i - 1], node) : 0; node.x = x; });
    row.forEach((node) => { node.x -= x / 2; });
  }
  for (let turn = 0; turn < 25; turn++) { // the last one downwards: what is below follows what is above
    const walk = turn % 2 ? [...rows].reverse() : rows;
    for (const row of walk) {
      const wanted = row.map((node) => {
        const { up, down: below } = near.get(node);
        const places = turn % 2 ? below.map((other) => [other.x - bends(node, other), pull(node, other)]) :
          up.map((other) => [other.x + bends(other, node), pull(other, node)]);
        return places.length ? middleOf(places) : node.x;
      });
      const weights = row.map((node) => (node.lane ? 1 : 1000)); // boxes stay in line, lanes give way
      const x = settle(wanted, weights, row.slice(1).map((node, i) => apart(row[i], node)));
      row.forEach((node, i) => { node.x = x[i]; });
    }
  }
}

/** Set every y, the top of a node, and where the edges end; return the height. */
function down(rows, edges) {
  let y = 0;
  rows.forEach((row, r) => {
    row.top = y;
    for (const node of row) {
      if (!node.real) Object.assign(node, { y, bottom: node.lane ? y + row.high : y + node.h });
    }
    const tall = row.some(({ tag: text }) => text) ? LOOK.tag : 0;
    for (const node of row) if (node.real) node.y = y + (row.high - node.h) / 2;
    const h = Math.max(row.high, ...row.filter(({ real, lane }) => !real && !lane).map((node) => node.h));
    for (const node of row) {
      if (node.real) node.bottom = node.y + node.h + (node.tag ? LOOK.tag : 0);
      if (node.lane) node.bottom = y + h + tall;
    }
    row.bottom = y + h + tall;
    y = row.bottom;
    if (r + 1 < rows.length) {
      const leaving = edges.filter(({ stops }) => stops.some((stop, i) => stop.row === r && i + 1 < stops.length));
      const bend = Math.max(0, ...leaving.map((edge) => {
        const i = edge.stops.findIndex((stop) => stop.row === r), last = i + 2 === edge.stops.length;
        const out = i === 0 ? port(edge.from, "out", edge) : 0, into = last ? port(edge.to, "in", edge) : 0;
        return Math.abs(edge.stops[i].x + out - edge.stops[i + 1].x - into);
      }));
      y += bend > 3 ? LOOK.wide + Math.min(16, bend / 15) : LOOK.gap;
    }
  });
  return y;
}

/** Put the boxes, edges and bands of a picture and of all opened boxes within into one list each. */
function collect(network, rows, edges, { width, height, inputs, outputs, level }) {
  const boxes = [], lines = [], bands = [], ends = [];
  for (const row of rows) {
    const inRow = row.filter(({ real }) => real);
    const opened = inRow.length === 1 && inRow[0].style === "frame";
    for (const node of inRow) {
      const box = {
        part: node.part, parts: node.parts, all: node.all, count: node.count, unfoldedFirst: node.unfoldedFirst, style: node.style, family: node.family,
        title: node.title, note: node.note, tag: node.tag, runs: node.type.runs, closed: !node.open && node.type.parts.length > 0,
        tagX: node.x + (node.inner?.outputs.length ? port(node, "out", { shape: node.inner.outputs[0].shape }) : 0),
        level, x: node.x - node.w / 2, y: node.y, w: node.w, h: node.h,
      };
      node.box = box;
      boxes.push(box);
      if (!node.inner) continue;
      const move = [box.x + node.shift, node.y + LOOK.header];
      boxes.push(...node.inner.boxes.map((inner) => ({ ...inner, x: inner.x + move[0], tagX: inner.tagX + move[0], y: inner.y + move[1], within: inner.within ?? box })));
      lines.push(...node.inner.edges.map((edge) => ({ ...edge, points: edge.points.map(([x, y]) => [x + move[0], y + move[1]]) })));
      if (opened) bands.push(...node.inner.bands.map((band) => ({ ...band, y: band.y + move[1] })));
    }
    const cost = bandBoxes(inRow);
    if (!opened && cost.length) {
      const high = Math.max(...inRow.map(({ y, h }) => y + h)) - Math.min(...inRow.map(({ y }) => y));
      const h = Math.max(high, cost.length > 1 ? cost.length * LOOK.bar : 0);
      bands.push({ y: row.top + (row.high - h) / 2, h, boxes: cost.map(({ box }) => box) });
    }
  }
  for (const node of [...inputs, ...outputs])
    if (level === 1) ends.push({ x: node.x, y: node.y, text: shapeText(node.shape), side: node.end, number: node.number });
  for (const edge of edges) {
    const points = [];
    edge.stops.forEach((stop, i) => {
      const from = i === 0, to = i === edge.stops.length - 1;
      const x = stop.x + (from ? port(stop, "out", edge) : to ? port(stop, "in", edge) : 0);
      if (!from) points.push([x, to ? stop.y : rows[stop.row].top]);
      if (!to) points.push([x, from && stop.real ? stop.y + stop.h : from ? stop.bottom : rows[stop.row].bottom]);
      if (from && stop.real && rows[stop.row].bottom > stop.y + stop.h) points.push([x, rows[stop.row].bottom]);
    });
    // Down to its row's upper end first, so that the curve ends there
    const { to } = edge;
    if (to.real && to.y > rows[to.row].top + 0.5) points.splice(-1, 0, [points.at(-1)[0], rows[to.row].top]);
    lines.push({ points, shape: edge.shape, from: edge.from.part?.name ?? null, to: edge.to.part?.name ?? null, arrow: level === 1 || Boolean(to.real) });
  }
  return { width, height, boxes, edges: lines, bands, ends, inputs, outputs };
}

/** An edge as pieces of a path: straight through rows, bent between them. */
export function piecesOf(points) {
  return points.slice(1).map(([x1, y1], i) => {
    const [x0, y0] = points[i], middle = ((y0 + y1) / 2).toFixed(1), [from, to] = [x0.toFixed(1), x1.toFixed(1)];
    const bend = from === to ? "L" : `C${from} ${middle} ${to} ${middle} `;
    return `M${from} ${y0.toFixed(1)}${bend}${to} ${y1.toFixed(1)}`;
  });
}
