// LesionExplorer: networks as rows of blocks, the error without each above it; what is deleted here is asked of Python.

const LEFT = 46; // pixels for the axis
const LISTED = 4; // more blocks are not named: the sentence keeps its length
const STRIP = { top: 28, plot: 100, right: 118, box: 24, height: 196 };
const HISTORY = { top: 10, plot: 150, right: 16, height: 200 };
const LOOKS = [["input", ""], ["weight", "7 4"], ["output", "2 3"], ["accent", "9 3 2 3"], ["second", "12 4"], ["third", "4 2"]];

/** The name under which Python keeps the error without these blocks. */
export const keyOf = (blocks) => [...blocks].sort((a, b) => a - b).join(",");

/** The errors on the way from the whole network to what is left, as [number of deleted blocks, error]; null: not known. */
export const wayOf = (gone, known) => Array.from({ length: gone.length + 1 }, (_, count) => [count, known[keyOf(gone.slice(0, count))] ?? null]);

/** What Python's `describe` says of the same networks, deletions and errors. */
export function describe(networks, deleted, known) {
  const sentence = ({ name, single }) => {
    const text = `${name}, ${single.length} blocks: error ${percent(known[name][""])}`;
    const gone = deleted[name];
    if (gone.length) {
      const error = known[name][keyOf(gone)];
      const numbers = keyOf(gone.map((number) => number + 1)).replaceAll(",", ", ");
      const which = gone.length <= LISTED ? `block${gone.length > 1 ? "s" : ""} ${numbers}` : `${gone.length} blocks`;
      return `${text}; ${error === undefined ? "not computed" : percent(error)} without ${which}.`;
    }
    const there = single.filter((error) => error !== null);
    if (!there.length) return `${text}; no block can be deleted.`;
    const [least, most] = [Math.min(...there), Math.max(...there)];
    return `${text}; without one block from ${percent(least)} (block ${single.indexOf(least) + 1}) to ${percent(most)} (block ${single.indexOf(most) + 1}).`;
  };
  return `${networks.map(sentence).join(" ")} Guessing: ${percent(networks[0].guess)}.`;
}

