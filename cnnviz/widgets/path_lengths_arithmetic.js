// What PathLengthExplorer computes: means over images, shares, bands, words; beside analysis/residual_paths.py and
// analysis/path_lengths.py a second implementation. Nothing here draws. loss_surface_arithmetic.js is joined in front.

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * Python's numbers: network -> stage -> { blocks, images, norm, share, rms, sampled, drawn, sample, error }; every array
 * has a row for each length, with a number for each image.
 */
export function profilesOf(index, numbers) {
  const floats = new Float64Array(bytesOf(numbers));
  const networks = new Map(); // an object would bring names that are numbers into their order
  let at = 0;
  for (const { network, stage, blocks, images, sampled, drawn } of index) {
    const next = (count) => Array.from({ length: blocks + 1 }, () => floats.subarray(at, (at += count)));
    const one = { blocks, images, sampled, drawn, norm: next(images), share: next(images), rms: next(images) };
    if (sampled) Object.assign(one, { sample: next(sampled), error: next(sampled) });
    if (!networks.has(network)) networks.set(network, new Map());
    networks.get(network).set(stage, one);
  }
  return networks;
}

/** The state with stage, example and length brought into the range of its network; `before` had the former stage. */
export function settled(state, before, networks) {
  const stages = networks.get(state.network);
  const names = [...stages.keys()];
  const place = [...(networks.get(before.network) ?? stages).keys()].indexOf(before.stage);
  const stage = stages.has(state.stage) ? state.stage : names[Math.min(Math.max(place, 0), names.length - 1)];
  const { blocks, images } = stages.get(stage);
  const example = state.example === null ? null : Math.min(state.example, images - 1);
  return { ...state, stage, example, length: Math.min(state.length, blocks) };
}

/** Number of paths of each length through n blocks; of integers, so that the division is exact. */
export function numberOfPaths(blocks) {
  let count = 1n;
  return Array.from({ length: blocks + 1 }, (_, length) => {
    const found = Number(count);
    count = (count * BigInt(blocks - length)) / BigInt(length + 1);
    return found;
  });
}

/** The mean of what is a number; NaN where nothing is. */
export function mean(values) {
  let [sum, count] = [0, 0];
  for (const value of values) if (!Number.isNaN(value)) [sum, count] = [sum + value, count + 1];
  return sum / count;
}

/** The mean over images of what each row makes of an image's own sum; an image without a gradient does not count. */
export function fractions(rows) {
  const totals = Array.from(rows[0], (_, image) => rows.reduce((sum, row) => sum + row[image], 0));
  return rows.map((row) => mean(Array.from(row, (value, image) => (totals[image] > 0 ? value / totals[image] : NaN))));
}

/** The fewest successive lengths that hold `mass` of a distribution: [first, last]. */
export function band(values, mass = 0.95) {
  const total = [0];
  for (const value of values) total.push(total.at(-1) + value);
  const size = values.length;
  for (let width = 1; width <= size; width++) {
    const held = Array.from({ length: size - width + 1 }, (_, first) => total[first + width] - total[first]);
    const most = Math.max(...held);
    if (most >= mass * total[size] - 1e-12) return [held.indexOf(most), held.indexOf(most) + width - 1];
  }
  return [0, size - 1];
}

/** How much of the gradient the lengths with a negative share take away. */
export const against = (signed) => signed.reduce((sum, value) => (value < 0 ? sum - value : sum), 0);

/** What is shown of one stage: a number for each length, for one image, or the mean over all where `example` is null. */
export function viewOf(one, example, negligible) {
  const of = (rows) => (example === null ? rows : rows.map((row) => row.subarray(example, example + 1)));
  const paths = numberOfPaths(one.blocks);
  const all = 2 ** one.blocks;
  const view = { blocks: one.blocks, images: one.images, example, paths, all, counts: paths.map((count) => count / all), carried: [] };
  const rms = of(one.rms).map(mean);
  if (!Number.isNaN(rms[0])) view.rms = rms;
  const sampled = one.sampled > (example ?? 0);
  if (sampled) {
    const rows = of(one.sample);
    // The same paths are drawn for all images: the mean over these has no smaller error.
    Object.assign(view, { sampled: one.sampled, drawn: one.drawn, sample: rows.map(mean), error: of(one.error).map(mean) });
    view.product = fractions(rows.map((row, length) => Array.from(row, (value) => value * paths[length])));
  } else if (one.sampled) view.onlyFirst = one.sampled;
  const exact = fractions(of(one.norm));
  if (Number.isNaN(exact[0])) return view;
  const signed = of(one.share).map(mean);
  const whole = signed.reduce((sum, value) => sum + value, 0);
  view.carried.push({ name: "of the norms", look: "exact", values: exact, band: band(exact) });
  view.carried.push({ name: "of the gradient, signed", look: "signed", values: signed, against: against(signed), band: against(signed) < negligible * whole ? band(signed) : null });
  if (sampled && !Number.isNaN(view.product[0])) view.carried.push({ name: "by Veit's estimate", look: "product", values: view.product, band: band(view.product) });
  return view;
}

