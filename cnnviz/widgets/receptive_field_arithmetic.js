// The arithmetic of ReceptiveFieldExplorer, in pure functions: a second implementation beside analysis/linear_field.py.
// A `state` holds the traits of the widget. layer_cost.js, joined in front, counts map sizes and theoretical fields.

export const LIMITS = { kernel_size: [1, 15], stride: [1, 15], padding: [0, 32], dilation: [1, 16], image_size: [8, 256] };
export const MOST_LAYERS = 20;

let known = null; // the last maps: a drag of the unit asks for the same again and again

/** For the pixels and after them for each layer: units along a side, and field, jump and start in pixels. */
export function maps({ layers, image_size }) {
  if (known?.layers !== layers || known.image_size !== image_size) known = { layers, image_size, found: counted({ layers, image_size }) };
  return known.found;
}

function counted({ layers, image_size }) {
  const words = layers.map((layer) => (layer.kind === "conv" ? { ...layer, out_channels: 1, bias: false } : layer));
  const rows = costs(words, [1, image_size, image_size]);
  return [{ side: image_size, size: 1, jump: 1, start: 0 }, ...rows.map(({ output, receptive_field, jump, start }) =>
    ({ side: output[1], size: receptive_field, jump, start }))];
}

/** Why these layers do not fit this image, in words; null if they do. */
export function refused(state) {
  try {
    maps(state);
    return null;
  } catch (error) {
    return error.message;
  }
}

/** Where the middle of a unit's field lies, in pixels from the left edge of the image. */
export const centreOf = ({ start, jump, size }, unit) => start + unit * jump + size / 2;

/** The unit of a map whose field has its middle nearest to `pixel`. */
export function unitAt(map, pixel) {
  return Math.min(Math.max(Math.round((pixel - map.size / 2 - map.start) / map.jump), 0), map.side - 1);
}

/**
 * From the pixels up to the chosen layer, along one axis (0: rows, 1: columns): each map with the number of paths that
 * lead from the chosen unit to each of its units, and the first and last unit in the cone, padding included.
 */
export function cone(state, axis) {
  const levels = maps(state).slice(0, state.layer + 2);
  const unit = state.position[axis];
  let [counts, first, last] = [new Float64Array(levels.at(-1).side), unit, unit];
  counts[unit] = 1;
  for (let level = levels.length - 1; ; level--) {
    levels[level] = { ...levels[level], counts, first, last };
    if (level === 0) return levels;
    const { kernel_size: k, stride: s, padding: p, dilation: d = 1 } = state.layers[level - 1];
    const below = new Float64Array(levels[level - 1].side);
    counts.forEach((count, i) => {
      for (let tap = 0; count && tap < k; tap++) {
        const at = i * s - p + tap * d;
        if (at >= 0 && at < below.length) below[at] += count; // a path that ends in padding ends there
      }
    });
    [counts, first, last] = [below, first * s - p, last * s - p + d * (k - 1)];
  }
}

/**
 * Of all products row x column: how few hold 95 % of the sum, and the least of them. The threshold is found by halving:
 * with one axis sorted, the products above it are counted in one walk.
 */
export function fewest(rows, columns) {
  const sorted = Float64Array.from(columns).sort().reverse();
  const sums = new Float64Array(sorted.length + 1);
  sorted.forEach((value, i) => { sums[i + 1] = sums[i] + value; });
  const tall = Float64Array.from(rows).sort();
  const above = (least) => {
    let [pixels, paths, wide] = [0, 0, 0];
    for (const value of tall) {
      while (wide < sorted.length && value * sorted[wide] >= least) wide++;
      pixels += wide;
      paths += value * sums[wide];
    }
    return { pixels, paths };
  };
  if (tall.at(-1) * sorted[0] === 0) return { pixels: 0, least: Infinity }; // nothing but padding
  const total = tall.reduce((sum, value) => sum + value, 0) * sums.at(-1);
  const enough = ({ paths }) => 20 * paths >= 19 * total; // whole numbers: exact where 0.95 is not
  let [low, high] = [Number.MIN_VALUE, 2 * tall.at(-1) * sorted[0]];
  for (;;) {
    const middle = high / low > 4 ? Math.sqrt(low) * Math.sqrt(high) : low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    if (enough(above(middle))) low = middle; else high = middle;
  }
  // Products from `low` up are enough, those from `high` up are not; between them lies one value, often of many pixels.
  const more = above(high);
  return { pixels: more.pixels + Math.ceil((19 * total - 20 * more.paths) / (20 * low)), least: low };
}

/** Everything that is shown of the chosen unit; `rows` and `columns` are its paths to the pixels along each axis. */
export function fieldOf(state) {
  const [vertical, horizontal] = [cone(state, 0), cone(state, 1)];
  const [rows, columns] = [vertical[0].counts, horizontal[0].counts];
  return { vertical, horizontal, rows, columns, unit: horizontal.at(-1), ...fewest(rows, columns) };
}

/** A layer in a few words, as in Python: `conv 3 x 3 / 2, padding 1, dilation 2`. */
export function layerWords({ kind, kernel_size, stride, padding, dilation = 1 }) {
  return `${kind} ${kernel_size} x ${kernel_size}${stride === 1 ? "" : ` / ${stride}`}` +
    `${padding === 0 ? "" : `, padding ${padding}`}${dilation === 1 ? "" : `, dilation ${dilation}`}`;
}

/** What the explorer shows, in the words of ReceptiveFieldExplorer.describe. */
export function describe(state, field = fieldOf(state)) {
  const { unit: { side, size, jump }, vertical, horizontal, pixels } = field;
  const [rows, columns] = [vertical[0], horizontal[0]];
  const square = Math.sqrt(pixels).toFixed(1);
  const effect = pixels === 0 ? "It sees nothing but padding." : `Without nonlinearities ${pixels} of its ${size ** 2} pixels ` +
    `hold 95 % of the squared gradient, as many as in a square of ${square} x ${square}.`;
  return `Layer ${state.layer + 1} of ${state.layers.length}, ${layerWords(state.layers[state.layer])}. ` +
    `Unit [${state.position.join(", ")}] of a map of ${side} x ${side}, on an image of ${state.image_size} x ` +
    `${state.image_size} pixels: receptive field ${size} x ${size}, rows ${rows.first} to ${rows.last}, columns ` +
    `${columns.first} to ${columns.last}, ${jump} from one to the next. ${effect}`;
}

/**
 * The state after a change, all of it in step: a preset sets layers and image; edited layers are a preset or "own"; the
 * last layer stays the last; the unit stays over `anchor` [down, across], shares of the image.
 */
export function changed(state, changes, anchor, presets) {
  const next = { ...state, ...changes };
  if ("preset" in changes) Object.assign(next, structuredClone(presets[changes.preset]));
  if ("layers" in changes) {
    const same = ([, { layers }]) => JSON.stringify(layers.map(layerWords)) === JSON.stringify(next.layers.map(layerWords));
    next.preset = Object.entries(presets).find(same)?.[0] ?? "own";
  }
  const end = next.layers.length - 1;
  if (!("layer" in changes)) next.layer = "preset" in changes || state.layer === state.layers.length - 1 ? end : Math.min(state.layer, end);
  if (!("position" in changes)) {
    const map = maps(next)[next.layer + 1];
    next.position = anchor.map((share) => unitAt(map, share * next.image_size));
  }
  return next;
}
