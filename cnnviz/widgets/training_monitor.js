// Loss and error of a run while it trains. Python sends records and progress; the curves are drawn here.

const WIDTH = 500, HEIGHT = 250;
const BOX = { left: 54, right: 70, top: 24, bottom: 36 };
const MARKS = 40; // points of a curve, at most, that get a mark each

/** The scale of one panel. It begins wide enough to stay: error from 0 to 1, loss to the next round number, at most
    three times the loss of guessing, so that a run that explodes does not flatten all that came before. */
export function axis(values, quantity, classes, logarithmic) {
  const finite = values.filter((value) => Number.isFinite(value));
  const cap = quantity === "error" ? 1 : 3 * Math.log(classes);
  const largest = Math.min(Math.max(...finite, quantity === "error" ? 1 : Math.log(classes)), cap);
  if (!logarithmic) {
    const power = 10 ** Math.floor(Math.log10(largest));
    const high = quantity === "error" ? 1 : [1, 2, 2.5, 5, 10].map((n) => n * power).find((top) => top >= largest - 1e-9);
    return { low: 0, high, logarithmic, ticks: [0, 1, 2, 3, 4, 5].map((n) => (n * high) / 5) };
  }
  const least = Math.min(...finite.filter((value) => value > 0), quantity === "error" ? 0.01 : 0.1);
  const from = Math.max(Math.floor(Math.log10(least) + 1e-9), -6), to = Math.ceil(Math.log10(largest) - 1e-9);
  const ticks = Array.from({ length: to - from + 1 }, (_, n) => 10 ** (from + n));
  return { low: ticks[0], high: ticks.at(-1), logarithmic, ticks };
}

/** Where a value stands on an axis: 0 at its low end, 1 at its high end; null if it has no place (not finite, 0 on a
    logarithmic axis). Values beyond the high end stand at 1. */
export function place(value, { low, high, logarithmic }) {
  if (!Number.isFinite(value) || (logarithmic && value <= 0)) return null;
  const share = logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return Math.min(Math.max(share, 0), 1);
}

/** Whole epochs to write under the axis: at most ten steps. */
export function epochTicks(epochs) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((n) => epochs / n <= 10) ?? Math.ceil(epochs / 10);
  return Array.from({ length: Math.floor(epochs / step) + 1 }, (_, n) => n * step);
}

/** Seconds in words: 8 s, 2 min 5 s, 1 h 3 min. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** A figure of the table or an axis; percent for errors. */
export function figure(value, quantity) {
  if (value === null || value === undefined) return "not finite";
  return quantity === "error" ? `${(100 * value).toFixed(2)} %` : value.toFixed(4);
}

function tickText(value, quantity) {
  return quantity === "error" ? `${Number((100 * value).toPrecision(3))} %` : String(Number(value.toPrecision(3)));
}

function chart(quantity, records, epochs, classes, logarithmic) {
  const values = records.flatMap((record) => [record[`train_${quantity}`], record[`test_${quantity}`]]);
  const scale = axis(values, quantity, classes, logarithmic);
  const x = (epoch) => BOX.left + (epoch / epochs) * (WIDTH - BOX.left - BOX.right);
  const y = (share) => HEIGHT - BOX.bottom - share * (HEIGHT - BOX.top - BOX.bottom);
  const last = records.at(-1);
  const words = last ? `epoch ${last.epoch}: test ${figure(last[`test_${quantity}`], quantity)}, `
    + `train ${figure(last[`train_${quantity}`], quantity)}` : "no epoch yet";
  const svg = element("svg", { role: "img", "aria-label": `${quantity}, ${words}` });
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const write = (text, left, top, attributes = {}) =>
    svg.append(element("text", { x: left, y: top, class: "cnnviz-label", text, ...attributes }));
  write(quantity === "error" ? "error (images that are wrong)" : "loss (cross-entropy, nats)", BOX.left, 14, { class: "cnnviz-title" });
  for (const tick of scale.ticks) {
    const top = y(place(tick, scale) ?? 0);
    svg.append(element("line", { x1: BOX.left, x2: x(epochs), y1: top, y2: top, class: "cnnviz-rule" }));
    write(tickText(tick, quantity), BOX.left - 6, top + 4, { "text-anchor": "end" });
  }
  for (const tick of epochTicks(epochs)) write(tick, x(tick), HEIGHT - BOX.bottom + 16, { "text-anchor": "middle" });
  write("epoch", x(epochs), HEIGHT - 4, { "text-anchor": "end" });
  const guess = quantity === "error" ? 1 - 1 / classes : Math.log(classes);
  const chance = y(place(guess, scale));
  svg.append(element("line", { x1: BOX.left, x2: x(epochs), y1: chance, y2: chance, class: "cnnviz-chance" }));
  write("guessing", x(epochs) - 4, chance - 4, { "text-anchor": "end" });
  const ends = [];
  for (const part of ["train", "test"]) {
    const points = records.map((record) => ({ epoch: record.epoch, value: record[`${part}_${quantity}`] }))
      .map(({ epoch, value }) => ({ left: x(epoch), share: place(value, scale), value, epoch }));
    svg.append(curve(points, part, y, quantity, scale.high));
    const shown = points.filter(({ share }) => share !== null).at(-1);
    if (shown) ends.push({ part, left: shown.left, top: y(shown.share) });
  }
  if (ends.length === 2 && Math.abs(ends[0].top - ends[1].top) < 13) { // names apart where the curves meet
    const middle = (ends[0].top + ends[1].top) / 2, sign = ends[0].top < ends[1].top ? -1 : 1;
    Object.assign(ends[0], { top: middle + sign * 6.5 });
    Object.assign(ends[1], { top: middle - sign * 6.5 });
  }
  for (const { part, left, top } of ends) write(part, left + 8, top + 4, { class: `cnnviz-name cnnviz-${part}` });
  return svg;
}

