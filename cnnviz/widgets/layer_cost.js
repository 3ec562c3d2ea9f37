// What layers cost: shapes, parameters, mult-adds, bytes and receptive fields of a stack of layers in plain words
// (analysis/stack.py has the list of words), counted and refused as Python counts and refuses them.

const REQUIRED = Symbol("required");
const LAYER_KEYS = {
  conv: { out_channels: REQUIRED, kernel_size: REQUIRED, stride: 1, padding: 0, dilation: 1, groups: 1, bias: true },
  "max pool": { kernel_size: REQUIRED, stride: null, padding: 0 },
  "average pool": { kernel_size: REQUIRED, stride: null, padding: 0 },
  "global average pool": {},
  flatten: {},
  linear: { out_features: REQUIRED, bias: true },
  concat: { branches: REQUIRED },
};
const FLOAT32 = 4; // bytes

/**
 * The rows of a stack on one square image of `shape` [C, H, H], in the order in which they run:
 * { layer, path, input, output, parameters, mult_adds, activation_bytes, receptive_field, jump, start }.
 * The field of the first output begins at pixel `start` of the image (before it where that is negative) and is
 * `receptive_field` pixels wide; that of the next output lies `jump` pixels further (null: there is no next).
 */
export function costs(layers, shape) {
  if (shape[1] !== shape[2]) throw new Error(`the image must be square, not ${times(shape)}`);
  const pixels = Array.from({ length: shape[1] }, (_, pixel) => pixel);
  return sequence(layers, { shape, field: { first: pixels, last: pixels, jump: 1 } }, "").rows;
}

/** The sums of rows. */
export function total(rows) {
  const sum = (name) => rows.reduce((before, row) => before + row[name], 0);
  return { parameters: sum("parameters"), mult_adds: sum("mult_adds"), activation_bytes: sum("activation_bytes") };
}

const times = (shape) => shape.join(" x ");
const product = (numbers) => numbers.reduce((a, b) => a * b, 1);

function sequence(layers, before, path) {
  const rows = [];
  let state = before;
  layers.forEach((given, index) => {
    const found = layerRows(given, state, `${path}${index}`);
    rows.push(...found.rows);
    state = found.state;
  });
  return { rows, state };
}

function layerRows(given, before, path) {
  if (!(given.kind in LAYER_KEYS)) {
    throw new Error(`layer ${path}: there is no kind '${given.kind}'; choose from ${Object.keys(LAYER_KEYS).join(", ")}`);
  }
  const where = `layer ${path} (${given.kind})`;
  const layer = checkedLayer(given, where);
  const { rows = [], shape, field, parameters = 0, mult_adds = 0 } = layer.kind === "concat"
    ? join(layer.branches, before, path, where) : step(layer, before, where);
  const row = {
    layer, path, input: before.shape, output: shape, parameters, mult_adds,
    // What flatten returns looks at the numbers that were there before.
    activation_bytes: layer.kind === "flatten" ? 0 : FLOAT32 * product(shape),
    receptive_field: Math.max(...field.last.map((pixel, i) => pixel - field.first[i])) + 1,
    jump: shape.length === 1 ? null : field.jump, start: field.first[0],
  };
  return { rows: [...rows, row], state: { shape, field } };
}

function checkedLayer(given, where) {
  const keys = LAYER_KEYS[given.kind];
  for (const key of Object.keys(given)) {
    if (key !== "kind" && !(key in keys)) throw new Error(`${where}: has no ${key}; it takes ${Object.keys(keys).join(", ") || "nothing"}`);
  }
  const layer = { ...keys, ...given };
  for (const key of Object.keys(keys)) {
    const value = layer[key];
    if (value === REQUIRED) throw new Error(`${where}: needs ${key}`);
    if (key === "bias" || key === "branches" || (key === "stride" && value === null)) continue;
    const lowest = key === "padding" ? 0 : 1;
    if (!Number.isInteger(value) || value < lowest) throw new Error(`${where}: ${key} (=${value}) must be a whole number of at least ${lowest}`);
  }
  return layer;
}

