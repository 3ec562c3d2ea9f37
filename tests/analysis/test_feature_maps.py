import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.feature_maps import FeatureMaps, feature_maps


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 10))


def test_maps_are_the_layers_own_outputs(model):
    images = torch.randn(2, 1, 8, 8)
    result = feature_maps(model, images)
    assert result.names == ("0", "1", "2")
    assert result["2"].shape == (2, 4, 3, 3)
    assert result["2"].dtype == np.float32
    np.testing.assert_allclose(result["2"], model[:3](images).detach().numpy(), rtol=1e-6)


def test_named_layers_may_be_whole_blocks():
    model = nn.Sequential(nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU()), nn.Conv2d(5, 2, 1))
    result = feature_maps(model, torch.randn(1, 3, 4, 6), ["0", "1"])
    assert {name: result[name].shape for name in result.names} == {"0": (1, 5, 4, 6), "1": (1, 2, 4, 6)}


def test_a_network_of_torchvision_works_and_shared_layers_appear_twice():
    from torchvision.models import resnet18

    names = feature_maps(resnet18(), torch.randn(1, 3, 32, 32)).names
    assert names[:3] == ("conv1", "bn1", "relu")
    assert {"layer1.0.relu", "layer1.0.relu_1"} <= set(names)


def test_training_mode_weights_and_random_numbers_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout2d()).train()
    before, numbers = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    feature_maps(model, torch.randn(2, 1, 5, 5, generator=torch.Generator().manual_seed(1)))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(module.training for module in model.modules())
    assert torch.equal(numbers, torch.get_rng_state())


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 8, 8), r"images must be \[N, C, H, W\] with at least one image, got \[1, 8, 8\]"),
        (torch.zeros(0, 1, 8, 8), r"at least one image, got \[0, 1, 8, 8\]"),
        (torch.zeros(1, 1, 8, 8, dtype=torch.uint8), r"normalised floats, got torch.uint8; use data.normalise"),
        (torch.full((1, 1, 8, 8), torch.nan), r"64 values of the images are not finite"),
        (torch.zeros(1, 3, 8, 8), r"Sequential does not take images of shape \[1, 3, 8, 8\]"),
        (torch.zeros(1, 1, 9, 28), r"Sequential does not take images of shape \[1, 1, 9, 28\]: .*cannot be multiplied"),
    ],
)
def test_bad_images_are_refused_in_one_line(model, images, message):
    with pytest.raises(ValueError, match=message) as caught:
        feature_maps(model, images)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("wrong", ["lenet5", None, nn.Conv2d])
def test_what_is_no_module_is_refused(wrong):
    with pytest.raises(TypeError, match=r"must be an nn.Module, not (str|NoneType|type); create_model makes one"):
        feature_maps(wrong, torch.zeros(1, 1, 8, 8))


def test_a_layer_without_maps_is_refused(model):
    with pytest.raises(ValueError, match=r"layer 4 returns the shape \[1, 10\], not maps"):
        feature_maps(model, torch.zeros(1, 1, 8, 8), ["4"])
    with pytest.raises(ValueError, match=r"no layer of Sequential returns maps"):
        feature_maps(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), torch.zeros(1, 1, 8, 8))


def test_an_unknown_layer_lists_the_valid_ones(model):
    with pytest.raises(ValueError, match=r"no layer 'c9'; its layers are 0, 1, 2, 3, 4"):
        feature_maps(model, torch.zeros(1, 1, 8, 8), ["c9"])


def test_description_holds_sizes_and_values_and_counts_what_is_not_finite():
    maps = FeatureMaps({"c1": np.array([[[[-1.5, 2.0, np.nan]]]], np.float32)})
    assert maps.describe() == "Feature maps of 1 image: c1 1 maps of 1 x 3 (-1.50 to 2.00, 1 not finite)."
