"""The lectures' numbers: all computed, by the package, and judged as they deserve."""

import numpy as np
import pytest

from cnnviz.analysis import lectures
from cnnviz.analysis.lectures import Reading, lecture_numbers, printed_numbers, readings
from cnnviz.analysis.path_study import path_study

# What the lectures print wrongly, or only in one of two readings, with our value from arithmetic by hand.
MODULE = 784 * (256 * 128 + 2 * 256 * 64 + 64 * 192 * 9 + 64 * 96 * 25 + 256 * 64)  # the reduced Inception module
STEM = 112**2 * 49 * 3 * 64 + 56**2 * (64 * 64 + 9 * 64 * 192)
BEFORE_28 = 9 * (224**2 * (3 * 64 + 64**2) + 112**2 * (64 * 128 + 128**2) + 56**2 * (128 * 256 + 2 * 256**2))
VGG_OUTPUTS = 3 * 224**2 + 64 * (2 * 224**2 + 112**2) + 128 * (2 * 112**2 + 56**2) + 256 * (3 * 56**2 + 28**2)
VGG_OUTPUTS += 512 * (3 * 28**2 + 14**2) + 512 * (3 * 14**2 + 7**2) + 4096 + 4096 + 1000
LINEAR = 9217 * 4096 + 4097 * 4096 + 4097 * 1000
NOT = {
    "A11": 62_378_344 / 6_998_552,
    "A13": 152,
    "A14": 50,
    "B05": MODULE / 1e6,
    "B38": 6.998552,
    "C10": LINEAR / 1e6,
    "C11": 100 * LINEAR / 62_378_344,
    "C12": 55 * 55 * 96,
    "C22": STEM / 1e6,
    "C23": BEFORE_28 / STEM,
    "D14": 3 * 64 * 224**2 * 4 * 2 / 1e6,
    "D15": VGG_OUTPUTS / 1e6,
    "D16": VGG_OUTPUTS * 4 / 1e6,
    "D22": 11.28,
    "D24": MODULE / 1e6,
    "E06": 62_378_344 / 6_998_552,
}
DEPENDS = {
    "A12": 1.394,  # two groups: 2.18
    "B15": 4867.29,  # without the linear layer 4866.27
    "C15": 64 * 112**2 * 4 / 1e3,  # in KiB 3136
    "C20": 4 * (64 * (112**2 + 2 * 56**2) + 192 * (56**2 + 28**2)) / 1e6,  # in MiB 7.5
    "D04": "2",
    "D12": 1610,  # weights alone 1600
}


@pytest.fixture(scope="module")
def table():
    return lecture_numbers().set_index("id")


def test_all_109_numbers_of_the_lectures_have_a_row_and_a_reason(table):
    assert list(table.index) == [row["id"] for row in printed_numbers()]
    assert len(table) == 109
    assert (table.explanation.str.len() > 10).all()


def test_what_an_experiment_must_tell_is_told_where_it_was_measured(table, tmp_path, monkeypatch):
    assert (table.verdict != "not measured yet").all()
    assert table.verdict["B07"] == "agrees"
    monkeypatch.setattr(lectures, "path_study", lambda: path_study(folder=tmp_path))
    assert readings("B07") == []
    row = lectures._row(next(row for row in printed_numbers() if row["id"] == "B07"), lectures._course())
    assert (row["computed"], row["verdict"]) == (None, "not measured yet")


@pytest.mark.parametrize(("verdict", "expected"), [("does not agree", NOT), ("depends on", DEPENDS)])
def test_what_does_not_hold_is_named_with_our_value(table, verdict, expected):
    found = table.computed[table.verdict == verdict].to_dict()
    assert found.keys() == expected.keys()
    for id, value in expected.items():
        assert found[id] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-3)), id


def test_everything_else_agrees(table):
    rest = table.verdict[[id for id in table.index if id not in {*NOT, *DEPENDS}]]
    assert set(rest) == {"agrees", "agrees as rounded"}
    numbers = table.loc[[id for id in rest.index if not isinstance(table.computed[id], str)]]
    printed = numbers.printed.astype(float)
    # A rounded print is off by half of its last digit at most, and no print here has fewer than one digit.
    np.testing.assert_allclose(numbers.computed.astype(float), printed, rtol=0.06)
    exact = numbers.verdict == "agrees"
    np.testing.assert_allclose(numbers.computed[exact].astype(float), printed[exact], rtol=1e-12)


def test_the_table_of_keras_agrees_to_the_unit(table):
    assert (table.verdict[[f"B{number}" for number in range(20, 38)]] == "agrees").all()


