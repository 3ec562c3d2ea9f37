// The arithmetic of PhotoFilterExplorer, in pure functions: an independent second implementation beside
// analysis/photo_filter.py and torch. A photo is { height, width, channels, data }, one plane after the other.

export const PADDING_MODES = ["zeros", "reflect", "replicate", "circular", "valid"];
const EDITED = "edited", EDGES = "edge magnitude", MEDIAN = "median";

/** Bytes with channels last, as Python sends them, into planes. */
export function photoFrom(bytes, [height, width, channels]) {
  const data = new Uint8Array(height * width * channels), size = height * width;
  for (let i = 0; i < size; i++) for (let c = 0; c < channels; c++) data[c * size + i] = bytes[i * channels + c];
  return { height, width, channels, data };
}

/** A number in 0..1 for a counter: the hash lowbias32, as in analysis/noise.py. */
export function uniform(counter, seed) {
  let x = (counter + Math.imul(seed, 0x9e3779b9)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 32;
}

/** The photo with noise, whole numbers 0..255. Counters run with channels last, as in Python. */
export function addNoise(photo, { noise, amount, seed }) {
  if (noise === "none" || amount === 0) return photo;
  const { height, width, channels, data: clean } = photo, size = height * width, data = clean.slice();
  for (let i = 0; i < size; i++) {
    const chance = noise === "gaussian" ? 0 : uniform(i, seed);
    for (let c = 0; c < channels; c++) {
      if (noise === "gaussian") {
        const counter = 2 * (i * channels + c);
        const radius = Math.sqrt(-2 * Math.log(1 - uniform(counter, seed)));
        const normal = radius * Math.cos(2 * Math.PI * uniform(counter + 1, seed));
        data[c * size + i] = level(clean[c * size + i] + amount * normal);
      } else if (chance < amount / 100) data[c * size + i] = chance < amount / 200 ? 0 : 255;
    }
  }
  return { ...photo, data };
}

const level = (value) => Math.min(Math.max(Math.floor(value + 0.5), 0), 255);

/** Which pixel stands at `i` of an axis of `n`; -1 is a zero. 1234 -> reflect: 2|1234|3, circular: 4|1234|1. */
export function source(i, n, mode) {
  if (i >= 0 && i < n) return i;
  if (mode === "replicate") return i < 0 ? 0 : n - 1;
  if (mode === "circular") return (i + n) % n;
  if (mode === "reflect") return i < 0 ? -i : 2 * (n - 1) - i;
  return -1;
}

/** The photo with `amount` more pixels on every side. */
export function padded({ height, width, channels, data }, amount, mode) {
  const tall = height + 2 * amount, wide = width + 2 * amount, grown = new Uint8Array(channels * tall * wide);
  const rows = Int32Array.from({ length: tall }, (_, y) => source(y - amount, height, mode));
  const columns = Int32Array.from({ length: wide }, (_, x) => source(x - amount, width, mode));
  for (let c = 0, to = 0; c < channels; c++) {
    for (let y = 0; y < tall; y++, to += wide) {
      const from = (c * height + rows[y]) * width;
      if (rows[y] < 0) continue;
      for (let x = 0; x < wide; x++) if (columns[x] >= 0) grown[to + x] = data[from + columns[x]];
    }
  }
  return { height: tall, width: wide, channels, data: grown };
}

/** Slide the kernel (3 x 3 or 5 x 5) over every plane, unflipped; only windows that fit. */
export function correlate({ height, width, channels, data }, weight) {
  const k = weight.length, tall = height - k + 1, wide = width - k + 1, sums = new Float64Array(channels * tall * wide);
  for (let row = 0; row < k; row++) {
    const [p, q, r, s, t] = weight[row]; // a whole row of the kernel at once: a fifth of the passes over memory
    if (weight[row].every((w) => w === 0)) continue;
    for (let c = 0; c < channels; c++) for (let y = 0; y < tall; y++) {
      let to = (c * tall + y) * wide, i = (c * height + y + row) * width;
      if (k === 3) for (const end = to + wide; to < end; to++, i++) sums[to] += p * data[i] + q * data[i + 1] + r * data[i + 2];
      else for (const end = to + wide; to < end; to++, i++) {
        sums[to] += p * data[i] + q * data[i + 1] + r * data[i + 2] + s * data[i + 3] + t * data[i + 4];
      }
    }
  }
  return { height: tall, width: wide, channels, data: sums };
}

/** The length of the two Sobel responses. */
function edges(photo, sobelX, sobelY) {
  const x = correlate(photo, sobelX), y = correlate(photo, sobelY);
  for (let i = 0; i < x.data.length; i++) x.data[i] = Math.sqrt(x.data[i] ** 2 + y.data[i] ** 2);
  return x;
}

/** The middle of every k x k window: counts of the 256 grey levels, updated as the window moves right (Huang, 1979). */
export function median({ height, width, channels, data }, k) {
  const tall = height - k + 1, wide = width - k + 1, middle = (k * k - 1) / 2;
  const result = new Float64Array(channels * tall * wide), counts = new Uint8Array(256);
  for (let c = 0, to = 0; c < channels; c++) for (let y = 0; y < tall; y++) {
    counts.fill(0);
    let value = 0, below = 0; // below: how many of the window are less than value
    const column = (x, step) => {
      for (let row = 0, i = (c * height + y) * width + x; row < k; row++, i += width) {
        counts[data[i]] += step;
        if (data[i] < value) below += step;
      }
    };
    for (let x = 0; x < k - 1; x++) column(x, 1);
    for (let x = 0; x < wide; x++) {
      column(x + k - 1, 1);
      while (below > middle) below -= counts[--value];
      while (below + counts[value] <= middle) below += counts[value++];
      result[to++] = value;
      column(x, -1);
    }
  }
  return { height: tall, width: wide, channels, data: result };
}

/** What the window slides over, what comes out, and how far the one reaches over and the other lies inside the input. */
export function responded(input, state) {
  const k = state.kernel_size, reach = (k - 1) / 2, offset = state.padding_mode === "valid" ? reach : 0;
  const grown = offset ? input : padded(input, reach, state.padding_mode);
  const response = state.filter === EDGES ? edges(grown, preset(state, "sobel x"), preset(state, "sobel y"))
    : state.filter === MEDIAN ? median(grown, k) : correlate(grown, state.weight);
  return { padded: grown, response, offset, reach: offset ? 0 : reach };
}

/** The result: input + strength * (response - input), where there is a response. */
export function blended(input, out, strength) {
  if (strength === 1) return { ...out, result: out.response };
  return { ...out, result: combine(out.response, input, out.offset, strength, 1 - strength) };
}

export const filtered = (input, state) => blended(input, responded(input, state), state.strength);

/** Result minus clean photo, value by value. */
export const difference = (photo, { result, offset }) => combine(result, photo, offset, 1, -1);

export const preset = (state, name) => state._presets[name][state.kernel_size];

/** a * inner + b * outer, for an inner photo that lies `offset` pixels inside the outer one. */
function combine(inner, outer, offset, a, b) {
  const { height, width, channels, data } = inner, values = new Float64Array(data.length);
  for (let c = 0, j = 0; c < channels; c++) for (let y = 0; y < height; y++) {
    let i = (c * outer.height + y + offset) * outer.width + offset;
    for (const end = j + width; j < end; i++, j++) values[j] = a * data[j] + b * outer.data[i];
  }
  return { height, width, channels, data: values };
}

/** Least and largest value, mean, share outside 0..255, and root mean square. */
export function statistics({ data }) {
  let least = Infinity, largest = -Infinity, sum = 0, squares = 0, outside = 0;
  const n = data.length;
  for (let i = 0; i < n; i++) {
    const value = data[i];
    if (value < least) least = value;
    if (value > largest) largest = value;
    if (value < 0 || value > 255) outside++;
    sum += value;
    squares += value * value;
  }
  return { least, largest, mean: sum / n, outside: outside / n, rms: Math.sqrt(squares / n) };
}

/** Peak signal-to-noise ratio in decibel for a root mean square error in grey levels. */
export const psnr = (error) => 20 * Math.log10(255 / error);

/** The end of a scale centred on zero: the least of 8, 16, 32, ... that at most 2 % of the values exceed. */
export function scaleFor(data) {
  const beyond = new Float64Array(20); // beyond[b]: values that need a scale of 8 * 2**b
  for (let i = 0; i < data.length; i++) {
    beyond[Math.min(19, 32 - Math.clz32(Math.max(Math.ceil(Math.abs(data[i]) / 8), 1) - 1))]++;
  }
  let left = data.length, step = 0;
  for (; step < 19; step++) {
    left -= beyond[step];
    if (left <= data.length / 50) break;
  }
  return 8 * 2 ** step;
}

/** How the result is drawn: "auto" draws a response (the cells sum to about 0) signed. */
export function drawnAs({ display, filter, weight, strength }) {
  if (display !== "auto") return display;
  if (filter === EDGES) return "absolute";
  if (filter === MEDIAN) return "photo";
  const sum = weight.flat().reduce((total, w) => total + w, 0);
  return Math.abs(1 + strength * (sum - 1)) < 0.5 ? "signed" : "photo";
}

/** The state after a control moved: a preset fills the cells, another size refits edited ones, a corner takes the pixel. */
export function changed(state, changes) {
  const next = { ...state, ...changes };
  if ("zoom" in changes) next.pixel = cornerOf(next.zoom, state._shape) ?? state.pixel;
  if ("weight" in changes) return { ...next, kernel_size: changes.weight.length, filter: EDITED };
  if (next._presets[next.filter]) next.weight = preset(next, next.filter);
  else next.weight = refit(next.weight, next.kernel_size);
  return next;
}

/** The outermost pixel of a zoomed corner: its window leaves the photo. */
function cornerOf(zoom, [height, width]) {
  if (zoom === "whole photo") return null;
  return [zoom.startsWith("top") ? 0 : height - 1, zoom.endsWith("left") ? 0 : width - 1];
}

/** Edited cells in another size: surrounded by zeros, or the middle ones. */
export function refit(weight, size) {
  const shift = (size - weight.length) / 2;
  return Array.from({ length: size }, (_, row) => Array.from({ length: size }, (_, column) =>
    weight[row - shift]?.[column - shift] ?? 0));
}

/** One value written out: the products under the window at (row, column) of the photo. Plane 0 of a colour photo. */
export function writtenOut({ padded: grown, result, offset }, state, row, column) {
  const k = state.kernel_size, top = row - offset, left = column - offset; // in the result, and in the padded photo
  if (top < 0 || left < 0 || top >= result.height || left >= result.width) {
    return `There is no result at row ${row}, column ${column}: the window would leave the photo.`;
  }
  const window = Array.from({ length: k * k }, (_, i) => grown.data[(top + Math.floor(i / k)) * grown.width + left + (i % k)]);
  const middle = window[(k * k - 1) / 2], final = result.data[top * result.width + left];
  const [text, response] = responseText(window, state);
  const plane = result.channels === 3 ? "Red plane, row" : "Row", s = state.strength;
  const mixed = s === 1 ? "" : `; with strength ${s}: ${middle} + ${s} × (${short(response, 1)} − ${middle}) = ${short(final, 1)}`;
  return `${plane} ${row}, column ${column}: ${text} = ${short(response, 1)}${mixed}.`;
}

function responseText(window, state) {
  const dot = (weight) => weight.flat().reduce((sum, w, i) => sum + w * window[i], 0);
  if (state.filter === EDGES) {
    const [x, y] = [dot(preset(state, "sobel x")), dot(preset(state, "sobel y"))];
    return [`sobel x ${short(x, 1)}, sobel y ${short(y, 1)}, √(${short(x * x, 0)} + ${short(y * y, 0)})`, Math.hypot(x, y)];
  }
  if (state.filter === MEDIAN) {
    const sorted = [...window].sort((a, b) => a - b), half = (window.length - 1) / 2;
    const marked = sorted.map((value, i) => (i === half ? `[${value}]` : value)).join(" ");
    return [`sorted ${marked}, the middle`, sorted[half]];
  }
  const cells = state.weight.flat(), n = denominator(cells) ?? 1;
  const terms = cells.map((w, i) => [short(w * n), window[i]]).filter(([w]) => w !== "0")
    .map(([w, value]) => `${w < "0" ? `(${w.replace("-", "−")})` : w}·${value}`);
  const sum = terms.length ? terms.join(" + ") : "0";
  return [n === 1 ? sum : `(${sum}) / ${n}`, dot(state.weight)];
}

/** The torch call that gives the result, as text that runs: `photo` goes in, `y` comes out. */
export function code(state) {
  const { filter, kernel_size: k, padding_mode: mode, strength } = state, reach = (k - 1) / 2;
  const lines = [
    "import torch", "import torch.nn.functional as F", "",
    "# photo: grey levels 0..255 as an array (H, W) or (H, W, 3), with its noise if there is any",
    "x = torch.as_tensor(photo).float().reshape(*photo.shape[:2], -1).permute(2, 0, 1)[:, None]  # C, 1, H, W",
  ];
  const kernels = filter === EDGES ? [preset(state, "sobel x"), preset(state, "sobel y")] : [state.weight];
  if (filter !== MEDIAN) lines.push(`weight = torch.tensor(${kernelText(kernels)}  # out, in, k, k`);
  let x = "x";
  if (mode !== "valid") {
    lines.push(`padded = F.pad(x, (${reach}, ${reach}, ${reach}, ${reach})${mode === "zeros" ? "" : `, mode="${mode}"`})`);
    x = "padded";
  }
  if (filter === EDGES) lines.push(`y = F.conv2d(${x}, weight).square().sum(1, keepdim=True).sqrt()  # sobel x, sobel y`);
  else if (filter === MEDIAN) lines.push(`y = ${x}.unfold(2, ${k}, 1).unfold(3, ${k}, 1).flatten(-2).median(-1).values`);
  else lines.push(`y = F.conv2d(${x}, weight)`);
  if (strength !== 1) {
    if (mode === "valid") lines.push(`x = x[:, :, ${reach}:-${reach}, ${reach}:-${reach}]`);
    lines.push(`y = x + ${decimal(strength)} * (y - x)`);
  }
  return lines.join("\n");
}

/** The kernels as whole numbers over a common denominator where there is one, else as decimals. */
function kernelText(kernels) {
  const n = denominator(kernels.flat(2));
  const text = (w) => (n ? `${Math.floor(w * n + 0.5) + 0}.` : decimal(w));
  const rows = kernels.map((kernel) => `[[${kernel.map((row) => `[${row.map(text).join(", ")}]`).join(", ")}]]`);
  return `[${rows.join(", ")}])${n && n > 1 ? ` / ${n}` : ""}`;
}

/** A number that makes all weights whole, if one of the usual ones does. */
const denominator = (cells) => [1, 9, 25, 16, 256, 273]
  .find((n) => cells.every((w) => Math.abs(w * n - Math.floor(w * n + 0.5)) < 1e-4));

/** At most six decimals, halves up, as Python writes them too. */
function decimal(value) {
  const text = (Math.floor(value * 1e6 + 0.5) / 1e6).toFixed(6).replace(/0+$/, "");
  return text === "-0." ? "0." : text;
}
