import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.datasets import published
from cnnviz.models import create_model, lenet5, lenet5_1998
from cnnviz.models.lenet import C3_INPUTS, PartialConv2d, Subsampling, scaled_tanh
from tests.models.networks import count

LAYERS = ("c1", "s2", "c3", "s4", "c5", "f6")
SHAPES = {"c1": (6, 28, 28), "s2": (6, 14, 14), "c3": (16, 10, 10), "s4": (16, 5, 5), "f6": (84,), "output": (10,)}


@pytest.mark.parametrize("layer", LAYERS)
def test_count_of_each_layer_is_the_papers(layer):
    [row] = published(model="lenet5_1998", quantity=f"parameters, {layer}")
    assert count(getattr(lenet5_1998(), layer)) == row.value


def test_the_layers_up_to_f6_have_60000_parameters():
    [row] = published(model="lenet5_1998", quantity="parameters")
    assert sum(count(getattr(lenet5_1998(), layer)) for layer in LAYERS) == row.value == 60_000


def test_connections_of_each_layer_are_the_papers():
    """Each unit has its map's weights and bias; subsampling has 4 inputs and a bias a unit; the output 84 a class."""
    units = {"c1": 28 * 28, "c3": 10 * 10, "c5": 1, "f6": 1}
    connections = {layer: count(getattr(lenet5_1998(), layer)) * number for layer, number in units.items()}
    connections |= {"s2": 5 * 6 * 14 * 14, "s4": 5 * 16 * 5 * 5}
    for layer in LAYERS:
        [row] = published(model="lenet5_1998", quantity=f"connections, {layer}")
        assert connections[layer] == row.value
    [total] = published(model="lenet5_1998", quantity="connections, all layers")
    assert sum(connections.values()) + 84 * 10 == total.value


def test_modern_counts():
    model = lenet5()
    counts = {layer: count(getattr(model, layer)) for layer in (*LAYERS, "output")}
    assert counts == {"c1": 156, "s2": 0, "c3": 2416, "s4": 0, "c5": 48120, "f6": 10164, "output": 850}


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, [6, 16, 120, 84]), (0.5, [3, 8, 60, 42]), (1.25, [8, 20, 150, 105]), (0.01, [1, 1, 1, 1])],
)
def test_width_scales_maps_and_units_to_whole_numbers(width, expected):
    model = lenet5(width=width)
    assert [layer.weight.shape[0] for layer in (model.c1, model.c3, model.c5, model.f6)] == expected
    a, b, c, d = expected
    assert count(model) == 26 * a + (25 * a + 1) * b + (25 * b + 1) * c + (c + 1) * d + (d + 1) * 10
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_width_1_begins_with_the_same_weights():
    torch.manual_seed(0)
    plain = lenet5().state_dict()
    torch.manual_seed(0)
    assert all(torch.equal(value, plain[key]) for key, value in lenet5(width=1.0).state_dict().items())


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
@pytest.mark.parametrize("image_size", [28, 32])
def test_maps_have_the_papers_sizes(name, image_size):
    model, seen = create_model(name, image_size=image_size), {}
    for layer in SHAPES:
        getattr(model, layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: seen.update({layer: tuple(output.shape[1:])})
        )
    model(torch.zeros(1, 1, image_size, image_size))
    assert seen == SHAPES


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
@pytest.mark.parametrize("shape", [(2, 1, 32, 32), (2, 3, 28, 28), (1, 28, 28), (2, 784)])
def test_an_image_of_another_size_is_named(name, shape):
    with pytest.raises(ValueError, match=f"N x 1 x 28 x 28, not {' x '.join(map(str, shape))}"):
        create_model(name)(torch.zeros(shape))


def test_an_image_size_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"image_size \(=64\) must be 28 or 32"):
        lenet5(image_size=64)


def test_table_of_connections_is_the_papers():
    """Six maps see 3, nine see 4 and one sees all 6; every map of s2 feeds 10 maps (read off table I)."""
    assert [len(inputs) for inputs in C3_INPUTS] == [3] * 6 + [4] * 9 + [6]
    assert [sum(source in inputs for inputs in C3_INPUTS) for source in range(6)] == [10] * 6
    assert len(set(C3_INPUTS)) == 16


def test_partial_convolution_is_a_sum_over_the_connected_maps_only():
    torch.manual_seed(0)
    layer, x = PartialConv2d(C3_INPUTS, in_channels=6, kernel_size=5), torch.randn(2, 6, 9, 8)
    kernels, expected = iter(layer.kernels), []
    for inputs, bias in zip(C3_INPUTS, layer.bias, strict=True):
        maps = [torch.conv2d(x[:, [source]], next(kernels)[None, None]) for source in inputs]
        expected.append(sum(maps) + bias)
    torch.testing.assert_close(layer(x), torch.cat(expected, 1))


def test_subsampling_starts_as_an_average_and_learns_a_coefficient_and_a_bias_a_map():
    layer, x = Subsampling(2), torch.arange(32.0).reshape(1, 2, 4, 4)
    torch.testing.assert_close(layer(x), torch.nn.functional.avg_pool2d(x, 2))
    layer.coefficient.data, layer.bias.data = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    blocks = x.reshape(2, 2, 2, 2, 2).sum((2, 4))[None]
    torch.testing.assert_close(layer(x), blocks * torch.tensor([1.0, -2.0])[:, None, None] + layer.bias[:, None, None])


def test_scaled_tanh_keeps_plus_and_minus_one():
    torch.testing.assert_close(scaled_tanh(torch.tensor([-1.0, 0, 1])), torch.tensor([-1.0, 0, 1]), rtol=0, atol=1e-4)


@given(seed=st.integers(0, 2**31), name=st.sampled_from(["lenet5", "lenet5_1998"]))
def test_a_seed_gives_the_same_network(seed, name):
    torch.manual_seed(seed)
    first = create_model(name)
    torch.manual_seed(seed)
    second = create_model(name)
    x = torch.randn(1, 1, 28, 28)
    assert torch.equal(first(x), second(x))


def test_weights_of_1998_begin_with_the_variance_of_one_over_fan_in():
    torch.manual_seed(0)
    model = lenet5_1998()
    for layer in (model.c1, model.c3, model.c5, model.f6, model.output):
        fan_in = (layer.weight != 0).flatten(1).sum(1)  # of each output
        scaled = (layer.weight.flatten(1) * fan_in[:, None].sqrt())[layer.weight.flatten(1) != 0]
        assert scaled.std().item() == pytest.approx(1, abs=3 / scaled.numel() ** 0.5)
