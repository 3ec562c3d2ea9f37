"""A network at the points of a plane: the same numbers as loading the weights of each point into it, and faster."""

import copy
from functools import partial

import pytest
import torch
import torchvision
from torch import nn
from torch.nn.utils import prune

from cnnviz.analysis.directions import interpolate_direction, random_direction
from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.losses import loss_function
from cnnviz.analysis.slice import Slice
from cnnviz.models import create_model, resnet20

POINTS = [(0.0, 0.0), (0.4, -0.7), (-1.0, 0.5)]
NOT_NORMALISED = ("vgg11", "nin")
SMALL_NETWORKS = {  # of every kind of block
    "vgg11": {"small": True, "width": 0.1},
    "vgg11_bn": {"small": True, "width": 0.1},
    "nin": {"small": True, "width": 0.2},
    "googlenet": {"small": True, "width": 0.2, "norm": "batch"},
    "inception_resnet_v2": {"small": True, "width": 0.1},
    "resnet20": {},
    "resnet50": {"small": True, "width": 0.1},
    "plain20": {},
    "resnext50_32x4d": {"small": True, "width": 0.1},
    "densenet_bc100": {"width": 0.5},
    "xception_small": {"small": True, "width": 0.3},
    "mobilenet": {"small": True, "width": 0.2},
    "mobilenet_v2": {"small": True, "width": 0.2},
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def lived_in(model, seed=0):
    """Give batch normalisation statistics, scales and shifts that are not 0 and 1, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            if module.track_running_stats:
                module.running_mean.normal_(0, 0.3, generator=generator(seed))
                module.running_var.uniform_(0.5, 2, generator=generator(seed))
            if module.affine:
                with torch.no_grad():
                    module.weight.uniform_(0.5, 1.5, generator=generator(seed))
                    module.bias.normal_(0, 0.2, generator=generator(seed))
    return model.eval()


def pictures(count=12, size=32, channels=3):
    images = torch.randn(count, channels, size, size, generator=generator(7))
    return images, torch.randint(0, 10, (count,), generator=generator(8))


def naive(model, images, labels, directions, point):
    """The sums of a copy that is moved there, normalisation and all."""
    one = copy.deepcopy(model)
    tensors = dict(one.named_parameters()) | dict(one.named_buffers())
    with torch.no_grad():
        for coordinate, direction in zip(point, directions, strict=True):
            for name, step in direction.items():
                tensors[name] += coordinate * step
    with torch.no_grad():
        logits = one(images)
    losses = loss_function()(logits, labels)
    return losses.sum().item(), (losses**2).sum().item(), (logits.argmax(1) == labels).sum().item()


@pytest.mark.parametrize("name", SMALL_NETWORKS)
def test_at_every_point_it_gives_what_loading_the_weights_gives_folded_or_not(name):
    torch.manual_seed(0)
    model = lived_in(create_model(name, num_classes=10, **SMALL_NETWORKS[name])).double()
    images, labels = pictures(6)
    directions = [random_direction(model, generator=generator(seed)) for seed in (1, 2)]
    for fold in (True, False):
        one = Slice(model, images, labels, directions, dtype=torch.float64, batch_size=4, fold=fold)
        assert (len(one.folded) > 0) == (fold and name not in NOT_NORMALISED)
        sums, _ = one.at(POINTS)
        for found, point in zip(sums, POINTS, strict=True):
            expected = naive(model, images.double(), labels, directions, point)
            assert found.tolist() == pytest.approx(expected, rel=1e-9)


def test_folded_equals_unfolded_in_float32_to_one_in_a_hundred_thousand():
    model, (images, labels) = lived_in(resnet20()), pictures(32)
    directions = [random_direction(model, generator=generator(seed)) for seed in (1, 2)]
    folded, unfolded = (Slice(model, images, labels, directions, fold=fold) for fold in (True, False))
    assert len(folded.folded) == 19
    assert unfolded.folded == ()
    torch.testing.assert_close(folded.at(POINTS)[0], unfolded.at(POINTS)[0], rtol=1e-5, atol=0)


def test_a_network_from_elsewhere_gives_the_same_and_stays_bit_for_bit_as_it_was():
    torch.manual_seed(0)
    model = lived_in(torchvision.models.resnet18(num_classes=10)).train()
    images, labels = pictures(6, size=48)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    directions = [random_direction(model, generator=generator(seed)) for seed in (1, 2)]
    one = Slice(model, images, labels, directions)
    assert len(one.folded) == 20
    sums, _ = one.at(POINTS)
    for found, point in zip(sums, POINTS, strict=True):
        assert found.tolist() == pytest.approx(naive(model.eval(), images, labels, directions, point), rel=1e-4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


class Branching(nn.Module):
    """What the convolution returns is read twice: by the normalisation and by the sum."""

    def __init__(self, twice=False):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.head, self.twice = nn.Linear(4, 10), twice

    def forward(self, x):
        y = self.convolution(x)
        y = self.norm(self.norm(y)) if self.twice else self.norm(y) + y
        return self.head(y.relu().mean((2, 3)))


class Asking(nn.Module):
    """Code that asks for a number: nobody can say what runs without running it."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm, self.head = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 10)

    def forward(self, x):
        y = self.norm(self.convolution(x))
        if y.mean() > 1e9:
            y = -y
        return self.head(y.relu().mean((2, 3)))


class Tied(nn.Module):
    """Two convolutions that share their filters, one of them normalised."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.norm = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
        self.second.weight = self.first.weight
        self.head = nn.Linear(3, 10)

    def forward(self, x):
        return self.head(self.second(self.norm(self.first(x)).relu()).mean((2, 3)))


class Spare(Tied):
    """The convolution whose name directions give to the shared filters never runs."""

    def forward(self, x):
        return self.head(self.norm(self.second(x)).relu().mean((2, 3)))


class Flat(Asking):
    """The filters are cut out of one long parameter each time."""

    def __init__(self):
        super().__init__()
        self.flat = nn.Parameter(self.convolution.weight.detach().flatten())
        del self.convolution.weight

    def forward(self, x):
        self.convolution.weight = self.flat.view(4, 3, 3, 3)
        return self.head(self.norm(self.convolution(x)).relu().mean((2, 3)))


class OfTheBatch(Asking):
    """Normalisation that keeps no statistics: those of the batch, also in evaluation."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x):
        return self.head(self.norm(self.convolution(x)).relu().mean((2, 3)))


UNFOLDED = [Branching(), Branching(twice=True), Asking(), Tied(), Spare(), Flat(), OfTheBatch()]


@pytest.mark.parametrize("model", UNFOLDED, ids=lambda m: type(m).__name__)
def test_what_cannot_be_folded_exactly_is_not_and_the_result_is_right(model):
    model, (images, labels) = lived_in(model).double(), pictures(6, size=8)
    directions = [random_direction(model, ignore=None, generator=generator(seed)) for seed in (1, 2)]
    directions = [{name: step for name, step in one.items() if "norm" not in name} for one in directions]
    one = Slice(model, images, labels, directions, dtype=torch.float64)
    assert one.folded == ()
    for found, point in zip(one.at(POINTS)[0], POINTS, strict=True):
        assert found.tolist() == pytest.approx(naive(model, images.double(), labels, directions, point), rel=1e-9)


class Reading(Branching):
    """Its code reads the filters of a convolution besides running it."""

    def forward(self, x):
        y = self.norm(self.convolution(x)) * self.convolution.weight.abs().mean()
        return self.head(y.relu().mean((2, 3)))


def hooked(where):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(4, 10))
    model[where].register_forward_hook(lambda module, inputs, output: output * 2)
    return model


