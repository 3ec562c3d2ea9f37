// The drawing of LossSurfaceExplorer on plain canvases: the turned surface, the map with contour lines, the cut, the scale.
// The surface is filled pixel by pixel: 5,000 paths of four corners take a canvas three times as long.

const VIRIDIS = ["440154", "482475", "414487", "355f8d", "2a788e", "21918c", "22a884", "44bf70", "7ad151", "bddf26", "fde725"];
const SHADES = 256; // of the colour map
const CLIPPED = [163, 163, 163]; // grey and hatched: no colour of the map
const TOP = 1 + 1e-6; // heights are float32
const FINE = 2; // pixels of the canvas for one of the page, at least: that smooths the edges of the surface
const MAP = { left: 46, right: 10, top: 8, bottom: 38 }; // around the map, for its axes
const CUT = { left: 60, right: 128, top: 10, bottom: 40 };
const ROLES = ["input", "weight", "third", "ink", "soft-ink", "line", "paper", "panel"];

/** The colours of the roles and the font, as the theme has them now. */
export function coloursOf(node) {
  const style = getComputedStyle(node);
  return { font: style.fontFamily, ...Object.fromEntries(ROLES.map((role) => [role, style.getPropertyValue(`--${role}`).trim()])) };
}

/** Red, green and blue of a height between 0 and 1. */
export function colourOf(height) {
  const at = Math.min(Math.max(height, 0), 1) * (VIRIDIS.length - 1);
  const [one, two] = [Math.floor(at), Math.ceil(at)].map((n) => [0, 2, 4].map((k) => parseInt(VIRIDIS[n].slice(k, k + 2), 16)));
  return one.map((value, k) => value + (at - Math.floor(at)) * (two[k] - value));
}
const packed = ([red, green, blue], light = 1) => {
  const level = (value) => Math.min(255, Math.round(light * value));
  return ((255 << 24) | (level(blue) << 16) | (level(green) << 8) | level(red)) >>> 0;
};
const COLOURS = Array.from({ length: SHADES }, (_, n) => colourOf(n / (SHADES - 1)));
const GREY = packed(CLIPPED);
const PIXELS = Uint32Array.from(COLOURS, (colour) => packed(colour));

const fineScale = () => Math.max(FINE, globalThis.devicePixelRatio);

function text(context, words, x, y, { ink, font, size = 11, weight = 400, align = "left", baseline = "alphabetic", halo, most }) {
  context.font = `${weight} ${size}px ${font}`;
  context.textAlign = align;
  context.textBaseline = baseline;
  if (halo) {
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = halo;
    context.strokeText(words, x, y);
  }
  context.fillStyle = ink;
  context.fillText(words, x, y, most);
}

/** A surface ready to be turned: places of its grid lines as -1..1, heights, and for each cell its shaded colour (0: a hole). */
export function meshOf({ alphas, betas }, heights, square) {
  const [x, y] = [Float64Array.from(alphas, square.alpha), Float64Array.from(betas, square.beta)];
  const [rows, columns] = [alphas.length - 1, betas.length - 1];
  const colours = new Uint32Array(rows * columns);
  const lines = new Uint32Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = i * (columns + 1) + j;
      const corners = [heights[at], heights[at + columns + 1], heights[at + columns + 2], heights[at + 1]];
      const [a, b, c, d] = corners.map((height) => Math.min(height, 1));
      const middle = (a + b + c + d) / 4;
      if (Number.isNaN(middle)) continue;
      // The light comes from the left, from in front and from above.
      const along = (DEEP * (b + c - a - d)) / (2 * (x[i + 1] - x[i]));
      const up = (DEEP * (c + d - a - b)) / (2 * (y[j + 1] - y[j]));
      const light = 0.62 + 0.48 * Math.max(0, (0.45 * along + 0.35 * up + 0.82) / Math.sqrt(along * along + up * up + 1));
      const grey = corners.every((height) => height > TOP);
      const colour = grey ? CLIPPED : COLOURS[Math.round(middle * (SHADES - 1))];
      colours[i * columns + j] = packed(colour, grey ? 1 : light);
      lines[i * columns + j] = packed(colour, 0.72 * (grey ? 1 : light));
    }
  }
  return { x, y, heights, colours, lines };
}

