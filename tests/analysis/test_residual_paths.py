"""The gradient of residual networks, taken apart by the length of its paths."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18
from torchvision.models import resnet50 as torchvision_resnet50

from cnnviz.analysis.residual_paths import (
    PathLengthProfile,
    PathSample,
    path_gradients,
    path_length_profile,
    path_shares,
    sample_path_gradients,
)
from cnnviz.models import create_model
from cnnviz.models.resnet_cifar import ResNetCifar

SMALL = {"small": True, "width": 0.1}
FAMILIES = {
    "shortcut A": lambda: create_model("resnet20", width=0.5),
    "shortcut B": lambda: create_model("resnet20", shortcut="B", width=0.5),
    "pre-activation": lambda: create_model("resnet20", preactivation=True, width=0.5),
    "pre-activation, shortcut B": lambda: create_model("resnet20", preactivation=True, shortcut="B", width=0.5),
    "stochastic depth": lambda: create_model("resnet20", survival=0.5, width=0.5),
    "basic blocks": lambda: create_model("resnet34", num_classes=10, **SMALL),
    "bottlenecks": lambda: create_model("resnet50", num_classes=10, **SMALL),
    "pre-activated bottlenecks": lambda: create_model("resnet50_v2", num_classes=10, **SMALL),
    "ResNeXt": lambda: create_model("resnext50_32x4d", num_classes=10, **SMALL),
    "Xception": lambda: create_model("xception", num_classes=10, **SMALL),
    "torchvision's ResNet-18": lambda: torchvision_resnet18(num_classes=10),
    "torchvision's ResNet-50": lambda: torchvision_resnet50(num_classes=10),
}


def lived(make, dtype=torch.float64):
    """A network whose normalisations are no identities, in evaluation mode."""
    torch.manual_seed(0)
    net = make().to(dtype)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def batch(dtype=torch.float64, size=16, count=2):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, size, size, generator=generator, dtype=dtype), torch.arange(count)


def plain_gradient(net, x, y):
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(F.cross_entropy(copy.deepcopy(net)(x), y, reduction="sum"), x)
    return found


def along_every_path(net, x, y):
    """The reference: for each of the 2^n paths the gradient that autograd finds with all other ways cut."""
    blocks = [block for stage in (net.stage1, net.stage2, net.stage3) for block in stage]
    found = {}
    for path in itertools.product((False, True), repeat=len(blocks)):
        image = x.clone().requires_grad_()
        h = net.stem(image)
        for block, through in zip(blocks, path, strict=True):
            p = block.pre(h)
            past, layers = block.shortcut(p), block.residual(p)
            h = block.post(past.detach() + layers if through else past + layers.detach())
        (found[path],) = torch.autograd.grad(F.cross_entropy(net.head(h), y, reduction="sum"), image)
    return found


@pytest.fixture(scope="module", params=[False, True], ids=["post-activation", "pre-activation"])
def nine_blocks(request):
    net = lived(lambda: ResNetCifar(20, width=0.25, preactivation=request.param))
    x, y = batch(size=8)
    return net, x, y, along_every_path(net, x, y)


def test_all_512_paths_of_nine_blocks_sum_to_the_same_for_every_length(nine_blocks):
    net, x, y, paths = nine_blocks
    found = path_gradients(net, x, y, unit=False)
    assert len(paths) == 512
    for length, exact in enumerate(found):
        wanted = sum(gradient for path, gradient in paths.items() if sum(path) == length)
        torch.testing.assert_close(exact, wanted, rtol=0, atol=1e-12 * wanted.abs().max().item())


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_lengths_sum_to_the_gradient_of_autograd(family, training):
    for dtype, allowed in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        net = lived(FAMILIES[family], dtype)
        # Maps of one pixel and two images would leave batch normalisation two numbers a channel.
        x, y = batch(dtype, *((64, 4) if "torchvision" in family else (32, 2)))
        if training and family == "stochastic depth":
            torch.manual_seed(2)  # deepcopy and ours must draw alike
        state = torch.get_rng_state()
        net.train(training)
        whole = path_gradients(net, x, y, unit=False).sum(0)
        torch.set_rng_state(state)
        wanted = plain_gradient(net, x, y)
        assert (whole - wanted).abs().max() <= allowed * wanted.abs().max()


@pytest.mark.parametrize("kmax", [0, 3])
def test_shorter_lengths_alone_are_the_beginning_of_all(kmax):
    net, (x, y) = lived(FAMILIES["shortcut B"]), batch()
    torch.testing.assert_close(path_gradients(net, x, y, kmax=kmax), path_gradients(net, x, y)[: kmax + 1])


def test_batched_over_the_lengths_is_the_same_as_one_after_the_other():
    net, (x, y) = lived(FAMILIES["pre-activation, shortcut B"]), batch()
    loop, batched = (path_gradients(net, x, y, backend=backend) for backend in ("loop", "batched"))
    torch.testing.assert_close(batched, loop, rtol=1e-10, atol=1e-14)


def test_random_signs_give_the_sum_of_the_squares_over_all_paths():
    net, (x, y) = lived(lambda: ResNetCifar(8, width=0.5)), batch(size=8)
    paths = along_every_path(net, x, y)
    signs = list(itertools.product((-1, 1), repeat=3))
    squares = sum(path_gradients(net, x, y, unit=False, signs=one).square().sum((2, 3, 4)) for one in signs) / 8
    for length in range(4):
        wanted = sum(g.square().sum((1, 2, 3)) for path, g in paths.items() if sum(path) == length)
        torch.testing.assert_close(squares[length], wanted, rtol=1e-10, atol=0)


def test_the_sign_of_a_block_is_that_of_every_path_through_its_layers():
    net, (x, y) = lived(lambda: ResNetCifar(8, width=0.5)), batch(size=8)
    paths = along_every_path(net, x, y)
    signs = (-1, 1, 1)  # no two blocks could be taken for each other
    found = path_gradients(net, x, y, unit=False, signs=signs)
    for length in range(4):
        wanted = sum(
            math.prod(sign for sign, taken in zip(signs, path, strict=True) if taken) * gradient
            for path, gradient in paths.items()
            if sum(path) == length
        )
        torch.testing.assert_close(found[length], wanted, rtol=1e-10, atol=1e-14)


def test_a_share_is_the_part_of_the_whole_gradient_in_its_direction(nine_blocks):
    net, x, y, paths = nine_blocks
    profile, whole = path_length_profile(net, x, y), plain_gradient(net, x, y)
    for length, share in enumerate(profile.share):
        summed = sum(gradient for path, gradient in paths.items() if sum(path) == length)
        wanted = (summed * whole).sum((1, 2, 3)) / whole.square().sum((1, 2, 3))
        np.testing.assert_allclose(share, wanted.numpy(), rtol=1e-8, atol=1e-12)


def test_a_profile_does_not_change_with_the_size_of_the_gradient():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch()
    y = torch.zeros_like(y)
    before = path_length_profile(net, x, y)
    other = copy.deepcopy(net)
    other.head.fc.bias.data[0] += 40  # very sure of the right class
    after = path_length_profile(other, x, y)
    assert plain_gradient(other, x, y).norm() < 1e-12 * plain_gradient(net, x, y).norm()
    assert after.norm[0].max() > 1e-3 * before.norm[0].max()
    np.testing.assert_allclose(after.share.sum(0), 1, rtol=1e-12)


def test_signed_shares_sum_to_one_and_fractions_too():
    net, (x, y) = lived(FAMILIES["pre-activation"], torch.float32), batch(torch.float32, size=32, count=5)
    profile = path_length_profile(net, x, y, batch_size=2)
    np.testing.assert_allclose(profile.share.sum(0), 1, rtol=1e-6)
    assert profile.exact.sum() == pytest.approx(1)
    assert profile.signed.sum() == pytest.approx(1)
    assert np.isnan(profile.rms).all()


def test_the_size_of_a_batch_changes_nothing_in_evaluation():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch(count=5)
    one, all_at_once = (path_length_profile(net, x, y, batch_size=size) for size in (1, 5))
    np.testing.assert_allclose(one.norm, all_at_once.norm, rtol=1e-9)
    np.testing.assert_allclose(one.share, all_at_once.share, rtol=1e-6, atol=1e-9)


def test_in_training_mode_all_images_share_their_statistics():
    net, (x, y) = lived(FAMILIES["shortcut A"]).train(), batch(count=4)
    profile = path_length_profile(net, x, y, batch_size=1)
    wanted = path_gradients(net, x, y)
    np.testing.assert_allclose(profile.norm, wanted.flatten(2).norm(dim=2).numpy(), rtol=1e-9)


def test_in_training_mode_the_norms_are_relative_to_the_gradient_of_all_images_together():
    net, (x, y) = lived(FAMILIES["shortcut A"]).train(), batch(count=4)
    whole, relative = (path_gradients(net, x, y, unit=unit) for unit in (False, True))
    ratio = (whole.flatten(2).norm(dim=2) / relative.flatten(2).norm(dim=2)).numpy()
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)  # one image's share in another's gradient stays


def test_normalisation_without_running_statistics_mixes_the_images_in_evaluation_too():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch(count=4)
    norm = net.stage2[0].residual.bn1
    norm.track_running_stats, norm.running_mean, norm.running_var = False, None, None
    one, all_at_once = (path_length_profile(net, x, y, batch_size=size) for size in (1, 4))
    np.testing.assert_array_equal(one.norm, all_at_once.norm)


def test_root_mean_squares_over_all_paths_are_near_those_of_brute_force(nine_blocks):
    net, x, y, paths = nine_blocks
    profile = path_length_profile(net, x, y, n_signs=64, generator=torch.Generator().manual_seed(0))
    norms, cotangent = norms_by_length(paths), entering(net, x, y)
    for length in range(10):
        wanted = np.sqrt((norms[length] ** 2).mean(0)) / cotangent
        np.testing.assert_allclose(profile.rms[length], wanted, rtol=0.25)
    np.testing.assert_allclose(profile.rms[[0, 9]], profile.norm[[0, 9]], rtol=1e-9)  # of a single path: exact


def norms_by_length(paths):
    """Length -> norms of its paths, [paths, N]."""
    return [
        np.stack([g.flatten(1).norm(dim=1).numpy() for path, g in paths.items() if sum(path) == length])
        for length in range(10)
    ]


def entering(net, x, y):
    """The norm of the gradient that enters the last block, [N]."""
    h = net.stage3(net.stage2(net.stage1(net.stem(x)))).detach().requires_grad_()
    (found,) = torch.autograd.grad(F.cross_entropy(net.head(h), y, reduction="sum"), h)
    return found.flatten(1).norm(dim=1).numpy()


def test_the_sample_agrees_with_all_paths_within_four_standard_errors(nine_blocks):
    net, x, y, paths = nine_blocks
    sample = sample_path_gradients(net, x, y, n_samples=20, generator=torch.Generator().manual_seed(3))
    norms, cotangent = norms_by_length(paths), entering(net, x, y)
    assert sample.drawn.tolist() == [1, 9, 20, 20, 20, 20, 20, 20, 9, 1]
    for length in range(10):
        wanted = norms[length].mean(0) / cotangent
        if sample.drawn[length] < 20:
            assert (sample.standard_error[length] == 0).all()
            np.testing.assert_allclose(sample.norm[length], wanted, rtol=1e-9)
        else:
            assert (np.abs(sample.norm[length] - wanted) <= 4 * sample.standard_error[length]).all()
            assert (sample.standard_error[length] > 0).all()


def test_a_sample_repeats_with_its_generator():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch()
    one, same, other = (
        sample_path_gradients(net, x, y, n_samples=3, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.norm, same.norm)
    assert (one.norm != other.norm).any()


def test_random_signs_repeat_with_their_generator():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch(size=8)
    one, same, other = (
        path_length_profile(net, x, y, n_signs=1, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.rms, same.rms)
    assert (one.rms != other.rms).any()


def test_all_images_are_measured_along_the_same_paths_whatever_the_size_of_a_batch():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch(count=3, size=8)
    one, all_at_once = (
        sample_path_gradients(net, x, y, n_samples=2, batch_size=size, generator=torch.Generator().manual_seed(0))
        for size in (1, 3)
    )
    np.testing.assert_allclose(one.norm, all_at_once.norm, rtol=1e-9)


def test_the_mean_of_two_paths_is_one_standard_error_from_both(nine_blocks):
    net, x, y, paths = nine_blocks
    sample = sample_path_gradients(net, x, y, n_samples=2, generator=torch.Generator().manual_seed(0))
    norms, cotangent = norms_by_length(paths), entering(net, x, y)
    for length in range(1, 9):
        for end in (sample.norm - sample.standard_error, sample.norm + sample.standard_error):
            assert (np.abs(norms[length] / cotangent / end[length] - 1).min(0) < 1e-9).all()


def test_where_as_many_paths_are_asked_for_as_there_are_all_are_taken_once():
    net, (x, y) = lived(lambda: ResNetCifar(8, width=0.5)), batch(size=8)
    some, more = (sample_path_gradients(net, x, y, n_samples=count) for count in (3, 100))
    np.testing.assert_allclose(some.norm, more.norm, rtol=1e-12)
    assert some.drawn.tolist() == [1, 3, 3, 1]


def test_single_paths_are_those_of_brute_force_and_their_shares_sum_to_one():
    net, (x, y) = lived(lambda: ResNetCifar(8, width=0.5)), batch(size=8)
    reference = along_every_path(net, x, y)
    whole = plain_gradient(net, x, y)
    paths, shares = path_shares(net, x, y)
    assert [int(path.sum()) for path in paths] == [0, 1, 1, 1, 2, 2, 2, 3]
    for path, share in zip(paths, shares, strict=True):
        wanted = (reference[tuple(path.tolist())] * whole).sum((1, 2, 3)) / whole.square().sum((1, 2, 3))
        np.testing.assert_allclose(share, wanted.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(shares.sum(0), 1, rtol=1e-12)


class Past(nn.Module):
    """A residual network with a second way from its stem to its head."""

    def __init__(self):
        super().__init__()
        self.net = ResNetCifar(8)

    def forward(self, x):
        stem = self.net.stem(x)
        return self.net.head(self.net.stage3(self.net.stage2(self.net.stage1(stem)))) + stem.mean((1, 2, 3))[:, None]


class Middle(Past):
    """A residual network whose logits also see the middle of the chain."""

    def forward(self, x):
        middle = self.net.stage1(self.net.stem(x))
        return self.net.head(self.net.stage3(self.net.stage2(middle))) + middle.mean((1, 2, 3))[:, None]


class Between(Past):
    """A residual network with a layer between its stages that belongs to no block."""

    def forward(self, x):
        stage1 = self.net.stage1(self.net.stem(x))
        return self.net.head(self.net.stage3(self.net.stage2(F.avg_pool2d(stage1, 3, 1, 1))))


class InPlace(Past):
    """A residual network with a step in place between its stages."""

    def forward(self, x):
        return self.net.head(self.net.stage3(self.net.stage2(self.net.stage1(self.net.stem(x)).mul_(2))))


class Detached(Past):
    """A network whose logits are cut off from what they are computed from."""

    def forward(self, x):
        return self.net(x).detach()


class Asleep(Past):
    """A network whose residual blocks never run."""

    def forward(self, x):
        return self.net.stem(x).mean((2, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: create_model("plain20"), "no shortcut"),
        (lambda: create_model("mobilenet_v2", num_classes=10, **SMALL), "no shortcut"),
        (lambda: create_model("inception_resnet_v2", num_classes=10, **SMALL), "no residual block"),
        (lambda: create_model("densenet_bc100"), "no residual block"),
        (lambda: create_model("vgg11", num_classes=10, **SMALL), "no residual block"),
        (Past, "leads past them"),
        (Middle, "leads past them"),
        (Between, r"between block net\.stage1\.0 and block net\.stage2\.0 stands something"),
        (InPlace, "InPlace does not run cut into its blocks .*in-place operation"),
        (Detached, "the logits of Detached have no gradient"),
    ],
)
def test_what_is_no_chain_of_residual_blocks_is_refused(make, words):
    net, (x, y) = make().eval(), batch(torch.float32, size=32)
    with pytest.raises(ValueError, match=words) as error:
        path_gradients(net, x, y)
    assert "allowed" in str(error.value)


def test_blocks_that_never_run_have_no_paths():
    with pytest.raises(ValueError, match="runs without any of its residual blocks"):
        path_gradients(Asleep().eval(), *batch(torch.float32))


def test_no_module_is_refused():
    with pytest.raises(TypeError, match=r"nn\.Module"):
        path_length_profile("resnet20", *batch())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kmax": 10}, "kmax .=10. must be a whole number from 0 to 9"),
        ({"kmax": 2.0}, "kmax .=2.0. must be a whole number"),
        ({"kmax": -1}, "kmax .=-1. must be"),
        ({"signs": [1, -1]}, "each of 9 blocks"),
        ({"signs": [0] * 9}, "must be .1 or -1"),
        ({"backend": "fast"}, "'auto', 'loop', 'batched'"),
    ],
)
def test_options_that_do_not_fit_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        path_gradients(lived(FAMILIES["shortcut A"]), *batch(), **options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net, x, y: path_length_profile(net, x, y, n_signs=-1), "n_signs .=-1."),
        (lambda net, x, y: path_length_profile(net, x, y, batch_size=0), "batch_size .=0."),
        (lambda net, x, y: path_length_profile(net, x, y[:1]), "one label for each of 2 images"),
        (lambda net, x, y: sample_path_gradients(net, x, y, n_samples=1), "n_samples .=1."),
        (lambda net, x, y: path_gradients(net, x, y + 9), "labels run from 9 to 10"),
        (lambda net, x, y: path_gradients(net, x[:, :1], y), "channels"),
        (lambda net, x, y: path_gradients(net.float(), x, y), "float64"),
        (lambda net, x, y: path_shares(ResNetCifar(86), x, y), "at most 12"),
    ],
)
def test_what_does_not_fit_is_said(call, words):
    with pytest.raises((ValueError, TypeError), match=words):
        call(lived(FAMILIES["shortcut A"]), *batch())


def everything(net):
    tensors = {name: value.clone() for name, value in net.state_dict().items()}
    flags = [module.training for module in net.modules()]
    forwards = ["forward" in vars(module) for module in net.modules()]
    hooks = [len(module._forward_hooks) + len(module._backward_hooks) for module in net.modules()]
    return tensors, (flags, forwards, hooks, [(p.requires_grad, p.grad is None) for p in net.parameters()])


def test_nothing_of_the_network_is_changed_by_any_call_or_error():
    net, (x, y) = lived(FAMILIES["shortcut A"], torch.float32), batch(torch.float32)
    net.stage1.train()
    net.stem.requires_grad_(False)
    tensors, rest = everything(net)
    numbers, image = torch.get_rng_state(), x.clone()
    path_gradients(net, x, y)
    path_length_profile(net, x, y, n_signs=1, generator=torch.Generator())
    sample_path_gradients(net, x, y, n_samples=2, generator=torch.Generator())
    handle = net.head.register_forward_hook(interrupt)
    for call in (path_gradients, path_length_profile, sample_path_gradients):
        with pytest.raises(KeyboardInterrupt):
            call(net, x, y)
    handle.remove()
    after, same = everything(net)
    assert same == rest
    assert all(torch.equal(after[name], value) for name, value in tensors.items())
    assert torch.equal(torch.get_rng_state(), numbers)
    assert torch.equal(x, image)
    assert not x.requires_grad


def interrupt(module, args, output):
    if torch.is_grad_enabled():  # not where the network is only tried
        raise KeyboardInterrupt


def test_it_works_inside_no_grad_and_inference_mode():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch()
    wanted = path_gradients(net, x, y)
    with torch.no_grad():
        torch.testing.assert_close(path_gradients(net, x, y), wanted, rtol=0, atol=0)
    with torch.inference_mode():
        found = path_gradients(net, x.clone(), y)
    np.testing.assert_array_equal(found.numpy(), wanted.numpy())


def test_a_compiled_network_is_taken_apart_like_its_original():
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch()
    torch.testing.assert_close(path_gradients(torch.compile(net), x, y), path_gradients(net, x, y), rtol=0, atol=0)


def test_a_block_that_computes_something_else_is_refused():
    net = lived(FAMILIES["shortcut A"])
    net.stage1[1].forward = net.stage1[1].residual.forward
    with pytest.raises(ValueError, match=r"block stage1\.1 of ResNetCifar has got another forward"):
        path_gradients(net, *batch())


def test_54_blocks_stay_within_single_precision_for_an_image_that_is_classified_well():
    net = lived(lambda: ResNetCifar(110, width=0.25), torch.float32)
    x, y = batch(torch.float32, size=8)
    y = torch.zeros_like(y)
    net.head.fc.bias.data[0] += 20
    profile = path_length_profile(net, x, y)
    reference = path_length_profile(copy.deepcopy(net).double(), x.double(), y)
    np.testing.assert_allclose(profile.norm, reference.norm, rtol=1e-3)
    np.testing.assert_allclose(profile.exact, reference.exact, atol=1e-5)


def test_squares_that_single_precision_cannot_hold_are_not_lost():
    """A gradient of 1e-25 enters the last block, and each block's layers carry a thousandth of it on."""
    net = lived(FAMILIES["shortcut A"], torch.float32)
    for name, module in net.named_modules():
        if name.endswith("residual.bn2"):
            module.weight.data *= 1e-3
    x, y = batch(torch.float32, size=8)
    y = torch.zeros_like(y)
    net.head.fc.bias.data[0] += 57
    profile, sample = path_length_profile(net, x, y, n_signs=1), sample_path_gradients(net, x, y, n_samples=2)
    in_double = copy.deepcopy(net).double()
    np.testing.assert_allclose(profile.norm, path_length_profile(in_double, x.double(), y).norm, rtol=1e-3)
    assert 0 < profile.norm[9].max() < 1e-20
    np.testing.assert_allclose(sample.norm[9], profile.norm[9], rtol=1e-3)
    np.testing.assert_allclose(profile.rms[9], profile.norm[9], rtol=1e-3)


