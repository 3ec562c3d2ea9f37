"""Path counts against autograd with all weights one; the mean square gradient against random weights; fields against
the layer table."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from cnnviz.analysis.layer_table import layer_table
from cnnviz.analysis.linear_field import LinearField, linear_field, map_sizes, one_channel
from cnnviz.analysis.stack import stack

convolutions = st.fixed_dictionaries(
    {
        "kind": st.just("conv"),
        "kernel_size": st.integers(1, 5),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 4),
        "dilation": st.integers(1, 3),
    }
)
pools = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["max pool", "average pool"]),
        "kernel_size": st.integers(2, 3),
        "stride": st.integers(1, 3),
        "padding": st.integers(0, 1),
    }
)
stacks = st.lists(st.one_of(convolutions, pools), min_size=1, max_size=5)


def counted(layers, image_size, position):
    """The paths to each pixel as the gradient of a stack whose weights are all one; a pool adds up its window."""
    x = y = torch.zeros(1, 1, image_size, image_size, dtype=torch.float64, requires_grad=True)
    for module in stack(one_channel(layers), (1, image_size, image_size)).double():
        if isinstance(module, nn.Conv2d):
            nn.init.ones_(module.weight)
            y = module(y)
        else:
            k = module.kernel_size
            y = nn.functional.avg_pool2d(y, k, module.stride, module.padding) * k**2
    y[0, 0][position].backward()
    return x.grad[0, 0].numpy()


@settings(max_examples=150, deadline=None)
@given(stacks, st.integers(8, 24), st.floats(0, 0.999), st.floats(0, 0.999))
def test_paths_are_autograds_and_fields_the_layer_tables(layers, image_size, down, across):
    try:
        side = map_sizes(layers, image_size)[-1]
    except ValueError:
        assume(False)
    position = int(down * side), int(across * side)
    field = linear_field(layers, image_size, position)
    np.testing.assert_array_equal(field.paths, counted(layers, image_size, position))
    row = layer_table(stack(one_channel(layers), (1, image_size, image_size)), (1, image_size, image_size)).rows[-1]
    assert (field.map_size, field.size, field.jump) == (row.output_shape[-1], row.receptive_field[0], row.jump[0])
    reached = np.argwhere(field.paths > 0)
    if len(reached):
        assert (reached.min(0) >= field.first).all()
        assert (reached.max(0) <= field.last).all()
        shares = np.sort(field.paths.ravel())[::-1]
        assert shares[: field.most_pixels].sum() >= 0.95 * shares.sum() * (1 - 1e-12)
        assert shares[: field.most_pixels - 1].sum() < 0.95 * shares.sum() * (1 + 1e-12)
    else:
        assert field.most_pixels == 0
        assert field.describe().endswith("It sees nothing but padding.")


def test_the_mean_square_gradient_of_random_weights_is_proportional_to_the_paths():
    layers = [{"kind": "conv", "kernel_size": 3}, {"kind": "max pool", "kernel_size": 2}]
    layers += [{"kind": "conv", "kernel_size": 3}, {"kind": "conv", "kernel_size": 2, "dilation": 2}]
    generator = torch.Generator().manual_seed(0)
    field = linear_field(layers, 18)
    model = stack(one_channel(layers), (1, 18, 18))
    total = torch.zeros(18, 18)
    for _ in range(1500):
        for module in model:
            if isinstance(module, nn.Conv2d):
                module.weight.data.normal_(generator=generator)
        image = torch.randn(1, 1, 18, 18, generator=generator, requires_grad=True)  # the largest is any of four
        model(image)[0, 0][field.position].backward()
        total += image.grad[0, 0] ** 2
    share = (total / total.sum()).numpy()
    np.testing.assert_allclose(share, field.paths / field.paths.sum(), atol=0.006)
    assert np.corrcoef(share.ravel(), field.paths.ravel())[0, 1] > 0.98


def test_three_small_filters_see_what_a_large_one_sees_but_less_evenly():
    three, one = (
        linear_field([{"kind": "conv", "kernel_size": 3}] * 3, 32),
        linear_field([{"kind": "conv", "kernel_size": 7}], 32),
    )
    assert (three.size, one.size) == (7, 7)
    np.testing.assert_array_equal(three.columns[13:20], [1, 3, 6, 7, 6, 3, 1])
    assert (three.most_pixels, one.most_pixels) == (36, 47)  # 46.55 of 49 equal shares
    assert isinstance(three, LinearField)
    assert three.effective.max() == 1
    assert repr(three) == (
        "Unit [13, 13] of a map of 26 x 26, on an image of 32 x 32 pixels: receptive field 7 x 7, rows 13 to 19, "
        "columns 13 to 19, 1 from one to the next. Without nonlinearities 36 of its 49 pixels hold 95 % of the squared "
        "gradient, as many as in a square of 6.0 x 6.0."
    )


@pytest.mark.parametrize(
    ("layers", "position", "message"),
    [
        ([{"kind": "flatten"}], None, r"layer 0: kind 'flatten' slides no window; choose conv, max pool, average pool"),
        ([{"kind": "conv", "kernel_size": 9}], None, "a window of 9 pixels does not fit into 8"),
        ([{"kind": "conv", "kernel_size": 3}], (0, 6), r"position=\(0, 6\) must lie in the map of 6 x 6"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(layers, position, message):
    with pytest.raises(ValueError, match=message):
        linear_field(layers, 8, position)