/** Fill the pixels (width x height, rows from the top) with the surface: cells from the farthest to the nearest. */
export function fillSurface(pixels, width, height, { x, y, heights, colours, lines }, { across, down, middle, depth }, scale) {
  const [rows, columns] = [x.length, y.length];
  const [X, Y, floor] = [new Float64Array(rows * columns), new Float64Array(rows * columns), new Float64Array(rows * columns)];
  const rise = scale * down[2];
  for (let i = 0, at = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++, at++) {
      X[at] = scale * (middle[0] + across[0] * x[i] + across[1] * y[j]);
      floor[at] = scale * (middle[1] + down[0] * x[i] + down[1] * y[j]);
      Y[at] = floor[at] + rise * Math.min(heights[at], 1);
    }
  }
  const [everyRow, everyColumn] = [rows, columns].map((count) => Math.max(1, Math.round((count - 1) / 12.5)));
  for (let m = 0; m < rows - 1; m++) {
    const i = depth[0] > 0 ? rows - 2 - m : m;
    for (let n = 0; n < columns - 1; n++) {
      const j = depth[1] > 0 ? columns - 2 - n : n;
      const colour = colours[i * (columns - 1) + j];
      if (colour === 0) continue;
      const a = i * columns + j, b = a + columns, c = b + 1, d = a + 1;
      const over = (heights[a] > TOP) + (heights[b] > TOP) + (heights[c] > TOP) + (heights[d] > TOP);
      if (over > 0 && over < 4) {
        const corner = (k) => [X[k], floor[k], heights[k]];
        fillCrossing(pixels, width, height, rise, [corner(a), corner(b), corner(c)], colour);
        fillCrossing(pixels, width, height, rise, [corner(a), corner(c), corner(d)], colour);
        continue;
      }
      fillTriangle(pixels, width, height, X[a], Y[a], X[b], Y[b], X[c], Y[c], colour);
      fillTriangle(pixels, width, height, X[a], Y[a], X[c], Y[c], X[d], Y[d], colour);
      const line = lines[i * (columns - 1) + j];
      if (i % everyRow === 0) drawLine(pixels, width, height, X[a], Y[a], X[d], Y[d], line);
      if ((i + 1) % everyRow === 0) drawLine(pixels, width, height, X[b], Y[b], X[c], Y[c], line);
      if (j % everyColumn === 0) drawLine(pixels, width, height, X[a], Y[a], X[b], Y[b], line);
      if ((j + 1) % everyColumn === 0) drawLine(pixels, width, height, X[d], Y[d], X[c], Y[c], line);
    }
  }
}

/** Fill a triangle [x, y of the floor, height] that the ceiling cuts: what is below in its colour, what is above flat and grey. */
function fillCrossing(pixels, width, height, rise, corners, colour) {
  // A wall that looks away from the eye lies behind the ceiling's edge: the ceiling comes last.
  for (const [above, paint] of [[false, colour], [true, GREY]]) {
    const part = corners.flatMap((one, k) => {
      const two = corners[(k + 1) % 3];
      const inside = (one[2] > TOP) === above ? [one] : [];
      if (one[2] > TOP === two[2] > TOP) return inside;
      const share = (1 - one[2]) / (two[2] - one[2]);
      return [...inside, [one[0] + share * (two[0] - one[0]), one[1] + share * (two[1] - one[1]), 1]];
    }).map(([x, y, z]) => [x, y + rise * Math.min(z, 1)]);
    for (let k = 2; k < part.length; k++) fillTriangle(pixels, width, height, ...part[0], ...part[k - 1], ...part[k], paint);
  }
}

