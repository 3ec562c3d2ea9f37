// What LossSurfaceExplorer computes: scales, contour lines, cuts, the camera, words. Nothing here draws.

const GUESSING = Math.log(10);
const BEYOND = 4; // the height of an infinite loss, and of all that is as far above the ceiling
const DEEP = 1.1; // height of the scale, in halves of a side of the square

/** Python's surfaces: network -> plane -> { alphas, betas, loss, accuracy, error, predictions, labels, basin, path }. */
export function surfacesOf(index, numbers, predictions) {
  const [floats, classes] = [new Float32Array(bytesOf(numbers)), new Uint16Array(bytesOf(predictions))];
  const surfaces = {};
  let [at, seen] = [0, 0];
  for (const { network, plane, alphas, betas, labels, basin, path } of index) {
    const count = alphas.length * betas.length;
    const next = () => floats.subarray(at, at += count);
    const surface = { network, plane, alphas, betas, labels, basin, path, loss: next(), accuracy: next(), error: next() };
    surface.predictions = classes.subarray(seen, seen += count * labels.length);
    (surfaces[network] ??= {})[plane] = surface;
  }
  return surfaces;
}
const bytesOf = ({ buffer, byteOffset, byteLength }) => buffer.slice(byteOffset, byteOffset + byteLength);

/** The ends of alpha and beta over the surfaces that are shown. */
export function boxOf(shown) {
  if (shown.length === 0) return { alpha: [-1, 1], beta: [-1, 1] };
  const ends = (axes) => [Math.min(...axes.map((axis) => axis[0])), Math.max(...axes.map((axis) => axis.at(-1)))];
  return { alpha: ends(shown.map((one) => one.alphas)), beta: ends(shown.map((one) => one.betas)) };
}

/** The lowest and the highest finite loss of the surfaces, and the lowest above 0. */
export function extremes(shown) {
  let [low, high, positive] = [Infinity, -Infinity, Infinity];
  for (const { loss } of shown) {
    for (const value of loss) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      if (value > 0 && value < positive) positive = value;
    }
  }
  return low <= high ? { low, high, positive: positive <= high ? positive : 1e-6 } : { low: 0.1, high: 1, positive: 0.1 };
}

/** The one scale of both panels: its ends, and the `place` of a loss: 0 to 1, above the ceiling up to BEYOND. */
export function scaleOf(shown, { ceiling, logarithmic }) {
  const found = extremes(shown);
  const high = ceiling === null ? found.high : Math.min(ceiling, found.high);
  const least = logarithmic ? found.positive : found.low;
  const low = least < high ? least : high > 0 ? high / 2 : high - 1;
  const [from, span] = logarithmic ? [Math.log(low), Math.log(high / low)] : [low, high - low];
  const place = (loss) => {
    if (loss <= low) return 0;
    const place = ((logarithmic ? Math.log(loss) : loss) - from) / span;
    return place > 1 - 1e-9 && loss <= high ? 1 : Math.min(place, BEYOND);
  };
  return { low, high, logarithmic, ceiling, place };
}

/**
 * The height of every point: NaN where nothing is computed, above 1 where it is clipped. Views show those as 1; between
 * the points they tell where the ceiling is.
 */
export function heightsOf({ loss, accuracy }, { place }) {
  return Float32Array.from(loss, (value, i) => (Number.isNaN(accuracy[i]) ? NaN : Number.isFinite(value) ? place(value) : BEYOND));
}

/** How many points are computed, and how many of them are clipped. */
export function countsOf({ loss, accuracy }, { ceiling }) {
  let [known, beyond] = [0, 0];
  for (let i = 0; i < loss.length; i++) {
    if (Number.isNaN(accuracy[i])) continue;
    known++;
    if (isAbove(loss[i], ceiling)) beyond++;
  }
  return { known, beyond };
}
const isAbove = (loss, ceiling) => (ceiling === null ? !Number.isFinite(loss) : !(loss <= ceiling));

