"""Pairs of designs beside the zoo's modules and the lectures' numbers."""

import pytest
from torch import nn

from cnnviz.analysis.designs import COMPARISONS, GOOGLENET, designs, times
from cnnviz.analysis.layer_table import layer_table
from cnnviz.models import create_model
from cnnviz.models.googlenet import Inception, NaiveInception

INPUTS = ("in_channels", "size")


def example(comparison, name):
    return designs(comparison, **COMPARISONS[comparison].examples[name])


@pytest.mark.parametrize("name", COMPARISONS["inception"].examples)
def test_the_inception_pair_costs_what_the_zoos_modules_cost(name):
    numbers = COMPARISONS["inception"].examples[name]
    naive, reduced = designs("inception", bias=True, **numbers)
    filters = [value for key, value in numbers.items() if key not in INPUTS]
    zoo = (
        NaiveInception(numbers["in_channels"], filters[0], filters[2], filters[4]),
        Inception(numbers["in_channels"], *filters),
    )
    for ours, module in zip((naive, reduced), zoo, strict=True):
        table, expected = ours.table(), layer_table(module, ours.input_shape)
        assert (table.parameters, table.mult_adds) == (expected.parameters, expected.mult_adds)
        relus = sum(row.activation_bytes for row in expected.rows if row.kind == "ReLU")
        assert table.activation_bytes == expected.activation_bytes - relus
        assert table.rows[-1].output_shape == expected.rows[-1].output_shape
        assert table.rows[-1].receptive_field == expected.rows[-1].receptive_field


def test_the_examples_of_googlenet_are_the_modules_of_the_zoos_googlenet():
    table = layer_table(create_model("googlenet"))
    for name in GOOGLENET:
        [stage] = [stage for stage in table.stages if stage.name == f"inception{name}"]
        ours = designs("inception", bias=True, **COMPARISONS["inception"].examples[f"GoogLeNet's inception{name}"])[1]
        assert (ours.table().parameters, ours.table().mult_adds) == (stage.parameters, stage.mult_adds)


def test_the_examples_of_other_networks_are_their_layers():
    def rows(name, kernel_size, groups):
        table = layer_table(create_model(name))
        return [row for row in table.rows if row.kernel_size == (kernel_size,) * 2 and row.groups == groups]

    conv2 = rows("alexnet_two_groups", 5, 2)[0]
    ours = example("grouped", "AlexNet's second convolution")[1].table()
    assert (ours.mult_adds, ours.rows[-1].output_shape) == (conv2.mult_adds, conv2.output_shape)
    first = rows("resnext50_32x4d", 3, 32)[0]
    ours = example("grouped", "ResNeXt-50, first stage")[1].table()
    assert (ours.mult_adds, ours.rows[-1].output_shape) == (first.mult_adds, first.output_shape)
    block = [row for row in layer_table(create_model("mobilenet")).rows if row.kind == "Conv2d"][1:3]
    ours = example("depthwise separable", "MobileNet's first block")[1].table()
    assert ours.mult_adds == sum(row.mult_adds for row in block)
    vgg = next(row for row in layer_table(create_model("vgg16")).rows if row.kind == "Linear")
    ours = example("global average pooling", "VGG-16's maps to its first linear layer")[0].table()
    assert ours.mult_adds == vgg.mult_adds


@pytest.mark.parametrize(
    ("comparison", "name", "mult_adds"),
    [
        ("bottleneck", "lecture: 3x3, 256 to 192 maps", (346_816_512, 99_549_184)),  # B01, B02
        ("bottleneck", "lecture: 5x5, 192 to 32 maps", (120_422_400, 12_443_648)),  # E02, E05
        ("depthwise separable", "lecture: 512 to 512 maps", (462_422_016, 52_283_392)),  # B08, B10
        ("width multiplier", "lecture: width 0.75", (52_283_392, 29_578_752)),  # B12
        ("resolution multiplier", "lecture: width 0.75, resolution 0.714", (29_578_752, 15_091_200)),  # B14
        ("inception", "lecture: 28 x 28 x 256", (854_196_224, 271_351_808)),  # B04, B05
        ("global average pooling", "lecture: 7 x 7 x 1024 to 1000 classes", (50_176_000, 1_024_000)),  # A01, A02
    ],
)
def test_the_lectures_examples(comparison, name, mult_adds):
    assert next(iter(COMPARISONS[comparison].examples)).startswith(("lecture", "AlexNet"))
    assert tuple(design.table().mult_adds for design in example(comparison, name)) == mult_adds


def test_stacked_filters_see_as_far_with_27_against_49_weights_a_pair_of_channels():
    for k in (3, 5, 7, 9, 11):
        tables = [design.table() for design in designs("stacked 3x3", in_channels=4, kernel_size=k, size=16)]
        assert [table.rows[-1].receptive_field[0] for table in tables] == [k, k]
        assert [table.parameters for table in tables] == [16 * k * k, 16 * 9 * (k - 1) // 2]


def test_designs_are_torch_modules():
    plain, thin = designs("depthwise separable", in_channels=6, out_channels=9, size=5, bias=True)
    assert isinstance(plain.model(), nn.Sequential)
    assert [layer.groups for layer in thin.model()] == [6, 1]


@pytest.mark.parametrize(
    ("comparison", "settings", "message"),
    [
        ("squeeze", {}, "there is no comparison 'squeeze'; choose from stacked 3x3, bottleneck"),
        ("grouped", {"width": 0.5}, "comparison='grouped' has no width; it has bias, in_channels, out_channels"),
        ("grouped", {"groups": 5}, r"in_channels \(=96\) must be divisible by groups \(=5\)"),
        ("bottleneck", {"reduced": 0}, r"out_channels \(=0\) must be a whole number of at least 1"),
    ],
)
def test_what_cannot_be_is_refused(comparison, settings, message):
    with pytest.raises(ValueError, match=message):
        designs(comparison, **settings)


def test_multipliers_round_halves_up_and_never_to_nothing():
    assert [times(0.714, 14), times(0.5, 5), times(0.05, 3)] == [10, 3, 1]