function markAt(left, top, part) {
  return part === "test" ? `M${left - 3.5},${top}a3.5,3.5 0 1 0 7,0a3.5,3.5 0 1 0 -7,0z` : `M${left - 3.5},${top - 3.5}h7v7h-7z`;
}

/** One curve: a line with gaps where a value has no place; test filled circles, train open squares, a triangle at the
    top edge for a value beyond the axis. */
function curve(points, part, y, quantity, high) {
  const group = element("g", { class: `cnnviz-curve cnnviz-${part}` });
  let path = "", open = false;
  for (const { left, share } of points) {
    if (share !== null) path += `${open ? "L" : "M"}${left.toFixed(1)},${y(share).toFixed(1)}`;
    open = share !== null;
  }
  group.append(element("path", { d: path || "M0,0" }));
  if (points.length <= MARKS) {
    for (const { left, share, value, epoch } of points.filter((point) => point.share !== null)) {
      const top = y(share);
      const d = value > high ? `M${left - 5},${top + 5}h10l-5,-9z` : markAt(left, top, part);
      const mark = element("path", { d, class: "cnnviz-mark" });
      mark.append(element("title", { text: `epoch ${epoch}, ${part} ${figure(value, quantity)}` }));
      group.append(mark);
    }
  }
  return group;
}

const SIGNALS = [
  ["activation_std", "activations, deviation"], ["gradient_std", "gradients, deviation"],
  ["update_ratio", "update / weight (healthy: about 0.001)"],
];

/** Whole decades around the numbers that have a place on a logarithmic axis, at least two of them. */
export function decades(values) {
  const found = values.filter((value) => value > 0);
  if (!found.length) return { low: 0.1, high: 1, logarithmic: true, ticks: [0.1, 1] };
  let from = Math.floor(Math.log10(Math.min(...found))), to = Math.ceil(Math.log10(Math.max(...found)));
  if (to - from < 2) [from, to] = [from - 1, to + 1];
  const step = Math.ceil((to - from) / 6);
  const ticks = Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => 10 ** (from + n * step));
  return { low: 10 ** from, high: 10 ** to, logarithmic: true, ticks };
}