def pruned():
    model = hooked(5)
    prune.l1_unstructured(model[0], "weight", 0.5)
    with torch.no_grad():
        model(torch.zeros(1, 3, 8, 8))  # what it keeps has no history now, and can be copied
    return model


@pytest.mark.parametrize("make", [Reading, partial(hooked, 0), partial(hooked, 1), pruned])
def test_what_is_done_to_a_convolution_from_outside_keeps_it_from_being_folded(make):
    model, (images, labels) = lived_in(make()).double(), pictures(6, size=8)
    one = Slice(model, images, labels, [random_direction(model, generator=generator(1))], dtype=torch.float64)
    assert one.folded == ()
    with torch.no_grad():
        expected = loss_function()(model(images.double()), labels).sum().item()
    assert one.at([(0.0,)])[0][0, 0].item() == pytest.approx(expected, rel=1e-9)


def test_a_compiled_network_is_that_which_was_compiled():
    model, (images, labels) = lived_in(resnet20()), pictures(4)
    compiled = torch.compile(model)  # never run: nothing is compiled here
    direction = random_direction(compiled, generator=generator(1))
    assert direction.keys() == random_direction(model).keys()
    found, expected = (Slice(one, images, labels, [direction]).at([(0.5,)])[0] for one in (compiled, model))
    assert torch.equal(found, expected)


def test_batches_are_of_nearly_equal_size():
    model, (images, labels) = lived_in(resnet20()), pictures(13)
    one = Slice(model, images, labels, [random_direction(model)], batch_size=4)
    assert sorted(len(batch) for batch, _ in one.batches) == [3, 3, 3, 4]
    assert one.batch_size == 4


def test_volumes_and_their_convolutions_are_evaluated_too():
    model = nn.Sequential(nn.Unflatten(1, (1, 3)), nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4), nn.Flatten())
    model = lived_in(model.append(nn.Linear(4 * 36, 10)))
    images, labels = pictures(4, size=8)
    one = Slice(model, images, labels, [random_direction(model)])
    assert one.folded == ("2",)
    assert one.at([(0.0,)])[0][0, 0].item() / 4 == pytest.approx(evaluate(model, images, labels).loss, rel=1e-5)


