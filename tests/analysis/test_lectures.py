"""The lectures' numbers: all computed, by the package, and judged as they deserve."""

import numpy as np
import pytest

from cnnviz.analysis import lectures
from cnnviz.analysis.lectures import Reading, lecture_numbers, printed_numbers, readings

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


def test_only_what_an_experiment_must_tell_is_not_computed(table):
    assert list(table.index[table.verdict == "not measured yet"]) == ["B07"]
    assert list(table.index[table.computed.isna()]) == ["B07"]


@pytest.mark.parametrize(("verdict", "expected"), [("does not agree", NOT), ("depends on", DEPENDS)])
def test_what_does_not_hold_is_named_with_our_value(table, verdict, expected):
    found = table.computed[table.verdict == verdict].to_dict()
    assert found.keys() == expected.keys()
    for id, value in expected.items():
        assert found[id] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-3)), id


def test_everything_else_agrees(table):
    rest = table.verdict[[id for id in table.index if id not in {*NOT, *DEPENDS, "B07"}]]
    assert set(rest) == {"agrees", "agrees as rounded"}
    numbers = table.loc[[id for id in rest.index if not isinstance(table.computed[id], str)]]
    printed = numbers.printed.astype(float)
    # A rounded print is off by half of its last digit at most, and no print here has fewer than one digit.
    np.testing.assert_allclose(numbers.computed.astype(float), printed, rtol=0.06)
    exact = numbers.verdict == "agrees"
    np.testing.assert_allclose(numbers.computed[exact].astype(float), printed[exact], rtol=1e-12)


def test_the_table_of_keras_agrees_to_the_unit(table):
    assert (table.verdict[[f"B{number}" for number in range(20, 38)]] == "agrees").all()


def test_explanations_say_where_a_wrong_number_comes_from(table):
    assert "counted twice gives 358.1 million" in table.explanation["B05"]
    assert "253,440 is 55 · 48 · 96" in table.explanation["C12"]
    assert "15.3 billion are the convolutions of VGG-16" in table.explanation["D22"]
    assert "3,136.0 KiB" in table.explanation["C15"]


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
    assert readings("B07") == []
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
        ("7.5", "MB", [7.52e6, 7.5e6], "agrees"),
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