/** The index of the value nearest to x; the first of two that are as near. */
export function nearest(axis, x) {
  let best = 0;
  for (let i = 1; i < axis.length; i++) if (Math.abs(axis[i] - x) < Math.abs(axis[best] - x)) best = i;
  return best;
}

/** The index of the cell of a rising axis that x lies in, or -1. */
export function cellOf(axis, x) {
  let [low, high] = [0, axis.length - 1];
  if (!(x >= axis[0] && x <= axis[high])) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (axis[middle] <= x) low = middle; else high = middle;
  }
  return low;
}

/** The value between four points of a grid [alphas, betas]; NaN outside, and where one of the points is missing. */
export function bilinear({ alphas, betas }, values, alpha, beta) {
  const [i, j] = [cellOf(alphas, alpha), cellOf(betas, beta)];
  if (i < 0 || j < 0) return NaN;
  const [u, v] = [(alpha - alphas[i]) / (alphas[i + 1] - alphas[i]), (beta - betas[j]) / (betas[j + 1] - betas[j])];
  const at = i * betas.length + j;
  const below = values[at] + v * (values[at + 1] - values[at]);
  if (u === 0) return below; // else the row behind it, which may not be computed, would spoil it
  const above = values[at + betas.length] + v * (values[at + betas.length + 1] - values[at + betas.length]);
  return below + u * (above - below);
}

/** The contour line of one level: segments alpha, beta, alpha, beta one after the other (marching squares). */
export function contourLine({ alphas, betas }, values, level) {
  const segments = [];
  const columns = betas.length;
  for (let i = 0; i + 1 < alphas.length; i++) {
    for (let j = 0; j + 1 < columns; j++) {
      const at = i * columns + j;
      // Around the cell; two neighbours make an edge.
      const corners = [values[at], values[at + columns], values[at + columns + 1], values[at + 1]];
      const above = corners.map((value) => value > level);
      if (corners.some(Number.isNaN) || (above[0] === above[1] && above[1] === above[2] && above[2] === above[3])) continue;
      const places = [[alphas[i], betas[j]], [alphas[i + 1], betas[j]], [alphas[i + 1], betas[j + 1]], [alphas[i], betas[j + 1]]];
      const crossings = [0, 1, 2, 3].filter((k) => above[k] !== above[(k + 1) % 4]).map((k) => {
        const next = (k + 1) % 4;
        const share = (level - corners[k]) / (corners[next] - corners[k]);
        return places[k].map((from, axis) => from + share * (places[next][axis] - from));
      });
      if (crossings.length === 4) { // a saddle: its middle says which corners belong together
        const middle = (corners[0] + corners[1] + corners[2] + corners[3]) / 4 > level;
        if (middle === above[0]) crossings.push(crossings.shift());
        crossings.unshift(crossings.pop());
      }
      for (let k = 0; k < crossings.length; k += 2) segments.push(...crossings[k], ...crossings[k + 1]);
    }
  }
  return segments;
}

/** How far the line through (alpha, beta) at `cut` degrees runs in the box before and behind that point: [from, to]. */
export function cutEnds(box, { alpha, beta, cut }) {
  let [from, to] = [-Infinity, Infinity];
  for (const [[low, high], start, step] of [[box.alpha, alpha, cosine(cut)], [box.beta, beta, cosine(90 - cut)]]) {
    if (step === 0) continue;
    const [one, two] = [(low - start) / step, (high - start) / step];
    [from, to] = [Math.max(from, Math.min(one, two)), Math.min(to, Math.max(one, two))];
  }
  return [Math.min(from, 0), Math.max(to, 0)];
}
const cosine = (degrees) => (Math.abs(degrees) === 90 ? 0 : Math.cos((degrees * Math.PI) / 180));

