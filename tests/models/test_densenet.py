import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model
from cnnviz.models.densenet import DenseLayer
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, on_meta, randomised

BLOCKS = {  # growth and dense layers: table 1 and section 3
    "densenet121": (32, (6, 12, 24, 16)),
    "densenet169": (32, (6, 12, 32, 32)),
    "densenet201": (32, (6, 12, 48, 32)),
    "densenet_bc100": (12, (16, 16, 16)),
    "densenet_bc190": (40, (31, 31, 31)),
    "densenet_bc250": (24, (41, 41, 41)),
}
IMAGENET, CIFAR = list(BLOCKS)[:3], list(BLOCKS)[3:]
SMALL = [(name, {}) for name in BLOCKS] + [(name, {"small": True}) for name in IMAGENET]


def layers_of_the_tables(name):
    """List each layer as (kind, numbers in, numbers out): convolutions 7, 3, 1, normalisation, linear."""
    growth, depths = BLOCKS[name]
    yield (7 if name in IMAGENET else 3), 3, 2 * growth
    if name in IMAGENET:
        yield "norm", 2 * growth, 2 * growth
    maps = 2 * growth
    for number, depth in enumerate(depths):
        for seen in range(maps, maps + depth * growth, growth):
            yield "norm", seen, seen
            yield 1, seen, 4 * growth
            yield "norm", 4 * growth, 4 * growth
            yield 3, 4 * growth, growth
        maps += depth * growth
        yield "norm", maps, maps
        if number < len(depths) - 1:
            yield 1, maps, maps // 2
            maps //= 2
    yield "linear", maps, 1000 if name in IMAGENET else 10


@pytest.mark.parametrize("name", BLOCKS)
def test_parameters_are_those_of_the_papers_table(name):
    numbers = {"norm": lambda a, b: 2 * a, "linear": lambda a, b: (a + 1) * b}
    expected = sum(
        numbers[kind](a, b) if kind in numbers else kind**2 * a * b for kind, a, b in layers_of_the_tables(name)
    )
    [row] = published(model=name, quantity="parameters")
    assert count(on_meta(name)) == row.value == expected


@pytest.mark.parametrize("name", CIFAR)
def test_parameters_round_to_those_that_table_2_prints(name):
    [row] = published(model=name, quantity="parameters, as printed")
    assert round(count(on_meta(name)) / 1e6, 1) == row.value


@pytest.mark.parametrize("name", BLOCKS)
def test_depth_is_the_number_of_layers_with_weights(name):
    layers = [m for m in on_meta(name).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert name.removeprefix("densenet").removeprefix("_bc") == str(len(layers))


@pytest.mark.parametrize(("name", "parameters"), [("121", 8_062_504), ("169", 14_307_880), ("201", 20_242_984)])
def test_keras_counts_the_same_layers_with_four_numbers_a_normalised_map(name, parameters):
    normalised = sum(a for kind, a, _ in layers_of_the_tables(f"densenet{name}") if kind == "norm")
    assert count(on_meta(f"densenet{name}")) + 2 * normalised == parameters


@pytest.mark.parametrize(("name", "options"), SMALL)
def test_stages_are_the_children_in_order_and_have_the_papers_shapes(name, options):
    model, seen = on_meta(name, **options), {}
    hooks = [
        stage.register_forward_hook(lambda m, x, y, child=child: seen.update({child: tuple(y.shape[1:])}))
        for child, stage in model.named_children()
    ]
    model(torch.zeros(1, 3, model.image_size, model.image_size, device="meta"))
    for hook in hooks:
        hook.remove()
    growth, depths = BLOCKS[name]
    maps, height = 2 * growth, 56 if model.image_size == 224 else 32
    expected = {"stem": (maps, height, height)}
    for number, depth in enumerate(depths, 1):
        maps += depth * growth
        expected[f"block{number}"] = (maps, height, height)
        if number < len(depths):
            maps, height = maps // 2, height // 2
            expected[f"transition{number}"] = (maps, height, height)
    assert seen == expected | {"head": (1000 if name in IMAGENET else 10,)}
    assert list(seen) == [child for child, _ in model.named_children()]


def test_a_dense_layer_hands_on_its_input_and_puts_new_maps_behind_it():
    torch.manual_seed(0)
    layer, x = DenseLayer(6, growth=4), torch.randn(2, 6, 5, 5)
    before = x.clone()
    y = layer(x)
    new = layer.new.conv1(F.relu(layer.new.bn1(x)))
    new = layer.new.conv2(F.relu(layer.new.bn2(new)))
    assert torch.equal(x, before)
    assert torch.equal(y[:, :6], x)
    assert torch.equal(y[:, 6:], new)
    assert y.shape == (2, layer.out_channels, 5, 5)


def test_every_dense_layer_sees_the_stem():
    """The last dense layer of block 1 has the stem's maps among its input, untouched."""
    torch.manual_seed(0)
    model, seen = create_model("densenet_bc100").eval(), {}
    model.stem.register_forward_hook(lambda m, x, y: seen.update(stem=y))
    model.block1.layer16.register_forward_pre_hook(lambda m, x: seen.update(input=x[0]))
    model(torch.randn(1, 3, 8, 8))
    assert torch.equal(seen["input"][:, :24], seen["stem"])


@pytest.mark.parametrize(
    ("name", "options", "smallest"), [("densenet121", {}, 32), ("densenet121", {"small": True}, 8)]
)
def test_the_smallest_image_works_and_a_smaller_one_is_refused(name, options, smallest):
    model = on_meta(name, **options)
    assert model.smallest == smallest
    assert model(torch.zeros(2, 3, smallest, smallest + 5, device="meta")).shape == (2, 1000)
    with pytest.raises(ValueError, match=rf"DenseNet takes images .* at least {smallest} pixels, not 2 x 3 x"):
        model(torch.zeros(2, 3, smallest - 1, smallest, device="meta"))


def test_the_smallest_image_of_the_cifar_networks_has_4_pixels():
    assert on_meta("densenet_bc100")(torch.zeros(1, 3, 4, 4, device="meta")).shape == (1, 10)
    with pytest.raises(ValueError, match="at least 4 pixels"):
        on_meta("densenet_bc100")(torch.zeros(1, 3, 3, 4, device="meta"))


def test_width_scales_the_growth_and_with_it_every_number_of_channels():
    full, half = on_meta("densenet121"), on_meta("densenet121", width=0.5)
    pairs = zip(full.modules(), half.modules(), strict=True)
    assert all(2 * b.out_channels == a.out_channels for a, b in pairs if isinstance(a, nn.Conv2d))
    assert on_meta("densenet_bc100", width=0.6).block1.layer1.new.conv2.out_channels == 8
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        create_model("densenet121", width=0)


def test_weights_begin_with_the_variance_of_two_over_fan_in():
    torch.manual_seed(0)
    for module in create_model("densenet_bc100").modules():
        if isinstance(module, nn.Conv2d):
            scaled = module.weight * (module.weight[0].numel() / 2) ** 0.5
            assert scaled.std().item() == pytest.approx(1, abs=4 / scaled.numel() ** 0.5)


@pytest.mark.parametrize("name", IMAGENET)
def test_output_is_that_of_torchvisions_twin(name):
    torch.manual_seed(0)
    theirs = randomised(torchvision.models.get_model(name, num_classes=5))
    ours = create_model(name, num_classes=5).double().eval()
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 40, 33, dtype=torch.float64)
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-5 * expected.abs().max().item())
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()  # it depends on the image
