// The drawing of ReceptiveFieldExplorer on its two canvases: the pyramid along one row of pixels, and the photo.

const GUTTER = { left: 112, right: 92 }; // of the pyramid, for the names of the layers and for how many units are seen
const PROFILE = 44; // pixels below the pyramid for the gradient along the row

/** The pixels [from, to] of the image that are shown along an axis, before and beyond it where fields reach there. */
export function shownPixels(state, levels) {
  const { first, last } = levels[0];
  if (state.zoom) {
    const half = Math.max(6, 0.65 * (last - first + 1));
    return [(first + last + 1) / 2 - half, (first + last + 1) / 2 + half];
  }
  // The overhang of the whole stack, so that nothing moves while layer and unit do; a wide one is cut.
  const all = maps(state);
  const ends = all.map(({ start, jump, size, side }) => start + (side - 1) * jump + size);
  const far = Math.max(0, ...all.map(({ start }) => -start), ...ends.map((end) => end - state.image_size));
  const over = Math.min(far, 0.2 * state.image_size);
  return [-over, state.image_size + over];
}

/** Where the pyramid is drawn: x of a pixel's left edge, y of each level (0: pixels), height and width of its units. */
export function pyramid(state, levels, width, height) {
  const [from, to] = shownPixels(state, levels);
  const scale = (width - GUTTER.left - GUTTER.right) / (to - from);
  const count = state.layers.length;
  const gap = (height - PROFILE - 64) / count;
  return {
    scale, gap, tall: Math.min(16, 0.5 * gap),
    x: (pixel) => GUTTER.left + (pixel - from) * scale,
    y: (level) => height - PROFILE - 34 - level * gap,
  };
}

export function paintPyramid(context, { state, field, colours, width, height, row }) {
  const levels = field.horizontal;
  const plan = pyramid(state, levels, width, height);
  const all = maps(state);
  const middle = (map, unit) => plan.x(centreOf(map, unit));
  const widthOf = (map, level) => (level === 0 ? plan.scale : Math.min(14, Math.max(1.2, 0.8 * map.jump * plan.scale)));
  context.clearRect(0, 0, width, height);

  context.save();
  context.beginPath();
  context.rect(GUTTER.left - 2, 0, width - GUTTER.left - GUTTER.right + 4, height);
  context.clip();
  paintCone(context, levels, plan, middle, widthOf, colours);
  if (plan.scale * levels[0].jump >= 3) paintLines(context, state, levels, plan, middle, colours);
  all.forEach((map, level) => paintLevel(context, { map, level, seen: levels[level], plan, middle, wide: widthOf(map, level), colours, row }));
  const top = levels.length - 1;
  context.globalAlpha = 1;
  context.strokeStyle = colours.ink;
  context.lineWidth = 2.5;
  const wide = widthOf(levels[top], top) + 3;
  context.strokeRect(middle(levels[top], levels[top].first) - wide / 2, plan.y(top) - plan.tall / 2 - 1.5, wide, plan.tall + 3);
  paintProfile(context, state, levels[0], plan, colours);
  context.restore();
  paintNames(context, state, levels, plan, width, colours);
}

/** The units of one map: filled by how many paths lead to them; with borders where they stand apart. */
function paintLevel(context, { map, level, seen, plan, middle, wide, colours, row }) {
  const y = plan.y(level) - plan.tall / 2;
  const left = (unit) => middle(map, unit) - wide / 2;
  const apart = map.jump * plan.scale >= 3;
  const borders = new Path2D();
  if (level > 0 && apart) for (let unit = 0; unit < map.side; unit++) borders.rect(left(unit), y, wide, plan.tall);
  else borders.rect(left(0), y, left(map.side - 1) + wide - left(0), plan.tall);
  context.globalAlpha = 1;
  context.fillStyle = colours.paper;
  if (apart) context.fill(borders);
  const most = (seen && Math.max(...seen.counts)) || 1;
  for (let unit = 0; unit < map.side; unit++) {
    const share = seen ? Math.sqrt(seen.counts[unit] / most) : 0;
    if (level > 0 && share === 0) continue;
    context.globalAlpha = level === 0 ? 1 : 0.25 + 0.75 * share;
    context.fillStyle = level === 0 ? row(unit) : colours.output;
    context.fillRect(left(unit), y, level === 0 ? wide + 0.5 : wide, plan.tall); // pixels leave no seams
  }
  context.globalAlpha = seen ? 1 : 0.6;
  context.strokeStyle = colours.line;
  context.lineWidth = 0.8;
  context.stroke(borders);
  if (seen) paintPadding(context, map, seen, y, plan, middle, wide, colours);
}

