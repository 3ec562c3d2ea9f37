// ArchitectureExplorer: boxes, edges and bars of architecture_layout.js as SVG, with pointer, keyboard and a panel.

const TRAITS = ["part", "selected", "other_part", "other_selected", "depth", "measure"];
const MEASURES = {
  parameters: { sum: 0, unit: "", title: "parameters", role: "weights" },
  "mult-adds": { sum: 1, unit: "", title: "mult-adds", role: "sums" },
  activations: { sum: 2, unit: "B", title: "activations", role: "memory" },
  "kept for backward": { sum: 3, unit: "B", title: "kept for backward", role: "memory" },
};
const shownMeasures = (measure) => (measure === "all three" ? ["parameters", "mult-adds", "activations"] : [measure]);

/** Three significant digits: 25.6 M, 3.86 G, 84.5 MB. */
export function quantity(number, unit = "") {
  const steps = ["", "k", "M", "G", "T", "P"];
  let [value, step] = [number, 0];
  while (value >= 999.5 && step < steps.length - 1) [value, step] = [value / 1000, step + 1];
  const text = step === 0 ? String(value) : value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
  return [text, `${steps[step]}${unit}`].filter(Boolean).join(" ");
}

/** Whole percent, halves up, as Python writes them too. */
export const percent = (part, whole) => (whole ? `${Math.floor((200 * part + whole) / (2 * whole))} %` : "0 %");
const grouped = (number) => number.toLocaleString("en-US");
function megabytes(number) {
  const tenths = Math.floor(number / 1e5 + 0.5);
  return `${grouped(Math.floor(tenths / 10))}.${tenths % 10} MB`;
}
const shapesText = (shapes) => shapes.map(shapeText).join(" and ") || "nothing";

/** The same sentences as ArchitectureExplorer.describe() in Python. */
export function describe(networks, state) {
  return networks.map((network, side) => {
    const prefix = side ? "other_" : "";
    return sentences(network, state[`${prefix}part`], state[`${prefix}selected`]);
  }).join(" ");
}

function sentences(network, name, selected) {
  const top = typeOf(network, topOf(network)), part = find(network, name), type = typeOf(network, part);
  let text = `${network.model}, ${shapesText(top.in)} in, ${shapesText(top.out)} out: ${grouped(top.sums[0])} parameters, ` +
    `${grouped(top.sums[1])} mult-adds, ${megabytes(top.sums[2])} of activations. Shown: ${name ? `${name}, ` : ""}${type.parts.length} parts`;
  for (const measure of shownMeasures("all three")) {
    const { sum } = MEASURES[measure], total = type.sums[sum];
    if (!total) continue;
    const costs = type.parts.map(([, number]) => network.types[number].sums[sum]), largest = Math.max(...costs);
    text += `; most ${measure} in ${type.parts[costs.indexOf(largest)][0]} (${percent(largest, total)})`;
  }
  return `${text}.${selected ? ` Selected: ${selectedText(network, find(network, selected))}` : ""}`;
}

/** One part in a sentence, with its share of the whole network. */
export function selectedText(network, part) {
  const top = typeOf(network, topOf(network)), { kind, sums, runs, in: into, out } = typeOf(network, part);
  if (!runs) return `${part.name} (${kind}) does not run in evaluation mode; ${grouped(sums[0])} parameters.`;
  return `${part.name} (${kind}), ${shapesText(into)} in, ${shapesText(out)} out: ${grouped(sums[0])} parameters (${percent(sums[0], top.sums[0])} of all), ` +
    `${grouped(sums[1])} mult-adds (${percent(sums[1], top.sums[1])}), ${megabytes(sums[2])} of activations (${percent(sums[2], top.sums[2])}).`;
}

/** What a box stands for: the costs of all that it folds together. */
export function sumsOf(network, { all }) {
  return [0, 1, 2, 3].map((i) => all.reduce((sum, part) => sum + typeOf(network, part).sums[i], 0));
}

