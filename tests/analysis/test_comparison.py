import pytest

from cnnviz.analysis.comparison import comparison, provenance


def cell(error, seed=0, **changes):
    return {
        "model": "lenet5",
        "dataset": "mnist",
        "scale": "full",
        "seed": seed,
        "hardware": "NVIDIA H200",
        "date": f"2026-11-2{seed}",
        "train_images": 60_000,
        "recipe": {"epochs": 20},
        "final": {"test_error": error},
    } | changes


def test_the_gap_is_ours_less_the_papers_in_points():
    box = comparison("lenet5_1998", "mnist", {"committed": [cell(0.0095), cell(0.0115, 1)]})
    (one,) = box.measurements
    assert box.paper.value == 0.95
    assert one.mean == pytest.approx(1.05)
    assert box.gap(one) == pytest.approx(0.10)


def test_every_difference_from_the_paper_is_named():
    quick = cell(0.03, train_images=8_000, recipe={"epochs": 4}, options={"width": 0.5})
    (one,) = comparison("lenet5_1998", "mnist", {"your run": [quick]}).measurements
    assert one.differences == (
        "lenet5 instead of lenet5_1998",
        "width 0.5 instead of 1",
        "8,000 instead of 60,000 training images",
        "4 instead of 20 passes",
    )
    (same,) = comparison("lenet5_1998", "mnist", {"a": [cell(0.01, model="lenet5_1998")]}).measurements
    assert same.differences == ()


def test_other_images_have_no_gap():
    box = comparison("lenet5_1998", "mnist", {"your run": [cell(0.07, dataset="digits")]})
    assert box.gap(box.measurements[0]) is None
    assert "none: other images" in box.describe()
    assert "digits instead of mnist" in box.describe()


def test_the_box_is_a_table_with_paper_and_provenance_and_says_what_was_not_measured():
    box = comparison("lenet5_1998", "mnist", {"committed": [cell(0.01), cell(0.012, 2)], "not yet": []})
    lines = box._repr_markdown_().splitlines()
    assert lines[0] == "| | test error, mnist | gap | why |"
    assert lines[2].startswith("| **paper**: LeCun et al. 1998, section III.B and figure 9, lenet5_1998 | 0.95 % |")
    assert lines[3] == (
        "| **committed**: lenet5 on mnist, full, NVIDIA H200, seeds 0, 2, 2026-11-22 | 1.10 % (1.00 to 1.20) "
        "| +0.15 points | lenet5 instead of lenet5_1998 |"
    )
    assert lines[4:] == ["| **not yet** | not measured yet |  |  |"]
    assert box.gap(box.measurements[1]) is None
    assert repr(box) == box.describe()


def test_provenance_of_one_seed():
    assert provenance([cell(0.01)]) == "lenet5 on mnist, full, NVIDIA H200, seed 0, 2026-11-20"


def test_a_part_of_the_planned_seeds_is_said_to_be_one():
    partial, whole = cell(0.01, seeds_planned=3), [cell(0.01, seed, seeds_planned=2) for seed in (0, 1)]
    assert ", seed 0 (1 of 3 seeds), 2026" in provenance([partial])
    assert ", seeds 0, 1, 2026" in provenance(whole)
    assert "(1 of 3 seeds)" in comparison("lenet5_1998", "mnist", {"committed": [partial]}).describe()


def test_a_number_that_was_not_published_is_not_made_up():
    with pytest.raises(ValueError, match="no published 'test error, cifar10'"):
        comparison("lenet5_1998", "cifar10", {})
