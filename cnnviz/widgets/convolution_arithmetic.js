// The arithmetic of ConvolutionExplorer, in pure functions: the second, independent implementation beside
// analysis/convolution.py and torch. A `state` holds the traits of the widget; arrays are nested lists [channel][row][column].

export const RANGES = {
  input_size: [1, 16], kernel_size: [1, 7], stride: [1, 5], padding: [0, 6], dilation: [1, 4], output_padding: [0, 4],
  out_channels: [1, 3],
};
export const LARGEST = 40; // cells along an edge that can still be drawn

export const isPooling = (state) => state.mode.endsWith("pooling");
export const isTransposed = (state) => state.mode.startsWith("transposed");
/** The settings as they work: global pooling has one window, the whole input, whatever the sliders of the window say. */
export const windowed = (state) => (state.global_pooling
  ? { ...state, kernel_size: state.input_size, stride: state.input_size, padding: 0, dilation: 1 } : state);
const reachOf = (state) => state.dilation * (state.kernel_size - 1) + 1;

/** Pixels added (before, after) each axis. */
export function padAmounts({ padding, kernel_size, dilation }) {
  if (typeof padding === "number") return [padding, padding];
  const total = dilation * (kernel_size - 1);
  if (padding === "full") return [total, total];
  return padding === "same" ? [Math.floor(total / 2), Math.ceil(total / 2)] : [0, 0];
}

/** Sizes along one axis: the padded input or uncropped output that the window moves over, the output, the leftover. */
export function sizes(state) {
  const [before, after] = padAmounts(state);
  const { input_size: n, stride, output_padding } = state;
  if (isTransposed(state)) {
    const canvas = (n - 1) * stride + reachOf(state) + output_padding;
    return { before, after, canvas, output: canvas - before - after, steps: n, leftover: 0 };
  }
  const canvas = n + before + after;
  const free = canvas - reachOf(state);
  const output = free < 0 ? 0 : Math.floor(free / stride) + 1;
  return { before, after, canvas, output, steps: output, leftover: free < 0 ? 0 : free % stride };
}

/** Why torch (or the drawing) refuses this state, in words; null if it is legal. */
export function refusal(given) {
  const state = windowed(given);
  const { mode, input_size: n, kernel_size: k, stride: s, padding: p, padding_mode, dilation: d, output_padding } = state;
  const reach = reachOf(state);
  const { before, after, canvas, output } = sizes(state);
  if (mode !== "convolution") {
    if (typeof p === "string") return `"${p}" padding is for convolution only`;
    if (padding_mode !== "zeros") {
      if (mode === "L2-norm pooling") return "L2-norm pooling has no padding mode";
      return mode === "max pooling" ? "max pooling pads with minus infinity only" : `${mode} pads with zeros only`;
    }
  }
  if (state.global_pooling && !isPooling(state)) return "only pooling can be global";
  if (isPooling(state) && mode !== "max pooling" && d !== 1) return `${mode} has no dilation`;
  if (mode === "L2-norm pooling" && p !== 0) return "L2-norm pooling has no padding";
  if (isPooling(state) && 2 * p > k) return `padding ${p} is more than half of kernel size ${k}`;
  if (p === "same" && s !== 1) return `"same" needs stride 1: a stride of ${s} makes the output smaller than the input`;
  if (!isTransposed(state)) {
    if (output_padding > 0) return "output padding is for transposed convolution only";
    if (reach > canvas) return `the kernel reaches over ${reach} cells, the padded input has ${canvas}`;
    const widest = Math.max(before, after);
    if (padding_mode === "reflect" && widest >= n) return `reflect can add at most ${n - 1} to an input of ${n}`;
    if (padding_mode === "circular" && widest > n) return `circular can add at most ${n} to an input of ${n}`;
  } else {
    if (output_padding >= Math.max(s, d)) {
      return `output padding ${output_padding} must be smaller than stride ${s} or dilation ${d}`;
    }
    if (output < 1) return `padding ${p} crops all ${canvas} cells of the output`;
  }
  if (Math.max(canvas, output) > LARGEST) return `${Math.max(canvas, output)} cells are more than can be drawn (${LARGEST})`;
  return null;
}