function paintCone(context, levels, plan, middle, widthOf, colours) {
  const edge = (map, level, unit, side) => [middle(map, unit) + (side * widthOf(map, level)) / 2, plan.y(level)];
  const left = levels.map((map, level) => edge(map, level, map.first, -1));
  const right = levels.map((map, level) => edge(map, level, map.last, 1));
  context.beginPath();
  [...left, ...right.reverse()].forEach(([x, y]) => context.lineTo(x, y));
  context.closePath();
  context.globalAlpha = 0.12;
  context.fillStyle = colours.output;
  context.fill();
  context.globalAlpha = 0.8;
  context.strokeStyle = colours.output;
  context.lineWidth = 1.4;
  context.stroke();
}

function paintLines(context, state, levels, plan, middle, colours) {
  context.globalAlpha = 0.35;
  context.strokeStyle = colours.output;
  context.lineWidth = 0.8;
  context.beginPath();
  for (let level = levels.length - 1; level > 0; level--) {
    const { kernel_size: k, stride: s, padding: p, dilation: d = 1 } = state.layers[level - 1];
    for (let unit = levels[level].first; unit <= levels[level].last; unit++) {
      if (!levels[level].counts[unit]) continue;
      for (let tap = 0; tap < k; tap++) {
        context.moveTo(middle(levels[level], unit), plan.y(level) + plan.tall / 2);
        context.lineTo(middle(levels[level - 1], unit * s - p + tap * d), plan.y(level - 1) - plan.tall / 2);
      }
    }
  }
  context.stroke();
}

/** The zeros that padding adds, where the cone reaches them. */
function paintPadding(context, map, { first, last }, y, plan, middle, wide, colours) {
  if (map.jump * plan.scale < 3) return;
  context.globalAlpha = 1;
  context.strokeStyle = colours["soft-ink"];
  context.lineWidth = 0.8;
  context.setLineDash([2, 2]);
  for (let unit = first; unit <= last; unit++) {
    if (unit < 0 || unit >= map.side) context.strokeRect(middle(map, unit) - wide / 2, y, wide, plan.tall);
  }
  context.setLineDash([]);
}

/** Below the pixels: how wide the field is, and the root mean square gradient of each pixel of the row. */
function paintProfile(context, state, { counts, first, last }, plan, colours) {
  const top = plan.y(0) + plan.tall / 2 + 6;
  const most = Math.max(...counts) || 1;
  context.globalAlpha = 1;
  context.fillStyle = colours.weight;
  context.beginPath(); // one path: narrow bars leave no seams
  counts.forEach((count, pixel) => {
    context.rect(plan.x(pixel), top, plan.scale > 4 ? plan.scale - 1 : plan.scale + 0.5, PROFILE * Math.sqrt(count / most));
  });
  context.fill();
  const y = top + PROFILE + 6;
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.2;
  context.beginPath();
  for (const [from, to] of [[[plan.x(first), y - 4], [plan.x(first), y + 4]], [[plan.x(last + 1), y - 4], [plan.x(last + 1), y + 4]],
    [[plan.x(first), y], [plan.x(last + 1), y]]]) {
    context.moveTo(...from);
    context.lineTo(...to);
  }
  context.stroke();
}

/** Left the layers, right how many of their units the chosen unit sees along the row. */
function paintNames(context, state, levels, plan, width, colours) {
  const text = (words, x, y, ink, weight = 400, align = "left") => {
    context.font = `${weight} 11px ${colours.font}`;
    context.fillStyle = colours[ink];
    context.textAlign = align;
    context.textBaseline = "middle";
    context.globalAlpha = 1;
    context.fillText(words, x, y, align === "left" ? GUTTER.left - 6 : GUTTER.right - 8);
  };
  ["pixels", ...state.layers.map((layer, index) => shortName(layer, index))].forEach((name, level) => {
    const chosen = level === levels.length - 1;
    text(name, 4, plan.y(level), level < levels.length ? "ink" : "soft-ink", chosen ? 700 : 400);
  });
  text("sees", width - GUTTER.right + 8, Math.max(8, plan.y(levels.length - 1) - Math.max(14, plan.tall)), "soft-ink");
  levels.slice(0, -1).forEach((map, level) => {
    text(`${seenText(map)}${level === 0 ? " px" : ""}`, width - GUTTER.right + 8, plan.y(level), "ink", level === 0 ? 700 : 400);
  });
  const y = plan.y(0) + plan.tall / 2 + 6;
  text("gradient", 4, y + PROFILE / 3, "soft-ink");
  text("(linear stack)", 4, y + PROFILE / 3 + 14, "soft-ink");
}

