// Shapes of convolution_drawing.js on a canvas. Numbers in SVG are laid out by the browser one by one, which took most
// of a frame; on a canvas they are only painted.

// What a shape of each look is painted with: roles of the style sheet, or colours; lengths in pixels.
const BOXES = {
  cell: { stroke: "line", width: 0.7 },
  pad: { stroke: "soft-ink", width: 0.7, dash: [2, 2] },
  leftover: { hatch: "ink" },
  window: { fill: "weight", alpha: 0.1, stroke: "weight", width: 3 },
  now: { stroke: "ink", width: 3 },
  cursor: { stroke: "ink", width: 2, dash: [4, 2] },
  linked: { fill: "third", alpha: 0.28, stroke: "third", width: 2, dash: [4, 2] },
};
const TEXTS = {
  title: { size: 13, weight: 600, ink: "ink" },
  label: { size: 11, ink: "soft-ink" },
  sign: { size: 26, ink: "soft-ink", align: "center", baseline: "middle" },
  times: { size: 9, weight: 600, ink: "weight", align: "right" },
  number: { align: "center", baseline: "middle" },
};
const ROLES = ["input", "weight", "output", "accent", "third", "ink", "soft-ink", "line"];

/** The colours of the roles and the font, as the theme has them now. */
export function palette(node) {
  const style = getComputedStyle(node);
  return { font: style.fontFamily, ...Object.fromEntries(ROLES.map((role) => [role, style.getPropertyValue(`--${role}`).trim()])) };
}

/** Paint shapes on a canvas of { width, height } pixels of the page, in place of what was there. */
export function paintShapes(canvas, shapes, { width, height }, colours) {
  const context = emptied(canvas, width, height);
  for (const shape of shapes) (shape.box ? paintBox : paintText)(context, shape, colours);
}

function paintBox(context, { box, look, ...own }, colours) {
  const { fill, alpha, stroke, width, dash = [], hatch } = { ...BOXES[look], ...own };
  if (hatch) return paintHatch(context, box, colours[hatch]);
  if (fill) {
    context.globalAlpha = alpha ?? 1;
    context.fillStyle = colours[fill] ?? fill;
    context.fillRect(...box);
  }
  context.globalAlpha = 1;
  context.strokeStyle = colours[stroke];
  context.lineWidth = width;
  context.setLineDash(dash);
  context.strokeRect(...box);
}

function paintText(context, { text, x, y, look, ...own }, colours) {
  if (!text) return;
  const { size, weight = 400, ink, align = "left", baseline = "alphabetic", alpha = 1 } = { ...TEXTS[look], ...own };
  context.font = `${weight} ${size.toFixed(1)}px ${colours.font}`;
  context.textAlign = align;
  context.textBaseline = baseline;
  context.globalAlpha = alpha;
  context.fillStyle = colours[ink] ?? ink;
  context.fillText(text, x, y);
}

function paintHatch(context, [x, y, width, height], ink) {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.beginPath();
  for (let along = -height; along < width; along += 8) {
    context.moveTo(x + along, y + height);
    context.lineTo(x + along + height, y);
  }
  context.globalAlpha = 0.55;
  context.strokeStyle = ink;
  context.lineWidth = 1.6;
  context.setLineDash([]);
  context.stroke();
  context.restore();
}