/** For one slider the legal interval around the present value, and why it ends: { low, high, why: { low, high } }. */
export function limits(state, name) {
  const [min, max] = RANGES[name];
  const reach = (from, step) => {
    let value = from;
    for (; value + step >= min && value + step <= max; value += step) {
      const reason = refusal({ ...state, [name]: value + step });
      if (reason) return [value, `stops at ${value}: ${reason}`];
    }
    return [value, undefined];
  };
  const here = typeof state[name] === "number" ? state[name] : min;
  const [low, below] = reach(here, -1);
  const [high, above] = reach(here, 1);
  return { low, high, why: { low: below, high: above } };
}

/** Make a state legal after a choice, changing as little as possible; returns [state, what was changed, in words]. */
export function adapt(state) {
  const changed = [];
  let legal = { ...state };
  const number = typeof state.padding === "string" ? 0 : state.padding;
  const resets = [
    ["padding", number], ["padding_mode", "zeros"], ["output_padding", 0], ["global_pooling", false], ["dilation", 1],
    ["padding", Math.min(number, Math.floor(state.kernel_size / 2))], ["stride", 1], ["padding", 0],
    ["kernel_size", Math.min(state.kernel_size, state.input_size)],
  ];
  for (const [name, value] of resets) {
    if (!refusal(legal)) break;
    if (legal[name] === value) continue;
    const next = { ...legal, [name]: value };
    // A reset that leaves the same complaint standing does not help.
    if (refusal(next) === refusal(legal)) continue;
    changed.push(`${name.replace("_", " ")} was set to ${value === false ? "off" : value} (${refusal(legal)})`);
    legal = next;
  }
  return refusal(legal) ? [null, [refusal(legal)]] : [legal, changed];
}

/** Fill in what follows from the controls: input, kernels, weight and bias of the right shapes, step and filter in range. */
export function complete(state, pictures, presets) {
  const next = { ...state };
  const { input_size: n, kernel_size: k, out_channels: filters } = next;
  if (next.source !== "own") next.input = picture(pictures[next.source], next.source, n);
  else if (next.input[0].length !== n) next.input = next.input.map((channel) => refit(channel, n, 0));
  const channels = next.input.length;
  const spare = Object.keys(presets).filter((name) => !next.kernels.includes(name));
  next.kernels = Array.from({ length: filters }, (_, f) => next.kernels[f] ?? spare[(f + 3) % spare.length]);
  next.weight = next.kernels.map((name, f) => {
    if (name !== "edited") return Array.from({ length: channels }, () => presets[name][k - 1]);
    const old = next.weight[f];
    const shift = Math.floor((k - 1) / 2) - Math.floor((old[0].length - 1) / 2);
    return Array.from({ length: channels }, (_, c) => refit(old[c % old.length], k, shift));
  });
  next.bias = Array.from({ length: filters }, (_, f) => next.bias[f] ?? 0);
  next.filter = Math.min(next.filter, (isPooling(next) ? channels : filters) - 1);
  next.step = Math.min(next.step, sizes(windowed(next)).steps ** 2 - 1);
  return next;
}

/** A source at n x n: numbers count 0..9 again and again, a digit is sampled, a photo is cut around its middle. */
export function picture(pixels, source, n) {
  if (source === "numbers") return [range(n).map((row) => range(n).map((column) => (row * n + column) % 10))];
  const whole = pixels[0].length;
  const pick = source === "digit"
    ? (i) => Math.floor((i * whole) / n)
    : (i) => Math.floor((whole - n) / 2) + i;
  return pixels.map((channel) => range(n).map((row) => range(n).map((column) => channel[pick(row)][pick(column)])));
}

/** Cut a square, or surround it with zeros, to n x n; its first cell comes to (shift, shift). */
export function refit(square, n, shift) {
  return range(n).map((row) => range(n).map((column) => square[row - shift]?.[column - shift] ?? 0));
}

export const range = (length) => Array.from({ length }, (_, i) => i);

/** Where cell `i` of the padded axis comes from in the input; -1 for a cell that padding fills. */
export function sourceIndex(i, n, before, padding_mode) {
  const at = i - before;
  if (at >= 0 && at < n) return at;
  if (padding_mode === "replicate") return at < 0 ? 0 : n - 1;
  if (padding_mode === "circular") return ((at % n) + n) % n;
  if (padding_mode === "reflect") return at < 0 ? -at : 2 * (n - 1) - at;
  return -1;
}