/** Fill the pixels whose middle lies in a triangle, row by row. */
function fillTriangle(pixels, width, height, x0, y0, x1, y1, x2, y2, colour) {
  let swap;
  if (y1 < y0) { swap = x0; x0 = x1; x1 = swap; swap = y0; y0 = y1; y1 = swap; }
  if (y2 < y0) { swap = x0; x0 = x2; x2 = swap; swap = y0; y0 = y2; y2 = swap; }
  if (y2 < y1) { swap = x1; x1 = x2; x2 = swap; swap = y1; y1 = y2; y2 = swap; }
  const last = Math.min(height, Math.ceil(y2 - 0.5));
  const long = (x2 - x0) / (y2 - y0), upper = (x1 - x0) / (y1 - y0), lower = (x2 - x1) / (y2 - y1);
  for (let row = Math.max(0, Math.ceil(y0 - 0.5)); row < last; row++) {
    const at = row + 0.5;
    const one = x0 + (at - y0) * long;
    const two = at < y1 ? x0 + (at - y0) * upper : x1 + (at - y1) * lower;
    const from = Math.max(0, Math.ceil((one < two ? one : two) - 0.5));
    const end = row * width + Math.min(width, Math.ceil((one < two ? two : one) - 0.5));
    for (let pixel = row * width + from; pixel < end; pixel++) pixels[pixel] = colour;
  }
}

function drawLine(pixels, width, height, x0, y0, x1, y1, colour) {
  const steps = Math.ceil(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)));
  const [right, down] = [(x1 - x0) / (steps || 1), (y1 - y0) / (steps || 1)];
  for (let n = 0, x = x0, y = y0; n <= steps; n++, x += right, y += down) {
    if (x >= 0 && x < width && y >= 0 && y < height) pixels[(y | 0) * width + (x | 0)] = colour;
  }
}

/** The surface under the camera, with the floor of its box behind it. */
export function paintSurface(canvas, { mesh, camera, box, scale, colours, width, height }) {
  const fine = fineScale();
  const context = emptied(canvas, width, height, fine);
  if (mesh) {
    if (canvas.image?.width !== canvas.width || canvas.image?.height !== canvas.height) {
      canvas.image = new ImageData(canvas.width, canvas.height);
      canvas.pixels = new Uint32Array(canvas.image.data.buffer);
    }
    canvas.pixels.fill(0);
    fillSurface(canvas.pixels, canvas.width, canvas.height, mesh, camera, fine);
    context.putImageData(canvas.image, 0, 0);
  }
  if (!mesh) return;
  context.globalCompositeOperation = "destination-over";
  paintBox(context, camera, box, scale, colours);
  context.globalCompositeOperation = "source-over";
}

/** The floor, names and ends of its axes, and the scale of the losses at the corner on the left. */
function paintBox(context, camera, box, scale, colours) {
  const at = (x, y, z = 0) => projected(camera, x, y, z);
  const ink = { ink: colours["soft-ink"], font: colours.font, align: "center", baseline: "middle" };
  const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  for (const corner of corners) context.lineTo(...at(...corner));
  context.closePath();
  // Names and ends stand off the edges that are near.
  const nearX = camera.depth[0] > 0 ? -1 : 1;
  const nearY = camera.depth[1] > 0 ? -1 : 1;
  const [middleX, middleY] = at(0, 0);
  for (const [name, [low, high], place] of [["alpha", box.alpha, (s) => [s, nearY]], ["beta", box.beta, (s) => [nearX, s]]]) {
    const [x, y] = at(...place(0));
    const far = Math.hypot(x - middleX, y - middleY) || 1;
    const [right, down] = [(x - middleX) / far, (y - middleY) / far];
    for (const [words, share] of [[number(low), -0.86], [name, 0], [number(high), 0.86]]) {
      const [left, top] = at(...place(share));
      const away = 12 + (words === name ? 14 * Math.abs(right) : 4 * Math.abs(right));
      text(context, words, left + away * right, top + away * down, ink);
    }
  }
  if (camera.elevation < 75) {
    const left = corners.reduce((best, corner) => (at(...corner)[0] < at(...best)[0] ? corner : best));
    context.moveTo(...at(...left, 0));
    context.lineTo(...at(...left, 1));
    const room = at(...left, 0)[1] - at(...left, 1)[1];
    for (const tick of ticksOf(scale, Math.max(2, Math.min(6, Math.floor(room / 20))))) {
      const [x, y] = at(...left, scale.place(tick));
      context.moveTo(x - 4, y);
      context.lineTo(x, y);
      text(context, tickText(tick), x - 7, y, { ...ink, align: "right" });
    }
    const [x, y] = at(...left, 1);
    text(context, "loss", x - 4, y - 12, { ...ink, align: "right" });
  }
  context.stroke();
}

