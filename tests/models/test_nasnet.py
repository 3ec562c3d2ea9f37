from functools import cache
from importlib import import_module

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnviz.datasets import published
from cnnviz.models import create_model, nasnet_large, nasnet_mobile
from cnnviz.models.nasnet import Cell, FactorizedReduction, NormalCell, ReductionCell
from tests.models import networks
from tests.models.networks import count, images, sides

on_meta = cache(networks.on_meta)

DOCSTRING = import_module("cnnviz.models.nasnet").__doc__

# N, channels of stage2, channels of the stem, skip; and Keras' count.
NETWORKS = {nasnet_mobile: (4, 1056 // 24, 32, False), nasnet_large: (6, 4032 // 24, 96, True)}
KERAS = {nasnet_mobile: 5_326_716, nasnet_large: 88_949_818}
SHAPES = {
    nasnet_mobile: [(32, 111), (88, 28), (264, 28), (528, 14), (1056, 7)],
    nasnet_large: [(96, 165), (336, 42), (1008, 42), (2016, 21), (4032, 11)],
}


def separable(kernel: int, before: int, after: int, normalised: int) -> int:
    """Count ReLU, separable convolution and batch normalisation, applied twice (appendix A.4 of the paper)."""
    first = kernel**2 * before + before * after + normalised * after
    return first + kernel**2 * after + after * after + normalised * after


def parameters(cells: int, filters: int, stem: int, skip: bool, normalised: int) -> int:
    """Count from figures 2 and 4: an operation each for what figure 4 draws, and a 1x1 convolution for each input."""
    total = 27 * stem + normalised * stem
    stages = [["reduce"], ["reduce"] + ["keep"] * cells, ["reduce"] + ["keep"] * cells, ["reduce"] + ["keep"] * cells]
    x, previous = stem, None
    for width, stage in zip((filters // 4, filters // 2, 2 * filters, 4 * filters), stages, strict=True):
        for kind in stage:
            # The first two reductions are the stem's; the normal cells behind them have all filters.
            f = filters if kind == "keep" and width < filters else width
            total += x * f + normalised * f
            fitted = f
            if previous is None:
                fitted = x
            else:
                total += previous * f + normalised * f
            if kind == "keep":
                total += sum(separable(kernel, f, f, normalised) for kernel in (5, 3, 5, 3, 3))
            else:
                total += sum(separable(kernel, fitted, f, normalised) for kernel in (7, 7, 5))
                total += sum(separable(kernel, f, f, normalised) for kernel in (5, 3))
            before = x
            x = 6 * f if kind == "keep" else 4 * f
            if not (skip and kind == "reduce" and width > filters):
                previous = before
    return total + x * 1000 + 1000


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


@pytest.mark.parametrize("build", NETWORKS)
def test_stages_have_the_papers_channels_and_sizes(build):
    assert list(sides(on_meta(build)).values()) == SHAPES[build]


@pytest.mark.parametrize("build", NETWORKS)
def test_table_of_the_docstring_is_the_networks(build):
    model = on_meta(build)
    rows = {line.split()[1]: line for line in DOCSTRING.splitlines() if line.startswith("| ")}
    for name, stage in model.named_children():
        assert f" {count(stage):,} " in rows[name]
    for row, (channels, side) in zip(list(rows.values())[2:], SHAPES[build], strict=False):
        assert f" {channels} x {side} x {side} " in row
    assert f" {count(model):,} " in rows["all"]


@pytest.mark.parametrize("build", NETWORKS)
def test_parameters_are_those_of_the_figures(build):
    [row] = published(model=build.__name__, quantity="parameters")
    assert count(on_meta(build)) == parameters(*NETWORKS[build], normalised=2) == row.value


@pytest.mark.parametrize("build", NETWORKS)
def test_keras_and_the_paper_count_running_statistics_too(build):
    """Only with them are the large network's parameters 88.9 million, not 88.8."""
    [printed] = published(model=build.__name__, quantity="parameters, as printed")
    channels = sum(layer.num_features for layer in on_meta(build).modules() if isinstance(layer, nn.BatchNorm2d))
    assert count(on_meta(build)) + 2 * channels == parameters(*NETWORKS[build], normalised=4) == KERAS[build]
    assert round(KERAS[build] / 1e6, 1) == printed.value


@pytest.mark.parametrize(("build", "unit"), [(nasnet_mobile, 1e6), (nasnet_large, 1e8)])
def test_mult_adds_are_as_many_as_printed(build, unit):
    [printed] = published(model=build.__name__, quantity="mult-adds, as printed")
    model = on_meta(build)
    with FlopCounterMode(display=False) as counter:
        model(images(model))
    million = {"million": 1e6, "billion": 1e9}[printed.unit]
    assert round(counter.get_total_flops() / 2 / unit) == round(printed.value * million / unit)


@pytest.mark.parametrize("build", NETWORKS)
def test_cells_are_stacked_as_in_figure_2(build):
    number = NETWORKS[build][0]
    kinds = [[type(cell) for cell in getattr(on_meta(build), f"stage{i}").cells] for i in range(1, 5)]
    normal = [NormalCell] * number
    assert kinds == [[ReductionCell] * 2, normal, [ReductionCell, *normal], [ReductionCell, *normal]]


@pytest.mark.parametrize("build", NETWORKS)
def test_cells_take_the_outputs_of_the_two_cells_before(build):
    """Behind a reduction of the large network, the second input is that of the reduction."""
    model, inputs, outputs = on_meta(build), [], []

    def note(cell, x, output):
        inputs.append(x)
        outputs.append(output)

    hooks = [cell.register_forward_hook(note) for cell in model.modules() if isinstance(cell, Cell)]
    model(images(model, 64))
    for hook in hooks:
        hook.remove()
    number, skip = NETWORKS[build][0], NETWORKS[build][3]
    behind_reductions = (3 + number, 4 + 2 * number)  # positions in the row of all cells
    assert inputs[0][0] is inputs[0][1]
    for i in range(1, len(outputs)):
        assert inputs[i][0] is outputs[i - 1]
        assert inputs[i][1] is (inputs[i - 1][1] if skip and i in behind_reductions else inputs[i - 1][0])


def test_normal_cell_joins_the_sums_of_figure_4():
    """Set factors in the place of the operations, so that each sum can be read off the figure."""
    cell = NormalCell(4, 4, 4)
    for name, factor in {"fit": 1, "fit_previous": 10, "x_5x5": 2, "p_3x3": 3, "p_5x5": 5, "p_3x3_other": 7}.items():
        setattr(cell, name, Times(factor))
    cell.average, cell.x_3x3 = Times(11), Times(13)
    results = cell(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))[0, :, 0, 0].tolist()
    assert results == [10, 2 + 30, 50 + 70, 11 + 10, 110 + 110, 13 + 1]


def test_reduction_cell_joins_the_sums_of_figure_4():
    cell = ReductionCell(4, 4, 4)
    for name, factor in {"fit": 1, "fit_previous": 10, "x_5x5": 2, "p_7x7": 3, "x_max": 5, "p_7x7_other": 7}.items():
        setattr(cell, name, Times(factor))
    cell.x_average, cell.p_5x5, cell.a_average, cell.a_3x3 = Times(11), Times(13), Times(17), Times(19)
    results = cell(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 4, 4))[0, :, 0, 0].tolist()
    a, b, c = 2 + 30, 5 + 70, 11 + 130
    assert results == [b, c, 17 * a + b, 19 * a + 5]


@pytest.mark.parametrize("size", [6, 7])
def test_factorized_reduction_takes_even_and_odd_pixels(size):
    layer = FactorizedReduction(1, 2).eval()
    nn.init.ones_(layer.even.weight)
    nn.init.ones_(layer.odd.weight)
    layer.norm.eps = 0
    x = torch.arange(1.0, size * size + 1).reshape(1, 1, size, size)
    even, odd = layer(x)[0]
    assert torch.equal(even, x[0, 0, ::2, ::2])
    assert torch.equal(odd[: size // 2, : size // 2], x[0, 0, 1::2, 1::2])
    assert even.shape == odd.shape == (-(-size // 2),) * 2
    assert odd.sum() == x[0, 0, 1::2, 1::2].sum()


def test_averages_leave_the_padding_out():
    cell = NormalCell(4, 4, 4)
    x = torch.ones(1, 1, 5, 5)
    assert torch.equal(cell.average(x), x)
    assert torch.equal(ReductionCell(4, 4, 4).x_average(x), x[..., :3, :3])


def test_width_multiplies_all_channels():
    assert list(sides(on_meta(nasnet_mobile, width=2)).values()) == [
        (2 * channels, side) for channels, side in SHAPES[nasnet_mobile]
    ]


@pytest.mark.parametrize("build", NETWORKS)
def test_least_size_gives_one_pixel_of_the_last_map(build):
    model = on_meta(build)
    assert list(sides(model, model.smallest).values())[-1][1] == 1
    with pytest.raises(ValueError, match="H and W at least 32 pixels, not 1 x 3 x 31 x 31"):
        model(images(model, 31))


def test_initial_weights_are_he_normal():
    torch.manual_seed(0)
    for layer in nasnet_mobile(width=0.5).modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            spread = layer.weight.std().item() * (fan_in / 2) ** 0.5
            assert spread == pytest.approx(1, abs=4 / layer.weight.numel() ** 0.5)


def test_a_width_that_is_no_factor_is_refused():
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        nasnet_mobile(width=0)


def test_other_sizes_classes_and_channels():
    model = create_model("nasnet_mobile", num_classes=2, in_channels=1, width=0.25)
    assert model(torch.zeros(2, 1, 33, 70)).shape == (2, 2)
