import pytest
import torch
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model, vgg11, vgg11_bn, vgg16, vgg19_bn
from cnnviz.models.torchvision_weights import load_torchvision_weights
from cnnviz.models.vgg import VGG
from tests.models.networks import count, on_meta, randomised, stage_shapes

# Table 1 of the paper, columns A, B, D and E, row by row: maps of each 3 x 3 convolution, M for pooling.
TABLE_1 = {
    11: [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    13: [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    16: [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"],
    19: [64, 64, "M", 128, 128, "M", 256, 256, 256, 256, "M", 512, 512, 512, 512, "M", 512, 512, 512, 512, "M"],
}
DEPTHS = tuple(TABLE_1)


def counts_of_table_1(depth, batch_norm=False):
    """Return the parameters of each stage, by arithmetic over the table."""
    stages, seen = [0], 3
    for maps in TABLE_1[depth]:
        if maps == "M":
            stages.append(0)
            continue
        stages[-1] += maps * (seen * 3 * 3 + 1) + (2 * maps if batch_norm else 0)
        seen = maps
    return [*stages[:-1], 4096 * (512 * 7 * 7 + 1), 4096 * (4096 + 1), 1000 * (4096 + 1)]


@pytest.mark.parametrize("depth", DEPTHS)
def test_maps_have_the_papers_sizes(depth):
    assert stage_shapes(on_meta(VGG, depth)) == {
        "stage1": (64, 112, 112),
        "stage2": (128, 56, 56),
        "stage3": (256, 28, 28),
        "stage4": (512, 14, 14),
        "stage5": (512, 7, 7),
        **dict.fromkeys(("fc6", "drop6", "fc7", "drop7"), (4096,)),
        "fc8": (1000,),
    }


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_counts_of_each_stage_follow_from_table_1(depth, batch_norm):
    model = on_meta(VGG, depth, batch_norm=batch_norm)
    expected = counts_of_table_1(depth, batch_norm)
    assert [count(stage) for stage in model.children() if count(stage)] == expected
    [row] = published(model=f"vgg{depth}" + ("_bn" if batch_norm else ""), quantity="parameters")
    assert sum(expected) == row.value


@pytest.mark.parametrize("depth", DEPTHS)
def test_table_2_prints_the_counts_in_million(depth):
    [row] = published(model=f"vgg{depth}", quantity="parameters, as printed")
    assert round(sum(counts_of_table_1(depth)) / 1e6) == row.value


@pytest.mark.parametrize(("depth", "linear_layers_counted"), [(16, False), (19, True)])
def test_mult_adds_are_those_that_he_et_al_print(depth, linear_layers_counted):
    """15.3 billion are VGG-16's convolutions alone; 19.6 are VGG-19 with its linear layers."""
    mult_adds, seen, side = 0, 3, 224
    for maps in TABLE_1[depth]:
        if maps == "M":
            side //= 2
            continue
        mult_adds += maps * seen * 3 * 3 * side**2
        seen = maps
    mult_adds += (512 * 7 * 7 * 4096 + 4096 * 4096 + 4096 * 1000) * linear_layers_counted
    [row] = published(model=f"vgg{depth}", quantity="mult-adds, as printed")
    assert round(mult_adds / 1e9, 1) == row.value


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_name_is_the_number_of_layers_with_weights(depth):
    layers = [layer for layer in on_meta(VGG, depth).modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(layers) == depth
    assert {layer.kernel_size for layer in layers if isinstance(layer, nn.Conv2d)} == {(3, 3)}


@pytest.mark.parametrize("depth", DEPTHS)
def test_small_form_has_the_same_convolutions_with_half_the_maps_and_ends_at_2_pixels(depth):
    native, small = on_meta(VGG, depth), on_meta(VGG, depth, small=True)
    shapes = stage_shapes(small)
    assert [shapes[f"stage{i}"][1:] for i in range(1, 6)] == [(32, 32), (16, 16), (8, 8), (4, 4), (2, 2)]
    halves = [
        (half.shape[0], whole.shape[0])
        for half, whole in zip(small.parameters(), native.parameters(), strict=True)
        if whole.shape[0] != 1000
    ]
    assert len(halves) == 2 * (depth - 1)
    assert all(2 * half == whole for half, whole in halves)


@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn"])
def test_output_equals_torchvisions(name):
    theirs = randomised(on_meta(torchvision.models.get_model, name, num_classes=10).to_empty(device="cpu"))
    ours = on_meta(create_model, name, num_classes=10).double().to_empty(device="cpu").eval()
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(x)
        assert expected.std() > 0.1
        torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("name", [f"vgg{depth}{kind}" for depth in DEPTHS for kind in ("", "_bn")])
def test_every_layer_of_torchvisions_network_has_its_place_in_ours(name):
    """The same layers in the same order; with the test above, the same network."""
    with torch.device("meta"):
        theirs, ours = torchvision.models.get_model(name), create_model(name)
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear, nn.MaxPool2d)
    told = [[repr(layer) for layer in model.modules() if isinstance(layer, kinds)] for model in (ours, theirs)]
    assert told[0] == [text.replace(", inplace=True", "") for text in told[1]]
    keys = [(key, ours.state_dict()[key].shape) for key in ours.state_dict()]
    load_torchvision_weights(ours, theirs.state_dict())
    assert keys == [(key, ours.state_dict()[key].shape) for key in ours.state_dict()]


@pytest.mark.parametrize("build", [vgg16, vgg19_bn])
def test_signal_keeps_its_size_up_to_fc8_which_begins_near_zero(build):
    torch.manual_seed(0)
    model, x = build(num_classes=10, small=True, width=0.5).eval(), torch.randn(8, 3, 32, 32)
    passed = []
    model.drop7.register_forward_hook(lambda module, inputs, output: passed.append(inputs[0]))
    with torch.no_grad():
        logits = model(x)
    assert 0.1 < passed[0].std() < 10
    assert logits.std() < 1


def test_batch_normalisation_stands_between_convolution_and_relu():
    kinds = [type(layer).__name__ for layer in on_meta(vgg11_bn).stage3]
    assert kinds == ["Conv2d", "BatchNorm2d", "ReLU"] * 2 + ["MaxPool2d"]
    assert [type(layer).__name__ for layer in on_meta(vgg11).stage3] == ["Conv2d", "ReLU"] * 2 + ["MaxPool2d"]


@pytest.mark.parametrize(("small", "size"), [(False, 224), (True, 32)])
@pytest.mark.parametrize("change", [-1, 1])
def test_other_sizes_are_refused(small, size, change):
    model = on_meta(VGG, 13, small=small)
    assert model.smallest == model.image_size == size
    with pytest.raises(ValueError, match=f"VGG-13 takes images of shape N x 3 x {size} x {size}, not 1 x 3 x"):
        model(torch.zeros(1, 3, size + change, size + change, device="meta"))


def test_other_depths_are_refused():
    with pytest.raises(ValueError, match=r"depth \(=12\) must be one of 11, 13, 16, 19"):
        VGG(12)