/** Cut, path and marker on the surface; what stands behind it is faint. */
export function paintOnSurface(canvas, { surface, heights, camera, square, scale, cut, path, reading, marker, colours, width, height }) {
  const context = emptied(canvas, width, height, fineScale());
  if (!surface) return text(context, "not computed", width / 2, height / 2, { ink: colours["soft-ink"], font: colours.font, size: 13, align: "center" });
  const above = (alpha, beta) => Math.min(1, bilinear(surface, heights, alpha, beta));
  const place = (alpha, beta, z) => {
    const point = [square.alpha(alpha), square.beta(beta), z];
    return { at: projected(camera, ...point), seen: !hidden(surface, heights, square, camera, point), drawn: !Number.isNaN(z) };
  };
  polyline(context, cut.map(({ alpha, beta }) => place(alpha, beta, above(alpha, beta))), [["#ffffff", 4], ["#000000", 2]], [6, 3]);
  if (path) {
    const points = path.alphas.map((alpha, n) => place(alpha, path.betas[n], Math.min(1, scale.place(path.loss[n] ?? Infinity))));
    polyline(context, points, [["#ffffff", 4], [PATH, 2]]);
    paintDots(context, points);
    paintEnds(context, points.map(({ at }) => at), path, colours, width, height);
  }
  const z = above(marker.alpha, marker.beta);
  if (Number.isNaN(z) || !reading.known) return;
  const { at: [x, y], seen } = place(marker.alpha, marker.beta, z);
  const top = y - 26;
  context.globalAlpha = 1;
  for (const [ink, wide] of [["#ffffff", 4.5], ["#000000", 2]]) {
    context.strokeStyle = ink;
    context.lineWidth = wide;
    context.setLineDash(seen || ink === "#ffffff" ? [] : [3, 2]);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x, top);
    context.stroke();
  }
  context.setLineDash([]);
  paintMarker(context, x, top);
}
const PATH = "#d55e00"; // on the map in both themes; the map has no red

