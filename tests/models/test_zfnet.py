import pytest
import torch

from cnnviz.datasets import published
from cnnviz.models import alexnet, zfnet
from tests.models.networks import count, on_meta, stage_shapes


def test_maps_have_the_sizes_of_figure_3():
    assert stage_shapes(on_meta(zfnet)) == {
        "conv1": (96, 110, 110),
        **dict.fromkeys(("pool1", "norm1"), (96, 55, 55)),
        "conv2": (256, 26, 26),
        **dict.fromkeys(("pool2", "norm2"), (256, 13, 13)),
        **dict.fromkeys(("conv3", "conv4"), (384, 13, 13)),
        "conv5": (256, 13, 13),
        "pool5": (256, 6, 6),
        **dict.fromkeys(("fc6", "drop6", "fc7", "drop7"), (4096,)),
        "fc8": (1000,),
    }


def test_small_form_has_the_same_stages_with_half_the_maps_and_ends_at_4_pixels():
    native, small = on_meta(zfnet), on_meta(zfnet, small=True)
    assert [name for name, _ in small.named_children()] == [name for name, _ in native.named_children()]
    shapes = stage_shapes(small)
    assert [shapes[name][1] for name in ("conv1", "pool1", "conv2", "pool2", "pool5")] == [32, 16, 16, 8, 4]
    for name in ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"):
        assert 2 * len(getattr(small, name).weight) == len(getattr(native, name).weight)


def test_counts_follow_from_figure_3():
    maps, sides = (96, 256, 384, 384, 256), (7, 5, 3, 3, 3)
    counts = [out * (seen * side**2 + 1) for seen, out, side in zip((3, *maps[:-1]), maps, sides, strict=True)]
    counts += [4096 * (256 * 6 * 6 + 1), 4096 * (4096 + 1), 1000 * (4096 + 1)]
    assert [count(stage) for stage in on_meta(zfnet).children() if count(stage)] == counts
    [row] = published(model="zfnet", quantity="parameters")
    assert sum(counts) == row.value


def test_only_the_filters_of_conv1_are_fewer_numbers_than_alexnets():
    zf, alex = on_meta(zfnet), on_meta(alexnet)
    assert count(alex) - count(zf) == 96 * 3 * (11**2 - 7**2) == 20_736
    shapes, others = ({key: p.shape for key, p in model.named_parameters()} for model in (zf, alex))
    assert {key for key in shapes if shapes[key] != others[key]} == {"conv1.weight"}


def test_maps_are_normalised_after_pooling():
    """The figure's order; AlexNet has it the other way round, and the two do not commute."""
    torch.manual_seed(0)
    model, seen = zfnet(num_classes=10, small=True, width=0.25).eval(), {}
    for name, stage in model.named_children():
        stage.register_forward_hook(lambda module, inputs, output, name=name: seen.update({name: (inputs[0], output)}))
    model(100 * torch.randn(1, 3, 32, 32))
    for norm, pool in (("norm1", "pool1"), ("norm2", "pool2")):
        assert torch.equal(seen[norm][0], seen[pool][1])
        assert not torch.allclose(seen[norm][1], getattr(model, pool)(getattr(model, norm)(seen[pool][0])))


def test_weights_begin_as_the_paper_says():
    torch.manual_seed(0)
    model = zfnet(num_classes=10, width=0.25)
    for layer in (model.conv1, model.conv2, model.conv3, model.conv4, model.conv5, model.fc6, model.fc7, model.fc8):
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.05)
        assert not layer.bias.any()


def test_signal_of_the_small_form_keeps_its_size_up_to_fc8_which_begins_near_zero():
    torch.manual_seed(0)
    model, x = zfnet(num_classes=10, small=True, width=0.5).eval(), torch.randn(8, 3, 32, 32)
    passed = []
    model.drop7.register_forward_hook(lambda module, inputs, output: passed.append(inputs[0]))
    with torch.no_grad():
        logits = model(x)
    assert 0.1 < passed[0].std() < 10
    assert logits.std() < 1


@pytest.mark.parametrize(("small", "size"), [(False, 224), (True, 32)])
@pytest.mark.parametrize("change", [-1, 1])
def test_other_sizes_are_refused(small, size, change):
    model = on_meta(zfnet, small=small)
    assert model.smallest == model.image_size == size
    with pytest.raises(ValueError, match=f"ZFNet takes images of shape N x 3 x {size} x {size}, not 1 x 3 x"):
        model(torch.zeros(1, 3, size + change, size + change, device="meta"))