# The whole explanations of what does not agree, or depends on how it is read, and of some more; every number in them
# is worked out here, by plain arithmetic.
ONE_TOWER, TWO_GROUPS, GOOGLENET, HEADS = 62_378_344, 60_965_224, 6_998_552, 13_378_280
ALEXNET_WORK = 55**2 * 121 * 3 * 96 + 27**2 * 25 * 96 * 256 + 13**2 * 9 * (256 * 384 + 384 * 384 + 384 * 256)
ALEXNET_WORK += 9216 * 4096 + 4096 * 4096 + 4096 * 1000
GROUPED_WORK = ALEXNET_WORK - (27**2 * 25 * 96 * 256 + 13**2 * 9 * (384 * 384 + 384 * 256)) // 2
GOOGLENET_WORK = 1_582_671_872  # test_googlenet.py works it out from the paper's table
POOLS = 9 * (64 * 56**2 + 192 * 28**2)  # comparisons
FEWER = BEFORE_28 - 9 * 56**2 * 256**2  # without the last convolution
STORED = 64 * 112**2 + 64 * 56**2 * 2 + 192 * 56**2 + 192 * 28**2
RELU_OUTPUTS = 64 * 2 * 224**2 + 128 * 2 * 112**2 + 256 * 3 * 56**2 + 512 * 3 * (28**2 + 14**2) + 2 * 4096
THREE = 3 * 64 * 224**2
MOBILENET = 4_867_293_184  # test_mobilenet.py works it out from the paper's table
INCEPTION = (
    "25.7 + 12.8 + 86.7 + 12.8 + 120.4 + 12.8 = 271.4 million mult-adds; where 358 may come from: the 3x3 convolution "
    "(86.7 million) counted twice gives 358.1 million"
)


def fewer(times, cause):
    return (
        f"AlexNet in one tower {ONE_TOWER:,} / {GOOGLENET:,} = {ONE_TOWER / GOOGLENET:.1f}; {times} times fewer would "
        f"be {ONE_TOWER / times / 1e6:.1f} million; or: AlexNet in two groups {TWO_GROUPS:,} / {GOOGLENET:,} = "
        f"{TWO_GROUPS / GOOGLENET:.1f}; {times} times fewer would be {TWO_GROUPS / times / 1e6:.1f} million; "
        f"where {times} may come from: {cause}"
    )


