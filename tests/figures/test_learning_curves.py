import math
from types import SimpleNamespace

import pytest

from cnnviz.figures.learning_curves import plot_learning_curves


def records(*errors):
    return [
        SimpleNamespace(epoch=epoch, train_error=error / 2, test_error=error, train_loss=error * 3, test_loss=error * 4)
        for epoch, error in enumerate(errors)
    ]


def cells(seeds):
    return [{"seed": seed, "records": [vars(record) for record in records(0.9, 0.5)]} for seed in range(seeds)]


def test_errors_are_drawn_in_percent_for_test_and_train():
    test, train = plot_learning_curves(records(0.9, 0.2)).data
    assert (list(test.x), list(test.y)) == ([0, 1], [90, 20])
    assert (list(train.x), list(train.y)) == ([0, 1], [45, 10])
    assert (test.name, train.name) == ("your run, test", "your run, train")


def test_losses_keep_their_unit():
    test, _ = plot_learning_curves(records(0.9, 0.2), quantity="loss").data
    assert list(test.y) == pytest.approx([3.6, 0.8])


def test_runs_and_parts_differ_in_more_than_colour():
    traces = plot_learning_curves({"slow": records(0.9), "fast": records(0.5)}).data
    assert len({(trace.line.dash, trace.marker.symbol) for trace in traces}) == 4


def test_a_committed_result_stands_beside_on_the_same_axis_under_its_caption():
    figure = plot_learning_curves(records(0.9), committed={"full, H200, seeds 0, 1": cells(2)}, note="quick run")
    assert [trace.xaxis for trace in figure.data] == ["x", "x", "x2", "x2", "x2", "x2"]
    assert [trace.showlegend for trace in figure.data[2:]] == [True, True, False, False]  # a seed is no run of its own
    assert list(figure.data[2].y) == [90, 50]
    assert figure.layout.yaxis2.matches == "y"
    assert [note.text for note in figure.layout.annotations] == ["quick run", "full, H200, seeds 0, 1"]


def test_a_published_value_is_a_named_line_across_the_panels():
    figure = plot_learning_curves(records(0.9), committed={"full": cells(1)}, published={"LeCun 1998": 0.95})
    assert [(shape.y0, shape.y1) for shape in figure.layout.shapes] == [(0.95, 0.95)] * 2
    label = figure.layout.annotations[-1]
    assert label.text == "LeCun 1998: 0.95"
    assert label.y == pytest.approx(math.log10(0.95))  # the axis is logarithmic


def test_a_value_that_has_no_place_is_a_gap():
    test, _ = plot_learning_curves(records(0.9, math.nan, 0.0, math.inf, 0.1)).data
    assert list(test.y) == [90, None, None, None, 10]


def test_the_description_holds_the_last_values():
    figure = plot_learning_curves(records(0.9, 0.2), published={"LeCun 1998": 0.95})
    assert figure.layout.meta == (
        "Curves of error, percent of the images. your run: test error 20 after epoch 1. LeCun 1998: 0.95."
    )


def test_an_unknown_quantity_and_no_records_are_refused():
    with pytest.raises(ValueError, match=r"quantity \(='accuracy'\) must be one of error, loss"):
        plot_learning_curves(records(0.9), quantity="accuracy")
    for nothing in ([], {}, {"mine": []}):
        with pytest.raises(ValueError, match="there are no records to draw; train first"):
            plot_learning_curves(nothing)


@pytest.mark.parametrize("errors", [(0.9, 0.001), (0.95, 0.6), (0.79, 0.58), (0.66, 0.62), (0.9,)])
def test_every_range_of_values_has_ticks_and_not_too_many(errors):
    as_hard = [SimpleNamespace(epoch=epoch, train_error=e, test_error=e) for epoch, e in enumerate(errors)]
    percent = [100 * error for error in errors]
    inside = [
        tick for tick in plot_learning_curves(as_hard).layout.yaxis.tickvals if min(percent) <= tick <= max(percent)
    ]
    assert (3 if len(errors) > 1 else 1) <= len(inside) <= 12