/** Join points with casing and line; parts that are not seen are faint, and there is nothing where nothing is computed. */
function polyline(context, points, strokes, dash = []) {
  for (const [ink, wide] of strokes) {
    for (const seen of [false, true]) {
      context.beginPath();
      for (let n = 1; n < points.length; n++) {
        const [one, two] = [points[n - 1], points[n]];
        if (!one.drawn || !two.drawn || (one.seen && two.seen) !== seen) continue;
        // A new beginning would start the dashes anew.
        if (n < 2 || !(points[n - 2].drawn && (points[n - 2].seen && one.seen) === seen)) context.moveTo(...one.at);
        context.lineTo(...two.at);
      }
      context.globalAlpha = seen ? 1 : 0.35;
      context.strokeStyle = ink;
      context.lineWidth = wide;
      context.lineJoin = "round";
      context.setLineDash(ink === "#ffffff" ? [] : dash);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
}

function paintDots(context, points) {
  for (const { at, seen, drawn } of points) {
    if (!drawn) continue;
    context.globalAlpha = seen ? 1 : 0.3;
    context.beginPath();
    context.arc(...at, 3, 0, 2 * Math.PI);
    context.fillStyle = PATH;
    context.fill();
    context.lineWidth = 1;
    context.strokeStyle = "#ffffff";
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** The epochs of the first and the last point, beside them. */
function paintEnds(context, points, { epochs }, colours, width, height) {
  const last = points.length - 1;
  for (const [n, other] of [[0, last], [last, 0]]) {
    const [x, y] = points[n];
    if (!(x > 0 && x < width && y > 0 && y < height)) continue;
    const left = x > width - 70 || (x > 120 && x < points[other][0]); // away from the other end's name
    text(context, `epoch ${number(epochs[n])}`, x + (left ? -8 : 8), Math.max(12, y - 8), {
      ink: colours.ink, font: colours.font, weight: 600, halo: colours.paper, align: left ? "right" : "left",
    });
  }
}

function paintMarker(context, x, y) {
  for (const [ink, wide] of [["#000000", 5], ["#ffffff", 2.5]]) {
    context.strokeStyle = ink;
    context.lineWidth = wide;
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** Where alpha and beta stand on the map, and back. */
export function mapPlan(box, width, height) {
  const [wide, tall] = [width - MAP.left - MAP.right, height - MAP.top - MAP.bottom];
  const [[a, b], [c, d]] = [box.alpha, box.beta];
  return {
    wide, tall,
    x: (alpha) => MAP.left + ((alpha - a) / (b - a)) * wide,
    y: (beta) => MAP.top + ((d - beta) / (d - c)) * tall,
    alpha: (x) => a + ((x - MAP.left) / wide) * (b - a),
    beta: (y) => d - ((y - MAP.top) / tall) * (d - c),
  };
}

/** The map: colours between the points, contour lines at the ticks of the scale, axes. */
export function paintMap(canvas, { surface, heights, box, scale, colours, width, height }) {
  const context = emptied(canvas, width, height);
  const plan = mapPlan(box, width, height);
  context.fillStyle = colours.panel;
  context.fillRect(MAP.left, MAP.top, plan.wide, plan.tall);
  if (surface) {
    paintHeat(context, surface, heights, plan);
    context.save();
    context.beginPath();
    context.rect(MAP.left, MAP.top, plan.wide, plan.tall);
    context.clip();
    for (const level of levelsOf(scale)) {
      const place = scale.place(level);
      const line = contourLine(surface, heights, place);
      context.beginPath();
      for (let n = 0; n < line.length; n += 4) {
        context.moveTo(plan.x(line[n]), plan.y(line[n + 1]));
        context.lineTo(plan.x(line[n + 2]), plan.y(line[n + 3]));
      }
      context.lineWidth = 1;
      context.strokeStyle = place < 0.6 ? "rgba(255,255,255,0.65)" : "rgba(0,0,0,0.55)";
      context.stroke();
    }
    context.restore();
  }
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.strokeRect(MAP.left, MAP.top, plan.wide, plan.tall);
  const ink = { ink: colours["soft-ink"], font: colours.font };
  const bottom = MAP.top + plan.tall;
  context.beginPath();
  for (const tick of roundNumbers(...box.alpha, 5)) {
    context.moveTo(plan.x(tick), bottom);
    context.lineTo(plan.x(tick), bottom + 4);
    text(context, number(tick), plan.x(tick), bottom + 15, { ...ink, align: "center" });
  }
  for (const tick of roundNumbers(...box.beta, 5)) {
    context.moveTo(MAP.left - 4, plan.y(tick));
    context.lineTo(MAP.left, plan.y(tick));
    text(context, number(tick), MAP.left - 7, plan.y(tick), { ...ink, align: "right", baseline: "middle" });
  }
  context.stroke();
  text(context, "alpha", MAP.left + plan.wide / 2, bottom + 30, { ...ink, align: "center" });
  context.save();
  context.translate(11, MAP.top + plan.tall / 2);
  context.rotate(-Math.PI / 2);
  text(context, "beta", 0, 0, { ...ink, align: "center" });
  context.restore();
}

/** Lines of the map and ticks of the scale stand at the same losses. */
export const levelsOf = (scale) => ticksOf(scale, 12);

/** The colours between the points of the grid; what is clipped is grey and hatched, what is not computed stays empty. */
function paintHeat(context, { alphas, betas }, heights, plan) {
  const scale = context.getTransform().a;
  const [wide, tall] = [Math.round(plan.wide * scale), Math.round(plan.tall * scale)];
  const image = new ImageData(wide, tall);
  const pixels = new Uint32Array(image.data.buffer);
  const columns = betas.length;
  const places = (count, axis, value) => Array.from({ length: count }, (_, n) => {
    const cell = cellOf(axis, value(n));
    return { cell, share: cell < 0 ? 0 : (value(n) - axis[cell]) / (axis[cell + 1] - axis[cell]) };
  });
  const along = places(wide, alphas, (n) => plan.alpha(MAP.left + (n + 0.5) / scale));
  const up = places(tall, betas, (n) => plan.beta(MAP.top + (n + 0.5) / scale));
  const dark = packed(CLIPPED, 0.8);
  const hatch = Math.round(7 * scale);
  for (let row = 0; row < tall; row++) {
    const { cell: j, share: v } = up[row];
    if (j < 0) continue;
    for (let column = 0; column < wide; column++) {
      const { cell: i, share: u } = along[column];
      if (i < 0) continue;
      const at = i * columns + j;
      const one = heights[at] + v * (heights[at + 1] - heights[at]);
      const two = heights[at + columns] + v * (heights[at + columns + 1] - heights[at + columns]);
      const height = one + u * (two - one);
      if (Number.isNaN(height)) continue;
      const grey = (row + column) % hatch < scale ? dark : GREY;
      pixels[row * wide + column] = height > TOP ? grey : PIXELS[(height * (SHADES - 1) + 0.5) | 0];
    }
  }
  context.putImageData(image, Math.round(MAP.left * scale), Math.round(MAP.top * scale));
}

/** Cut, path and marker on the map. */
export function paintOnMap(canvas, { surface, box, cut, path, marker, colours, width, height }) {
  const context = emptied(canvas, width, height);
  const plan = mapPlan(box, width, height);
  if (!surface) return text(context, "not computed", MAP.left + plan.wide / 2, MAP.top + plan.tall / 2, { ink: colours["soft-ink"], font: colours.font, size: 13, align: "center" });
  context.save();
  context.beginPath();
  context.rect(MAP.left, MAP.top, plan.wide, plan.tall);
  context.clip();
  const place = (alpha, beta) => ({ at: [plan.x(alpha), plan.y(beta)], seen: true, drawn: true });
  const [first, last] = [cut[0], cut.at(-1)].map(({ alpha, beta }) => place(alpha, beta));
  polyline(context, [first, last], [["#ffffff", 4], ["#000000", 2]], [6, 3]);
  paintArrow(context, first.at, last.at);
  const points = path?.alphas.map((alpha, n) => place(alpha, path.betas[n]));
  if (path) {
    polyline(context, points, [["#ffffff", 4], [PATH, 2]]);
    paintDots(context, points);
  }
  context.restore();
  if (path) paintEnds(context, points.map(({ at }) => at), path, colours, width, height);
  paintMarker(context, plan.x(marker.alpha), plan.y(marker.beta));
}

/** The head of an arrow at the end of a line: there the cut's distance is largest. */
function paintArrow(context, [x0, y0], [x1, y1]) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 12) return;
  const [right, down] = [(x1 - x0) / length, (y1 - y0) / length];
  context.beginPath();
  context.moveTo(x1, y1);
  for (const side of [1, -1]) context.lineTo(x1 - 12 * right - 6 * side * down, y1 - 12 * down + 6 * side * right);
  context.closePath();
  context.lineWidth = 3;
  context.strokeStyle = "#ffffff";
  context.stroke();
  context.fillStyle = "#000000";
  context.fill();
}

/** The loss along the cut: lines { name, values, look: { ink, dash } } over the distances `ts`. */
export function paintCut(canvas, { ts, lines, scale, colours, width, height }) {
  const context = emptied(canvas, width, height);
  if (lines.every(({ values }) => values.every(Number.isNaN))) return;
  const [from, to] = [ts[0], ts.at(-1)];
  const [wide, tall] = [width - CUT.left - CUT.right, height - CUT.top - CUT.bottom];
  const x = (t) => CUT.left + ((t - from) / (to - from || 1)) * wide;
  const y = (place) => CUT.top + (1 - place) * tall;
  const ink = { ink: colours["soft-ink"], font: colours.font };
  context.lineWidth = 1;
  context.strokeStyle = colours.line;
  context.setLineDash([]);
  context.beginPath();
  for (const tick of ticksOf(scale, 5)) {
    context.moveTo(CUT.left, Math.round(y(scale.place(tick))) + 0.5);
    context.lineTo(CUT.left + wide, Math.round(y(scale.place(tick))) + 0.5);
    text(context, tickText(tick), CUT.left - 6, y(scale.place(tick)), { ...ink, align: "right", baseline: "middle" });
  }
  const bottom = CUT.top + tall;
  context.moveTo(CUT.left, bottom + 0.5);
  context.lineTo(CUT.left + wide, bottom + 0.5);
  for (const tick of to > from ? roundNumbers(from, to, 8) : [0]) {
    context.moveTo(x(tick), bottom);
    context.lineTo(x(tick), bottom + 4);
    text(context, number(tick), x(tick), bottom + 16, { ...ink, align: "center" });
  }
  context.stroke();
  text(context, "distance from the marker along the cut, towards the arrow", CUT.left + wide / 2, bottom + 32, { ...ink, align: "center", most: wide });
  context.save();
  context.translate(11, CUT.top + tall / 2);
  context.rotate(-Math.PI / 2);
  text(context, "loss", 0, 0, { ...ink, align: "center" });
  context.restore();
  context.strokeStyle = colours["soft-ink"];
  context.setLineDash([2, 3]);
  context.beginPath();
  context.moveTo(x(0), CUT.top);
  context.lineTo(x(0), bottom);
  context.stroke();
  const ends = [];
  for (const { name, values, look } of lines) {
    context.beginPath();
    let [on, end] = [false, null];
    values.forEach((value, n) => {
      const drawn = !Number.isNaN(value);
      if (drawn) {
        context[on ? "lineTo" : "moveTo"](x(ts[n]), y(value));
        end = y(value);
      }
      on = drawn;
    });
    context.strokeStyle = colours[look.ink];
    context.lineWidth = 2.2;
    context.lineJoin = "round";
    context.setLineDash(look.dash);
    context.stroke();
    if (end !== null) ends.push({ name, look, end });
  }
  context.setLineDash([]);
  // Names apart where the lines meet.
  ends.sort((a, b) => a.end - b.end);
  if (ends.length === 2 && ends[1].end - ends[0].end < 14) {
    const middle = Math.min(Math.max((ends[0].end + ends[1].end) / 2, CUT.top + 8), bottom - 8);
    [ends[0].end, ends[1].end] = [middle - 7, middle + 7];
  }
  for (const { name, look, end } of ends) {
    text(context, name, CUT.left + wide + 8, end, {
      ink: colours[look.ink], font: colours.font, size: 12, weight: 600, baseline: "middle", most: CUT.right - 12,
    });
  }
}

/** The scale: colours, the losses at which the map has lines, and what is clipped. */
export function paintScale(canvas, { scale, clips, known, colours, width, height }) {
  const context = emptied(canvas, width, height);
  if (!known) return;
  const [left, right] = [38, clips ? 176 : 14];
  const wide = width - left - right;
  const ink = { ink: colours["soft-ink"], font: colours.font };
  text(context, "loss", 4, 10, { ...ink, baseline: "middle" });
  const gradient = context.createLinearGradient(left, 0, left + wide, 0);
  VIRIDIS.forEach((colour, n) => gradient.addColorStop(n / (VIRIDIS.length - 1), `#${colour}`));
  context.fillStyle = gradient;
  context.fillRect(left, 3, wide, 14);
  context.strokeStyle = colours["soft-ink"];
  context.lineWidth = 1;
  context.beginPath();
  let free = 0;
  for (const level of levelsOf(scale)) {
    const x = left + scale.place(level) * wide;
    context.moveTo(x, 17);
    context.lineTo(x, 21);
    const half = context.measureText(tickText(level)).width / 2 + 3;
    if (x - half < free) continue; // its neighbour's name stands there
    text(context, tickText(level), x, 32, { ...ink, align: "center" });
    free = x + half;
  }
  context.stroke();
  if (!clips) return;
  const box = left + wide + 22;
  context.fillStyle = `rgb(${CLIPPED.join(",")})`;
  context.fillRect(box, 3, 30, 14);
  context.save();
  context.beginPath();
  context.rect(box, 3, 30, 14);
  context.clip();
  context.beginPath();
  for (let x = box - 14; x < box + 30; x += 7) { context.moveTo(x, 17); context.lineTo(x + 14, 3); }
  context.strokeStyle = "rgb(120,120,120)";
  context.stroke();
  context.restore();
  const words = scale.ceiling === null ? "clipped: infinite" : `clipped: above ${number(scale.ceiling)}`;
  text(context, words, box + 36, 10, { ...ink, baseline: "middle", most: right - 62 });
}
