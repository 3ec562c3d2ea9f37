"""The theoretical field is verified by gradients: positive weights, means for maxima, images larger than the field."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cnnviz.analysis import layer_table, receptive_field
from cnnviz.models import create_model


class Only(nn.Module):
    """A function as a network, between two convolutions."""

    def __init__(self, function, channels=4):
        super().__init__()
        self.before = nn.Conv2d(3, 4, 3, padding=1)
        self.function = function
        self.after = nn.Conv2d(channels, 2, 3)

    def forward(self, x):
        return self.after(self.function(self.before(x)))


def means_for_maxima(module):
    """Max pooling lets one gradient through, a mean all: the same field, and it can be seen."""
    for name, child in module.named_children():
        if isinstance(child, nn.MaxPool2d):
            mean = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode)
            setattr(module, name, mean)
        means_for_maxima(child)
    return module


def support(model, layer, size, channels=3):
    """Return the first and the last pixel along each axis whose gradient is not 0."""
    model = means_for_maxima(model).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1 / max(1, parameter[0].numel()) if parameter.ndim > 1 else 0.5)
    image = torch.ones(1, channels, *size, dtype=torch.float64, requires_grad=True)
    found = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, args, output: found.append(output))
    model(image)
    handle.remove()
    output = found[0]
    centre = tuple(length // 2 for length in output.shape[2:])
    [gradient] = torch.autograd.grad(output[:, :, *centre].sum(), image)
    seen = [np.flatnonzero(gradient[0].abs().sum([0, 2 - axis]).numpy()) for axis in range(2)]
    return tuple(pixels[0] for pixels in seen), tuple(pixels[-1] for pixels in seen)


def assert_the_gradient_agrees(model, layer, size, channels=3):
    field = receptive_field(model, layer, input_size=(channels, *size))
    first, last = support(model, layer, size, channels)
    assert tuple(max(0, pixel) for pixel in field.first) == first, field.describe()
    assert tuple(min(n - 1, pixel) for n, pixel in zip(size, field.last, strict=True)) == last, field.describe()
    return field


@pytest.mark.parametrize(
    ("function", "channels"),
    [
        (lambda x: x, 4),
        (lambda x: F.relu(x) + F.avg_pool2d(x, 5, stride=1, padding=2), 4),
        (lambda x: torch.cat([x, F.conv2d(x, x.new_ones(1, 4, 1, 7), padding=(0, 3))], 1), 5),
        (lambda x: F.conv2d(x, x.new_ones(4, 1, 3, 3), dilation=2, stride=(1, 2), groups=4), 4),
        (lambda x: F.conv_transpose2d(x, x.new_ones(4, 2, 3, 3), stride=2, padding=1), 2),
        (lambda x: F.conv_transpose2d(x, x.new_ones(4, 2, 2, 2), stride=2), 2),
        (lambda x: F.interpolate(x, scale_factor=2), 4),
        (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), 4),
        (lambda x: F.pixel_shuffle(x, 2), 1),
        (lambda x: F.pixel_unshuffle(x, 2), 16),
        (lambda x: x[:, 1:3, ::2, 3:], 2),
        (lambda x: x.flip(3).roll(2, 2), 4),
        (lambda x: F.pad(x, (4, 1, 0, 2)), 4),
        (lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2), 4),
        (lambda x: F.linear(x.permute(0, 2, 3, 1), x.new_ones(5, 4)).permute(0, 3, 1, 2), 5),
        (lambda x: x.view(1, 2, 2, *x.shape[2:]).transpose(1, 2).flatten(1, 2), 4),
        (lambda x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)), 4),
        (lambda x: F.adaptive_avg_pool2d(x, (5, 7)), 4),
        (lambda x: torch.stack(x.chunk(2, 1)).sum(0), 2),
        (lambda x: F.local_response_norm(x, 3), 4),
        (lambda x: x.flatten(1).view_as(x), 4),
        (lambda x: x if x.shape[3] < 20 else F.max_pool2d(x, 1, 2), 4),
        (lambda x: F.layer_norm(x * torch.rand_like(x), x.shape[2:]), 4),
        (lambda x: torch.max(x, F.leaky_relu(x)).clamp_(-9, 9).mul_(2), 4),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [(24, 32)])
def test_the_gradient_reaches_the_field_and_no_further(function, channels, size):
    assert_the_gradient_agrees(Only(function, channels), "after", size)


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [
        (torchvision.models.resnet18, "layer2", (112, 112)),
        (torchvision.models.googlenet, "inception3b", (112, 128)),
        (torchvision.models.densenet121, "features.transition1", (96, 96)),
        (torchvision.models.mobilenet_v2, "features.6", (96, 96)),
        (torchvision.models.shufflenet_v2_x0_5, "stage2", (128, 128)),
        (torchvision.models.inception_v3, "Mixed_5b", (96, 112)),
    ],
)  # fmt: skip
def test_fields_over_branches_and_shortcuts_are_those_of_the_gradient(build, layer, size):
    extra = {"aux_logits": False, "init_weights": False} if build.__name__ in ("googlenet", "inception_v3") else {}
    field = assert_the_gradient_agrees(build(weights=None, **extra), layer, size)
    assert all(first >= 0 for first in field.first), "the image must be larger than the field"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x.new_ones(4, 36) @ F.unfold(x, 3, padding=1)).view_as(x),
        lambda x: torch.stack(x.unbind(2)[::-1], 2),
        lambda x: torch.einsum("nchw,oc->nohw", x, x.new_ones(5, 4)),
        lambda x: nn.GRU(32, 8)(x[0, 0][None])[0],
    ],
)
def test_where_it_is_not_worked_out_which_pixels_go_where_the_field_is_not_known(function):
    class Net(nn.Module):
        def forward(self, x):
            return function(x)

    assert [row.receptive_field for row in layer_table(Net(), (4, 24, 32)).rows][-1] is None


def test_numbers_that_the_model_brings_along_come_from_no_pixel():
    class Scales(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.scale = nn.Conv2d(1, 1, 3), torch.tensor(2.0)

        def forward(self, x):
            return self.conv(x) * self.scale + torch.zeros(())

    assert [row.receptive_field for row in layer_table(Scales(), (1, 8, 8)).rows] == [(3, 3)] * 3


@pytest.mark.parametrize(
    ("layers", "size"),
    [(1, 3), (2, 5), (3, 7), (4, 9)],
)
def test_stacked_3x3_convolutions_see_two_pixels_more_each(layers, size):
    model = nn.Sequential(*[nn.Conv2d(1, 1, 3) for _ in range(layers)])
    assert receptive_field(model, str(layers - 1), input_size=(1, 32, 32)).size == (size, size)


@pytest.mark.parametrize(
    ("build", "layer", "size"),
    [
        (torchvision.models.alexnet, "features.12", 195),
        (torchvision.models.vgg16, "features.30", 212),
    ],
)
def test_sizes_are_the_published_ones(build, layer, size):
    """A. Araujo, W. Norris and J. Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019."""
    with torch.device("meta"):
        model = build(weights=None)
    assert receptive_field(model, layer, input_size=(3, 224, 224)).size == (size, size)


def test_jump_is_the_product_of_the_strides():
    with torch.device("meta"):
        model = torchvision.models.resnet18()
    assert receptive_field(model, "layer4", input_size=(3, 224, 224)).jump == (32, 32)


def test_the_table_shows_the_same_field():
    model = create_model("lenet5")
    table = layer_table(model)
    for layer in ("c1", "s2", "c3", "s4", "c5"):
        assert table[layer].receptive_field == receptive_field(model, layer).size
    assert table["c5"].receptive_field == (32, 32), "the whole image with its border"


class Gated(nn.Module):
    """Every number is multiplied by one that comes from the whole image."""

    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True)


@pytest.mark.parametrize(
    "same", [nn.Identity(), nn.ReLU(inplace=True), nn.Unflatten(1, (4,)), lambda x: x.view(x.shape)]
)
def test_what_leaves_every_number_in_its_place_changes_no_field(same):
    class Same(nn.Module):
        def forward(self, x):
            return same(x)

    convs = [nn.Conv2d(3, 4, 3, 2), Gated(), Same(), nn.Conv2d(4, 2, 3, 2)]
    shown, plain = (
        layer_table(nn.Sequential(*layers), (3, 33, 33)).rows[-1] for layers in (convs, [*convs[:2], convs[3]])
    )
    assert (shown.receptive_field, shown.jump) == (plain.receptive_field, plain.jump)
    assert shown.jump == (4, 4)


def test_a_square_that_is_transposed_has_the_shape_that_it_had_and_other_numbers():
    class Transposes(nn.Module):
        def forward(self, x):
            return x.transpose(2, 3)

    tall = [nn.Conv2d(1, 1, (3, 1), padding=(1, 0)) for _ in range(2)]
    model = nn.Sequential(tall[0], Transposes(), tall[1])
    assert_the_gradient_agrees(model, "2", (9, 9), channels=1)
    assert layer_table(model, (1, 9, 9)).rows[-1].receptive_field == (3, 3)


def test_what_the_arithmetic_does_not_know_has_no_size():
    class Unknown(nn.Module):
        def __init__(self):
            super().__init__()
            self.end = nn.Conv2d(3, 1, 3)

        def forward(self, x):
            return self.end(torch.fft.fft2(x).real)

    field = receptive_field(Unknown(), "end", input_size=(3, 16, 16))
    assert field.size is None
    assert "not known" in field.describe()


def test_a_slice_that_is_written_into_is_not_known():
    def write(x):
        out = torch.zeros_like(x)
        out[:, :, 2:] = x[:, :, :-2]
        return out

    assert receptive_field(Only(write), "after", input_size=(3, 16, 16)).size is None


# The effective field


def images(number=50, size=24, channels=1):
    return torch.rand(number, channels, size, size, generator=torch.Generator().manual_seed(0))


def stack_of_convolutions(layers=5):
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Conv2d(1 if number == 0 else 8, 8, 3, padding=1) for number in range(layers)])


def test_effective_field_lies_within_the_theoretical_one_and_is_smaller():
    field = receptive_field(stack_of_convolutions(), "4", images())
    rows, columns = np.nonzero(field.effective)
    assert (rows.min(), columns.min()) == field.first
    assert (rows.max(), columns.max()) == field.last
    assert field.size == (11, 11)
    assert 3 < field.effective_size < 11
    assert field.effective.max() == 1
    assert "effective" in field.describe()


def test_effective_field_of_one_convolution_is_its_weights():
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    field = receptive_field(model, "0", images(size=9))
    (top, left), (bottom, right) = field.first, field.last
    weight = model[0].weight[0, 0].detach().abs().double().numpy()
    np.testing.assert_allclose(field.effective[top : bottom + 1, left : right + 1], weight / weight.max(), rtol=1e-5)
    assert field.effective.sum() == pytest.approx((weight / weight.max()).sum())


def test_effective_field_is_the_mean_over_all_images_of_each_ones_absolute_gradient():
    """A network with ReLU, whose gradients differ from image to image, and one image at a time."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 6, 3, padding=1), nn.Conv2d(6, 3, 3, padding=1)
    model, data = nn.Sequential(first, nn.ReLU(), second, nn.Tanh()), images(50, 9, channels=2) - 0.5
    gradients = []
    for image in data:
        pixels = image[None].clone().requires_grad_()
        centre = second(F.relu(first(pixels)))[0, :, 4, 4].sum()
        gradients.append(torch.autograd.grad(centre, pixels)[0][0].double())
    separate = torch.stack(gradients)  # images, channels, H, W
    expected = separate.abs().sum((0, 1))
    for batch_size in (7, 50):
        field = receptive_field(model, "2", data, batch_size=batch_size)
        np.testing.assert_allclose(field.effective, (expected / expected.max()).numpy(), rtol=1e-4, atol=1e-7)
    for other in (separate.sum((0, 1)).abs(), separate.sum(0).abs().sum(0), separate[:7].abs().sum((0, 1))):
        assert (other / other.max() - expected / expected.max()).abs().max() > 0.02, "these images cannot tell"


