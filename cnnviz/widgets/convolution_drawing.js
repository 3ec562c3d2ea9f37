// The drawing of ConvolutionExplorer: a `view` { state, computed, plan, cursor, revealing } in, a list of shapes out,
// which convolution_painter.js puts on a canvas. A shape is { box: [x, y, width, height], look } or { text, x, y, look }.
// computed is forward(state), plan is layout(state, width); nothing here keeps anything.

const COLOURS = ["red", "green", "blue"];

const EDGE = 4; // pixels around a panel, for the ring that shows where the keyboard is

/** Where everything is drawn, in pixels: cell size, and per panel its grids { panel, channel, x, y, n }. */
export function layout(state, width) {
  const { canvas, output } = sizes(state);
  const [left, right] = isTransposed(state) ? [state.input_size, canvas] : [canvas, output];
  const inputs = state.input.length;
  const outputs = isPooling(state) ? inputs : state.out_channels;
  const rows = Math.max(inputs, outputs);
  const rowHeight = rows === 1 ? 310 : 215;
  const columns = { left: EDGE, kernel: 0.44 * width, right: 0.64 * width };
  const room = { left: 0.41 * width - EDGE, kernel: 0.17 * width, right: 0.355 * width - EDGE };
  const kernel = isPooling(state) ? 1 : state.kernel_size;
  const cell = Math.min(42, room.left / left, room.kernel / kernel, room.right / right, (rowHeight - 30) / Math.max(left, right, kernel));
  const grids = (panel, count, n) => range(count).map((channel) => ({
    panel, channel, n, x: columns[panel], y: 40 + channel * rowHeight,
  }));
  return {
    cell, columns, width, height: 28 + rows * rowHeight,
    left: grids("left", inputs, left),
    kernel: isPooling(state) ? [] : grids("kernel", inputs, state.kernel_size),
    right: grids("right", outputs, right),
  };
}

