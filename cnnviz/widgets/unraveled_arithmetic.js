// The paths of a residual network: which there are, which a deletion leaves, and all that in words.

/** For each of the 2^n paths the numbers of the blocks whose layers it takes; the shortest first, as Python has them. */
export function pathsOf(blocks) {
  const some = (count, from) => (count === 0 ? [[]] : Array.from({ length: blocks - from }, (_, n) => from + n)
    .flatMap((first) => some(count - 1, first + 1).map((others) => [first, ...others])));
  return Array.from({ length: blocks + 1 }, (_, length) => some(length, 0)).flat();
}

/** Whether a path is left: it takes the layers of no deleted block. */
export const alive = (row, deleted) => !row.some((block) => deleted.includes(block));

/** For each length 0 to n: how many paths have it, how many of them are left, and their share (0 if not known). */
export function byLength({ blocks, deleted, shares }) {
  const rows = pathsOf(blocks);
  return Array.from({ length: blocks + 1 }, (_, length) => {
    const places = rows.map((_, place) => place).filter((place) => rows[place].length === length);
    return {
      length, paths: places.length, left: places.filter((place) => alive(rows[place], deleted)).length,
      share: places.reduce((sum, place) => sum + (shares[place] ?? 0), 0),
    };
  });
}

/** [0, 2, 3] -> "f1, f3 and f4" */
export const names = (blocks) => blocks.map((block) => `f${block + 1}`).join(", ").replace(/, (f\d+)$/, " and $1");

/** A path in words: its blocks, its length, its share and whether it is dead. */
export function pathWords(place, { blocks, deleted, shares }) {
  const row = pathsOf(blocks)[place];
  const dead = row.filter((block) => deleted.includes(block));
  return `the path ${row.length ? `through ${names(row)}` : "past all layers"}, of length ${row.length}`
    + (shares.length ? `, with ${percent(shares[place])} of the gradient` : "")
    + (dead.length ? `, dead without ${names(dead)}` : "");
}

/** What Python's `describe` says of the same state. */
export function describe(state) {
  const { blocks, deleted, path, shares } = state;
  const lengths = byLength(state);
  const there = blocks - deleted.length;
  const left = lengths.slice(0, there + 1);
  const counts = there ? `${left.map((one) => one.left).join(" ")} of lengths 0 to ${there}` : "of length 0";
  const head = `${blocks} block${blocks > 1 ? "s" : ""}`;
  let text = deleted.length
    ? `${head}, ${names(deleted)} deleted: ${2 ** there} of ${2 ** blocks} paths ${there ? "are" : "is"} left, ${counts}.`
    : `${head}: ${2 ** blocks} paths, ${counts}.`;
  if (shares.length) {
    const kept = pathsOf(blocks).reduce((sum, row, place) => sum + (alive(row, deleted) ? shares[place] : 0), 0);
    text += ` Of the whole network's gradient, lengths 0 to ${blocks} have ${lengths.map(({ share }) => percent(share)).join(", ")}`
      + (deleted.length ? `; the paths that are left had ${percent(kept)}.` : ".");
  }
  return path === null ? text : `${text} Chosen: ${pathWords(path, state)}.`;
}
