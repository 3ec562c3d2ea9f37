// Numbers of layer_cost.js in words, and the arithmetic behind each of them filled in.

/** 346816512 -> 346,816,512 */
export const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ",");

/** 0.28704 -> 28.7 %; halves go up, as Python's `percent` has them. */
export const percent = (share) => `${(Math.floor(1000 * share + 0.5) / 10).toFixed(1)} %`;

/** Bytes as kB (1000 bytes), as layer_table prints them. */
export function kilobytes(bytes) {
  const [whole, tenth] = (Math.floor(bytes / 100 + 0.5) / 10).toFixed(1).split(".");
  return `${thousands(whole)}.${tenth} kB`;
}

/** The product that gives a number of one row of `costs`, filled in; "" where the layer has none of it. */
export const FORMULAS = {
  parameters: ({ layer, input, parameters }) => parameters && `${weightsFormula(layer, input)}${layer.bias ? ` + ${outputsOf(layer)}` : ""}`,
  mult_adds: ({ layer, input, output, mult_adds }) =>
    mult_adds && (layer.kind === "conv" ? `${output[1]}² · ` : "") + weightsFormula(layer, input),
  activation_bytes: ({ output, activation_bytes }) => activation_bytes && `4 · ${output[0]}${output.length === 3 ? ` · ${output[1]}²` : ""}`,
};
const outputsOf = (layer) => layer.out_channels ?? layer.out_features;
function weightsFormula(layer, [channels]) {
  if (layer.kind === "linear") return `${layer.out_features} · ${channels}`;
  return `${layer.out_channels} · ${channels}${layer.groups > 1 ? `/${layer.groups}` : ""} · ${layer.kernel_size}²`;
}

/** All rows of a stack added up: "14² · 512 · 512/512 · 3² + 14² · 512 · 512 · 1²"; layers alike are counted: "3 · (...)". */
export function formulaOf(rows, measure) {
  const alike = [];
  for (const term of rows.map(FORMULAS[measure]).filter(Boolean)) {
    if (alike.at(-1)?.term === term) alike.at(-1).times += 1;
    else alike.push({ term, times: 1 });
  }
  const terms = alike.map(({ term, times }) => (times === 1 ? term : `${times} · ${term.includes("+") ? `(${term})` : term}`));
  return terms.join(" + ") || "0";
}
