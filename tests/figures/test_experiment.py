from types import SimpleNamespace

import numpy as np
import pytest

from cnnviz.analysis.experiment import Experiment, Variant
from cnnviz.figures import plot_experiment
from cnnviz.figures.experiment import QUANTITIES


def cell(errors, seed=0):
    records = [dict.fromkeys(QUANTITIES, error) for error in errors]
    return {"seed": seed, "records": records, "final": records[-1], "dataset": "digits", "train_images": 10,
            "recipe": {"epochs": 2}, "hardware": "a processor", "date": "2026-01-01"}  # fmt: skip


def measured(**variants):
    return Experiment("trial", "", "reduced", {name: Variant(name, cells) for name, cells in variants.items()}, (6, 3))


TWO = (cell([0.9, 0.5, 0.3]), cell([0.8, 0.7, 0.1], 1))


def lines(figure):
    return {trace.name: trace for trace in figure.data if trace.mode == "lines" and trace.name}


def test_the_line_is_the_mean_in_percent_and_the_band_holds_every_seed():
    figure = plot_experiment(measured(plain=TWO))
    line = lines(figure)["plain"]
    assert np.allclose(line.y, [85, 60, 20])
    assert list(line.x) == [0, 1, 2]
    [band] = [trace for trace in figure.data if trace.fill == "toself"]
    assert np.allclose(band.y, [80, 50, 10, 30, 70, 90])
    assert list(band.x) == [0, 1, 2, 2, 1, 0]


def test_one_seed_has_no_band_and_losses_are_no_percent():
    figure = plot_experiment(measured(plain=TWO[:1]), "train_loss")
    assert len(figure.data) == 1
    assert np.allclose(figure.data[0].y, [0.9, 0.5, 0.3])


def test_the_learners_runs_stand_beside_on_the_same_scale():
    records = [SimpleNamespace(test_error=error) for error in (0.9, 0.6)]
    figure = plot_experiment(measured(plain=TWO), ours={"mine": records})
    assert np.allclose(lines(figure)["mine"].y, [90, 60])
    assert (lines(figure)["mine"].xaxis, lines(figure)["plain"].xaxis) == ("x", "x2")
    assert figure.layout.yaxis2.matches == "y"
    assert [title.text for title in figure.layout.annotations] == ["your runs", "committed, reduced, seeds: 2 of 3"]


def test_every_line_has_a_colour_and_a_dash_of_its_own():
    found = lines(plot_experiment(measured(a=TWO, b=TWO, c=TWO))).values()
    assert len({trace.line.color for trace in found}) == len({trace.line.dash for trace in found}) == 3


def test_a_name_has_one_look_in_both_panels_and_one_place_in_the_legend():
    records = [SimpleNamespace(test_error=error) for error in (0.9, 0.6)]
    figure = plot_experiment(measured(a=TWO, b=TWO), ours={"mine": records, "b": records})
    looks = [
        (trace.line.color, trace.line.dash) for trace in figure.data if trace.mode == "lines" and trace.name == "b"
    ]
    assert len(looks) == 2
    assert len(set(looks)) == 1
    assert sorted(trace.name for trace in figure.data if trace.showlegend) == ["a", "b", "mine"]


def test_it_says_its_numbers():
    text = plot_experiment(measured(plain=TWO)).layout.meta
    assert "committed, reduced, seeds: 2 of 3: plain 20 after epoch 2." in text
    assert "a processor" in text


def test_nothing_to_draw_and_another_quantity_are_refused():
    with pytest.raises(ValueError, match=r"nothing to draw: .*not measured yet"):
        plot_experiment(measured())
    with pytest.raises(ValueError, match=r"quantity \(='error'\) must be one of train_error"):
        plot_experiment(measured(plain=TWO), "error")