/** `count` points of the cut: { t, alpha, beta }. */
export function cutPoints(box, marker, count) {
  const [from, to] = cutEnds(box, marker);
  const [x, y] = [cosine(marker.cut), cosine(90 - marker.cut)];
  const inside = (value, [low, high]) => Math.min(Math.max(value, low), high);
  return Array.from({ length: count }, (_, n) => {
    const t = from + (n * (to - from)) / (count - 1);
    return { t, alpha: inside(marker.alpha + t * x, box.alpha), beta: inside(marker.beta + t * y, box.beta) };
  });
}

/**
 * The parallel projection of the box (alpha and beta as -1..1, height as 0..1) from a camera that turns by azimuth and
 * rises by elevation, in degrees. At 0 and 90, alpha goes to the right and beta up. Depth grows away from the eye.
 */
export function cameraOf({ azimuth, elevation }, width, height, [beside, above] = [26, 20]) {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180];
  const [sin, cos, flat, steep] = [Math.sin(a), Math.cos(a), Math.sin(e), Math.cos(e)];
  // Room for the diagonal, so that the picture keeps its size while it turns.
  const tall = 2 * Math.SQRT2 * flat + DEEP * steep;
  const scale = Math.max(1, Math.min((width - 2 * beside) / (2 * Math.SQRT2), (height - 2 * above) / tall));
  return {
    across: [scale * cos, -scale * sin], // of alpha and beta
    down: [-scale * flat * sin, -scale * flat * cos, -scale * DEEP * steep], // of alpha, beta and height
    depth: [sin, cos],
    middle: [width / 2, height / 2 + (scale * DEEP * steep) / 2],
    rise: Math.tan(e) / DEEP, // of a ray to the eye, for each step across the square
    azimuth, elevation,
  };
}

/** Where a point of the box stands on the picture: [x, y]. */
export function projected({ across, down, middle }, alpha, beta, height) {
  return [middle[0] + across[0] * alpha + across[1] * beta, middle[1] + down[0] * alpha + down[1] * beta + down[2] * height];
}

/** alpha and beta of a place in the box as -1..1. */
export const squared = (box) => {
  const one = ([low, high]) => [2 / (high - low), -(high + low) / (high - low)];
  const [[a, b], [c, d]] = [one(box.alpha), one(box.beta)];
  return { alpha: (value) => a * value + b, beta: (value) => c * value + d, alphaOf: (place) => (place - b) / a, betaOf: (place) => (place - d) / c };
};

/** Whether the surface stands between a point (-1..1, -1..1, 0..1) and the eye. */
export function hidden(surface, heights, square, { depth, rise, elevation }, [x, y, z]) {
  if (elevation > 89) return false;
  const step = 0.04;
  for (let way = step; way < 3; way += step) {
    const ray = z + 0.012 + way * rise;
    if (ray > 1) return false;
    const height = bilinear(surface, heights, square.alphaOf(x - way * depth[0]), square.betaOf(y - way * depth[1]));
    if (height > ray) return true;
  }
  return false;
}

/** Round losses for a scale, `most` at most. */
export function ticksOf({ low, high, logarithmic }, most) {
  if (!logarithmic) return roundNumbers(low, high, most);
  const powers = range(Math.floor(Math.log10(low)), Math.ceil(Math.log10(high)));
  const inside = (digits) => powers.flatMap((power) => digits.map((digit) => digit * 10 ** power))
    .filter((tick) => tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9));
  const found = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]].map(inside).find((ticks) => ticks.length <= most);
  if (found) return found.length >= 2 ? found : roundNumbers(low, high, most);
  const decades = inside([1]);
  const every = Math.ceil(decades.length / most);
  return decades.filter((_, n) => n % every === 0);
}

/** Round numbers from low to high, `most` at most. */
export function roundNumbers(low, high, most) {
  const power = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 5, 10, 20, 50].map((factor) => factor * power)
    .find((one) => Math.floor(high / one + 1e-9) - Math.ceil(low / one - 1e-9) < most);
  return range(Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)).map((n) => Number((n * step).toPrecision(12)) + 0);
}
const range = (first, last) => Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);