/** One layer without branches: shape and field of its output, its parameters and mult-adds. */
function step(layer, { shape, field }, where) {
  if (layer.kind === "linear") {
    if (shape.length !== 1) throw new Error(`${where}: comes after flatten, and what comes in is ${times(shape)}`);
    const weights = shape[0] * layer.out_features;
    return { shape: [layer.out_features], field: together(field), parameters: weights + (layer.bias ? layer.out_features : 0), mult_adds: weights };
  }
  if (shape.length !== 3) throw new Error(`${where}: takes an image, and what comes in is ${times(shape)}`);
  if (layer.kind === "flatten") return { shape: [product(shape)], field };
  if (layer.kind === "global average pool") return { shape: [shape[0], 1, 1], field: shape[1] > 1 ? together(field) : field };
  return layer.kind === "conv" ? convolution(layer, shape, field, where) : pooling(layer, shape, field, where);
}

function convolution(layer, shape, field, where) {
  const { out_channels, kernel_size, groups } = layer;
  for (const [name, number] of [["in_channels", shape[0]], ["out_channels", out_channels]]) {
    if (number % groups) throw new Error(`${where}: ${name} (=${number}) must be divisible by groups (=${groups})`);
  }
  const side = outputSide(layer, layer.stride, shape[1], where);
  const weights = out_channels * (shape[0] / groups) * kernel_size ** 2;
  return {
    shape: [out_channels, side, side], field: slid(field, layer, layer.stride, side),
    parameters: weights + (layer.bias ? out_channels : 0), mult_adds: weights * side ** 2,
  };
}

function pooling(layer, shape, field, where) {
  const { kernel_size, padding, stride } = layer;
  if (padding > Math.floor(kernel_size / 2)) throw new Error(`${where}: padding (=${padding}) must be at most half of kernel_size (=${kernel_size})`);
  const side = outputSide(layer, stride ?? kernel_size, shape[1], where);
  return { shape: [shape[0], side, side], field: slid(field, layer, stride ?? kernel_size, side) };
}

function outputSide({ kernel_size, padding, dilation = 1 }, stride, size, where) {
  const reach = dilation * (kernel_size - 1) + 1;
  if (reach > size + 2 * padding) throw new Error(`${where}: a window of ${reach} pixels does not fit into ${size} + 2 · ${padding} pixels`);
  return Math.floor((size + 2 * padding - reach) / stride) + 1;
}

/** Branches side by side, joined along the channels: each place sees what any of them sees there. */
function join(branches, before, path, where) {
  if (branches.length === 0) throw new Error(`${where}: needs at least one branch`);
  const ends = branches.map((branch, number) => sequence(branch, before, `${path}.${number}.`));
  const shapes = ends.map(({ state }) => state.shape);
  if (shapes.some((shape) => shape.length !== 3 || shape[1] !== shapes[0][1])) {
    throw new Error(`${where}: its branches end in ${shapes.map(times).join(" and ")}, which do not join`);
  }
  const fields = ends.map(({ state }) => state.field);
  const jumps = fields.map(({ jump }) => jump).filter((jump) => jump !== null);
  return {
    rows: ends.flatMap(({ rows }) => rows),
    shape: [shapes.reduce((sum, shape) => sum + shape[0], 0), ...shapes[0].slice(1)],
    field: {
      first: fields[0].first.map((_, i) => Math.min(...fields.map(({ first }) => first[i]))),
      last: fields[0].last.map((_, i) => Math.max(...fields.map(({ last }) => last[i]))),
      jump: jumps.length ? Math.min(...jumps) : null,
    },
  };
}

// Fields: the first and the last pixel that each place of a map sees, along one side of the image. Padding counts as if
// the image went on behind its border, so that a place in the corner sees as much as one in the centre.

/** What sees all places of a map. */
function together({ first, last }) {
  return { first: [Math.min(...first)], last: [Math.max(...last)], jump: null };
}

/** What each window sees. Once there is a single place for all of the image, there is nowhere to slide. */
function slid(field, { kernel_size, padding, dilation = 1 }, stride, side) {
  if (field.jump === null) return { ...field, first: Array(side).fill(field.first[0]), last: Array(side).fill(field.last[0]) };
  const end = field.first.length - 1;
  const beyond = (place) => (place - Math.min(Math.max(place, 0), end)) * field.jump;
  const at = (pixels, place) => pixels[Math.min(Math.max(place, 0), end)] + beyond(place);
  // Fields lie in the order of their places: the first place of a window sees the first pixel, the last place the last.
  const window_ = (pixels, tap) => Array.from({ length: side }, (_, i) => at(pixels, i * stride - padding + dilation * tap));
  return { first: window_(field.first, 0), last: window_(field.last, kernel_size - 1), jump: field.jump * stride };
}
