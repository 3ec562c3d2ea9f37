"""Networks without some of their blocks, and with blocks in another order."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.lesion import LesionStudy, deleted, kendall_tau, lesion_study, reordered
from cnnviz.models import create_model
from cnnviz.models.resnet_cifar import ResNetCifar


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 3, 16, 16, generator=generator), torch.randint(10, (40,), generator=generator)


def lived(**options):
    torch.manual_seed(0)
    net = create_model(options.pop("name", "resnet20"), width=0.5, **options)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.2)
            module.running_var.uniform_(0.5, 1.5)
    return net.eval()


def silenced(net, numbers):
    """A copy in which the layers of some blocks give zero: the reference for a deleted block."""
    net = copy.deepcopy(net)
    blocks = [*net.stage1, *net.stage2, *net.stage3]
    for number in numbers:
        layer = list(blocks[number].residual)[-1]
        nn.init.zeros_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return net


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"shortcut": "B"}, {"preactivation": True}, {"survival": 0.5}])
@pytest.mark.parametrize("numbers", [[], [0], [3, 6], range(9)])
def test_a_deleted_block_is_one_whose_layers_give_zero(options, numbers, data):
    net = lived(**options)
    with deleted(net, numbers):
        found = net(data[0])
    torch.testing.assert_close(found, silenced(net, numbers)(data[0]))
    assert bool(len(numbers)) == (not torch.allclose(found, net(data[0])))


@torch.no_grad()
def test_torchvisions_blocks_are_deleted_alike(data):
    net = torchvision_resnet18(num_classes=10).eval()
    with deleted(net, [2]):
        found = net(data[0])
    nn.init.zeros_(net.layer2[0].bn2.weight)
    torch.testing.assert_close(found, net(data[0]))


@torch.no_grad()
def test_a_block_of_a_plain_network_lets_the_image_through(data):
    net = lived(name="plain20")
    with deleted(net, [1]):
        found = net(data[0])
    net.stage1[1] = nn.Identity()
    torch.testing.assert_close(found, net(data[0]))


@torch.no_grad()
def test_another_order_is_that_of_a_network_whose_blocks_were_moved(data):
    net = lived()
    with reordered(net, [2, 1, 0, 3, 5, 4, 6, 7, 8]):
        found = net(data[0])
    moved = copy.deepcopy(net)
    moved.stage1 = nn.Sequential(*(net.stage1[place] for place in (2, 1, 0)))
    moved.stage2 = nn.Sequential(*(net.stage2[place] for place in (0, 2, 1)))
    torch.testing.assert_close(found, moved(data[0]))
    assert not torch.allclose(found, net(data[0]))


@torch.no_grad()
def test_an_order_says_for_each_place_which_block_stands_there(data):
    net = lived()
    with reordered(net, [1, 2, 0, 3, 4, 5, 6, 7, 8]):  # not its own inverse
        found = net(data[0])
    moved = copy.deepcopy(net)
    moved.stage1 = nn.Sequential(*(net.stage1[place] for place in (1, 2, 0)))
    torch.testing.assert_close(found, moved(data[0]))


def test_the_errors_are_those_of_the_networks_without_the_blocks(data):
    net = lived()
    study = lesion_study(net, *data)
    assert study.error == evaluate(net, *data).error[1]
    wanted = [evaluate(silenced(net, [number]), *data).error[1] for number in range(9)]
    assert study.single.tolist() == wanted
    assert study.reshapes.tolist() == [number in (3, 6) for number in range(9)]


def test_drawn_deletions_and_orders_are_those_of_the_networks_changed_so(data):
    """What stands before the first change is not computed again; here everything is."""
    net, draw = lived(), torch.Generator().manual_seed(5)
    study = lesion_study(net, *data, several=[1, 3], swaps=[2], draws=3, generator=draw, batch_size=16)
    again = torch.Generator().manual_seed(5)
    for row, count in zip(study.several, (1, 3), strict=True):
        for error in row:
            numbers = torch.randperm(9, generator=again)[:count].tolist()
            assert error == evaluate(silenced(net, numbers), *data).error[1]
    alike = [(0, 1), (0, 2), (1, 2), (4, 5), (7, 8)]
    for error in study.swapped[0]:
        order = list(range(9))
        for a, b in [alike[pair] for pair in torch.randint(5, (2,), generator=again).tolist()]:
            order[a], order[b] = order[b], order[a]
        with reordered(net, order):
            assert error == evaluate(net, *data).error[1]


def test_in_a_plain_network_only_blocks_that_keep_the_shape_can_go(data):
    study = lesion_study(lived(name="plain20"), *data, several=[7], draws=2)
    assert np.flatnonzero(np.isnan(study.single)).tolist() == np.flatnonzero(study.reshapes).tolist() == [3, 6]
    with pytest.raises(ValueError, match=r"several .=.8,.. must be from 1 to 7"):
        lesion_study(lived(name="plain20"), *data, several=[8])


@torch.no_grad()
def test_a_shortcut_of_no_layers_is_a_shortcut(data):
    net = lived(preactivation=True)
    net.stage1[1].shortcut = nn.Sequential()
    with deleted(net, [1]):
        found = net(data[0])
    net.stage1[1].shortcut = nn.Identity()
    torch.testing.assert_close(found, silenced(net, [1])(data[0]))


def test_words_name_the_worst_block_and_the_most_deletions():
    nothing = np.zeros((0, 3))
    study = LesionStudy(
        0.05, np.array([0.1, 0.2, np.nan, 0.4]), np.array([False, False, True, True]), np.array([1, 2]),
        np.array([[0.1, 0.1, 0.1], [0.3, 0.5, 0.9]]), np.zeros(0, int), nothing, nothing, 1000,
    )  # fmt: skip
    assert repr(study) == (
        "4 blocks, 1,000 images: error 5.0%; without one block 20.0% in the median, 40.0% without block 4, which "
        "changes the shape; without 2 blocks at random 50.0% in the median."
    )
    assert "block 1;" in replace(study, single=np.array([0.4, 0.2, 0.2, 0.1])).describe()


def test_the_correlation_of_an_order_stands_beside_its_error(data):
    net, draw = lived(), torch.Generator().manual_seed(5)
    with torch.no_grad():
        net.head.fc.bias -= net(data[0]).mean(0)  # else nearly all images are of one class
        data = data[0], net(data[0]).argmax(1)
    study = lesion_study(net, *data, swaps=[1, 4], draws=3, generator=draw)
    assert len(set(study.swapped.flat)) > 3
    again, alike = torch.Generator().manual_seed(5), [(0, 1), (0, 2), (1, 2), (4, 5), (7, 8)]
    for count, row, errors in zip((1, 4), study.tau, study.swapped, strict=True):
        for tau, error in zip(row, errors, strict=True):
            order = list(range(9))
            for a, b in [alike[pair] for pair in torch.randint(5, (count,), generator=again).tolist()]:
                order[a], order[b] = order[b], order[a]
            assert tau == pytest.approx(kendalltau(range(9), order).statistic)
            with reordered(net, order):
                assert error == evaluate(net, *data).error[1]


def test_a_compiled_network_loses_blocks_like_its_original(data):
    net = lived()
    compiled = torch.compile(net, backend="eager")
    assert lesion_study(compiled, *data).single.tolist() == lesion_study(net, *data).single.tolist()


def test_a_network_that_can_lose_no_block_has_words_too(data):
    net = lived(name="plain20")
    study = lesion_study(net, *data)
    nothing = replace(study, single=np.full(9, np.nan), reshapes=np.ones(9, bool))
    assert nothing.describe() == f"9 blocks, 40 images: error {study.error:.1%}."


def test_all_blocks_at_random_are_all_blocks(data):
    net = lived()
    study = lesion_study(net, *data, several=[9], draws=2)
    with deleted(net, range(9)):
        assert study.several.tolist() == [[evaluate(net, *data).error[1]] * 2]


def test_swaps_stay_among_blocks_of_equal_shape_and_repeat_with_their_generator(data):
    net = lived()
    one, same = (
        lesion_study(net, *data, swaps=[1, 5], draws=3, generator=torch.Generator().manual_seed(0)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.swapped, same.swapped)
    assert one.tau.shape == one.swapped.shape == (2, 3)
    assert (one.tau[0] < 1).all()  # one swap is another order
    assert one.tau.min() > 1 - 2 * 8 / 36  # at most 3 + 1 + 1 pairs in disorder, each counted twice


@pytest.mark.parametrize("seed", range(5))
def test_kendalls_tau_is_scipys(seed):
    order = np.random.default_rng(seed).permutation(9).tolist()
    assert kendall_tau(order) == pytest.approx(kendalltau(range(9), order).statistic)


def test_the_network_is_as_it_was_also_after_an_error(data):
    net = lived().train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    numbers = torch.get_rng_state()
    lesion_study(net, *data, several=[2], swaps=[1], draws=1, generator=torch.Generator())
    for change in (deleted(net, [0, 4]), reordered(net, [1, 0, 2, 3, 4, 5, 6, 7, 8])):
        with pytest.raises(KeyboardInterrupt), change:
            raise KeyboardInterrupt
    assert not any("forward" in vars(module) for module in net.modules())
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), numbers)


def test_one_deletion_within_another_is_taken_back_to_it(data):
    net = lived()
    with deleted(net, [0]):
        with deleted(net, [1]):
            both = evaluate(net, *data).predictions
        inside = evaluate(net, *data).predictions
    np.testing.assert_array_equal(both, evaluate(silenced(net, [0, 1]), *data).predictions)
    np.testing.assert_array_equal(inside, evaluate(silenced(net, [0]), *data).predictions)
    with torch.no_grad(), deleted(net, [0]):
        with deleted(net, [0]):
            pass
        torch.testing.assert_close(net(data[0]), silenced(net, [0])(data[0]))  # still deleted


@pytest.mark.parametrize(
    ("call", "problem", "words"),
    [
        (lambda net: deleted(net, [9]).__enter__(), IndexError, "from 0 to 8"),
        (lambda net: deleted(net, [-1]).__enter__(), IndexError, "from 0 to 8"),
        (lambda net: reordered(net, [0, 1]).__enter__(), ValueError, "from 0 to 8 once"),
        (lambda net: deleted(create_model("lenet5"), [0]).__enter__(), ValueError, "no residual block"),
    ],
)
def test_what_does_not_fit_is_said(call, problem, words):
    with pytest.raises(problem, match=words):
        call(lived())


def test_files_hold_what_was_saved(tmp_path, data):
    study = lesion_study(lived(), *data, several=[2], swaps=[1], draws=2)
    again = LesionStudy.load(study.save(tmp_path / "one.npz"))
    assert again.describe() == study.describe()
    for name, value in vars(study).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    (tmp_path / "other.npz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="no lesion study"):
        LesionStudy.load(tmp_path / "other.npz")


class Twice(nn.Module):
    """A network that runs two blocks twice."""

    def __init__(self):
        super().__init__()
        self.net = lived()

    def forward(self, x):
        first, second = self.net.stage1[:2]
        return self.net.head(self.net.stage3(self.net.stage2(second(first(second(first(self.net.stem(x))))))))


def test_a_block_that_runs_twice_is_deleted_twice(data):
    net = Twice().eval()
    study = lesion_study_of_used(net, data)
    for number in (0, 1):
        with deleted(net, [number]):
            assert study.single[number] == evaluate(net, *data).error[1]


def lesion_study_of_used(net, data):
    net.net.stage1 = net.net.stage1[:2]  # a block that never runs has no shape
    return lesion_study(net, *data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 0}, r"batch_size .=0. must be at least 1"),
        ({"draws": 0}, r"draws .=0. must be at least 1"),
        ({"several": [10]}, r"several .=.10,.. must be from 1 to 9"),
        ({"swaps": [0]}, r"swaps .=.0,.. must be at least 1"),
    ],
)
def test_options_of_a_study_that_do_not_fit_are_named(options, words, data):
    with pytest.raises(ValueError, match=words):
        lesion_study(lived(), *data, **options)


def test_a_network_without_two_equal_blocks_swaps_nothing(data):
    with pytest.raises(ValueError, match="two blocks of equal shape"):
        lesion_study(ResNetCifar(8).eval(), *data, swaps=[1])