/** A loss beside an axis: 12,000 as 12·10³ is longer than 1.2·10⁴. */
export function tickText(value) {
  if (Math.abs(value) < 10000) return number(value);
  const power = Math.floor(Math.log10(Math.abs(value)) + 1e-9);
  const factor = Number((value / 10 ** power).toPrecision(3));
  return `${factor === 1 ? "" : `${factor}·`}10${[...String(power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`;
}

/** The ceilings that the slider stops at, from near the lowest loss to none (null), and always the present one. */
export function ceilings({ high, positive }, present) {
  const low = Math.max(positive, high * 1e-10);
  const places = high > low ? range(1, 79).map((n) => Number((low * (high / low) ** (n / 80)).toPrecision(2))) : [];
  if (present !== null) places.push(present);
  return [...new Set(places)].sort((a, b) => a - b).concat(null);
}

/** A number as Python writes it: 0.123456 -> "0.123", 12345.6 -> "12,346". */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : "infinite";
  if (Math.abs(value) >= 10 ** digits - 0.5) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");
  if (value === 0) return "0";
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  if (Number(exponent) < -4) return `${Number(mantissa)}e-${String(-exponent).padStart(2, "0")}`;
  return String(Number(value.toPrecision(digits)));
}
const percent = (share) => `${(Math.floor(1000 * share + 0.5) / 10).toFixed(1)} %`;

/** What the network is at the grid point nearest to the marker. */
export function readingOf(surface, { alpha, beta }) {
  const [i, j] = [nearest(surface.alphas, alpha), nearest(surface.betas, beta)];
  const at = i * surface.betas.length + j;
  const shown = surface.labels.length;
  return {
    alpha: surface.alphas[i], beta: surface.betas[j], loss: surface.loss[at], accuracy: surface.accuracy[at], error: surface.error[at],
    predictions: [...surface.predictions.subarray(at * shown, (at + 1) * shown)], known: !Number.isNaN(surface.accuracy[at]),
  };
}

/** The rows that are computed. */
export function rowsOf({ alphas, betas, accuracy }) {
  return alphas.filter((_, i) => !Number.isNaN(accuracy[i * betas.length])).length;
}

/** The sentence that Python's describe() says of one network. */
export function sentence(name, surface, state) {
  const head = `${name}, ${state.plane}`;
  if (!surface) return `${head}: not computed.`;
  const { known, beyond } = countsOf(surface, state);
  const reading = readingOf(surface, state);
  const here = `at alpha ${number(reading.alpha)}, beta ${number(reading.beta)}`;
  let text = reading.known
    ? `${head}: loss ${number(reading.loss)} (± ${number(reading.error, 2)}) and accuracy ${percent(reading.accuracy)} ${here}`
    : `${head}: nothing computed ${here}`;
  if (beyond > 0) {
    const where = state.ceiling === null ? "infinite" : `above the ceiling of ${number(state.ceiling)}`;
    text += `; ${percent(beyond / known)} of the points ${where} and clipped`;
  }
  if (known < surface.loss.length) return `${text}; partial, ${rowsOf(surface)} of ${surface.alphas.length} rows are computed.`;
  return `${text}; below ln 10, the loss of guessing, in ${percent(surface.basin)} of the plane.`;
}

/** What the path is, in words. */
export function pathWords(name, { path }) {
  const most = Math.max(...path.residual);
  const share = path.farthest > 0 ? `, ${Math.round((100 * most) / path.farthest)} % of its longest way to the centre` : "";
  return `${name}: the path of training, epochs ${number(path.epochs[0])} to ${number(path.epochs.at(-1))}, runs up to ${number(most)} off this plane${share}.`;
}

/** Seconds in words: under 1 s, about 14 s, about 3 min. */
export function aboutSeconds(seconds) {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `about ${Math.round(seconds)} s`;
  return seconds < 5400 ? `about ${Math.round(seconds / 60)} min` : `about ${number(seconds / 3600, 2)} h`;
}