EXPLANATIONS = {
    "A11": fewer(12, "GoogLeNet's paper prints 12, too"),
    "A12": f"AlexNet in one tower: 1,582.7 million / {ALEXNET_WORK / 1e6:,.1f} million mult-adds = "
    f"{GOOGLENET_WORK / ALEXNET_WORK:.1f}; or: AlexNet in the two groups of its paper: 1,582.7 million / "
    f"{GROUPED_WORK / 1e6:,.1f} million mult-adds = {GOOGLENET_WORK / GROUPED_WORK:.1f}",
    "A13": "151 convolutions and 1 linear layer on the way through resnet152: 152; projections in shortcuts do not "
    "count; where 151 may come from: 152 - 1 = 151 without the linear layer",
    "A14": "49 convolutions and 1 linear layer on the way through resnet50: 50; projections in shortcuts do not count; "
    "where 51 may come from: 50 + 1 = 51 with the max pooling, which has no weights",
    "B05": INCEPTION,
    "B15": f"our MobileNet with full convolutions: {MOBILENET:,}; or: without its linear layer "
    f"{MOBILENET - 1024 * 1000:,}, though the 569 million are with it",
    "B38": f"without the auxiliary heads {GOOGLENET:,}; or: with both of them {HEADS:,}; where 5 may come from: "
    "AlexNet's 60 million, as its paper prints, by the ratio of A11: 60 / 12 = 5",
    "C10": f"{LINEAR:,} of {ONE_TOWER:,}; where 57 may come from: the 95 % of C11, of the 60 million that the paper "
    "prints, are 57 million",
    "C11": f"one tower: {LINEAR:,} / {ONE_TOWER:,} = {100 * LINEAR / ONE_TOWER:.1f} %; or: two groups: {LINEAR:,} / "
    f"{TWO_GROUPS:,} = {100 * LINEAR / TWO_GROUPS:.1f} %; where 95 may come from: 57 million (C10) of the 60 that the "
    "paper prints are 95 %",
    "C12": f"55 · 55 · 96 = {55 * 55 * 96:,}; where 253440 may come from: AlexNet's paper prints {55 * 48 * 96:,}, "
    "too, which is 55 · 48 · 96",
    "C15": f"{64 * 112**2:,} numbers of 4 bytes are {256 * 112**2 / 1000:,.1f} KB; or: {64 * 112**2:,} numbers of 4 "
    f"bytes are {112**2 / 4:,.1f} KiB",
    "C19": f"3² · 64 · 192 = {9 * 64 * 192:,} weights, {9 * 64 * 192 + 192:,} with biases",
    "C20": f"{STORED:,} numbers of 4 bytes are {STORED * 4 / 1e6:.1f} MB; or: {STORED:,} numbers of 4 bytes are "
    f"{STORED / 2**18:.1f} MiB",
    "C22": f"118.0 + 12.8 + 346.8 = {STEM / 1e6:.1f} million mult-adds; or: with {POOLS / 1e6:.1f} million comparisons "
    f"of the poolings {(STEM + POOLS) / 1e6:.1f} million; the printed 418 has the digits of 481 in another order",
    "C23": f"7 convolutions of VGG-16 lie before 28 x 28: {BEFORE_28 / 1e6:,.1f} million mult-adds, divided by "
    f"{STEM / 1e6:.1f} million = {BEFORE_28 / STEM:.1f}; where 17.8 may come from: without the last convolution "
    f"{FEWER / 1e6:,.1f} million, divided by the 418 of C22 at two digits, 420, = {FEWER / 420e6:.2f}; by 418 itself "
    f"it would be {FEWER / 418e6:.2f}",
    "D04": "torch rounds (7 - 3) / 3 down: 2 x 2; or: the last window ends 1 pixel before the edge",
    "D12": "10 · 4 · 4 · 10 weights + 10 biases = 1,610; or: the weights alone are 1,600, though elsewhere biases are "
    "counted",
    "D14": f"{THREE / 1e6:.1f} million activations and as many gradients; {2 * THREE:,} numbers of 4 bytes are "
    f"{8 * THREE / 1e6:.1f} MB; or: {2 * THREE:,} numbers of 4 bytes are {8 * THREE / 2**20:.1f} MiB; where 72 may "
    "come from: 3.2 million a layer rounded to 3 before they are multiplied, 3 · 3 · 2 · 4 = 72",
    "D15": f"the lecture's own list of layers adds up to {VGG_OUTPUTS:,}; or: with the outputs of ReLU stored apart "
    f"{VGG_OUTPUTS + RELU_OUTPUTS:,}; the printed 24 lies between the two ({24e6 / VGG_OUTPUTS:.2f} and "
    f"{24e6 / (VGG_OUTPUTS + RELU_OUTPUTS):.2f} times as much), no way to count was found that gives it",
    "D16": f"{VGG_OUTPUTS:,} numbers of 4 bytes are {VGG_OUTPUTS * 4 / 1e6:.1f} MB; or: {VGG_OUTPUTS:,} numbers of 4 "
    f"bytes are {VGG_OUTPUTS / 2**18:.1f} MiB; or: with the outputs of ReLU "
    f"{(VGG_OUTPUTS + RELU_OUTPUTS) * 4 / 1e6:.1f} MB; where 96 may come from: the 24 million of D15 · 4 bytes = 96, "
    "an error carried on",
    "D22": "ResNet-152 has 11.3 billion, and its paper prints 11.3; where 15.3 may come from: the convolutions of "
    "VGG-16 have 15.3 billion (15.5 with its linear layers); for VGG-16 the same paper prints 15.3",
    "D24": INCEPTION,
    "E06": fewer(10, "8.7 to the nearest ten is 10"),
}
# Arithmetic of numbers that hold, formatted from what was computed.
EXPLANATIONS |= {
    "A01": "1024 · 7 · 7 · 1000 = 50,176,000 weights",
    "A02": "1024 · 1000 = 1,024,000 weights; the pooling has 0",
    "B03": "1 + (3 - 1) + (3 - 1) + (3 - 1) = 7 pixels",
    "D01": "0·0 + 1·1 + 3·2 + 4·3 = 19, 1·0 + 2·1 + 4·2 + 5·3 = 25, 3·0 + 4·1 + 6·2 + 7·3 = 37, "
    "4·0 + 5·1 + 7·2 + 8·3 = 43",
    "D08": "5² · 3 · 30 = 2,250, and 30 biases",
    "D18": "512 · 7 · 7 · 4096 = 102,760,448",
    "D19": "(227 + 2 · 0 - 11) / 4 + 1 = 55: 55x55x96",
    "D20": "pooling 3 of 3: (13 + 2 · 0 - 3) / 2 + 1 = 6: 6x6x256",
    "E01": "(28 + 2 · 0 - 3) / 1 + 1 = 26",
}


@pytest.mark.parametrize("id", EXPLANATIONS)
def test_explanations_show_the_arithmetic_and_where_a_wrong_number_may_come_from(table, id):
    assert table.explanation[id] == EXPLANATIONS[id]


def test_every_number_that_does_not_agree_or_depends_has_a_whole_explanation_here():
    assert {*NOT, *DEPENDS} <= EXPLANATIONS.keys()