/** How many units are seen; and of how many, where dilation leaves holes or padding is among them. */
export function seenText({ counts, first, last }) {
  const [seen, span] = [counts.filter((count) => count > 0).length, last - first + 1];
  return seen === span ? `${span}` : `${seen} of ${span}`;
}

const shortName = ({ kind, kernel_size: k, stride, dilation = 1 }, index) =>
  `${index + 1} ${kind.replace("average", "avg")} ${k}×${k}${stride > 1 ? ` /${stride}` : ""}${dilation > 1 ? ` d${dilation}` : ""}`;

/** The photo, dark where the gradient is small; frames of the theoretical field and of 95 % of the squared gradient. */
export function paintPhoto(context, { state, field, colours, side, pixels }) {
  const [top, bottom] = shownPixels(state, field.vertical);
  const [left] = shownPixels(state, field.horizontal);
  const scale = side / (bottom - top);
  const n = state.image_size;
  const at = (row, column) => [(column - left) * scale, (row - top) * scale];
  context.globalAlpha = 1;
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, side, side);
  context.imageSmoothingEnabled = false;
  context.drawImage(shaded(pixels, field, n), 0, 0, n, n, ...at(0, 0), n * scale, n * scale);
  context.strokeStyle = colours["soft-ink"];
  context.lineWidth = 1;
  context.strokeRect(...at(0, 0), n * scale, n * scale);
  outlineMost(context, field, at);
  const { size } = field.unit;
  const box = [...at(field.vertical[0].first, field.horizontal[0].first), size * scale, size * scale];
  for (const [style, thick] of [["#000000", 4.5], [THEORY, 2.5]]) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.strokeRect(...box);
  }
}

const THEORY = "#ff9148"; // on a photo under a shadow, in both themes
const MOST = "#ffffff";
let shade = null; // one canvas, used again and again

/** A canvas whose first n x n pixels are the photo's, as dark as there is little gradient. */
function shaded(pixels, { rows, columns }, n) {
  shade ??= element("canvas", { width: LIMITS.image_size[1], height: LIMITS.image_size[1] }).getContext("2d", { willReadFrequently: true });
  const roots = (counts) => { const most = Math.max(...counts) || 1; return counts.map((count) => Math.sqrt(count / most)); };
  const [down, across] = [roots(rows), roots(columns)];
  const image = new ImageData(n, n);
  const { data } = image;
  for (let row = 0, at = 0; row < n; row++) {
    for (let column = 0; column < n; column++, at += 4) {
      const light = 0.3 + 0.7 * down[row] * across[column];
      for (let colour = 0; colour < 3; colour++) data[at + colour] = light * pixels[at + colour];
      data[at + 3] = 255;
    }
  }
  shade.putImageData(image, 0, 0);
  return shade.canvas;
}

/** The border of the pixels that hold 95 % of the squared gradient. */
function outlineMost(context, { rows, columns, least }, at) {
  context.beginPath();
  // An edge stands where one of two neighbours is inside; edges in a line are drawn as one.
  const along = (lines, places, to) => {
    for (let line = 0; line <= lines.length; line++) {
      const [one, two] = [lines[line - 1] ?? 0, lines[line] ?? 0];
      if (one === 0 && two === 0) continue;
      for (let place = 0, from = -1; place <= places.length; place++) {
        const edge = place < places.length && (one * places[place] >= least) !== (two * places[place] >= least);
        if (edge && from < 0) from = place;
        if (edge || from < 0) continue;
        context.moveTo(...to(line, from));
        context.lineTo(...to(line, place));
        from = -1;
      }
    }
  };
  along(rows, columns, at);
  along(columns, rows, (column, row) => at(row, column));
  for (const [style, thick] of [["#000000", 3], [MOST, 1.4]]) {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.stroke();
  }
}