def test_normalisation_that_the_direction_moves_is_not_folded_and_the_result_is_right():
    model, (images, labels) = lived_in(resnet20()).double(), pictures(6)
    directions = [random_direction(model, ignore=None, generator=generator(seed)) for seed in (1, 2)]
    one = Slice(model, images, labels, directions, dtype=torch.float64)
    assert one.folded == ()
    found = one.at([(0.3, 0.2)])[0][0]
    assert found.tolist() == pytest.approx(naive(model, images.double(), labels, directions, (0.3, 0.2)), rel=1e-9)


def test_at_one_of_an_interpolation_stands_the_other_network_with_its_running_statistics():
    a, b = (lived_in(create_model("resnet20"), seed) for seed in (0, 1))
    images, labels = pictures()
    [found] = Slice(a, images, labels, [interpolate_direction(a, b)]).at([(1.0,)])[0]
    assert found[0].item() / 12 == pytest.approx(evaluate(b, images, labels).loss, rel=1e-5)


def test_statistics_of_the_batch_are_those_of_training():
    model, (images, labels) = lived_in(resnet20()).double(), pictures(12)
    directions = [random_direction(model, generator=generator(1))]
    one = Slice(model, images, labels, directions, bn="batch", dtype=torch.float64, batch_size=6)
    assert one.folded == ()
    moved = copy.deepcopy(model).train()
    with torch.no_grad():
        for name, weight in moved.named_parameters():
            weight.add_(0.5 * directions[0][name])
        logits = torch.cat([moved(half) for half in images.double().split(6)])
    expected = loss_function()(logits, labels).sum().item()
    assert one.at([(0.5,)])[0][0, 0].item() == pytest.approx(expected, rel=1e-9)


def test_bf16_is_near_and_a_small_loss_is_that_of_float32():
    torch.manual_seed(2)
    model, (images, _) = lived_in(resnet20()), pictures(64)
    with torch.no_grad():
        labels = model(images).argmax(1)
        model.head.fc.weight *= 60  # sure of itself: a loss of nearly nothing
    directions = [random_direction(model, generator=generator(2))]
    exact, rough = (Slice(model, images, labels, directions, dtype=d) for d in (torch.float32, torch.bfloat16))
    (near, far), (rough_near, rough_far) = exact.at([(0.0,), (1.0,)])[0], rough.at([(0.0,), (1.0,)])[0]
    assert near[0] / 64 < 0.1
    assert torch.equal(near, rough_near)
    assert far[0] != rough_far[0]
    assert rough_far[0].item() == pytest.approx(far[0].item(), rel=0.05)


def test_the_first_images_keep_what_they_are_taken_for():
    model, (images, labels) = lived_in(resnet20()), pictures(20)
    guesses = Slice(model, images, labels, [random_direction(model)], batch_size=8).at([(0.0,)])[1]
    assert guesses.tolist() == [evaluate(model, images, labels).predictions[:12].tolist()]


def test_hooks_parameters_that_ask_for_gradients_and_modes_stay_as_they_were():
    model, (images, labels) = lived_in(resnet20()).train(), pictures(4)
    hook = model.stem.register_forward_hook(lambda module, inputs, output: None)
    model.stem.conv.weight.grad = torch.ones_like(model.stem.conv.weight)
    Slice(model, images, labels, [random_direction(model)]).at([(0.5,)])
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(module.training for module in model.modules())
    assert (model.stem.conv.weight.grad == 1).all()
    assert list(model.stem._forward_hooks) == [hook.id]


def wrong(**options):
    model, (images, labels) = resnet20(), pictures(4)
    given = {"model": model, "images": images, "labels": labels, "directions": [random_direction(model)]}
    return Slice(**given | options)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"model": "resnet20"}, TypeError, "must be an nn.Module, not str"),
        ({"bn": "train"}, ValueError, "bn .*'frozen', 'batch'"),
        ({"dtype": torch.float16}, ValueError, "dtype .*torch.float32"),
        ({"batch_size": 0}, ValueError, "batch_size .*at least 1"),
        ({"directions": [{"stem.weight": torch.zeros(1)}]}, ValueError, "moves stem.weight, and ResNetCifar has no"),
        (
            {"directions": [{"stem.conv.weight": torch.zeros(1)}]},
            ValueError,
            r"has the shape \[1\] for stem.conv.weight",
        ),
        ({"directions": [{"head.fc.bias": torch.full((10,), torch.nan)}]}, ValueError, "NaN or infinity in head"),
        ({"images": torch.zeros(4, 3, 32, 32, dtype=torch.uint8)}, TypeError, "normalised float32"),
        ({"images": torch.zeros(4, 1, 32, 32)}, ValueError, "1"),
        ({"labels": torch.full((4,), 10)}, ValueError, "labels run from 10"),
        ({"loss": nn.functional.cross_entropy}, ValueError, r"a number for each image.*gave \[\]"),
        ({"directions": [{"head.fc.bias": torch.zeros(10)}]}, ValueError, "direction 1 is 0 everywhere"),
        ({"bn": "batch", "batch_size": 1}, ValueError, "two images a batch"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(options, kind, words):
    with pytest.raises(kind, match=words):
        wrong(**options)