/** The padded input [C][canvas][canvas]. */
export function padded(state) {
  const { before, canvas } = sizes(state);
  const fill = state.mode === "max pooling" ? -Infinity : 0;
  const from = range(canvas).map((i) => sourceIndex(i, state.input_size, before, state.padding_mode));
  return state.input.map((channel) =>
    from.map((row) => from.map((column) => (row < 0 || column < 0 ? fill : channel[row][column]))));
}

/** Cells along one axis that the window covers at step `i`. */
export const windowAt = (state, i) => range(state.kernel_size).map((a) => i * state.stride + a * state.dilation);

/** Steps along one axis whose window covers cell `cell`. */
export const stepsOver = (state, cell) => range(sizes(state).steps).filter((i) => windowAt(state, i).includes(cell));

/** Everything that is computed: the canvas, and the output [F][m][m] (uncropped as well for transposed convolution). */
export function forward(state) {
  if (isTransposed(state)) return spread(state);
  const canvas = padded(state);
  const { output: m } = sizes(state);
  const at = range(m).map((i) => windowAt(state, i));
  const grid = (value) => at.map((rows) => at.map((columns) => value(rows, columns)));
  if (isPooling(state)) {
    const sum = (values) => values.reduce((total, value) => total + value, 0);
    const combine = {
      "max pooling": (values) => Math.max(...values),
      "average pooling": (values) => sum(values) / values.length,
      "L2-norm pooling": (values) => Math.sqrt(sum(values.map((value) => value ** 2))),
    }[state.mode];
    return { canvas, unused: unused(state, canvas), output: canvas.map((channel) => grid((rows, columns) =>
      combine(rows.flatMap((row) => columns.map((column) => channel[row][column]))))) };
  }
  return { canvas, output: state.weight.map((filter, f) => grid((rows, columns) => {
    let sum = state.bias[f];
    for (let c = 0; c < canvas.length; c++)
      for (let a = 0; a < rows.length; a++)
        for (let b = 0; b < columns.length; b++) sum += canvas[c][rows[a]][columns[b]] * filter[c][a][b];
    return sum;
  })) };
}

/**
 * Which numbers of the input [C][n][n] no pooled number depends on: they lie in no window or, in max pooling, are the
 * largest of none. Of equal ones the first counts, as for torch's gradient.
 */
export function unused(state, canvas) {
  const { before, output: m } = sizes(state);
  const free = state.input.map((channel) => channel.map((line) => line.map(() => true)));
  const windows = range(m).map((i) => windowAt(state, i));
  const use = (channel, row, column) => { if (free[channel][row - before]?.[column - before]) free[channel][row - before][column - before] = false; };
  canvas.forEach((plane, channel) => windows.forEach((rows) => windows.forEach((columns) => {
    let best = [rows[0], columns[0]];
    for (const row of rows) for (const column of columns) {
      if (state.mode !== "max pooling") use(channel, row, column);
      else if (plane[row][column] > plane[best[0]][best[1]]) best = [row, column];
    }
    if (state.mode === "max pooling") use(channel, ...best);
  })));
  return free;
}

/** How many numbers go in and come out, and how many of those that go in nothing depends on. */
export function keptText(state, computed) {
  const [given, left] = [state.input, computed.output].map((planes) => planes.flat(2).length);
  const share = `${Math.floor((1000 * Math.abs(given - left)) / given + 0.5) / 10} %`;
  const change = left < given ? `${share} fewer` : left > given ? `${share} more` : "as many";
  const text = `${given} number${given > 1 ? "s" : ""} in, ${left} out: ${change}.`;
  if (!isPooling(state)) return text;
  const free = computed.unused.flat(2).filter(Boolean).length;
  if (state.mode === "max pooling") return `${text} ${free} of the ${given} ${free === 1 ? "is" : "are"} the largest of no window.`;
  if (free === 0) return `${text} Each of the ${given} lies in a window.`;
  return `${text} ${free} of the ${given} ${free === 1 ? "lies" : "lie"} in no window.`;
}

