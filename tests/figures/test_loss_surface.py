import numpy as np
import pytest

from cnnviz.analysis.loss_surface import LossLine, LossSurface
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.figures import plot_loss_line, plot_loss_surface
from cnnviz.figures.loss_surface import clipped
from cnnviz.figures.style import GREY


def surface(loss=((4.0, 2.0, 4.0), (5.0, 0.5, 8.0)), computed=((1, 1, 1), (1, 1, 1))):
    """Two alphas, three betas: a mistake of rows and columns would not fit."""
    loss = np.where(computed, np.array(loss), np.nan)
    accuracy = np.where(computed, 0.5, np.nan)
    return LossSurface(
        alphas=np.array([0.0, 1.0]),
        betas=np.array([-1.0, 0.0, 1.0]),
        loss=loss,
        accuracy=accuracy,
        standard_error=0.1 * loss,
        predictions=np.zeros((2, 3, 1), int),
        labels=np.zeros(1, int),
        metadata={"network": "net"},
    )


PATH = Trajectory(
    coordinates=np.array([[1.0, -0.5], [0.5, 0.2], [0.0, 0.0]]),
    residual=np.array([3.0, 1.0, 0.0]),
    distance=np.array([6.0, 2.0, 0.0]),
    loss=np.array([9.0, 1.0, 0.5]),
    accuracy=np.array([0.1, 0.5, 0.9]),
    epochs=np.array([0.0, 5.0, 10.0]),
)


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_alpha_goes_across_beta_goes_up_and_every_loss_stands_at_its_place(kind):
    figure = plot_loss_surface(surface(), kind=kind)
    [trace] = figure.data
    assert list(trace.x) == [0, 1]
    assert list(trace.y) == [-1, 0, 1]
    assert np.array(trace.z).tolist() == [[4, 5], [2, 0.5], [4, 8]]  # a row for every beta
    assert figure.layout.meta == surface().describe()
    assert trace.colorbar.title.text == "loss"


def test_a_logarithmic_scale_is_named_by_losses():
    [trace] = plot_loss_surface(surface(((100, 10, 1), (1, 1, 1000.0))), logarithmic=True).data
    assert np.allclose(trace.z, [[2, 0], [1, 0], [0, 3]])
    assert list(trace.colorbar.ticktext) == ["1", "10", "100", "1000"]
    assert np.allclose(trace.colorbar.tickvals, [0, 1, 2, 3])
    assert (trace.zmin, trace.zmax) == (0, 3)


def test_a_loss_of_zero_takes_the_lowest_place_of_a_logarithmic_scale():
    [trace] = plot_loss_surface(surface(((0, 10, 1), (1, 1, 100.0))), logarithmic=True).data
    assert np.allclose(trace.z, [[0, 0], [1, 0], [0, 2]])


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_what_is_clipped_is_flat_grey_and_said(kind):
    figure = plot_loss_surface(surface(), kind=kind, ceiling=4.5)
    [trace] = figure.data
    if kind == "surface":
        assert np.array(trace.z).tolist() == [[4, 4.5], [2, 0.5], [4, 4.5]]
        assert trace.cmax == 4.5
    else:  # the colours end at the ceiling, the heights do not: between the points its edge is where it belongs
        assert np.array(trace.z).tolist() == [[4, 5], [2, 0.5], [4, 8]]
        assert trace.zmax == 4.5
    assert trace.colorscale[-1] == (1, GREY)
    assert trace.colorbar.title.text == "loss, clipped<br>at 4.5 (grey)<br>&nbsp;"
    words = "33.3% of the points lie above the ceiling of 4.5 and are clipped (grey)"
    assert words in figure.layout.title.text
    assert words in figure.layout.meta
    unclipped = plot_loss_surface(surface(), kind=kind, ceiling=8)
    assert GREY not in str(unclipped.data[0].colorscale)
    assert "clipped" not in unclipped.layout.meta


def test_an_infinite_loss_is_clipped_though_there_is_no_ceiling():
    infinite = surface(((4, 2, 4), (5, 0.5, np.inf)))
    assert clipped(infinite, None).tolist() == [[False] * 3, [False, False, True]]
    figure = plot_loss_surface(infinite)
    assert (np.max(figure.data[0].z), figure.data[0].zmax) == (9.5, 5)  # as far above as the scale is long
    assert "16.7% of the points are not finite and are clipped (grey)" in figure.layout.title.text


