import numpy as np
import pytest

from cnnviz.analysis.receptive_field import ReceptiveField
from cnnviz.figures.receptive_field import plot_receptive_field
from cnnviz.figures.style import WEIGHT


def field(first=2, last=5, effective=True):
    gradients = np.zeros((8, 10))
    gradients[3:5, 3:5] = [[1, 0.5], [0.05, 0.04]]
    ends = {"first": first and (first, first), "last": last and (last, last), "jump": (1.0, 1.0)}
    return ReceptiveField(
        "Net", "conv2", (8, 10), (4, 4), **ends, effective=gradients if effective else None, images=50
    )


def frames(figure, axis="x"):
    return [(s.x0, s.y0, s.x1, s.y1, s.line.color) for s in figure.layout.shapes if s.xref == axis]


def test_gradients_frames_and_words_are_the_fields():
    measured = field()
    figure = plot_receptive_field(measured)
    heat, line = figure.data
    np.testing.assert_array_equal(heat.z, measured.effective)
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert line.contours.start == line.contours.end == pytest.approx(0.0455)
    assert frames(figure)[0][:4] == (-0.5, -0.5, 9.5, 7.5)
    assert frames(figure)[1] == (1.5, 1.5, 5.5, 5.5, WEIGHT)
    assert measured.describe() in figure.layout.meta
    assert "theoretical 4 × 4, effective 2 × 2" in figure.layout.annotations[0].text


def test_two_fields_stand_side_by_side_and_one_in_the_padding_has_room():
    figure = plot_receptive_field(field(), field(first=-3, last=12), names=["untrained", "trained"])
    assert [note.text.split("<br>")[0] for note in figure.layout.annotations] == ["untrained", "trained"]
    assert frames(figure, "x2")[1][:4] == (-3.5, -3.5, 12.5, 12.5)
    assert figure.layout.xaxis2.range[0] < -3.5
    assert figure.layout.yaxis2.range[0] > 12.5 > -3.5 > figure.layout.yaxis2.range[1]
    assert [trace.showscale for trace in figure.data if trace.type == "heatmap"] == [False, True]


def test_what_is_not_known_is_left_out():
    assert len(plot_receptive_field(field(effective=False)).data) == 0
    figure = plot_receptive_field(field(first=None, last=None))
    assert len(frames(figure)) == 1
    assert "theoretical not known" in figure.layout.annotations[0].text


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="at least one"):
        plot_receptive_field()
    with pytest.raises(ValueError, match="1 names for 2 fields"):
        plot_receptive_field(field(), field(), names=["one"])
    line = ReceptiveField("Net", "conv1", (8,), (4,), (1,), (3,), (1.0,), None, 0)
    with pytest.raises(ValueError, match="these inputs have 1 axes"):
        plot_receptive_field(line)