function spread(state) {
  const { canvas: size, before, output: m } = sizes(state);
  const full = state.weight.map((filter, f) => {
    const grid = range(size).map(() => Array(size).fill(state.bias[f]));
    state.input.forEach((channel, c) => channel.forEach((line, row) => line.forEach((value, column) => {
      filter[c].forEach((weights, a) => weights.forEach((weight, b) => {
        grid[row * state.stride + a * state.dilation][column * state.stride + b * state.dilation] += value * weight;
      }));
    })));
    return grid;
  });
  const crop = (lines) => lines.slice(before, before + m);
  return { canvas: state.input, full, output: full.map((grid) => crop(grid).map(crop)) };
}

/** The size formula, filled in, with the floor made visible. */
export function formula(state) {
  const { input_size: n, kernel_size: k, stride: s, dilation: d, output_padding: extra } = state;
  const { before, after, canvas, output, leftover } = sizes(state);
  if (isTransposed(state)) {
    return `output size = (n - 1)·s - 2p + d(k - 1) + output padding + 1 = ` +
      `(${n} - 1)·${s} - 2·${before} + ${d}·(${k} - 1) + ${extra} + 1 = ${output}`;
  }
  const free = canvas - reachOf(state);
  const pads = before === after ? `2·${before}` : `(${before} + ${after})`;
  const size = `output size = ⌊(n + 2p - d(k - 1) - 1) / s⌋ + 1 = ⌊(${n} + ${pads} - ${d}·(${k} - 1) - 1) / ${s}⌋ + 1 = ` +
    `⌊${free} / ${s}⌋ + 1 = ${output}`;
  const span = d === 1 ? `${k}` : `${reachOf(state)}`;
  const floor = `${canvas} - ${span} = ${free}, ${free} / ${s} leaves ${leftover}`;
  return leftover === 0
    ? `${size}. ${floor}: the last window ends at the edge.`
    : `${size}. ${floor}: no window reaches the last ${leftover === 1 ? "row and column" : `${leftover} rows and columns`} (hatched).`;
}

/** The position [row, column] of the present step. */
export function position(state) {
  const { steps } = sizes(state);
  return [Math.floor(state.step / steps), state.step % steps];
}

const signed = (value) => (value < 0 ? `(${short(value)})` : short(value));

/** The present step written out: the products of the window and their sum. */
export function sumText(state, { canvas, output }) {
  const [row, column] = position(state);
  const f = state.filter;
  const [rows, columns] = [windowAt(state, row), windowAt(state, column)];
  if (isTransposed(state)) {
    const values = state.input.map((channel) => short(channel[row][column])).join(", ");
    const { before, output: m } = sizes(state);
    const kept = (cells) => cells.map((cell) => cell - before).filter((cell) => cell >= 0 && cell < m);
    const where = (cells) => (cells.length === 1 ? cells[0] : `${cells[0]} to ${cells.at(-1)}`);
    const start = `input[:, ${row}, ${column}] = ${values} is multiplied by all ${rows.length ** 2} weights of a filter`;
    if (kept(rows).length === 0 || kept(columns).length === 0) return `${start}; all of it is cropped away`;
    const rest = kept(rows).length < rows.length || kept(columns).length < columns.length ? "; the rest is cropped away" : "";
    return `${start} and added to the output in rows ${where(kept(rows))}, columns ${where(kept(columns))}${rest}`;
  }
  const result = `output[${f}, ${row}, ${column}] = `;
  const answer = short(output[f][row][column]);
  if (isPooling(state)) {
    const values = rows.flatMap((r) => columns.map((c) => canvas[f][r][c]));
    const listed = (text, sign) => (values.length > 49 // a global window: its first and last numbers are enough
      ? [...values.slice(0, 9).map(text), "…", ...values.slice(-3).map(text)] : values.map(text)).join(sign);
    if (state.mode === "max pooling") return `${result}max(${listed((value) => short(value), ", ")}) = ${answer}`;
    if (state.mode === "average pooling") return `${result}(${listed((value) => short(value), " + ")}) / ${values.length} = ${answer}`;
    return `${result}√(${listed((value) => `${signed(value)}²`, " + ")}) = ${answer}`;
  }
  const terms = canvas.map((channel, c) => rows.flatMap((r, a) =>
    columns.map((q, b) => [channel[r][q], state.weight[f][c][a][b]])));
  const bias = state.bias[f] === 0 ? "" : ` + bias ${signed(state.bias[f])}`;
  if (terms.flat().length <= 25) {
    return `${result}${terms.flat().map(([x, w]) => `${short(x)}·${signed(w)}`).join(" + ")}${bias} = ${answer}`;
  }
  const sums = terms.map((list, c) => `channel ${c}: ${signed(list.reduce((sum, [x, w]) => sum + x * w, 0))}`);
  return `${result}${terms.flat().length} products, summed over ${sums.join(" + ")}${bias} = ${answer}`;
}