def test_files_hold_what_was_saved(tmp_path):
    net, (x, y) = lived(FAMILIES["shortcut A"]), batch()
    for found in (path_length_profile(net, x, y), sample_path_gradients(net, x, y, n_samples=2)):
        path = found.save(tmp_path / "one.npz")
        again = type(found).load(path)
        assert again.describe() == found.describe()
        for name, value in vars(found).items():
            np.testing.assert_array_equal(getattr(again, name), value)
        other = PathSample if isinstance(found, PathLengthProfile) else PathLengthProfile
        with pytest.raises(ValueError, match="move or delete it"):
            other.load(path)


def test_words_tell_the_numbers():
    lengths = np.zeros((4, 1))
    lengths[:, 0] = [1, 3, 3, 1]
    profile = PathLengthProfile(lengths, lengths / 8, np.full_like(lengths, math.nan))
    assert repr(profile) == (
        "3 blocks, 1 images: all 8 paths have a mean length of 1.5; weighted by the gradient that they carry, 1.5, "
        "with 95 % of it at lengths 0 to 3."
    )


def test_an_image_without_a_gradient_has_no_share_and_does_not_count():
    net, (x, _) = lived(FAMILIES["shortcut A"], torch.float32), batch(torch.float32)
    net.head.fc.weight.data[:, :] = 0
    net.head.fc.bias.data[0] = 200  # certain, beyond single precision, that both images are of class 0
    profile = path_length_profile(net, x, torch.zeros(2, dtype=torch.int64))
    assert np.isnan(profile.share).all()
    assert (profile.norm == 0).all()
    assert np.isnan(profile.exact).all()
    assert np.isnan(profile.signed).all()
    both = PathLengthProfile(
        np.array([[0, 1], [0, 3.0]]), np.array([[math.nan, 0.4], [math.nan, 0.6]]), np.full((2, 2), math.nan)
    )
    assert both.exact.tolist() == [0.25, 0.75]
    assert both.signed.tolist() == [0.4, 0.6]


@pytest.mark.parametrize("sure", [60, 92, 96])
def test_a_gradient_that_single_precision_hardly_holds_has_its_profile(sure):
    """Of a network that is so sure of its answer, in float32 and in float64."""
    net, (x, y) = lived(FAMILIES["shortcut A"], torch.float32), batch(torch.float32)
    net.head.fc.bias.data[0] += sure
    y = torch.zeros_like(y)
    profile = path_length_profile(net, x, y)
    reference = path_length_profile(copy.deepcopy(net).double(), x.double(), y)
    np.testing.assert_allclose(profile.exact, reference.exact, atol=0.05)  # few bits of such a gradient are left
    np.testing.assert_allclose(profile.share.sum(0), 1, rtol=1e-5)
