// The drawing of PathLengthExplorer: three pictures in one SVG, one below the other, so that a line crosses all of them.

export const PANELS = [150, 172, 246]; // pixels: heights of the pictures
const [TITLE, BELOW, STRIP] = [26, 12, 13]; // above and below what is drawn; for each range of lengths
const [LEFT, RIGHT, AXIS] = [60, 10, 30];
const TITLES = ["How many paths there are, share of all", "How strong one path is, norm of its gradient", "What all paths of a length carry together"];
const RANGES = 3;


/** Where everything stands: of a picture `width` wide, top and bottom of what is drawn in each panel, x of a length. */
export function planOf(width, blocks) {
  const step = (width - LEFT - RIGHT) / (blocks + 1);
  const tops = PANELS.map((_, n) => PANELS.slice(0, n).reduce((sum, height) => sum + height, 0));
  const panels = tops.map((top, n) => ({ title: top + 15, top: top + TITLE + (n === 2 ? RANGES * STRIP : 0), bottom: top + PANELS[n] - BELOW }));
  return {
    width, blocks, step, panels, height: tops.at(-1) + PANELS.at(-1) + AXIS,
    x: (length) => LEFT + (length + 0.5) * step,
    lengthAt: (x) => Math.min(Math.max(Math.floor((x - LEFT) / step), 0), blocks),
  };
}

/** Where a value stands in a panel; null where its axis has no place for it. */
const heightOf = ({ top, bottom }, axis) => (value) => {
  const place = placeOn(axis, value);
  return place === null ? null : bottom - place * (bottom - top);
};