/** One signal of every layer, from the first on the left to the last: before training dashed, now solid. */
function layerChart(name, title, { layers, epochs, [name]: numbers }) {
  const scale = decades([...numbers.flat(), ...(name === "update_ratio" ? [1e-3] : [])]);
  const x = (layer) => BOX.left + 6 + (layer / Math.max(layers.length - 1, 1)) * (WIDTH - BOX.left - BOX.right - 6);
  const y = (share) => HEIGHT - BOX.bottom - share * (HEIGHT - BOX.top - BOX.bottom);
  const now = numbers[1].map((value, layer) => `${layers[layer]} ${value === null ? 0 : Number(value.toPrecision(2))}`);
  const svg = element("svg", { role: "img", "aria-label": `${title} after epoch ${epochs[1]}: ${now.join(", ")}` });
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  const write = (text, left, top, attributes = {}) =>
    svg.append(element("text", { x: left, y: top, class: "cnnviz-label", text, ...attributes }));
  write(title, BOX.left, 14, { class: "cnnviz-title" });
  for (const tick of scale.ticks) {
    const top = y(place(tick, scale));
    svg.append(element("line", { x1: BOX.left, x2: WIDTH - BOX.right, y1: top, y2: top, class: "cnnviz-rule" }));
    write(tick >= 0.001 && tick < 1e4 ? Number(tick.toPrecision(1)) : tick.toExponential(0), BOX.left - 6, top + 4, { "text-anchor": "end" });
  }
  if (name === "update_ratio") {
    const top = y(place(1e-3, scale));
    svg.append(element("line", { x1: BOX.left, x2: WIDTH - BOX.right, y1: top, y2: top, class: "cnnviz-chance" }));
  }
  write(layers[0], x(0), HEIGHT - BOX.bottom + 16);
  if (layers.length > 1) write(layers.at(-1), x(layers.length - 1), HEIGHT - BOX.bottom + 16, { "text-anchor": "end" });
  write(`${layers.length} layers, in the order in which they run`, (BOX.left + WIDTH - BOX.right) / 2, HEIGHT - 4, { "text-anchor": "middle" });
  for (const [index, part] of ["train", "test"].entries()) {
    if (index === 0 && epochs[0] === epochs[1]) continue;
    const points = numbers[index].map((value, layer) => ({ left: x(layer), share: place(value ?? NaN, scale), value, layer }));
    if (points.every(({ share }) => share === null)) continue; // no step was made before training
    svg.append(layerCurve(points, part, y, layers, epochs[index]));
    const last = points.findLast(({ share }) => share !== null);
    write(`epoch ${epochs[index]}`, WIDTH - BOX.right + 8, y(last.share) + 4 + (index ? 0 : 12), { class: `cnnviz-name cnnviz-${part}` });
  }
  return svg;
}

function layerCurve(points, part, y, layers, epoch) {
  const group = element("g", { class: `cnnviz-curve cnnviz-${part}` });
  let path = "", open = false;
  for (const { left, share } of points) {
    if (share !== null) path += `${open ? "L" : "M"}${left.toFixed(1)},${y(share).toFixed(1)}`;
    open = share !== null;
  }
  group.append(element("path", { d: path || "M0,0" }));
  if (points.length <= MARKS) {
    for (const { left, share, value, layer } of points.filter((point) => point.share !== null)) {
      const mark = element("path", { d: markAt(left, y(share), part), class: "cnnviz-mark" });
      mark.append(element("title", { text: `${layers[layer]}, epoch ${epoch}: ${Number(value.toPrecision(3))}` }));
      group.append(mark);
    }
  }
  return group;
}

/** How many filters of the worst layer rest. */
function silence({ layers, silent }) {
  const worst = silent[1].reduce((found, value, layer) => ((value ?? 0) > (silent[1][found] ?? 0) ? layer : found), 0);
  const share = silent[1][worst] ?? 0;
  return share ? `Filters that no gradient reaches: ${(100 * share).toFixed(0)} % in ${layers[worst]}.` : "A gradient reaches every filter.";
}

const COLUMNS = [
  ["epoch", ({ epoch }) => epoch],
  ["train loss", (record) => figure(record.train_loss, "loss")], ["test loss", (record) => figure(record.test_loss, "loss")],
  ["train error", (record) => figure(record.train_error, "error")], ["test error", (record) => figure(record.test_error, "error")],
  ["seconds", ({ seconds }) => seconds?.toFixed(1) ?? ""],
];

const STATES = {
  waiting: "waiting for a run", running: "training", stopping: "stopping after the current batch",
  stopped: "stopped", interrupted: "interrupted", failed: "ended with an exception", finished: "finished",
};

/** What the line of progress says. */
export function progressText({ epoch, epochs, done, total, left }, state) {
  if (state !== "running" && state !== "stopping") return STATES[state];
  const batch = total ? `, batch ${done} of ${total}` : "";
  const time = left === null || left === undefined ? "estimating the time" : `about ${duration(left)} left`;
  return `${STATES[state]}, epoch ${epoch} of ${epochs}${batch}, ${time}`;
}