@pytest.mark.parametrize(
    ("id", "values"),
    [
        ("A11", [ONE_TOWER / GOOGLENET, TWO_GROUPS / GOOGLENET]),
        ("A12", [GOOGLENET_WORK / ALEXNET_WORK, GOOGLENET_WORK / GROUPED_WORK]),
        ("B15", [MOBILENET, MOBILENET - 1024 * 1000]),
        ("B38", [GOOGLENET, HEADS]),
        ("C11", [LINEAR / ONE_TOWER, LINEAR / TWO_GROUPS]),
        ("C15", [256 * 112**2] * 2),
        ("C20", [4 * STORED] * 2),
        ("C22", [STEM, STEM + POOLS]),
        ("D04", ["2", "does not fit"]),
        ("D12", [1610, 1600]),
        ("D14", [8 * THREE] * 2),
        ("D15", [VGG_OUTPUTS, VGG_OUTPUTS + RELU_OUTPUTS]),
        ("D16", [4 * VGG_OUTPUTS] * 2 + [4 * (VGG_OUTPUTS + RELU_OUTPUTS)]),
    ],
)
def test_every_reading_has_its_value(id, values):
    assert [reading.value for reading in readings(id)] == values


@pytest.mark.parametrize(
    ("id", "other", "gone"),
    [
        ("A11", "13", "may come from"),
        ("A13", "154", "may come from"),
        ("B05", "359", "counted twice"),
        ("B38", "6", "may come from"),
        ("C10", "56", "may come from"),
        ("C11", "93", "may come from"),
        ("C12", "253441", "paper prints"),
        ("C22", "480", "another order"),
        ("C22", "481", "another order"),
        ("C23", "17.7", "may come from"),
        ("D14", "70", "may come from"),
        ("D15", "29", "lies between"),
        ("D15", "15", "lies between"),
        ("D16", "97", "may come from"),
        ("D22", "15.2", "may come from"),
        ("E06", "11", "may come from"),
    ],
)
def test_a_cause_is_named_only_where_its_arithmetic_gives_what_is_printed(monkeypatch, id, other, gone):
    rows = [row | {"printed": other} if row["id"] == id else row for row in printed_numbers()]
    monkeypatch.setattr(lectures, "printed_numbers", lambda: rows)
    assert gone not in "; ".join(reading.because for reading in readings(id))


COUNTED = ["create_model", "layer_table", "convolution", "pooling", "output_size", "leftover", "keras_parameters"]


@pytest.fixture
def nothing_counts(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a model or a counter was asked")

    for name in COUNTED:
        monkeypatch.setattr(lectures, name, refuse)


@pytest.mark.parametrize("id", [row["id"] for row in printed_numbers() if row["id"] != "B07"])
def test_each_number_comes_from_models_and_counters(nothing_counts, id):
    with pytest.raises(AssertionError, match="a model or a counter was asked"):
        readings(id)


def test_an_unknown_number_is_refused():
    with pytest.raises(ValueError, match="no number 'Z99'; ids run from A01 to E07"):
        readings("Z99")


@pytest.mark.parametrize(
    ("printed", "unit", "values", "verdict"),
    [
        ("12", "ratio", [12.0], "agrees"),
        ("12", "ratio", [12.49], "agrees as rounded"),
        ("12", "ratio", [12.5], "does not agree"),
        ("12", "ratio", [11.5], "agrees as rounded"),
        ("0.27", "million", [266_752], "agrees as rounded"),
        ("0.27", "million", [264_999], "does not agree"),
        ("75", "percent", [0.75], "agrees"),
        ("7.5", "MB", [7.4e6, 7.5e6], "depends on"),
        ("7.5", "MB", [7.52e6, 7.5e6], "agrees as rounded"),
        ("7.5", "MB", [7.5e6, 7.52e6], "agrees as rounded"),
        ("7.5", "MB", [7.5e6, 7.5e6], "agrees"),
        ("7.5", "MB", [7.5e6, 7.4e6, 7.52e6], "depends on"),
        ("7.5", "MB", [7.2e6, 7.3e6], "does not agree"),
        ("6x6", "shape", ["6x6"], "agrees"),
        ("does not fit", "text", [2.0], "does not agree"),
        ("1", "ratio", [], "not measured yet"),
    ],
)
def test_verdicts(monkeypatch, printed, unit, values, verdict):
    row = {"id": "X", "lecture": "", "statement": "", "topic": "", "printed": printed, "unit": unit}
    monkeypatch.setattr(lectures, "printed_numbers", lambda: [row])
    monkeypatch.setattr(lectures, "_course", lambda: {"X": lambda: [Reading(value, "so") for value in values]})
    assert lecture_numbers().verdict.item() == verdict


def test_a_reading_can_have_a_unit_of_its_own():
    [kb, kib] = readings("C15")
    assert kb.value == kib.value == 3136 * 1024
    assert (kb.unit, kib.unit) == (1000, 1024)
