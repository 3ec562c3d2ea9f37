// The drawing of ChannelExplorer on a canvas: volumes as stacks of sheets, one a channel; filters as rows of slices, one
// for each channel that the filter reads, each in the column of its channel; lines for who reads whom.

const HEIGHT = 470;
const [TOP, BOTTOM] = [64, 8]; // room for the headings
const GAP = 0.6; // between two groups, as a part of the room of one channel
const MARGIN = 66; // for the numbers of the groups
// Share of the width of: sheets, lines, slices, the way to the next sheets.
const SHARES = { 1: [0.15, 0.23, 0.38, 0.09, 0.15], 2: [0.1, 0.13, 0.19, 0.04, 0.1, 0.11, 0.19, 0.04, 0.1] };
const GROUP_ROLES = ["input", "third", "output", "accent", "second", "weight"];
const DRAWN_ROLES = ["input", "weight", "output", "accent", "second", "third", "ink", "soft-ink", "line", "panel", "paper"];

/** Where `count` channels in `groups` groups stand along `room` pixels: their middles, and the room of each. */
export function places(count, groups, room, most) {
  const gap = groups > 1 && groups < count ? GAP : 0;
  const unit = Math.min(most, room / (count + gap * (groups - 1)));
  const before = (room - unit * (count + gap * (groups - 1))) / 2;
  const at = Array.from({ length: count }, (_, i) => before + unit * (i + 0.5 + gap * groupOf(i, count, groups)));
  return { at, unit };
}

export const groupOf = (channel, count, groups) => Math.floor((channel * groups) / count);

/** Where everything stands: volumes { x, width, ys, unit, groups }, and between them layers with their slices. */
export function layout(layers, width) {
  const room = width - 2 * MARGIN;
  const edges = SHARES[layers.length].reduce((sums, share) => [...sums, sums.at(-1) + share * room], [MARGIN]);
  const counts = [layers[0].inputs, ...layers.map(({ outputs }) => outputs)];
  const volumes = counts.map((count, index) => {
    const groups = (layers[index - 1] ?? layers[0]).groups;
    const { at, unit } = places(count, groups, HEIGHT - TOP - BOTTOM, 46);
    return { x: edges[4 * index], width: edges[4 * index + 1] - edges[4 * index], ys: at.map((y) => TOP + y), unit, groups, count };
  });
  const drawn = layers.map((layer, index) => {
    const [x, end] = [edges[4 * index + 2], edges[4 * index + 3]];
    const { at, unit } = places(layer.inputs, layer.groups, end - x, 46);
    const cell = Math.min(unit, volumes[index + 1].unit) - 1;
    // Larger kernels are larger, but not by their area: a 1 x 1 slice must still be seen.
    const side = Math.max(2, cell * (0.34 + 0.11 * (layer.kernel_size - 1)));
    return { ...layer, x, end, xs: at.map((column) => x + column), unit, side };
  });
  return { width, height: HEIGHT, volumes, layers: drawn };
}

/** The channel under a point: { volume, channel }; a filter stands for the channel that it makes. Null if there is none. */
export function channelAt({ volumes, layers }, x, y) {
  const volume = volumes.findIndex((one, index) =>
    x >= (layers[index - 1]?.x ?? 0) - 4 && x <= (index === volumes.length - 1 ? Infinity : one.x + one.width + 4));
  if (volume < 0) return null;
  const { ys, unit } = volumes[volume];
  const channel = ys.findIndex((middle) => Math.abs(y - middle) <= unit / 2);
  return channel < 0 ? null : { volume, channel };
}

/** The colours of the roles and the font, as the theme has them now. */
export function paletteOf(node) {
  const style = getComputedStyle(node);
  return { font: style.fontFamily, ...Object.fromEntries(DRAWN_ROLES.map((role) => [role, style.getPropertyValue(`--${role}`).trim()])) };
}