/** What the explorer shows, in the words of Steps.describe and of ConvolutionExplorer.describe. */
export function describe(given, computed = undefined) {
  const state = windowed(given);
  const { before, after, output, steps, leftover } = sizes(state);
  const [channels, filters] = [state.input.length, isPooling(state) ? state.input.length : state.out_channels];
  const [n, k] = [state.input_size, state.kernel_size];
  const pads = before === after ? `${before}` : `(${before}, ${after})`;
  const mode = before + after > 0 && !isPooling(state) ? ` (${state.padding_mode})` : "";
  const name = state.global_pooling ? `Global ${state.mode}` : state.mode[0].toUpperCase() + state.mode.slice(1);
  return `${name}: a ${k} x ${k} window with stride ${state.stride}, padding ${pads}${mode} and dilation ${state.dilation} ` +
    `over an input of ${channels} x ${n} x ${n} gives ${filters} x ${output} x ${output} in ${steps ** 2} step${steps === 1 ? "" : "s"}.` +
    (leftover ? ` Left over at the end: ${leftover} of each axis.` : "") +
    (isPooling(state) ? ` ${keptText(state, computed ?? forward(state))}` : "");
}

/** A number as Python prints a float. */
const literal = (value) => (Number.isInteger(value) ? `${value}.` : String(value));

const tensor = (nested) => (typeof nested === "number" ? literal(nested) : `[${nested.map(tensor).join(", ")}]`);

/** The exact torch call for this state: text that runs as it is. */
export function pytorch(state) {
  const lines = ["import torch", "import torch.nn.functional as F", "", `x = torch.tensor([${tensor(state.input)}])  # N, C, H, W`];
  const options = [];
  const [before, after] = padAmounts(state);
  const { kernel_size: k, stride, padding, dilation, output_padding, padding_mode, mode } = state;
  let input = "x";
  if (isPooling(state)) {
    const norm = mode === "L2-norm pooling";
    if (norm) options.push("norm_type=2");
    if (state.global_pooling) options.push(norm ? `kernel_size=${state.input_size}` : "output_size=1");
    else {
      options.push(`kernel_size=${k}`, `stride=${stride}`);
      if (padding > 0) options.push(`padding=${padding}`);
      if (dilation !== 1) options.push(`dilation=${dilation}`);
    }
  } else {
    const weight = isTransposed(state) ? range(state.input.length).map((c) => state.weight.map((filter) => filter[c])) : state.weight;
    lines.push(`weight = torch.tensor(${tensor(weight)})  # ${isTransposed(state) ? "in_channels, out_channels" : "out_channels, in_channels"}, k, k`);
    options.push("weight");
    if (state.bias.some((value) => value !== 0)) {
      lines.push(`bias = torch.tensor(${tensor(state.bias)})`);
      options.push("bias");
    }
    if (stride !== 1) options.push(`stride=${stride}`);
    if (before + after > 0 && padding_mode !== "zeros") {
      lines.push(`padded = F.pad(x, (${before}, ${after}, ${before}, ${after}), mode="${padding_mode}")`);
      input = "padded";
    } else if (padding === "same" || padding === "valid") options.push(`padding="${padding}"`);
    else if (before > 0) options.push(`padding=${before}`);
    if (output_padding > 0) options.push(`output_padding=${output_padding}`);
    if (dilation !== 1) options.push(`dilation=${dilation}`);
  }
  const call = {
    convolution: "conv2d", "transposed convolution": "conv_transpose2d", "max pooling": "max_pool2d", "average pooling": "avg_pool2d",
    "L2-norm pooling": "lp_pool2d",
  }[mode];
  const adaptive = state.global_pooling && mode !== "L2-norm pooling" ? "adaptive_" : "";
  lines.push(`y = F.${adaptive}${call}(${[input, ...options].join(", ")})`);
  return lines.join("\n");
}