function render({ model, el }) {
  const networks = model.get("_networks");
  const live = model.get("_live");
  const kernel = live && model.kernel !== false; // who could compute
  const most = Math.max(...networks.map(({ single }) => single.length));
  let [deleted, known] = [{}, {}];
  let looked = null; // what the pointer or the focus is on: [network, block]
  let room = 0; // pixels
  const link = connect(model, ["deleted"], () => { load(); paint(); });
  const heard = ["_known", "_problem"].map((name) => {
    const listener = () => { load(); paint(); };
    model.on(`change:${name}`, listener);
    return () => model.off(`change:${name}`, listener);
  });
  function load() {
    ({ deleted } = link.read());
    known = model.get("_known");
  }
  function update(changes) {
    deleted = { ...deleted, ...changes };
    paint();
    link.write({ deleted });
  }
  function press({ name, single }, block) {
    if (!live || single[block] === null) return;
    const gone = deleted[name];
    update({ [name]: gone.includes(block) ? gone.filter((other) => other !== block) : [...gone, block] });
  }
  /** The blocks that can still be deleted. */
  const there = ({ name, single }) => single.map((_, block) => block).filter((block) => single[block] !== null && !deleted[name].includes(block));

  // The page
  const buttons = {
    random: button({ name: "random", label: "Delete one more at random", title: "in each network", onClick: () => update(Object.fromEntries(networks.map((network) => {
      const left = there(network);
      const one = left.length ? [left[Math.floor(Math.random() * left.length)]] : [];
      return [network.name, [...deleted[network.name], ...one]];
    }))) }),
    restore: button({ name: "restore", label: "Restore all", onClick: () => update(Object.fromEntries(networks.map(({ name }) => [name, []]))) }),
  };
  const message = element("span", { class: "cnnviz-lesion-message", role: "status" });
  const panels = networks.map(panel);
  const chart = element("svg", { class: "cnnviz-lesion-drawing", role: "img" });
  const stage = element("div", { class: "cnnviz-lesion-stage", role: "group" }, ...panels.map(({ root }) => root),
    element("div", { class: "cnnviz-lesion-head" }, element("b", { text: "Error over the number of deleted blocks" }),
      ...networks.map(({ name }, n) => element("span", {}, sample(n), ` ${name}`))), chart);
  const pointed = element("div", { class: "cnnviz-lesion-pointed" });
  const words = element("div", { class: "cnnviz-lesion-words" });
  const spread = networks.some(({ several }) => several.length);
  const note = element("p", { class: "cnnviz-field-note", text:
    "Bar above a block: the error without this block alone. New shape: the block halves the map or changes the number of channels. "
    + "Below, large marks: blocks deleted one after the other; small marks: other deletions that were tried."
    + (spread ? " Thin line: so many blocks deleted at random, the median, and the least and the largest error." : "") });
  const spoken = announcer();
  const root = element("div", { class: "cnnviz cnnviz-lesion" },
    element("div", { class: "cnnviz-row" }, ...Object.values(buttons).map((one) => one.root), message), pointed, stage, words, note, spoken.root);

  /** A short piece of a network's line, with its mark. */
  function sample(n) {
    return element("svg", { class: `cnnviz-lesion-sample cnnviz-lesion-of-${LOOKS[n % LOOKS.length][0]}`, width: 34, height: 12, "aria-hidden": true },
      element("line", { x1: 0, x2: 34, y1: 6, y2: 6, "stroke-dasharray": LOOKS[n % LOOKS.length][1] }), element("path", { d: mark(17, 6, n, 4.5) }));
  }

  function panel(network, n) {
    const [whole, now] = [element("span"), element("b", { "data-now": network.name })];
    const svg = element("svg", { class: "cnnviz-lesion-drawing", role: "group", "aria-label": `blocks of ${network.name}; left and right go from one to the next, Enter deletes` });
    const head = element("div", { class: "cnnviz-lesion-head" }, sample(n), element("b", { text: network.name }), whole, now);
    return { root: element("section", {}, head, svg), svg, whole, now, blocks: [] };
  }

  /** All nodes of a network's strip; later only their looks change. */
  function drawPanel(one, network, n) {
    const { name, single, reshapes, guess } = network;
    const { top, plot, right, box, height } = STRIP;
    const y = (error) => top + (1 - error) * plot;
    const [x0, x1] = [LEFT, room - right];
    const pitch = (x1 - x0) / single.length;
    const middle = (block) => x0 + (block + 0.5) * pitch;
    const boxes = y(0) + 8;
    const bar = Math.min(0.62 * pitch, 40);
    const wide = Math.min(0.82 * pitch, 70);
    const step = [1, 2, 5, 10, 20].find((every) => every * pitch >= 22) ?? 50;
    const valued = pitch >= 52; // room for the number above a bar
    one.blocks = single.map((error, block) => {
      const x = middle(block);
      const node = element("g", { class: `cnnviz-lesion-block${error === null ? " cnnviz-lesion-fast" : ""}`, "data-block": block },
        element("rect", { class: "cnnviz-lesion-hit", x: x0 + block * pitch, y: top, width: pitch, height: boxes + box - top }),
        element("rect", { class: "cnnviz-lesion-bar", x: x - bar / 2, y: y(error ?? 0), width: bar, height: plot * (error ?? 0) }),
        ...(valued || error === null ? [text(error === null ? "–" : percent(error), x, y(error ?? 0) - 4, "middle", "cnnviz-lesion-value")] : []),
        element("rect", { class: "cnnviz-body", x: x - wide / 2, y: boxes, width: wide, height: box, rx: Math.min(3, wide / 4) }),
        element("path", { class: "cnnviz-lesion-cross", d: cross(x, boxes + box / 2, Math.min(7, 0.35 * wide)) }));
      return node;
    });
    roving(one.blocks, {
      back: "ArrowLeft", forth: "ArrowRight", press: (block) => press(network, block),
      look: (block) => { looked = block === null ? null : [network, block]; paint(); },
    });
    const numbers = single.map((_, block) => block + 1).filter((number) => number === 1 || number % step === 0)
      .map((number) => text(number, middle(number - 1), boxes + box + 13, "middle"));
    const shapes = reshapes.flatMap((changes, block) => (changes ? [
      element("path", { class: "cnnviz-lesion-shape", d: `M${middle(block) - wide / 2 - 0.09 * pitch} ${boxes - 3}v${box + 6}` }),
      text("new shape", middle(block), boxes + box + 28, "middle"),
    ] : []));
    one.now_ = element("rect", { class: "cnnviz-lesion-bar cnnviz-lesion-now", x: room - 44, width: 32 });
    one.nowValue = text("", room - 28, 0, "middle", "cnnviz-lesion-value");
    const whole = single.length ? known[name][""] : 0;
    size(one.svg, height);
    one.svg.replaceChildren(
      ...axis(y, room), element("path", { class: "cnnviz-lesion-line", d: `M${x0} ${boxes + box / 2}H${x1}` }),
      text("error without one block", x0, 12, "start"), element("path", { class: "cnnviz-chance", d: `M${x0} ${y(guess)}H${room}` }),
      element("path", { class: "cnnviz-chance", d: `M${x1 - 130} 8h22` }), text(`guessing ${percent(guess)}`, x1 - 104, 12, "start"),
      ...one.blocks, ...numbers, ...shapes,
      element("path", { class: "cnnviz-lesion-whole", d: `M${x0} ${y(whole)}H${room}` }),
      element("rect", { class: "cnnviz-lesion-bar", x: room - 100, width: 32, y: y(whole), height: plot * whole }),
      text(percent(whole), room - 84, y(whole) - 4, "middle", "cnnviz-lesion-value"), text("whole", room - 84, boxes + 14, "middle"),
      one.now_, one.nowValue, text("now", room - 28, boxes + 14, "middle"));
    one.svg.classList.add(`cnnviz-lesion-of-${LOOKS[n % LOOKS.length][0]}`);
  }

  const history = { y: (error) => HISTORY.top + (1 - error) * HISTORY.plot, x: (count) => LEFT + 10 + (count / most) * (room - LEFT - 10 - HISTORY.right) };
  function drawHistory() {
    const { x, y } = history;
    const step = [1, 2, 5, 10, 20].find((every) => most / every <= 12) ?? 50;
    const counts = Array.from({ length: Math.floor(most / step) + 1 }, (_, n) => n * step);
    const { guess } = networks[0];
    size(chart, HISTORY.height);
    chart.replaceChildren(
      ...axis(y, room), element("path", { class: "cnnviz-chance", d: `M${LEFT} ${y(guess)}H${room}` }),
      ...counts.map((count) => text(count, x(count), y(0) + 16, "middle")), text("deleted blocks", x(most), y(0) + 32, "end"),
      ...networks.map(({ several }, n) => lines(n, "cnnviz-lesion-spread",
        // A little apart, so that two networks do not lie on one another.
        `${broken(several.map(([count, middle]) => [x(count) + 3 * n, y(middle)]))}${several.map(([count, , low, high]) => `M${x(count) + 3 * n} ${y(low)}V${y(high)}`).join("")}`)),
      ...panels.map((one, n) => {
        [one.curve, one.marks, one.others] = [element("path", { "stroke-dasharray": LOOKS[n % LOOKS.length][1] }), element("path", { class: "cnnviz-mark" }), element("path", { class: "cnnviz-lesion-others" })];
        return element("g", { class: `cnnviz-lesion-curve cnnviz-lesion-of-${LOOKS[n % LOOKS.length][0]}` }, one.others, one.curve, one.marks);
      }));
  }
  const lines = (n, name, d) => element("g", { class: `cnnviz-lesion-curve ${name} cnnviz-lesion-of-${LOOKS[n % LOOKS.length][0]}` }, element("path", { d, "stroke-dasharray": LOOKS[n % LOOKS.length][1] }));

  let drawn = 0; // the width that all is drawn for
  const paint = oncePerFrame(() => {
    if (room === 0) return;
    if (drawn !== room) {
      drawn = room;
      panels.forEach((one, n) => drawPanel(one, networks[n], n));
      drawHistory();
    }
    networks.forEach((network, n) => look(panels[n], network, n));
    const any = networks.some(({ name }) => deleted[name].length);
    buttons.random.set({ disabled: !kernel || networks.every((network) => !there(network).length) });
    buttons.restore.set({ disabled: !any });
    const problem = model.get("_problem");
    write(message, !live ? "These are stored measurements: to delete several blocks, give the explorer the networks."
      : !kernel ? "Errors that are not known yet need Python: run the notebook." : problem ? `It ended with ${problem}` : "");
    message.classList.toggle("cnnviz-warning", kernel && problem !== "");
    write(pointed, looked ? blockWords(...looked) : `Point at a block, or go there with the Tab and arrow keys.${live ? " Click it, or press Enter, to delete it; again, and it comes back." : ""}`);
    const said = describe(networks, deleted, known);
    write(words, said);
    setAttribute(stage, "aria-label", said);
    setAttribute(chart, "aria-label", `error over the number of deleted blocks: ${networks.map(({ name }) =>
      `${name} ${wayOf(deleted[name], known[name]).map(([, error]) => (error === null ? "not computed" : percent(error))).join(", ")}`).join("; ")}`);
    spoken.say(said);
  });

  function look(one, network, n) {
    const { name } = network;
    const gone = deleted[name];
    const error = known[name][keyOf(gone)];
    const missing = kernel && !model.get("_problem") ? "computing …" : "not computed";
    write(one.whole, `whole ${percent(known[name][""])}`);
    write(one.now, gone.length ? `without ${gone.length} block${gone.length > 1 ? "s" : ""}: ${error === undefined ? missing : percent(error)}` : "");
    one.blocks.forEach((node, block) => {
      node.classList.toggle("cnnviz-lesion-gone", gone.includes(block));
      setAttribute(node, "aria-pressed", gone.includes(block));
      setAttribute(node, "aria-disabled", !live || network.single[block] === null);
      setAttribute(node, "aria-label", blockWords(network, block));
    });
    const shown = error ?? 0;
    setAttribute(one.now_, "y", STRIP.top + (1 - shown) * STRIP.plot);
    setAttribute(one.now_, "height", shown * STRIP.plot);
    setAttribute(one.nowValue, "y", STRIP.top + (1 - shown) * STRIP.plot - 4);
    write(one.nowValue, error === undefined ? "…" : percent(error));
    const { x, y } = history;
    const way = wayOf(gone, known[name]).map(([count, value]) => (value === null ? null : [x(count), y(value)]));
    setAttribute(one.curve, "d", broken(way));
    setAttribute(one.marks, "d", way.map((point) => (point ? mark(...point, n, 4.5) : "")).join(""));
    setAttribute(one.others, "d", Object.entries(known[name]).map(([key, value]) => mark(x(key === "" ? 0 : key.split(",").length), y(value), n, 2)).join(""));
  }

  /** One block in words. */
  function blockWords({ name, single, reshapes }, block) {
    const head = `${name}, block ${block + 1}${reshapes[block] ? " (new shape)" : ""}: `;
    if (single[block] === null) return `${head}it cannot be deleted, as nothing else makes the shape that follows.`;
    const gone = deleted[name].includes(block);
    return `${head}error ${percent(single[block])} without it alone, ${percent(known[name][""])} with all blocks.`
      + (!live ? "" : gone ? " It is deleted; press to bring it back." : " Press to delete it.");
  }

  function size(svg, height) {
    for (const [name, value] of Object.entries({ width: room, height, viewBox: `0 0 ${room} ${height}` })) setAttribute(svg, name, value);
  }
  const unwatch = watchLook(stage, (width) => {
    room = width;
    root.classList.toggle("cnnviz-narrow", room < 760);
    paint();
  });
  load();
  el.append(root);
  return () => { link.close(); heard.forEach((end) => end()); unwatch(); };
}

const text = (words, x, y, anchor, name) => element("text", { x, y, text: words, "text-anchor": anchor, class: name });
const cross = (x, y, r) => `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;
/** Lines at 0, 50 and 100 % of error. */
const axis = (y, width) => [0, 0.5, 1].flatMap((error) => [
  element("line", { class: "cnnviz-rule", x1: LEFT, x2: width, y1: y(error), y2: y(error) }), text(`${100 * error} %`, LEFT - 6, y(error) + 4, "end"),
]);
/** A line through points; it is broken where one is null. */
const broken = (points) => points.map((point, n) => point && `${points[n - 1] ? "L" : "M"}${point[0]} ${point[1]}`).join("");
/** The mark of the n-th network: circle, square, triangle, in turn. */
const mark = (x, y, n, r) => [
  `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`, `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`, `M${x - r} ${y + r}h${2 * r}l${-r} ${-2 * r}z`,
][n % 3];

const widget = { render };
export default widget;