/** Draw the plan; `lit` is what connected() gives for the channel that is pointed at. */
export function paintChannels(canvas, plan, headings, lit, colours) {
  const context = emptied(canvas, plan.width, plan.height);
  plan.layers.forEach((layer, index) => {
    paintLines(context, layer, plan.volumes[index], plan.volumes[index + 1], lit.slices[index], colours);
    paintSlices(context, layer, plan.volumes[index + 1], lit.slices[index], colours);
  });
  plan.volumes.forEach((volume, index) => {
    const role = index === 0 ? "input" : "output";
    for (let channel = volume.count - 1; channel >= 0; channel--) {
      paintSheet(context, volume, channel, colours[roleOf(channel, volume, role)], lit.volumes[index].has(channel), colours);
    }
  });
  const [first, last] = [plan.volumes[0], plan.volumes.at(-1)];
  paintGroups(context, first, first.x - 10, "right", colours);
  paintGroups(context, last, last.x + last.width + 10, "left", colours);
  headings.forEach(([title, text], column) => paintHeading(context, plan, column, title, text, colours));
}

/** One group has the colours of the course, blue in and green out; several have a colour each. */
const roleOf = (channel, { count, groups }, role) => (groups === 1 ? role : GROUP_ROLES[groupOf(channel, count, groups) % GROUP_ROLES.length]);

/** From every channel to all filters that read it, and from each filter to the channel that it makes. */
function paintLines(context, layer, from, to, lit, colours) {
  const { inputs, outputs, groups, x } = layer;
  const start = from.x + from.width;
  const each = (inputs / groups) * (outputs / groups);
  const [reads, makes] = [inputs / groups, outputs / groups];
  for (let group = 0; group < groups; group++) {
    context.beginPath();
    for (let f = group * makes; f < (group + 1) * makes; f++) {
      for (let c = group * reads; c < (group + 1) * reads; c++) {
        context.moveTo(start - 4, from.ys[c]);
        context.lineTo(x - 4, to.ys[f]);
      }
      context.moveTo(x - 4, to.ys[f]);
      context.lineTo(to.x + 10, to.ys[f]);
    }
    strokeLines(context, groups === 1 ? colours["soft-ink"] : colours[roleOf(group * makes, to, "")], 1, Math.min(0.6, Math.max(0.1, 2.4 / Math.sqrt(each))));
  }
  context.beginPath();
  for (const [f, c] of lit) {
    context.moveTo(start - 4, from.ys[c]);
    context.lineTo(x - 4, to.ys[f]);
    context.moveTo(x - 4, to.ys[f]);
    context.lineTo(to.x + 10, to.ys[f]);
  }
  strokeLines(context, colours.ink, lit.length > 16 ? 0.8 : 1.5, lit.length > 16 ? 0.7 : 1);
}

function strokeLines(context, colour, width, alpha) {
  context.globalAlpha = alpha;
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.globalAlpha = 1;
}

/** The weights: a square of k x k for each pair of a filter (row) and a channel that it reads (column). */
function paintSlices(context, layer, to, lit, colours) {
  const { inputs, outputs, groups, xs, unit, side, kernel_size } = layer;
  const [reads, makes] = [inputs / groups, outputs / groups];
  if (unit >= 12) {
    xs.forEach((x, c) => paintText(context, colours, String(c), x, TOP - 8, { size: 10, ink: "soft-ink" }));
    paintText(context, colours, "reads channel", xs[0] - 14, TOP - 8, { size: 10, ink: "soft-ink", align: "right" });
  }
  for (let f = 0; f < outputs; f++) {
    const group = Math.floor(f / makes);
    const colour = colours[roleOf(f, to, "weight")];
    const y = to.ys[f];
    // The filter as one body: behind its slices, and hiding the line that would run through it.
    const [left, right] = [xs[group * reads] - side / 2 - 3, xs[(group + 1) * reads - 1] + side / 2 + 3];
    context.fillStyle = colours.paper;
    context.beginPath();
    context.roundRect(left, y - side / 2 - 3, right - left, side + 6, 3);
    context.fill();
    context.fillStyle = colour;
    context.globalAlpha = 0.12;
    context.fill();
    if (unit >= 12) strokeLines(context, colour, 0.8, 0.6);
    context.beginPath();
    for (let c = group * reads; c < (group + 1) * reads; c++) squarePath(context, xs[c], y, side, 1);
    context.globalAlpha = 0.3;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    for (let c = group * reads; c < (group + 1) * reads; c++) squarePath(context, xs[c], y, side, side / kernel_size >= 2.6 ? kernel_size : 1);
    strokeLines(context, colour, 0.7, 1);
  }
  context.beginPath();
  for (const [f, c] of lit) squarePath(context, xs[c], to.ys[f], side, 1);
  context.globalAlpha = 0.75;
  context.fillStyle = colours.weight;
  context.fill();
  context.globalAlpha = 1;
  context.beginPath();
  for (const [f, c] of lit) squarePath(context, xs[c], to.ys[f], side, side / kernel_size >= 2.6 ? kernel_size : 1);
  strokeLines(context, colours.ink, 1.2, 1);
}

