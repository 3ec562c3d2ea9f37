// UnraveledExplorer: the chain of blocks above, and beneath it, column under column, its paths, one a row.

const TRAITS = ["blocks", "deleted", "path"];
const MOST = 5;
const [CHAIN, HEAD, GAP] = [116, 22, 9]; // pixels: heights of the chain, of the headings, and of the gaps between lengths
const ROOM = 448; // pixels for the rows: 32 of them can still be read
const [LINE, BOX] = [78, 34]; // pixels, in the chain: y of the line, height of a box

function render({ model, el }) {
  const shares = model.get("_shares");
  const fixed = shares.length > 0; // the shares are those of this many blocks
  let state = {};
  let looked = {}; // what the pointer or the focus is on: { block } or { path }
  let room = 0;
  let drawn = { room, blocks: 0, networks: new Map() }; // number of blocks -> its nodes; they stay, as laying out text takes long
  const link = connect(model, TRAITS, () => { load(); paint(); });

  function load() {
    const read = link.read();
    // Python tells of fewer blocks first, and then of what else has to follow.
    state = fitting({ ...read, shares }, read.blocks);
  }
  const fitting = (from, blocks) => ({
    ...from, blocks, deleted: from.deleted.filter((block) => block < blocks), path: from.path < 2 ** blocks ? from.path : null,
  });
  function update(changes) {
    const before = state;
    state = fitting({ ...state, ...changes }, changes.blocks ?? state.blocks);
    paint();
    const news = TRAITS.filter((name) => JSON.stringify(state[name]) !== JSON.stringify(before[name]));
    link.write(Object.fromEntries(news.map((name) => [name, state[name]])));
  }
  const erase = (block) => update({
    deleted: state.deleted.includes(block) ? state.deleted.filter((other) => other !== block) : [...state.deleted, block].sort((a, b) => a - b),
  });
  const choose = (path) => update({ path: state.path === path ? null : path });

  // The page
  const controls = {
    blocks: slider({ name: "blocks", label: "blocks", min: 1, max: MOST, onChange: (blocks) => update({ blocks }) }),
    path: choice({ name: "path", label: "path", options: [], onChange: (value) => update({ path: value === "" ? null : Number(value) }) }),
  };
  const svg = element("svg", { class: "cnnviz-unraveled-drawing", role: "group" });
  const stage = element("div", { class: "cnnviz-unraveled-stage" }, svg);
  const pointed = element("div", { class: "cnnviz-unraveled-pointed" });
  const words = element("div", { class: "cnnviz-unraveled-words" });
  const note = element("p", { class: "cnnviz-field-note", text: fixed
    ? "Shares are those of the whole network, and sum to 1; one below zero points against the whole gradient. Deleting a block changes the shares of the other paths, too: what is shown is not measured anew."
    : "Each block is passed through its layers or by its shortcut: two ways, so n blocks have 2ⁿ paths, and a deleted block leaves half of them." });
  const spoken = announcer();
  const root = element("div", { class: "cnnviz cnnviz-unraveled" },
    element("div", { class: "cnnviz-controls" }, ...(fixed ? [] : [controls.blocks.root]), controls.path.root), stage, pointed, words, note, spoken.root);

  function look(what) {
    looked = what;
    paint();
  }

  /** All nodes of a network of so many blocks in a stage so wide; later only their looks change. */
  function draw(blocks) {
    const rows = pathsOf(blocks);
    const left = 104;
    const right = fixed ? (room < 860 ? 268 : 340) : 96;
    const [x0, x1] = [left, room - right];
    const pitch = (x1 - x0) / blocks;
    const wide = Math.min(0.44 * pitch, 100);
    const middle = (block) => x0 + (block + 0.46) * pitch; // of its box
    const column = (block) => ({ x: middle(block), from: middle(block) - wide / 2, to: middle(block) + wide / 2 });
    const [fork, plus] = [(block) => middle(block) - wide / 2 - 0.12 * pitch, (block) => middle(block) + wide / 2 + 0.14 * pitch];
    const text = (words, x, y, attributes = {}) => element("text", { x, y, text: words, ...attributes });

    // The chain
    const arc = (block) => `M${fork(block)} ${LINE}C${fork(block)} 8 ${plus(block)} 8 ${plus(block)} ${LINE - 8}`;
    const through = (block) => `M${fork(block)} ${LINE}H${plus(block)}`;
    const between = Array.from({ length: blocks + 1 }, (_, block) =>
      `M${block ? plus(block - 1) : x0} ${LINE}H${block < blocks ? fork(block) : x1}`);
    const edges = element("g", { class: "cnnviz-unraveled-edges" }, element("path", { d: between.join("") }));
    const lit = element("path", { class: "cnnviz-unraveled-route", d: "" });
    const ways = [];
    const chain = [];
    for (let block = 0; block < blocks; block++) {
      const { from, x } = column(block);
      const way = element("path", { d: through(block) });
      edges.append(element("path", { d: arc(block) }), way);
      ways.push(way);
      chain.push(element("g", { class: "cnnviz-unraveled-block", "data-block": block },
        element("rect", { class: "cnnviz-body", x: from, y: LINE - BOX / 2, width: wide, height: BOX, rx: 4 }),
        text(`f${block + 1}`, x, LINE + 5, { "text-anchor": "middle", class: "cnnviz-box-title" }),
        element("path", { class: "cnnviz-unraveled-cross", d: `M${x - 12} ${LINE - 12}l24 24m0 -24l-24 24` }),
        text(`f${block + 1} deleted`, x, LINE + BOX / 2 + 14, { "text-anchor": "middle", class: "cnnviz-unraveled-gone" })));
    }
    const sums = Array.from({ length: blocks }, (_, block) => element("g", { class: "cnnviz-unraveled-plus" },
      element("path", { d: `M${plus(block) - 8} ${LINE}a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z` }),
      element("path", { d: `M${plus(block) - 4} ${LINE}h8m-4 -4v8` })));
    const arrow = element("path", { class: "cnnviz-end", d: `M${x1 + 6} ${LINE}l-9 -5v10z` });
    const ends = [text("image", x0 - 8, LINE + 4, { "text-anchor": "end" }), text("output", x1 + 12, LINE + 4)];

    // The paths
    const tall = Math.min(fixed ? 34 : 46, (ROOM - GAP * blocks) / rows.length);
    const small = tall < 18;
    const zero = { from: x1 + 24, wide: right - 24 - 52 - 118 };
    const most = Math.max(0, ...shares);
    const least = Math.min(0, ...shares);
    const bar = (share) => zero.from + ((share - least) / (most - least)) * zero.wide;
    let y = CHAIN + HEAD;
    const lengths = [];
    const paths = rows.map((row, place) => {
      if (place > 0 && rows[place - 1].length < row.length) y += GAP;
      const centre = y + tall / 2;
      if (place === 0 || rows[place - 1].length < row.length) {
        const count = rows.filter((other) => other.length === row.length).length;
        const at = y + (count * tall) / 2 + 4;
        lengths.push(text("", room - 4, at, { "text-anchor": "end", "data-length": row.length }));
        lengths.push(element("text", { x: x0 - 14, y: at, "text-anchor": "end", "data-count": row.length },
          element("tspan", { text: `${count}` }), ` of length ${row.length}`));
        lengths.push(element("path", { class: "cnnviz-unraveled-brace", d: `M${x0 - 5} ${y + 2}h-4v${count * tall - 4}h4` }));
      }
      let d = `M${x0} ${centre}`;
      for (let block = 0; block < blocks; block++) {
        const { from, x, to } = column(block);
        d += row.includes(block) ? `H${to}` : `H${from}Q${x} ${centre - Math.min(0.75 * tall, 26)} ${to} ${centre}`;
      }
      const high = Math.min(0.68 * tall, 20);
      const boxes = row.map((block) => element("rect", { x: column(block).from, y: centre - high / 2, width: wide, height: high, rx: 2, "data-block": block }));
      const labels = small ? [] : row.map((block) => text(`f${block + 1}`, column(block).x, centre + 4, { "text-anchor": "middle" }));
      const measured = fixed ? [
        element("rect", { class: "cnnviz-unraveled-share", x: Math.min(bar(0), bar(shares[place])), y: centre - 0.35 * tall, height: 0.7 * tall,
          width: Math.max(0.5, Math.abs(bar(shares[place]) - bar(0))) }),
        text(percent(shares[place]), zero.from + zero.wide + 50, centre + 4, { "text-anchor": "end", "data-share": place }),
      ] : [];
      const node = element("g", { class: "cnnviz-unraveled-path", "data-path": place },
        element("rect", { class: "cnnviz-unraveled-hit", x: x0 - 4, y, width: fixed ? zero.from + zero.wide + 54 - x0 : x1 - x0 + 8, height: tall }),
        element("path", { d: `${d}H${x1}` }), ...boxes, ...labels, ...measured);
      y += tall;
      return node;
    });
    const heading = (words, x, anchor = "start") => text(words, x, CHAIN + 13, { "text-anchor": anchor, class: "cnnviz-label" });
    const headings = [heading("paths", x0 - 14, "end"), ...(fixed ? [heading("share of the gradient", zero.from), heading("by length", room - 4, "end")] : [heading("left", room - 4, "end")]),
      heading("box: through the layers, bend: past", x0)];
    const axis = fixed ? [element("line", { class: "cnnviz-unraveled-zero", x1: bar(0), x2: bar(0), y1: CHAIN + HEAD - 2, y2: y + 2 })] : [];
    const height = fixed ? y + 4 : CHAIN + HEAD + ROOM + 4; // the slider moves nothing that stands below
    for (const [name, value] of Object.entries({ width: room, height, viewBox: `0 0 ${room} ${height}` })) setAttribute(svg, name, value);
    const rowsNode = element("g", { role: "group", "aria-label": "paths; up and down go from one to the next, Enter chooses" }, ...paths);
    const chainNode = element("g", { role: "group", "aria-label": "blocks; left and right go from one to the next, Enter deletes" }, ...chain);
    const node = element("g", { "data-blocks": blocks }, edges, lit, ...sums, arrow, ...ends, chainNode, ...headings, ...lengths, ...axis, rowsNode);
    svg.append(node);
    roving(chain, { back: "ArrowLeft", forth: "ArrowRight", press: erase, look: (block) => look(block === null ? {} : { block }) });
    roving(paths, { back: "ArrowUp", forth: "ArrowDown", press: choose, look: (path) => look(path === null ? {} : { path }) });
    /** A path in the chain. */
    const route = (row) => between.join("") + Array.from({ length: blocks }, (_, block) => (row.includes(block) ? through : arc)(block)).join("");
    return { node, rows, chain, ways, paths, lit, route };
  }

  const paint = oncePerFrame(() => {
    if (room === 0) return;
    if (drawn.room !== room) {
      drawn = { room, blocks: 0, networks: new Map() };
      svg.replaceChildren();
    }
    const { blocks, deleted } = state;
    const { networks } = drawn;
    if (drawn.blocks !== blocks) looked = {}; // what the pointer or the focus was on is out of sight
    drawn.blocks = blocks;
    if (!networks.has(blocks)) networks.set(blocks, draw(blocks));
    for (const [other, { node }] of networks) setAttribute(node, "visibility", other === blocks ? "visible" : "hidden");
    const { node: network, rows, chain, ways, paths, lit, route } = networks.get(blocks);
    const shown = looked.path ?? (looked.block === undefined ? state.path : null);
    const row = shown === null ? null : rows[shown];
    setAttribute(lit, "d", row ? route(row) : "");
    lit.classList.toggle("cnnviz-unraveled-dead", row !== null && !alive(row, deleted));
    chain.forEach((node, block) => {
      const gone = deleted.includes(block);
      node.classList.toggle("cnnviz-unraveled-dead", gone);
      ways[block].classList.toggle("cnnviz-unraveled-dead", gone);
      node.classList.toggle("cnnviz-unraveled-lit", Boolean(row?.includes(block)) || looked.block === block);
      setAttribute(node, "aria-pressed", gone);
      setAttribute(node, "aria-label", blockWords(block));
    });
    paths.forEach((node, place) => {
      node.classList.toggle("cnnviz-unraveled-dead", !alive(rows[place], deleted));
      node.classList.toggle("cnnviz-unraveled-lit", place === shown || rows[place].includes(looked.block));
      node.classList.toggle("cnnviz-unraveled-chosen", place === state.path);
      setAttribute(node, "aria-pressed", place === state.path);
      setAttribute(node, "aria-label", pathWords(place, state));
    });
    for (const { length, paths: count, left, share } of byLength(state)) {
      write(network.querySelector(`[data-length="${length}"]`), `${fixed ? `${percent(share)}, ` : ""}${left} of ${count}${fixed ? " left" : ""}`);
    }
    controls.blocks.set({ value: state.blocks });
    const title = (place) => (rows[place].length ? names(rows[place]) : "past all layers");
    controls.path.set({ value: String(state.path ?? ""), options: [["", "none"], ...rows.map((_, place) => [String(place), title(place)])] });
    write(pointed, looked.block !== undefined ? blockWords(looked.block) : shown !== null ? sentence(pathWords(shown, state))
      : "Point at a block or a path, or go there with the Tab and arrow keys. Click a block, or press Enter, to delete its layers.");
    const said = describe(state);
    write(words, said);
    setAttribute(svg, "aria-label", said);
    spoken.say(said);
  });
  const sentence = (said) => `${said[0].toUpperCase()}${said.slice(1)}.`;
  /** What hangs on a block. */
  function blockWords(block) {
    const half = 2 ** (state.blocks - 1);
    const gone = state.deleted.includes(block);
    return `Block ${block + 1}: ${half} of ${2 * half} paths pass through its layers f${block + 1}, ${half} go past. `
      + (gone ? "Its layers are deleted; press to bring them back." : "Press to delete its layers.");
  }

  const unwatch = watchLook(stage, (width) => {
    room = width;
    root.classList.toggle("cnnviz-narrow", room < 760);
    paint();
  });
  load();
  el.append(root);
  return () => { link.close(); unwatch(); };
}

const widget = { render };
export default widget;