/** The rows of the panel for a part: [what, text]. */
export function facts(network, part, row = null) {
  const top = typeOf(network, topOf(network)), type = typeOf(network, part), field = fieldOf(network, part);
  const both = (sizes) => [sizes].flat().map((size) => Number(size.toFixed(3)));
  const each = (sizes) => (both(sizes).length === 1 ? `${both(sizes)[0]} × ${both(sizes)[0]}` : both(sizes).join(" × "));
  const share = (sum) => ` (${percent(type.sums[sum], top.sums[sum])} of all)`;
  const seen = field && field[0] !== null ? `${each(field[0])} pixels${field[1] ? `, ${both(field[1]).join(" × ")} from one to the next` : ""}` : "not known";
  return [
    ["in", type.runs ? shapesText(type.in) : "does not run in evaluation mode"],
    ["out", type.runs ? shapesText(type.out) : "–"],
    ["receptive field", type.runs ? seen : "–"],
    ["parameters", grouped(type.sums[0]) + share(0) + (type.again ? "; counted where it ran first" : "")],
    ["mult-adds", grouped(type.sums[1]) + share(1)],
    ["activations", `${grouped(type.sums[2])} bytes${share(2)}`],
    ["kept for backward", `${grouped(type.sums[3])} bytes${share(3)}`],
    [type.parts.length ? "parts" : "settings", type.parts.length ? String(type.parts.length) : type.settings ? `${type.kind}(${type.settings})` : "–"],
    ["identical", row ? `${row.length} in a row, ${row[0].label} to ${row.at(-1).label}: together ${quantity(type.sums[0] * row.length)} parameters, ${quantity(type.sums[1] * row.length)} mult-adds` : "–"],
  ];
}

/** Widths of texts in the widget's own font, once it is on the page. */
function ruler(root) {
  const context = document.createElement("canvas").getContext("2d"), known = new Map();
  let family = "";
  return (text, font) => {
    family ||= getComputedStyle(root()).fontFamily || "sans-serif";
    const key = `${font} ${text}`;
    if (!known.has(key)) {
      context.font = `${font} ${family}`;
      known.set(key, Math.ceil(context.measureText(text).width));
    }
    return known.get(key);
  };
}

