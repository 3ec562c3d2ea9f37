import pytest
import torch
import torchvision

from cnnviz.datasets import published
from cnnviz.models import alexnet, alexnet_owt, alexnet_two_groups
from cnnviz.models.alexnet import AlexNet, local_response
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, on_meta, stage_shapes

BUILDERS = (alexnet, alexnet_two_groups, alexnet_owt)


@pytest.mark.parametrize("build", [alexnet, alexnet_two_groups])
def test_maps_have_the_papers_sizes(build):
    assert stage_shapes(on_meta(build)) == {
        **dict.fromkeys(("conv1", "norm1"), (96, 55, 55)),
        "pool1": (96, 27, 27),
        **dict.fromkeys(("conv2", "norm2"), (256, 27, 27)),
        "pool2": (256, 13, 13),
        **dict.fromkeys(("conv3", "conv4"), (384, 13, 13)),
        "conv5": (256, 13, 13),
        "pool5": (256, 6, 6),
        **dict.fromkeys(("fc6", "drop6", "fc7", "drop7"), (4096,)),
        "fc8": (1000,),
    }


def test_maps_of_the_later_network_have_the_same_height_and_width():
    shapes = stage_shapes(on_meta(alexnet_owt))
    assert [shapes[f"conv{i}"] for i in range(1, 6)] == [
        (64, 55, 55), (192, 27, 27), (384, 13, 13), (256, 13, 13), (256, 13, 13)
    ]  # fmt: skip
    assert shapes["pool5"] == (256, 6, 6)


@pytest.mark.parametrize("build", BUILDERS)
def test_small_form_has_the_same_stages_with_half_the_maps_and_ends_at_3_pixels(build):
    native, small = on_meta(build), on_meta(build, small=True)
    assert [name for name, _ in small.named_children()] == [name for name, _ in native.named_children()]
    shapes = stage_shapes(small)
    assert [shapes[name][1] for name in ("conv1", "pool1", "pool2", "pool5")] == [32, 15, 7, 3]
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"):
        assert 2 * len(getattr(small, name).weight) == len(getattr(native, name).weight)


@pytest.mark.parametrize(
    ("build", "maps", "groups"),
    [
        (alexnet, (96, 256, 384, 384, 256), 1),
        (alexnet_two_groups, (96, 256, 384, 384, 256), 2),
        (alexnet_owt, (64, 192, 384, 256, 256), 1),
    ],
)
def test_counts_follow_from_the_papers_numbers_of_maps(build, maps, groups):
    sides, shared = (11, 5, 3, 3, 3), (1, groups, 1, groups, groups)
    seen = (3, *maps[:-1])
    counts = [
        out * (before // parts * side * side + 1)
        for before, out, side, parts in zip(seen, maps, sides, shared, strict=True)
    ]
    counts += [4096 * (maps[-1] * 6 * 6 + 1), 4096 * (4096 + 1), 1000 * (4096 + 1)]
    model = on_meta(build)
    assert [count(stage) for stage in model.children() if count(stage)] == counts
    [row] = published(model=build.__name__, quantity="parameters")
    assert sum(counts) == row.value


def test_the_papers_print_is_the_count_of_the_two_groups_rounded():
    [row] = published(model="alexnet_two_groups", quantity="parameters, as printed")
    assert round(count(on_meta(alexnet_two_groups)) / 10**7) * 10 == row.value == 60


def test_response_normalisation_is_the_papers_formula():
    torch.manual_seed(0)
    a = 30 * torch.randn(2, 7, 3, 4, dtype=torch.float64)  # 7 maps: the window is cut at both ends
    expected = torch.empty_like(a)
    for i in range(7):
        neighbours = a[:, max(0, i - 2) : min(6, i + 2) + 1]
        expected[:, i] = a[:, i] / (2 + 1e-4 * neighbours.square().sum(1)) ** 0.75
    torch.testing.assert_close(local_response()(a), expected)


def test_two_groups_are_one_tower_in_which_half_of_the_connections_of_three_layers_are_zero():
    torch.manual_seed(0)
    groups, tower = alexnet_two_groups(small=True, width=0.25).eval(), alexnet(small=True, width=0.25).eval()
    weights = groups.state_dict()
    for layer in ("conv2", "conv4", "conv5"):
        upper, lower = weights[f"{layer}.weight"].chunk(2)
        nothing = torch.zeros_like(upper)
        weights[f"{layer}.weight"] = torch.cat([torch.cat([upper, nothing], 1), torch.cat([nothing, lower], 1)])
    tower.load_state_dict(weights)
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(groups(x), tower(x))


def test_output_equals_torchvisions():
    torch.manual_seed(0)
    theirs = torchvision.models.alexnet(num_classes=10).double().eval()
    ours = alexnet_owt(num_classes=10).double().eval()
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=0)


def test_weights_begin_as_the_paper_says():
    torch.manual_seed(0)
    model = AlexNet(num_classes=10, width=0.25)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4, model.conv5, model.fc6, model.fc7, model.fc8):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
    ones = [name for name, stage in model.named_children() if hasattr(stage, "bias") and (stage.bias == 1).all()]
    assert ones == ["conv2", "conv4", "conv5", "fc6", "fc7"]
    assert all((getattr(model, name).bias == 0).all() for name in ("conv1", "conv3", "fc8"))


def test_signal_of_the_small_form_keeps_its_size_up_to_fc8_which_begins_near_zero():
    torch.manual_seed(0)
    model, x = alexnet(num_classes=10, small=True, width=0.5).eval(), torch.randn(8, 3, 32, 32)
    passed = []
    model.drop7.register_forward_hook(lambda module, inputs, output: passed.append(inputs[0]))
    with torch.no_grad():
        logits = model(x)
    assert 0.1 < passed[0].std() < 10
    assert logits.std() < 1


def test_half_of_the_units_of_fc6_and_fc7_are_dropped_in_training_only():
    torch.manual_seed(0)
    model, dropped = alexnet(num_classes=10, small=True, width=0.25), {}
    for name in ("drop6", "drop7"):
        getattr(model, name).register_forward_hook(
            lambda module, inputs, output, name=name: dropped.update({name: (output == 0) & (inputs[0] > 0)})
        )
    x = torch.randn(8, 3, 32, 32)
    model.train()(x)
    for name in ("drop6", "drop7"):
        assert 0.1 < dropped[name].float().mean() < 0.5
    model.eval()(x)
    assert not any(where.any() for where in dropped.values())


@pytest.mark.parametrize(("build", "size"), [(alexnet, 227), (alexnet_two_groups, 227), (alexnet_owt, 224)])
@pytest.mark.parametrize("change", [-1, 1])
def test_other_sizes_are_refused(build, size, change):
    model = on_meta(build)
    assert model.smallest == model.image_size == size
    with pytest.raises(ValueError, match=f"AlexNet takes images of shape N x 3 x {size} x {size}, not 1 x 3 x"):
        model(torch.zeros(1, 3, size + change, size + change, device="meta"))


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match=r"groups \(=3\) must be 1 .* or 2"):
        AlexNet(groups=3)
    with pytest.raises(ValueError, match=r"image_size \(=256\) must be 224 or 227"):
        AlexNet(image_size=256)
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        alexnet(width=0)