/** 0.000123 -> 1.23·10⁻⁴, 8.47e8 -> 8.47·10⁸, 1234 -> 1,234, as Python writes it. */
export function quantity(value, digits = 3) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6) || !Number.isFinite(value)) return number(value, digits);
  const [factor, power] = value.toExponential(digits - 1).split("e");
  const raised = [...String(Number(power))].map((digit) => (digit === "-" ? "⁻" : SUPERSCRIPTS[digit])).join("");
  return `${Number(factor) === 1 ? "" : `${Number(factor)}·`}10${raised}`;
}

/** 0.0123 -> 1.2 %, 1.23e-9 -> 1.2·10⁻⁷ %, as Python writes it. */
export const share = (fraction) =>
  (fraction === 0 || Math.abs(fraction) >= 0.0005 ? percent(fraction) : `${quantity(100 * fraction, 2)} %`);

/** How strong one path of this length is, in words: the sample's mean, and the root mean square over all paths. */
export function strengths(view, length) {
  const found = {};
  if (view.sample) {
    const drawn = view.drawn[length];
    const how = drawn === view.paths[length] ? "all of them" : `mean of ${drawn} drawn`;
    const first = view.example === null && view.sampled < view.images ? `, first ${view.sampled} images` : "";
    found.sample = `${quantity(view.sample[length])} ± ${quantity(view.error[length], 2)} (${how}${first})`;
  }
  if (view.rms) found.rms = quantity(view.rms[length]);
  return found;
}

/** The sum over the lengths low to high. */
export const between = (values, low, high) => values.slice(low, high + 1).reduce((sum, value) => sum + value, 0);
const shares = ({ carried }, low, high) => carried.map(({ name, values }) => `${share(between(values, low, high))} ${name}`).join(", ");

/** What stands in the pictures, in the words of PathLengthExplorer.describe. */
export function describe(state, view, [blocks, low, high]) {
  const { network, stage, length } = state;
  const shown = view.example === null ? `mean of ${view.images} images` : `image ${view.example + 1} of ${view.images}`;
  const { sample, rms } = strengths(view, length);
  const strong = [...(sample ? [sample] : []), ...(rms ? [`${rms} in the root mean square of all`] : [])];
  const sentences = [
    `${network}, ${stage}, ${shown}: ${view.blocks} blocks, ${quantity(view.all)} paths.`,
    `Length ${length}: ${quantity(view.paths[length])} of them (${share(view.counts[length])}).`,
    strong.length > 0 ? `One path carries ${strong.join(", ")}.` : "How strong one path is was not measured.",
  ];
  if (view.carried.length === 0) return [...sentences, "Its gradient is 0 or not a number: nothing to share out."].join(" ");
  const ranges = view.carried.map((one) => (one.band ? `${one.band.join(" to ")} ${one.name}` : `no range ${one.name} (${share(one.against)} point the other way)`));
  sentences.push(`Together they carry ${shares(view, length, length)}.`, `Lengths with 95 %: ${ranges.join("; ")}.`);
  if (view.blocks === blocks) sentences.push(`Lengths ${low} to ${high}, which the lectures name: ${shares(view, low, high)}.`);
  return sentences.join(" ");
}

/**
 * The vertical axes of the three pictures: { low, high, logarithmic, ticks }. Strength and contribution keep theirs over
 * all stages of training, so that these can be compared; null where nothing is to be drawn.
 */
export function axesOf(views, logarithmic) {
  const { blocks, counts } = views[0];
  const many = logarithmic ? { low: 2 ** -blocks / 2, high: 1, logarithmic } : { low: 0, high: 1.12 * Math.max(...counts) };
  const strong = views.flatMap(({ sample = [], rms = [] }) => [...sample, ...rms]).filter((value) => value > 0);
  const carried = views.flatMap((view) => view.carried.flatMap(({ values }) => values));
  const [least, largest] = [Math.min(0, ...carried), Math.max(...carried)];
  const axes = [
    many,
    strong.length > 0 ? decadesAround(strong) : null,
    carried.length > 0 ? { low: least < 0 ? 1.06 * least : 0, high: 1.06 * largest } : null,
  ];
  return axes.map((axis) => axis && { logarithmic: false, ...axis, ticks: ticksOf({ logarithmic: false, ...axis }, 6) });
}

function decadesAround(values) {
  const [low, high] = [Math.floor(Math.log10(Math.min(...values))), Math.ceil(Math.log10(Math.max(...values)))];
  return { low: 10 ** low, high: 10 ** (high > low ? high : high + 1), logarithmic: true };
}

/** Where a value stands on an axis, 0 at its low end and 1 at its high end; null where it has no place. */
export function placeOn({ low, high, logarithmic }, value) {
  if (!Number.isFinite(value) || (logarithmic && value <= 0)) return null;
  return logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}
