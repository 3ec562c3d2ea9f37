"""How many paths there are of each length."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.analysis.path_lengths import (
    band,
    length_distribution,
    number_of_paths,
    surviving_blocks,
)
from cnnviz.models.stochastic_depth import survival_probabilities


def test_three_connections_have_the_eight_paths_of_the_lectures():
    assert number_of_paths(3).tolist() == [1, 3, 3, 1]


def test_lengths_5_to_17_of_54_blocks_are_less_than_half_a_percent_of_the_paths():
    paths = number_of_paths(54)
    assert 100 * paths[5:18].sum() / 2**54 == pytest.approx(0.4537, abs=5e-5)
    assert paths[19:36].sum() / 2**54 > 0.95  # Veit et al. 2016, section 5: more than 95 % have 19 to 35


@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=7))
def test_the_distribution_of_lengths_is_that_of_all_paths_weighted_by_their_chance(survival):
    blocks = len(survival)
    weights = np.zeros(blocks + 1)
    for path in itertools.product((False, True), repeat=blocks):
        weights[sum(path)] += math.prod(p for p, taken in zip(survival, path, strict=True) if taken)
    np.testing.assert_allclose(length_distribution(survival), weights / weights.sum(), rtol=1e-9)


@given(st.lists(st.floats(0.05, 1), min_size=1, max_size=7))
def test_the_number_of_surviving_blocks_is_that_of_all_draws(survival):
    blocks = len(survival)
    chances = np.zeros(blocks + 1)
    for draw in itertools.product((False, True), repeat=blocks):
        chances[sum(draw)] += math.prod(p if here else 1 - p for p, here in zip(survival, draw, strict=True))
    np.testing.assert_allclose(surviving_blocks(survival), chances, rtol=1e-9, atol=1e-12)


def test_where_all_survive_the_lengths_are_binomial_and_stochastic_depth_makes_them_shorter():
    everything = length_distribution([1.0] * 54)
    np.testing.assert_allclose(everything, number_of_paths(54) / 2**54, rtol=1e-9)
    decayed = length_distribution(survival_probabilities(54, 0.5))
    assert np.arange(55) @ decayed < np.arange(55) @ everything == pytest.approx(27)


def test_a_very_deep_network_has_a_distribution_too():
    assert length_distribution([1.0] * 1500).sum() == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12).filter(lambda values: sum(values) > 1e-6), st.floats(0.1, 1))
def test_the_band_holds_the_mass_and_no_narrower_one_does(values, mass):
    low, high = band(np.array(values), mass)
    total, size = sum(values), len(values)
    assert sum(values[low : high + 1]) >= mass * total - 1e-9
    width = high - low
    assert all(sum(values[start : start + width]) < mass * total + 1e-9 for start in range(size - width + 1))


@pytest.mark.parametrize("survival", [[], [0.5, 0], [1.5]])
def test_what_is_no_chance_of_survival_is_refused(survival):
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        length_distribution(survival)


def test_no_block_is_refused():
    with pytest.raises(ValueError, match=r"blocks .=0."):
        number_of_paths(0)