@pytest.mark.parametrize("kind", ["contour", "surface"])
def test_rows_that_are_missing_are_blank_and_said(kind):
    figure = plot_loss_surface(surface(computed=((1, 1, 1), (0, 0, 0))), kind=kind, ceiling=3)
    assert np.isnan(np.array(figure.data[0].z)).tolist() == [[False, True]] * 3
    assert "partial: 1 of 2 rows are computed" in figure.layout.title.text
    assert "66.7% of the points lie above" in figure.layout.meta


def test_the_path_has_a_mark_an_epoch_and_says_how_far_off_the_plane_it_is():
    figure = plot_loss_surface(surface(), path=PATH)
    line = figure.data[1]
    assert (list(line.x), list(line.y)) == ([1, 0.5, 0], [-0.5, 0.2, 0])
    names = [(note.text, note.x, note.y, note.xanchor) for note in figure.layout.annotations]
    assert names == [("start, epoch 0", 1, -0.5, "right"), ("end, epoch 10", 0, 0, "left")]
    assert line.hovertext[1] == "epoch 5: loss 1, 1 off the plane"
    assert "path: up to 3 off the plane (50% of the longest way to the centre)" in figure.layout.title.text
    assert PATH.describe() in figure.layout.meta


def test_in_three_dimensions_the_path_has_its_own_losses_below_the_ceiling():
    line = plot_loss_surface(surface(), kind="surface", ceiling=4.5, path=PATH).data[1]
    assert np.allclose(line.z, [4.5, 1, 0.5])
    assert list(line.text) == ["start, epoch 0", "", "end, epoch 10"]


def test_a_surface_of_one_height_and_one_that_is_clipped_everywhere_can_be_drawn():
    for flat in (plot_loss_surface(surface(np.full((2, 3), 2.0))), plot_loss_surface(surface(), ceiling=0.1)):
        [trace] = flat.data
        assert trace.zmin < trace.zmax
        assert len(trace.colorbar.tickvals) >= 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "wireframe"}, r"kind \(='wireframe'\) must be one of 'contour', 'surface'"),
        ({"ceiling": 0}, r"ceiling \(=0\) must be a finite number above 0"),
        ({"ceiling": np.inf}, r"ceiling \(=inf\)"),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        plot_loss_surface(surface(), **options)
    with pytest.raises(ValueError, match="no point to draw: net: partial, 0 of 2 rows"):
        plot_loss_surface(surface(computed=((0, 0, 0), (0, 0, 0))))


def line(loss, error):
    loss = np.array(loss)
    return LossLine(np.array([-1.0, 0.0, 1.0]), loss, np.full(3, 0.5), np.array(error), {"network": "net"})


def test_a_line_has_a_band_of_two_standard_errors():
    lines = {"a": line([2.0, 1.0, 3.0], [0.1, 0.2, 0.3]), "b": line([1.0, 1.0, 1.0], [0.0, 0.0, 0.0])}
    figure = plot_loss_line(lines)
    band, curve = figure.data[:2]
    assert np.allclose(curve.y, [2, 1, 3])
    assert np.allclose(band.y, [2.2, 1.4, 3.6, 2.4, 0.6, 1.8])
    assert list(band.x) == [-1, 0, 1, 1, 0, -1]
    assert (figure.data[1].line.color, figure.data[1].line.dash) != (
        figure.data[3].line.color,
        figure.data[3].line.dash,
    )
    assert figure.layout.meta == " ".join(f"{name}: {one.describe()}" for name, one in lines.items())


def test_a_logarithmic_band_stays_above_zero():
    figure = plot_loss_line({"a": line([2.0, 1.0, 3.0], [0.1, 5.0, 0.3])}, logarithmic=True)
    assert figure.layout.yaxis.type == "log"
    assert min(figure.data[0].y) == pytest.approx(0.1)


def test_no_line_is_refused():
    with pytest.raises(ValueError, match="no lines to draw"):
        plot_loss_line({})