function render({ model, el }) {
  const networks = model.get("_networks");
  let state = {};
  let width = 0;
  const link = connect(model, TRAITS, () => { state = link.read(); paint(); });
  const trait = (side, name) => (side ? `other_${name}` : name);

  function update(changes) {
    const changed = Object.entries(changes).filter(([name, value]) => state[name] !== value);
    if (changed.length === 0) return;
    state = { ...state, ...Object.fromEntries(changed) };
    paint();
    link.write(Object.fromEntries(changed));
  }

  const controls = {
    depth: slider({ name: "depth", label: "levels drawn", min: 1, max: 3, onChange: (depth) => update({ depth }) }),
    measure: choice({ name: "measure", label: "bars", options: ["all three", ...Object.keys(MEASURES)], onChange: (measure) => update({ measure }) }),
  };
  const pointed = element("div", { class: "cnnviz-formula cnnviz-pointed cnnviz-architecture-pointed" });
  const spoken = announcer();
  const textWidth = ruler(() => root);
  const sides = networks.map((network, side) => makeSide(network, side));
  const root = element("div", { class: "cnnviz cnnviz-architecture" },
    element("div", { class: "cnnviz-controls" }, controls.depth.root, controls.measure.root),
    element("div", { class: "cnnviz-architecture-sides" }, ...sides.map(({ root: node }) => node)),
    pointed, element("div", { class: "cnnviz-architecture-panels" }, ...sides.map(({ panel }) => panel)), spoken.root);

  /** One network: its title, where we are in it, the picture, the panel. */
  function makeSide(network, side) {
    const unfolded = new Set();
    const title = element("strong"), totals = element("span");
    const trail = element("nav", { class: "cnnviz-architecture-trail", "aria-label": `where in ${network.model}` });
    const drawing = element("svg", { class: "cnnviz-architecture-drawing", "aria-hidden": "true" });
    const bars = element("svg", { class: "cnnviz-architecture-bars", "aria-hidden": "true" });
    const heads = element("svg", { class: "cnnviz-architecture-heads", height: 20, "aria-hidden": "true" });
    const sheet = element("div", { class: "cnnviz-architecture-sheet" }, drawing);
    const frame = element("div", {
      class: "cnnviz-architecture-frame", tabindex: 0, role: "application", "data-side": side, ...KEYS, onkeydown: (event) => key(event),
      onpointermove: (event) => point(hit(event)), onpointerleave: () => point(null),
      onclick: (event) => click(event), ondblclick: (event) => zoom(hit(event)),
    }, sheet, bars);
    const panel = element("div", { class: "cnnviz-architecture-panel" });
    const top = topOf(network);
    let plan = null, planned = "", hovered = null, shownPanel = null, rows = null, lines = null, lit = null;

    const boxOf = (name) => plan.boxes.find(({ parts }) => parts.some((part) => part.name === name)) ?? null;
    function hit(event) {
      const name = event.target.closest?.("[data-part]")?.dataset.part;
      return name === undefined ? null : boxOf(name);
    }
    function point(box) {
      if (box === hovered) return;
      hovered = box;
      highlight();
      write(pointed, box ? pointedText(network, box) : HINT);
    }
    function click(event) {
      const fold = event.target.closest?.("[data-fold]");
      if (fold) return toggleFold(fold.dataset.fold);
      const box = hit(event);
      select(box);
    }
    function select(box) {
      update({ [trait(side, "selected")]: box ? box.part.name : "" });
    }
    function toggleFold(name) {
      if (!unfolded.delete(name)) unfolded.add(name);
      planned = "";
      paint();
    }
    function zoom(box) {
      if (!box || typeOf(network, box.part).parts.length === 0) return;
      go(box.part.name);
    }
    function go(name) {
      const old = state[trait(side, "selected")];
      const keep = name === "" || old.startsWith(`${name}.`);
      const from = state[trait(side, "part")];
      const leaving = name === "" || from.startsWith(`${name}.`); // outwards: where we come from is marked
      update({ [trait(side, "part")]: name, [trait(side, "selected")]: leaving ? from : keep ? old : "" });
      frame.scrollTop = 0;
      reveal();
    }
    const parentOf = (name) => {
      let [part, parent] = [top, top];
      while (part.name !== name) [parent, part] = [part, partsOf(network, part).find((inner) => name === inner.name || name.startsWith(`${inner.name}.`))];
      return parent.name;
    };
    function key(event) {
      const boxes = plan.boxes, now = boxOf(state[trait(side, "selected")]);
      const arrows = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
      if (arrows[event.key]) select(neighbour(boxes, now, ...arrows[event.key]) ?? now ?? boxes[0]);
      else if (event.key === "Home") select(boxes[0]);
      else if (event.key === "End") select(boxes.at(-1));
      else if (event.key === "Enter") zoom(now);
      else if (event.key === " ") { if (now?.count > 1 || now?.unfoldedFirst) toggleFold(now.part.name); }
      else if (event.key === "Escape" || event.key === "Backspace") {
        if (state[trait(side, "part")] === "") { if (event.key === "Escape" && now) select(null); else return; }
        else go(parentOf(state[trait(side, "part")]));
      } else return;
      event.preventDefault();
      event.stopPropagation();
      reveal();
      const part = find(network, state[trait(side, "selected")]);
      spoken.say(part?.name ? selectedText(network, part) : describe(networks, state));
    }
    function reveal() {
      const box = boxOf(state[trait(side, "selected")]);
      if (!box) return;
      const [y0, y1] = [box.y * plan.scale, (box.y + Math.min(box.h, 80)) * plan.scale + 50];
      if (y0 - 30 < frame.scrollTop) frame.scrollTop = Math.max(0, y0 - 30);
      else if (y1 > frame.scrollTop + frame.clientHeight) frame.scrollTop = y1 - frame.clientHeight;
    }

    /** Lay the picture out again, if what is in it has changed. */
    function lay(room) {
      const name = state[trait(side, "part")];
      const wanted = JSON.stringify([name, state.depth, room, state.measure, [...unfolded]]);
      if (wanted === planned) return false;
      planned = wanted;
      hovered = null;
      plan = layOut(network, find(network, name), { depth: state.depth, unfolded, textWidth });
      plan.room = room;
      plan.columns = columnsFor(plan, room, shownMeasures(state.measure).length);
      const space = room - plan.columns.width - 34;
      plan.scale = Math.max(0.7, Math.min(1, space / plan.width));
      return true;
    }

    function draw(most) {
      const { scale } = plan, part = find(network, state[trait(side, "part")]);
      const [w, h] = [plan.width * scale, plan.height * scale];
      const margin = Math.max(0, (plan.room - plan.columns.width - 34 - w) / 2) + 8;
      for (const [name, value] of Object.entries({
        width: Math.ceil(w + 16 + 2 * (margin - 8)), height: Math.ceil(h + 12), viewBox: `${-margin / scale} ${-4 / scale} ${(w + 2 * margin) / scale} ${(h + 12) / scale}`,
      })) drawing.setAttribute(name, value);
      const boxes = plan.boxes.map(drawBox), isFrame = (_, i) => plan.boxes[i].style === "frame";
      rows = element("g");
      // What several edges share is drawn once; those of a marked box are drawn upon it
      const arrows = plan.edges.filter(({ arrow }) => arrow).map(arrowOf);
      lines = element("g", { class: "cnnviz-edges" },
        element("path", { d: [...new Set(plan.edges.flatMap(({ points }) => piecesOf(points)))].join("") }),
        element("path", { class: "cnnviz-arrow", d: [...new Set(arrows)].join("") }));
      lit = element("g", { class: "cnnviz-lit" });
      drawing.replaceChildren(rows, ...boxes.filter(isFrame), lines, lit, ...boxes.filter((_, i) => !isFrame(_, i)), ...plan.ends.map(drawEnd), ...plan.boxes.filter(({ tag: text }) => text).map(drawTag));
      sheet.style.width = `${plan.room - plan.columns.width - 18}px`;
      drawBars(most);
      write(title, network.model);
      write(totals, `${quantity(typeOf(network, top).sums[0])} parameters, ${quantity(typeOf(network, top).sums[1])} mult-adds, ${quantity(typeOf(network, top).sums[2], "B")} of activations`);
      const path = [part];
      while (path[0].name !== "") path.unshift(find(network, parentOf(path[0].name)));
      const steps = path.map((step) => element("button", {
        type: "button", text: step.name === "" ? network.model : step.label, ...KEYS, onclick: () => go(step.name), "aria-current": step === part ? "true" : undefined,
      }));
      trail.replaceChildren(...steps.flatMap((step, i) => (i ? [element("span", { text: "›", "aria-hidden": "true" }), step] : [step])));
      setAttribute(frame, "aria-label", `${describe([network], side ? { part: state.other_part, selected: state.other_selected } : state)} Arrow keys select a part, Enter opens it, Escape goes out, Space unfolds identical parts.`);
    }

    function drawBox(box) {
      const node = element("g", { class: `cnnviz-box cnnviz-box-${box.style} cnnviz-of-${box.family}${box.runs ? "" : " cnnviz-idle"}`, "data-part": box.part.name, transform: `translate(${box.x.toFixed(1)} ${box.y.toFixed(1)})` });
      const radius = box.style === "pill" ? box.h / 2 : 4;
      if (box.count > 1) for (const by of [5, 2.5])
        node.append(element("rect", { class: "cnnviz-sheet-behind", x: by, y: by, width: box.w, height: box.h, rx: radius }));
      node.append(element("rect", { class: "cnnviz-body", width: box.w, height: box.h, rx: radius }));
      if (box.style === "frame") node.append(element("path", { class: "cnnviz-head", d: `M0 ${LOOK.header}V4a4 4 0 0 1 4 -4H${box.w - 4}a4 4 0 0 1 4 4V${LOOK.header}z` }));
      else if (box.style !== "pill") node.append(element("path", { class: "cnnviz-stripe", d: `M4 0H5V${box.h}H4a4 4 0 0 1 -4 -4V4a4 4 0 0 1 4 -4z` }));
      const text = (string, x, y, kind, anchor) => string && node.append(element("text", { class: kind, x, y, "text-anchor": anchor, text: string }));
      const middle = box.h / 2 + 4;
      if (box.style === "line") {
        text(box.title, 13, middle, "cnnviz-box-title", "start");
        text(box.note, box.w - 10, middle, "cnnviz-box-note", "end");
      } else if (box.style === "frame") {
        text(box.title, 10, 15.5, "cnnviz-box-title", "start");
        text(box.note, box.w - 10, 15.5, "cnnviz-box-note", "end");
      } else if (box.style === "pill") {
        text(box.title, box.note ? 11 : box.w / 2, middle, "cnnviz-box-title", box.note ? "start" : "middle");
        text(box.note, box.w - 11, middle, "cnnviz-box-note", "end");
      } else {
        text(box.title, box.w / 2 + 2, 15, "cnnviz-box-title", "middle");
        text(box.note, box.w / 2 + 2, 29, "cnnviz-box-note", "middle");
      }
      if (box.count > 1 || box.unfoldedFirst) node.append(foldMark(box));
      return node;
    }
    /** A small plus that unfolds a row of identical parts, a minus that folds it again. */
    function foldMark(box) {
      const plus = box.count > 1;
      return element("g", { class: "cnnviz-fold", "data-fold": box.part.name, transform: `translate(${(box.w - (plus ? 2 : 0)).toFixed(1)} 0)` },
        element("title", { text: plus ? `unfold ${box.count} identical parts` : `fold ${box.unfoldedFirst} identical parts` }),
        element("rect", { x: -6, y: -6, width: 14, height: 14, rx: 7 }),
        element("path", { d: plus ? "M-2.5 1H4.5M1 -2.5V4.5" : "M-2.5 1H4.5" }));
    }
    const drawTag = (box) => element("text", { class: "cnnviz-shape", x: box.tagX.toFixed(1), y: (box.y + box.h + 12.5).toFixed(1), "text-anchor": "middle", text: box.tag });
    const drawEnd = (end) => element("text", { class: "cnnviz-shape cnnviz-end", x: end.x.toFixed(1), y: (end.y + (end.side === "in" ? 11 : 10)).toFixed(1), "text-anchor": "middle", text: end.side === "in" ? end.text : "" });
    const arrowOf = ({ points }) => `M${points.at(-1)[0].toFixed(1)} ${points.at(-1)[1].toFixed(1)}l-3 -6h6z`;

    function drawBars(most) {
      const { columns, scale } = plan, measures = shownMeasures(state.measure);
      bars.setAttribute("width", columns.width);
      bars.setAttribute("height", Math.ceil(plan.height * scale + 12));
      heads.setAttribute("width", columns.width);
      const total = typeOf(network, topOf(network)).sums, nodes = [];
      heads.replaceChildren(...measures.map((name, i) => element("text", { class: "cnnviz-label", x: columns.at(i) + columns.cell, y: 14, "text-anchor": "end", text: MEASURES[name].title })));
      for (const band of plan.bands) {
        const many = band.boxes.length > 1, y0 = (band.y + band.h / 2) * scale + 4 - band.boxes.length * LOOK.bar / 2;
        const [from, high] = [Math.min(y0, band.y * scale + 4) - 1, Math.max(band.boxes.length * LOOK.bar, band.h * scale) + 2];
        nodes.push(element("rect", { class: "cnnviz-band", x: 0, y: from, width: columns.width, height: high }));
        // The row goes on behind the boxes, so that the eye finds its bars
        rows.append(element("rect", { class: "cnnviz-band", x: -1000, y: (from - 4) / scale, width: 1000 + plan.width + 2000, height: high / scale }));
        band.boxes.forEach((box, line) => {
          const y = y0 + line * LOOK.bar, sums = sumsOf(network, box);
          const row = element("g", { class: "cnnviz-bar-row", "data-part": box.part.name, "data-all": JSON.stringify(box.all.map(({ name }) => name)) }, element("rect", { class: "cnnviz-bar-hit", x: 0, y, width: columns.width, height: LOOK.bar }));
          if (many && columns.names) row.append(element("text", { class: "cnnviz-label", x: columns.names - 6, y: y + 11, "text-anchor": "end", text: cut(box.part.label, columns.names - 10, (text) => textWidth(text, "11px")) }));
          measures.forEach((name, i) => {
            const { sum, unit, role } = MEASURES[name], x = columns.at(i), long = most[sum] ? columns.bar * sums[sum] / most[sum] : 0;
            row.append(
              element("rect", { class: `cnnviz-bar cnnviz-bar-${role}`, "data-measure": name, x, y: y + 1.5, width: Math.max(sums[sum] ? 1 : 0, long).toFixed(2), height: LOOK.bar - 3 }),
              element("text", { class: `cnnviz-number${sums[sum] ? "" : " cnnviz-zero"}`, x: x + columns.cell - 3, y: y + 11.5, "text-anchor": "end", "data-measure": name, text: quantity(sums[sum], unit) + (measures.length === 1 ? `, ${percent(sums[sum], total[sum])}` : "") }));
          });
          nodes.push(row);
        });
      }
      bars.replaceChildren(...nodes);
    }

    /** Mark the selected and the pointed-at box, their edges and their bars. */
    function highlight() {
      const chosen = boxOf(state[trait(side, "selected")]);
      const names = [chosen?.part.name, hovered?.part.name];
      for (const node of frame.querySelectorAll("[data-part]")) {
        node.classList.toggle("cnnviz-chosen", node.dataset.part === names[0]);
        node.classList.toggle("cnnviz-hovered", node.dataset.part === names[1]);
      }
      const near = plan.edges.filter(({ from, to }) => names.some((name) => name !== undefined && (from === name || to === name)));
      lit.replaceChildren(element("path", { d: near.flatMap(({ points }) => piecesOf(points)).join("") }),
        element("path", { class: "cnnviz-arrow", d: near.filter(({ arrow }) => arrow).map(arrowOf).join("") }));
    }

    function fillPanel() {
      const name = state[trait(side, "selected")];
      const part = find(network, name || state[trait(side, "part")]);
      const box = name === "" ? null : boxOf(name), key = JSON.stringify([part.name, box?.count, box?.unfoldedFirst]);
      if (key === shownPanel) return;
      shownPanel = key;
      const type = typeOf(network, part), row = box && box.count > 1 && box.parts.some((one) => one.type === part.type) && new Set(box.parts.map((one) => one.type)).size === 1 ? box.parts : null;
      const buttons = element("div", { class: "cnnviz-row" },
        button({ name: "open", label: "Open", title: "Let this part fill the picture (double click, Enter)", onClick: () => go(part.name) }).root,
        button({ name: "fold", label: box?.unfoldedFirst ? "Fold" : `Unfold${box?.count > 1 ? ` ${box.count}` : ""}`, title: "Show identical parts one by one, or as one (Space)", onClick: () => toggleFold(box.part.name) }).root);
      buttons.children[0].disabled = type.parts.length === 0 || part.name === state[trait(side, "part")];
      buttons.children[1].disabled = !(box?.count > 1 || box?.unfoldedFirst);
      const list = element("dl", {}, ...facts(network, part, row).flatMap(([what, text]) => [element("dt", { text: what }), element("dd", { text, title: text })]));
      const text = type.source === null ? null : network.sources[type.source];
      const wasOpen = panel.querySelector("details")?.open ?? false;
      const words = text === null ? `${type.kind}: a function of torch` : text.text ?? `${text.name}: its source text is not to be found`;
      panel.replaceChildren(
        element("div", { class: "cnnviz-architecture-name", text: part.name === "" ? `${network.model} (the whole network)` : `${part.name} (${type.kind})` }), list, buttons,
        element("details", { open: wasOpen }, element("summary", { text: text === null ? "its source" : `source of ${text.name}` }), element("pre", { class: "cnnviz-code", tabindex: 0, text: words })));
    }

    const node = element("section", { class: "cnnviz-architecture-side", "aria-label": network.model },
      element("div", { class: "cnnviz-architecture-title" }, title, ": ", totals), trail, element("div", { class: "cnnviz-architecture-header" }, heads), frame);
    return {
      root: node, panel, frame, network, lay, draw, highlight, fillPanel, reveal,
      get plan() { return plan; },
    };
  }

  const HINT = "Click selects, double click opens, + unfolds identical parts. Keys: arrows, Enter, Escape, Space.";

  const paint = oncePerFrame(() => {
    if (!width) return;
    controls.depth.set({ value: state.depth });
    controls.measure.set({ value: state.measure });
    const together = sides.length > 1 && width >= 860;
    const room = together ? (width - 20) / 2 : width;
    root.classList.toggle("cnnviz-architecture-together", together);
    const changed = sides.map((side) => side.lay(room));
    if (changed.some(Boolean)) {
      const most = [0, 1, 2, 3].map((sum) => Math.max(0, ...sides.flatMap(({ plan, network }) => plan.bands.flatMap(({ boxes }) => boxes.map((box) => sumsOf(network, box)[sum])))));
      sides.forEach((side) => side.draw(most));
      tallest ??= Math.round(Math.min(600, Math.max(300, ...sides.map(({ plan }) => plan.height * plan.scale + 24))));
      sides.forEach(({ frame }) => { frame.style.height = `${tallest}px`; });
    }
    sides.forEach((side) => { side.highlight(); side.fillPanel(); });
    setAttribute(root, "aria-label", describe(networks, state));
    if (!pointed.textContent) write(pointed, HINT);
  });
  let tallest = null; // of the first picture: the page below stays where it is

  el.append(root);
  setAttribute(root, "role", "group");
  state = link.read();
  const observer = new ResizeObserver(([{ contentRect }]) => {
    if (Math.abs(contentRect.width - width) < 1) return;
    width = contentRect.width;
    paint();
  });
  observer.observe(root);
  return () => { observer.disconnect(); link.close(); };
}