const MARKS = {
  sample: (x, y, r = 3) => `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0z`,
  rms: (x, y, r = 4) => `M${x - r},${y}l${r},${-r}l${r},${r}l${-r},${r}z`,
  signed: (x, y, r = 3) => `M${x - r},${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
};
MARKS.product = MARKS.sample;

/** How a series looks in the words beside the pictures. */
export function swatch(look) {
  const drawn = MARKS[look]
    ? [element("path", { class: "cnnviz-paths-line", d: "M0,7H26" }), element("path", { class: "cnnviz-paths-dot", d: MARKS[look](13, 7) })]
    : [element("path", { class: "cnnviz-paths-bars", d: "M8,1h10v12h-10z" })];
  return element("svg", { class: `cnnviz-paths-${look}`, width: 26, height: 14, "aria-hidden": true }, ...drawn);
}

const label = (words, x, y, attributes = {}) => element("text", { x, y, class: "cnnviz-label", text: words, ...attributes });

/** Everything but the mark. `axes` as axesOf has them; `lectures`: the range of lengths that these name, or null. */
export function pictures(plan, view, axes, lectures) {
  const nodes = [];
  const { x, step, panels } = plan;
  if (lectures) {
    const [low, high] = lectures;
    for (const { top, bottom } of panels) {
      nodes.push(element("rect", { class: "cnnviz-paths-lectures", x: x(low) - step / 2, y: top, width: (high - low + 1) * step, height: bottom - top }));
    }
  }
  panels.forEach(({ title, top, bottom }, n) => {
    nodes.push(element("text", { class: "cnnviz-title", x: 4, y: title, text: TITLES[n] }));
    const axis = axes[n];
    if (!axis) {
      const why = n === 2 ? "nothing to share out" : view.sample || view.rms ? "all are 0" : "not measured";
      nodes.push(label(why, (LEFT + plan.width - RIGHT) / 2, (top + bottom) / 2, { "text-anchor": "middle" }));
      return;
    }
    for (const tick of axis.ticks) {
      const y = heightOf(panels[n], axis)(tick);
      nodes.push(element("line", { class: tick === 0 ? "cnnviz-paths-zero" : "cnnviz-rule", x1: LEFT, x2: plan.width - RIGHT, y1: y, y2: y }));
      nodes.push(label(axis.logarithmic ? quantity(tick) : `${short(100 * tick)} %`, LEFT - 6, y + 4, { "text-anchor": "end" }));
    }
  });
  if (lectures) {
    const [low, high] = lectures;
    nodes.push(label(`lectures: ${low} to ${high} of ${plan.blocks}`, x((low + high) / 2), panels[0].top + 11, { class: "cnnviz-label cnnviz-paths-halo", "text-anchor": "middle" }));
  }
  nodes.push(bars(plan, panels[0], axes[0], view.counts, "count"));
  if (view.rms && axes[1]) nodes.push(curve(plan, panels[1], axes[1], view.rms, "rms"));
  if (view.sample && axes[1]) nodes.push(curve(plan, panels[1], axes[1], view.sample, "sample", view.error));
  view.carried.forEach((one, n) => {
    nodes.push(one.look === "exact" ? bars(plan, panels[2], axes[2], one.values, "exact") : curve(plan, panels[2], axes[2], one.values, one.look));
    if (one.band) nodes.push(bracket(plan, panels[2].top - (RANGES - n - 0.5) * STRIP, one));
  });
  nodes.push(label("path length (blocks)", (LEFT + plan.width - RIGHT) / 2, plan.height - 6, { "text-anchor": "middle" }));
  return nodes;
}

const barWidth = ({ step }) => Math.min(0.76 * step, 44);

function barAt(plan, panel, axis, values, length) {
  const y = heightOf(panel, axis)(values[length]);
  const from = heightOf(panel, axis)(axis.logarithmic ? axis.low : 0);
  const wide = barWidth(plan);
  return `M${plan.x(length) - wide / 2},${from}V${y}h${wide}V${from}z`;
}

function bars(plan, panel, axis, values, look) {
  const d = values.map((_, length) => barAt(plan, panel, axis, values, length)).join("");
  return element("g", { class: `cnnviz-paths-${look}` }, element("path", { class: "cnnviz-paths-bars", d }));
}

/** A line with a mark for each length, with a gap where the axis has no place; errors reach the axis' end at most. */
function curve(plan, panel, axis, values, look, errors = null) {
  const y = heightOf(panel, axis);
  let [line, marks, spans, open] = ["", "", "", false];
  values.forEach((value, length) => {
    const at = y(value);
    if (at !== null) {
      line += `${open ? "L" : "M"}${plan.x(length)},${at}`;
      marks += MARKS[look](plan.x(length), at);
      if (errors?.[length] > 0) spans += `M${plan.x(length)},${y(Math.max(value - errors[length], axis.low))}V${y(Math.min(value + errors[length], axis.high))}`;
    }
    open = at !== null;
  });
  return element("g", { class: `cnnviz-paths-${look}` }, element("path", { class: "cnnviz-paths-line", d: line || "M0,0" }),
    element("path", { class: "cnnviz-paths-span", d: spans || "M0,0" }), element("path", { class: "cnnviz-paths-dot", d: marks || "M0,0" }));
}

/** The lengths that carry 95 %, over the picture; its words stand where there is room. */
function bracket(plan, y, { look, band: [first, last] }) {
  const [from, to] = [plan.x(first) - plan.step / 2 + 1, plan.x(last) + plan.step / 2 - 1];
  const words = `95 %: ${first} to ${last}`;
  const room = 84; // pixels
  const place = to + room < plan.width ? [to + 6, "start"] : from - room > LEFT ? [from - 6, "end"] : [(from + to) / 2, "middle"];
  return element("g", { class: `cnnviz-paths-${look}` },
    element("path", { class: "cnnviz-paths-bracket", d: `M${from},${y - 4}v8M${from},${y}H${to}M${to},${y - 4}v8` }),
    element("text", { class: "cnnviz-label cnnviz-paths-halo", x: place[0], y: y + 4, "text-anchor": place[1], text: words }));
}

/** The line through all pictures at a length, below all else and with a gap for each title. */
export function lineAt({ x, panels }, length) {
  const d = panels.map(({ title, bottom }) => `M${x(length)},${title + 6}V${bottom + 6}`).join("");
  return element("path", { class: "cnnviz-paths-mark", d });
}

/** What the line meets, and the axis with the length on it. */
export function markOf(plan, view, axes, length) {
  const { x, panels, blocks } = plan;
  const bottom = panels[2].bottom;
  const nodes = [];
  const ring = (panel, axis, values) => {
    const y = heightOf(panel, axis)(values[length]);
    if (y !== null) nodes.push(element("path", { class: "cnnviz-paths-ring", d: MARKS.sample(x(length), y, 6) }));
  };
  const outline = (panel, axis, values) => nodes.push(element("path", { class: "cnnviz-paths-ring", d: barAt(plan, panel, axis, values, length) }));
  outline(panels[0], axes[0], view.counts);
  for (const values of [view.sample, view.rms]) if (values && axes[1]) ring(panels[1], axes[1], values);
  for (const { look, values } of view.carried) (look === "exact" ? outline : ring)(panels[2], axes[2], values);
  for (const tick of roundNumbers(0, blocks, Math.min(12, blocks + 1)).filter(Number.isInteger)) {
    nodes.push(element("line", { class: "cnnviz-rule", x1: x(tick), x2: x(tick), y1: bottom, y2: bottom + 4 }));
    if (Math.abs(x(tick) - x(length)) > 24) nodes.push(label(tick, x(tick), bottom + 18, { "text-anchor": "middle" }));
  }
  nodes.push(element("rect", { class: "cnnviz-paths-box", x: x(length) - 14, y: bottom + 6, width: 28, height: 16, rx: 3 }),
    label(length, x(length), bottom + 18, { class: "cnnviz-label cnnviz-paths-length", "text-anchor": "middle" }));
  return nodes;
}