function render({ model, el }) {
  const title = element("strong", {});
  const notes = element("div", {});
  const found = element("div", { role: "alert" });
  const bar = element("progress", { max: 1, "aria-label": "progress of the run" });
  const line = element("span", { class: "cnnviz-value" });
  const hint = element("span", { class: "cnnviz-label" });
  const charts = element("div", { class: "cnnviz-charts" });
  const inside = element("div", { class: "cnnviz-charts" });
  const body = element("tbody", {});
  const table = element("div", { class: "cnnviz-scroll", tabindex: "0", role: "region", "aria-label": "numbers of every epoch" },
    element("table", {}, element("caption", { class: "cnnviz-hidden", text: "numbers of every epoch" }),
      element("thead", {}, element("tr", {}, ...COLUMNS.map(([name]) => element("th", { scope: "col", text: name })))), body));
  const speech = announcer();
  const stop = button({
    name: "stop", label: "Stop", title: "Stop after the current batch and keep the records",
    onClick() {
      model.send("stop");
      hint.textContent = "Asked to stop. If nothing happens, interrupt the cell (■ in the toolbar): that does the same.";
    },
  });
  const logarithmic = toggle({
    name: "logarithmic", label: "logarithmic", onChange: (value) => { link.write({ logarithmic: value }); draw(); },
  });
  const layerwise = toggle({
    name: "signals", label: "signals", onChange: (value) => { link.write({ signals: value }); draw(); },
  });
  const root = element("div", { class: "cnnviz", role: "group" },
    element("div", { class: "cnnviz-row" }, title, stop.root), notes,
    element("div", { class: "cnnviz-row" }, bar, line, hint), found, charts,
    element("div", { class: "cnnviz-row" }, logarithmic.root, layerwise.root), inside, table, speech.root);

  const names = ["logarithmic", "_state", "_title", "_notes", "_records", "_progress", "_diagnoses", "_classes", "signals", "_layers", "_filters", "_description"];
  const link = connect(model, names, oncePerFrame(draw));
  let spoken = "";
  let drawn = "", looked = "";

  function draw() {
    const state = link.read();
    const { epochs = 1, share = 0 } = state._progress;
    const active = state._state === "running" || state._state === "stopping";
    title.textContent = state._title || "No run yet";
    list(notes, state._notes, "cnnviz-note");
    list(found, state._diagnoses, "cnnviz-warning");
    bar.value = share;
    line.textContent = progressText(state._progress, state._state);
    if (!active) hint.textContent = "";
    stop.set({ disabled: state._state !== "running" });
    logarithmic.set({ value: state.logarithmic });
    const curves = JSON.stringify([state._records, state.logarithmic, epochs, state._classes]);
    if (curves !== drawn) { // not at every batch
      drawn = curves;
      charts.replaceChildren(...["loss", "error"].map((quantity) =>
        chart(quantity, state._records, epochs, state._classes, state.logarithmic)));
      body.replaceChildren(...state._records.map((record) =>
        element("tr", {}, ...COLUMNS.map(([, text]) => element("td", { text: text(record) })))));
      table.scrollTop = table.scrollHeight;
    }
    layerwise.set({ value: state.signals });
    const seen = JSON.stringify([state.signals, state._layers, state._filters]);
    if (seen !== looked) {
      looked = seen;
      inside.replaceChildren(...(state.signals ? insides(state) : []));
    }
    root.setAttribute("aria-label", state._description);
    const words = state._description;
    if (words !== spoken && spoken) speech.say(words);
    spoken = words;
  }
  draw();
  el.append(root);
  table.scrollTop = table.scrollHeight;
  return () => link.close();
}

/** What is seen inside the network: a chart for each signal, the filters of the first layer, words. */
function insides({ _layers: layers, _filters: filters }) {
  if (!layers.layers) return [element("div", { class: "cnnviz-note", text: "This run records no signals yet." })];
  const pictures = SIGNALS.map(([name, title]) => layerChart(name, title, layers));
  const words = element("div", { class: "cnnviz-filters" }, element("div", { text: silence(layers) }));
  if (filters.png) {
    const image = element("img", { src: `data:image/png;base64,${filters.png}`, alt: filters.caption, width: Math.min(filters.width, 400) });
    words.append(element("div", { class: "cnnviz-title", text: filters.caption }), image);
  }
  return [...pictures, words];
}

function list(root, texts, style) {
  if (root.dataset.texts === JSON.stringify(texts)) return; // an alert would be spoken again
  root.dataset.texts = JSON.stringify(texts);
  root.replaceChildren(...texts.map((text) => element("div", { class: style, text })));
}

const widget = { render };
export default widget;