def test_an_inplace_relu_behind_the_layer_changes_nothing():
    model = nn.Sequential(*stack_of_convolutions(2), nn.ReLU(inplace=True))
    plain = nn.Sequential(model[0], model[1])
    np.testing.assert_array_equal(
        receptive_field(model, "1", images()).effective, receptive_field(plain, "1", images()).effective
    )


def test_model_and_random_numbers_are_left_as_they_were():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    state, random = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    receptive_field(model, "2", images())
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize(
    ("layer", "given", "message"),
    [
        ("c9", None, "has no layer 'c9'; its layers are c1, s2"),
        ("c3", images(49, 28), "49 images are too few for a mean gradient; give at least 50"),
        ("c3", images(50, 30), "28 x 28"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(layer, given, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(create_model("lenet5"), layer, given)


def test_a_layer_that_does_not_run_is_said():
    model = create_model("lenet5")
    model.spare = nn.ReLU()
    with pytest.raises(ValueError, match="spare does not run"):
        receptive_field(model, "spare")


def test_gradients_that_are_all_zero_are_said():
    model = nn.Sequential(nn.Conv2d(1, 1, 3))
    nn.init.zeros_(model[0].weight)
    with pytest.raises(ValueError, match="every gradient at the centre of 0 is 0"):
        receptive_field(model, "0", images())
