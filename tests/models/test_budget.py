"""The width for a budget, against a search through all widths."""

from functools import cache

import pytest

from cnnviz.models import lenet5
from cnnviz.models.budget import width_for
from tests.models import networks


@cache
def count(hundredths, **options):
    return networks.count(networks.on_meta(lenet5, width=hundredths / 100, **options))


def widest(parameters, start, stop, **options):
    """Try all widths of a range, whose ends have to lie on both sides of the budget."""
    fitting = [number for number in range(start, stop) if count(number, **options) <= parameters]
    assert start in fitting
    assert stop - 1 not in fitting
    return fitting[-1] / 100


@pytest.mark.parametrize(
    "parameters", [100, 1_000, 15_000, count(100) - 1, count(100), count(100) + 1, 123_456, 700_000]
)
def test_the_width_is_the_largest_that_fits(parameters):
    assert width_for("lenet5", parameters) == widest(parameters, 1, 400)


@pytest.mark.parametrize("near", [1_000, 3_100])
def test_wide_networks_are_found_too(near):
    assert width_for("lenet5", count(near)) == widest(count(near), near - 50, near + 50)
    assert width_for("lenet5", count(3200)) == 32


def test_other_options_count():
    budget = 100_000
    assert width_for("lenet5", budget, num_classes=500) == widest(budget, 1, 400, num_classes=500)
    assert width_for("lenet5", budget, num_classes=500) < width_for("lenet5", budget)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("vgg16", 100, r"the narrowest vgg16 has [\d,]+ parameters, the budget is 100"),
        ("lenet5", count(1) - 1, f"the narrowest lenet5 has {count(1)} parameters, the budget is {count(1) - 1}"),
        ("lenet5_1998", 1000, "lenet5_1998 has no option width"),
        ("lenet5", count(3200) + 1, f"a width of 32 lenet5 has {count(3200):,} parameters only; the budget is"),
        ("vgg11", 10**12, "a width of 32 vgg11 has [0-9,]+ parameters only; the budget is 1,000,000,000,000"),
        ("lenet", 10**6, "there is no model 'lenet'"),
    ],
)
def test_a_budget_that_no_width_meets_is_refused(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        width_for(name, parameters)


def test_a_width_among_the_options_is_refused():
    with pytest.raises(TypeError, match=r"width \(=2\) is what is looked for"):
        width_for("lenet5", 100_000, width=2)