/** A square around (x, y), with the lines between its k x k cells. */
function squarePath(context, x, y, side, k) {
  const [left, top] = [x - side / 2, y - side / 2];
  context.rect(left, top, side, side);
  for (let i = 1; i < k; i++) {
    context.moveTo(left + (i * side) / k, top);
    context.lineTo(left + (i * side) / k, top + side);
    context.moveTo(left, top + (i * side) / k);
    context.lineTo(left + side, top + (i * side) / k);
  }
}

/** One channel: a sheet that lies flat, seen from above, with its number. */
function paintSheet(context, { x, width, ys, unit }, channel, colour, lit, colours) {
  const tall = Math.min(25, 0.86 * unit), lean = 0.9 * tall, y = ys[channel];
  context.beginPath();
  context.moveTo(x + lean, y - tall / 2);
  context.lineTo(x + width, y - tall / 2);
  context.lineTo(x + width - lean, y + tall / 2);
  context.lineTo(x, y + tall / 2);
  context.closePath();
  context.fillStyle = colours.paper;
  context.fill();
  context.globalAlpha = lit ? 0.6 : 0.25;
  context.fillStyle = colour;
  context.fill();
  strokeLines(context, lit ? colours.ink : colour, lit ? 2 : 1, 1);
  const size = Math.min(12, 0.8 * unit);
  paintText(context, colours, String(channel), x + width / 2, y + 0.5, { size, weight: lit ? 700 : 400, baseline: "middle" });
}

/** Brackets with the numbers of the groups beside a volume. */
function paintGroups(context, { ys, unit, groups, count }, x, align, colours) {
  if (groups === 1) return;
  const size = count / groups, inward = align === "right" ? 4 : -4;
  for (let group = 0; group < groups; group++) {
    const [top, bottom] = [ys[group * size] - 0.36 * unit, ys[(group + 1) * size - 1] + 0.36 * unit];
    context.beginPath();
    context.moveTo(x + inward, top);
    context.lineTo(x, top);
    context.lineTo(x, bottom);
    context.lineTo(x + inward, bottom);
    strokeLines(context, colours["soft-ink"], 1, 1);
    paintText(context, colours, `group ${group}`, x - inward, (top + bottom) / 2, { size: Math.min(11, 0.85 * unit * size), ink: "soft-ink", align, baseline: "middle" });
  }
}

/** Two lines above the middle of a volume (even columns) or of the slices of a layer (odd ones). */
function paintHeading(context, { volumes, layers }, column, title, text, colours) {
  const index = Math.floor(column / 2);
  const middle = column % 2 ? (layers[index].x + layers[index].end) / 2 : volumes[index].x + volumes[index].width / 2;
  paintText(context, colours, title, middle, 15, { size: 13, weight: 600 });
  paintText(context, colours, text, middle, 33, { size: 12, ink: "soft-ink" });
}

function paintText(context, colours, text, x, y, { size, weight = 400, ink = "ink", align = "center", baseline = "alphabetic" }) {
  context.font = `${weight} ${size.toFixed(1)}px ${colours.font}`;
  context.textAlign = align;
  context.textBaseline = baseline;
  context.fillStyle = colours[ink];
  context.fillText(text, x, y);
}