/** Where the bars stand: their width, with names before them where a row has several. */
export function columnsFor(plan, room, count) {
  const names = plan.bands.some(({ boxes }) => boxes.length > 1) ? (room > 700 ? 92 : 62) : 0;
  const free = Math.max(room * 0.3, Math.min(room * 0.44, room - 40 - plan.width)) - names; // a wide picture leaves less
  const cell = Math.round(Math.max(58, Math.min(count === 1 ? 240 : 132, free / count - 8)));
  // Beside the bar stands its number; where there is no room, upon it
  const number = count === 1 ? 96 : 54;
  return { names, cell, bar: cell >= number + 42 ? cell - number : cell, width: names + count * (cell + 8) + 6, at: (i) => names + 4 + i * (cell + 8) };
}

/** The box in that direction that is nearest, sideways distances counted twice. */
export function neighbour(boxes, now, dx, dy) {
  if (!now) return null;
  const middle = (box) => [box.x + box.w / 2, box.style === "frame" ? box.y + 10 : box.y + box.h / 2];
  const [x0, y0] = middle(now);
  let best = null;
  for (const box of boxes) {
    const [x, y] = middle(box), along = (x - x0) * dx + (y - y0) * dy, aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
    if (box === now || along < 2) continue;
    const far = along + 2 * aside;
    if (!best || far < best.far) best = { far, box };
  }
  return best?.box ?? null;
}

/** The pointed-at box in words. */
export function pointedText(network, box) {
  const sums = sumsOf(network, box), { kind, runs } = typeOf(network, box.part);
  const name = box.count > 1 ? `${box.part.name} … ${box.parts.at(-1).label} (${box.count} × ${kind})` : `${box.part.name} (${kind})`;
  const costs = `${box.all.length > box.count ? `all ${box.all.length} of them ` : ""}${quantity(sums[0])} parameters, ${quantity(sums[1])} mult-adds, ${quantity(sums[2], "B")} of activations`;
  return `${name}: ${costs}${runs ? "" : "; does not run in evaluation mode"}`;
}

const widget = { render };
export default widget;