/** A value as it is written in a cell: three figures are enough there. */
export function cellText(value) {
  const size = Math.abs(value);
  return short(value, Number.isInteger(value) || size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

/** The part of the stage that belongs to a panel, as CSS. */
export function panelStyle({ columns: { left, kernel, right }, width }, name) {
  const [from, to] = { left: [left, kernel], kernel: [kernel, right], right: [right, width + EDGE] }[name];
  return `left: ${from - EDGE}px; width: ${to - from}px`;
}

const title = (x, text) => ({ text, x, y: 14, look: "title" });
const label = (grid, text) => ({ text, x: grid.x, y: grid.y - 5, look: "label" });

export function drawInput(view) {
  const { state, plan } = view;
  const n = state.input_size;
  return [title(plan.columns.left, `input ${state.input.length} x ${n} x ${n}`), ...plan.left.flatMap((grid) => inputGrid(view, grid))];
}

export function drawKernel({ state, plan }) {
  if (isPooling(state)) return [title(plan.columns.kernel, `${state.global_pooling ? "global " : ""}${state.mode.split(" ")[0]}`)];
  const slices = state.weight[state.filter];
  const caption = (channel) => (slices.length > 1 ? `weights for ${COLOURS[channel]}` : "");
  return [title(plan.columns.kernel, `filter ${state.filter} of ${state.out_channels}`), ...plan.kernel.flatMap((grid) =>
    [label(grid, caption(grid.channel)), ...signedGrid(grid, plan.cell, slices[grid.channel], "weight", "input", () => 1)])];
}

export function drawOutput(view) {
  const { computed, state, plan } = view;
  const { output } = sizes(state);
  return [title(plan.columns.right, `output ${computed.output.length} x ${output} x ${output}`),
    ...plan.right.flatMap((grid) => outputGrid(view, grid))];
}

function inputGrid({ state, computed, plan: { cell } }, grid) {
  const offset = isTransposed(state) ? 0 : sizes(state).before;
  const values = computed.canvas[grid.channel];
  const n = state.input_size;
  const inside = (i) => i >= offset && i < offset + n;
  const top = Math.max(...state.input.flat(2).map(Math.abs), 1);
  const scale = state.source.endsWith("photo") ? 255 : 16;
  const shade = (value) => {
    const level = Math.round(255 * Math.min(Math.max(value / scale, 0), 1));
    if (state.source === "colour photo") return `rgb(${COLOURS.map((_, c) => (c === grid.channel ? level : 0)).join(",")})`;
    return `rgb(${level},${level},${level})`;
  };
  const picture = !["numbers", "own"].includes(state.source);
  const caption = state.input.length > 1 ? [`channel ${grid.channel}, ${COLOURS[grid.channel]}`] : [];
  if (grid.n > n && grid.channel === 0) caption.push(`padded to ${grid.n} x ${grid.n}`);
  return [label(grid, caption.join(", ")),
    ...cells(grid, cell, values, (value, row, column) => {
      if (!inside(row) || !inside(column)) return { look: "pad", ink: "soft-ink" };
      // What max pooling throws away is faint: nothing that comes out depends on it.
      if (state.mode === "max pooling" && computed.unused[grid.channel][row - offset][column - offset]) {
        return picture ? { fill: shade(value), alpha: 0.2, ink: "soft-ink" } : { ink: "soft-ink", opacity: 0.75 };
      }
      if (!picture) return { fill: "input", alpha: 0.06 + 0.4 * Math.abs(value) / top, ink: "ink" };
      const light = state.source === "colour photo" ? grid.channel === 1 && value > 150 : value / scale > 0.55;
      return { fill: shade(value), ink: light ? "#000" : "#fff" };
    })];
}

function signedGrid(grid, cell, values, positive, negative, opacity) {
  const top = Math.max(...values.flat().filter(Number.isFinite).map(Math.abs), 1e-9);
  return cells(grid, cell, values, (value, row, column) => ({
    fill: value < 0 ? negative : positive, alpha: (0.04 + 0.46 * Math.min(Math.abs(value) / top, 1)) * opacity(row, column),
    ink: "ink", opacity: opacity(row, column),
  }));
}

function outputGrid({ state, computed, revealing, plan: { cell } }, grid) {
  const { before, output, steps } = sizes(state);
  const turned = isTransposed(state);
  const values = turned ? computed.full[grid.channel] : computed.output[grid.channel];
  const [now, column] = position(state);
  // A cell is finished once no later step can change it.
  const finished = (r, c) => {
    if (!turned) return r * steps + c <= state.step;
    const [rows, columns] = [stepsOver(state, r), stepsOver(state, c)];
    return rows.length === 0 || columns.length === 0 || rows.at(-1) * steps + columns.at(-1) <= now * steps + column;
  };
  const kept = (i) => !turned || (i >= before && i < before + output);
  const caption = computed.output.length > 1 ? [`channel ${grid.channel}`] : [];
  if (turned && grid.n > output && grid.channel === 0) caption.push(`cropped from ${grid.n} x ${grid.n}`);
  return [label(grid, caption.join(", ")), ...signedGrid(grid, cell, values, "output", "accent", (r, c) =>
    (!kept(r) || !kept(c) ? 0.25 : revealing && !finished(r, c) ? 0.22 : 1))];
}

/** Rectangles and numbers of one grid; the numbers are left out where they would be too small to read. */
function cells(grid, cell, values, seen) {
  const texts = values.map((line) => line.map(cellText));
  const longest = Math.max(...texts.flat().map((text) => text.length));
  const size = Math.min(14, cell * 0.46, (0.86 * cell) / (0.65 * longest));
  return values.flatMap((line, row) => line.flatMap((value, column) => {
    const { look = "cell", fill, alpha, ink, opacity = 1 } = seen(value, row, column);
    const [x, y] = [grid.x + column * cell, grid.y + row * cell];
    const number = { text: texts[row][column], x: x + cell / 2, y: y + cell / 2, look: "number", size, ink, alpha: opacity };
    return [{ box: [x, y, cell, cell], look, fill, alpha }, ...(size >= 6.5 ? [number] : [])];
  }));
}

/** Signs between the panels, hatching over what no window reaches, frames of the present step and of the cursor's cell. */
export function drawMarks(view) {
  return [...signs(view), ...leftoverHatch(view), ...stepMarks(view), ...cursorMarks(view)];
}

/** input * kernel = output, once a row; a sign is no wider than the gap that it stands in. */
function signs({ state, plan: { left, kernel, right, cell, columns } }) {
  const sign = (grid, text, from, to) => ({ text, x: (from + to) / 2, y: grid.y + 1.5 * cell, look: "sign", size: Math.min(26, 0.9 * (to - from)) });
  if (isPooling(state)) return right.map((grid) => sign(grid, "→", columns.kernel, columns.kernel + 80));
  const end = (grid) => grid.x + grid.n * cell;
  return [...left.filter((grid) => kernel[grid.channel]).map((grid) => sign(grid, "∗", end(grid), columns.kernel)),
    sign(right[0], "=", end(kernel[0]), columns.right)];
}

const box = (grid, cell, row, column, look, rows = 1, columns = 1) =>
  ({ box: [grid.x + column * cell, grid.y + row * cell, columns * cell, rows * cell], look });

function leftoverHatch({ state, plan: { left, cell } }) {
  const { canvas, leftover } = sizes(state);
  if (leftover === 0) return [];
  return left.flatMap((grid) => [box(grid, cell, canvas - leftover, 0, "leftover", leftover, canvas),
    box(grid, cell, 0, canvas - leftover, "leftover", canvas - leftover, leftover)]);
}

function stepMarks({ state, plan: { left, right, cell } }) {
  const [row, column] = position(state);
  const turned = isTransposed(state);
  const over = isPooling(state) ? (grids) => [grids[state.filter]] : (grids) => grids;
  const one = isPooling(state) || !turned ? [right[state.filter]] : left;
  const window = turned ? right : over(left);
  return [...window.flatMap((grid) => [...windowBoxes(state, grid, cell, row, column, "window"), ...timesWeights(state, grid, cell, row, column)]),
    ...one.map((grid) => box(grid, cell, row, column, "now"))];
}

/** In the corner of each cell of the window, where there is room, the weight that it is multiplied by. */
function timesWeights(state, grid, cell, row, column) {
  if (cell < 30 || isPooling(state) || isTransposed(state)) return [];
  const weights = state.weight[state.filter][grid.channel];
  return windowAt(state, row).flatMap((r, a) => windowAt(state, column).map((c, b) =>
    ({ text: `·${cellText(weights[a][b])}`, x: grid.x + (c + 1) * cell - 3, y: grid.y + (r + 1) * cell - 3, look: "times" })));
}

/** The window at a step: one frame where it is solid, a frame for each cell where dilation leaves holes. */
function windowBoxes(state, grid, cell, row, column, look) {
  const [rows, columns] = [windowAt(state, row), windowAt(state, column)];
  if (state.dilation === 1) return [box(grid, cell, rows[0], columns[0], look, rows.length, columns.length)];
  return rows.flatMap((r) => columns.map((c) => box(grid, cell, r, c, look)));
}

function cursorMarks({ state, plan, cursor }) {
  const grid = cursor && plan[cursor.panel][cursor.channel];
  if (!grid || cursor.row >= grid.n || cursor.column >= grid.n) return [];
  const { row, column } = cursor;
  const own = box(grid, plan.cell, row, column, "cursor");
  const [stepSide, windowSide] = isTransposed(state) ? ["left", "right"] : ["right", "left"];
  const across = (grids) => (isPooling(state) ? [grids[cursor.channel]] : grids);
  if (cursor.panel === stepSide) return [own, ...across(plan[windowSide]).flatMap((other) => windowBoxes(state, other, plan.cell, row, column, "linked"))];
  if (cursor.panel === windowSide) return [own, ...across(plan[stepSide]).flatMap((other) => pairs(stepsOver(state, row), stepsOver(state, column), other, plan.cell))];
  const touched = (a) => range(sizes(state).steps).map((i) => windowAt(state, i)[a]);
  return [own, ...pairs(touched(row), touched(column), plan[windowSide][isTransposed(state) ? state.filter : cursor.channel], plan.cell)];
}
const pairs = (rows, columns, grid, cell) => rows.flatMap((r) => columns.map((c) => box(grid, cell, r, c, "linked")));

/** What the cell under the cursor holds, and what it feeds or is fed by. */
export function pointedText({ state, computed, plan, cursor }) {
  const grid = plan[cursor.panel][cursor.channel];
  if (!grid || cursor.row >= grid.n || cursor.column >= grid.n) return "";
  const { panel: name, channel, row, column } = cursor;
  const { before, steps } = sizes(state);
  const turned = isTransposed(state);
  if (name === "kernel") return `weight[${state.filter}, ${channel}, ${row}, ${column}] = ${short(state.weight[state.filter][channel][row][column])} is used ${steps ** 2} times, once at every step.`;
  const fed = stepsOver(state, row).length * stepsOver(state, column).length;
  if (name === "left" && turned) return `input[${channel}, ${row}, ${column}] = ${short(computed.canvas[channel][row][column])} feeds ${state.kernel_size ** 2} cells of each output channel.`;
  if (name === "left") {
    const [r, c] = [row - before, column - before];
    const inside = r >= 0 && c >= 0 && r < state.input_size && c < state.input_size;
    return `${inside ? `input[${channel}, ${r}, ${c}]` : "padding"} = ${short(computed.canvas[channel][row][column])} feeds ${fed} ${fed === 1 ? "output" : "outputs"} of each channel.`;
  }
  const values = turned ? computed.full : computed.output;
  const [r, c] = turned ? [row - before, column - before] : [row, column];
  const from = turned ? `${fed} input ${fed === 1 ? "cell" : "cells"}` : `a window of ${state.kernel_size ** 2} cells`;
  const kept = r >= 0 && c >= 0 && r < sizes(state).output && c < sizes(state).output;
  return `${kept ? `output[${channel}, ${r}, ${c}]` : "cropped away"} = ${short(values[channel][row][column])}, from ${from}${isPooling(state) ? "" : " of each input channel"}.`;
}

