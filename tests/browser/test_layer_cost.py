"""layer_cost.js in Chromium beside layer_table of the torch module that the same words describe."""

import random

import pytest

from cnnviz.analysis.layer_table import layer_table
from cnnviz.analysis.stack import stack
from cnnviz.widgets.explorer import module

pytestmark = pytest.mark.browser

COSTS = """(cases) => cases.map(({ layers, shape }) => {
    try {
        const rows = module.costs(layers, shape);
        return { rows, total: module.total(rows) };
    } catch (error) { return { error: error.message }; }
})"""


def random_layer(rng, depth=0):
    """Any layer in words, now and then one that does not fit."""
    kind = rng.choice(["conv"] * 6 + ["max pool", "average pool"] + ["concat"] * (2 - depth))
    if kind == "concat":
        paths = [[random_layer(rng, depth + 1) for _ in range(rng.randint(0, 2))] for _ in range(rng.randint(1, 3))]
        return {"kind": kind, "branches": paths}
    words = {"kind": kind, "kernel_size": rng.randint(1, 4)}
    for key, values in {"stride": [1, 1, 1, 2, 3], "padding": [0, 1, 1, 2]}.items():
        words |= {key: rng.choice(values)} if rng.random() < 0.7 else {}
    if kind == "conv":
        words["out_channels"] = rng.choice([1, 2, 4, 6, 12])
        for key, values in {"dilation": [1, 2, 3], "groups": [1, 2, 3], "bias": [True, False]}.items():
            words |= {key: rng.choice(values)} if rng.random() < 0.3 else {}
    return words


def random_case(rng):
    layers = [random_layer(rng) for _ in range(rng.randint(1, 4))]
    ends = [[], [{"kind": "global average pool"}], [{"kind": "flatten"}, {"kind": "linear", "out_features": 3}]]
    ends += [[*ends[1], *ends[2]], [*ends[2], {"kind": "linear", "out_features": 2, "bias": False}], [*ends[2][::-1]]]
    return {"layers": layers + rng.choice(ends), "shape": [rng.choice([1, 2, 6]), *[rng.randint(6, 20)] * 2]}


def table_rows(layers, shape):
    rows = layer_table(stack(layers, shape), tuple(shape)).rows
    rows = [row for row in rows if row.kind != "Sequential"]  # a branch without layers
    return [
        {
            "output": list(row.output_shape[1:]),
            "parameters": row.parameters,
            "mult_adds": row.mult_adds,
            "activation_bytes": row.activation_bytes,
            "receptive_field": row.receptive_field[0],
            "jump": row.jump and row.jump[0],
        }
        for row in rows
    ]


def refusal(layers, shape):
    """What Python says against a stack, or None."""
    try:
        stack(layers, shape)
    except ValueError as error:
        return str(error)
    return None


def test_every_row_of_200_random_stacks_is_layer_tables_and_the_refusals_have_pythons_words(import_module):
    rng = random.Random(0)
    cases = [random_case(rng) for _ in range(600)]
    found = import_module(module("layer_cost")).evaluate(COSTS, cases)
    refused = [refusal(**case) for case in cases]
    assert [ours.get("error") for ours in found] == refused
    assert len(cases) - 50 >= refused.count(None) >= 200
    for case, ours in zip(cases, found, strict=True):
        if "error" not in ours:
            expected = table_rows(**case)
            assert [{key: row[key] for key in expected[0]} for row in ours["rows"]] == expected
            assert ours["total"] == {key: sum(row[key] for row in expected) for key in ours["total"]}


@pytest.mark.parametrize("words", [{"kind": "pool"}, {"kind": "conv", "kernel_size": 3}, {"kind": "flatten", "dim": 1}])
def test_layers_in_wrong_words_are_refused_with_pythons_words(import_module, words):
    case = {"layers": [words], "shape": [3, 8, 8]}
    [found] = import_module(module("layer_cost")).evaluate(COSTS, [case])
    assert found["error"] == refusal(**case)


def test_start_is_the_first_pixel_that_the_first_output_sees(import_module):
    layers = [{"kind": "conv", "out_channels": 1, "kernel_size": 3, "padding": 1}] * 2
    layers += [{"kind": "max pool", "kernel_size": 2}, {"kind": "conv", "out_channels": 1, "kernel_size": 3}]
    [found] = import_module(module("layer_cost")).evaluate(COSTS, [{"layers": layers, "shape": [1, 16, 16]}])
    assert [row["start"] for row in found["rows"]] == [-1, -2, -2, -2]
    assert [row["receptive_field"] for row in found["rows"]] == [3, 5, 6, 10]
