"""LesionExplorer driven from Python: its errors against networks run by hand, what it refuses, who computes when."""

import copy
import threading

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from traitlets import TraitError

from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.lesion import LesionStudy, lesion_study
from cnnviz.models.resnet_cifar import ResNetCifar
from cnnviz.widgets import lesion as widget
from cnnviz.widgets.lesion import LesionExplorer


def trained():
    """Return a residual and a plain network of six blocks that learned a little, by name, and the images."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(40) % 4
    kinds = torch.randn(4, 3, 8, 8, generator=generator)
    images = kinds[labels] + torch.randn(40, 3, 8, 8, generator=generator)
    networks = {}
    for name, shortcut in (("residual", "A"), ("plain", "none")):
        torch.manual_seed(0)
        net = networks[name] = ResNetCifar(14, num_classes=4, width=0.25, shortcut=shortcut)
        optimizer = torch.optim.Adam(net.parameters(), 0.01)
        for _ in range(25):
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels).backward()
            optimizer.step()
    return networks, (images, labels)


@pytest.fixture(scope="module")
def networks():
    return trained()[0]


@pytest.fixture(scope="module")
def data():
    return trained()[1]


@pytest.fixture
def shown(networks, data):
    return LesionExplorer(networks, data)


def study(**changes):
    """Three blocks; the second changes the shape and cannot be deleted."""
    empty = np.zeros((0, 2))
    values = {
        "error": 0.1, "single": np.array([0.2, np.nan, 0.15]), "reshapes": np.array([False, True, False]),
        "deleted": np.array([2]), "several": np.array([[0.5, 0.3]]), "swaps": np.array([], int), "tau": empty,
        "swapped": empty, "images": 50,
    }  # fmt: skip
    return LesionStudy(**values | changes)


def error_by_hand(net, data, gone):
    """Run stem, blocks and head one after the other, past the layers of some."""
    net.eval()
    with torch.no_grad():
        x = net.stem(data[0])
        for number, block in enumerate(layer for stage in (net.stage1, net.stage2, net.stage3) for layer in stage):
            if number not in gone:
                x = block(x)
            elif block.shortcut is not None:
                x = torch.relu(block.shortcut(x))
        wrong = net.head(x).argmax(1) != data[1]
    net.train()
    return wrong.double().mean().item()


@pytest.mark.parametrize(("name", "gone"), [("residual", [4, 2, 0, 3]), ("plain", [5, 1]), ("residual", [])])
def test_the_errors_are_those_of_the_network_run_past_the_deleted_blocks(shown, networks, data, name, gone):
    shown.deleted = {name: gone}
    for count in range(len(gone) + 1):
        key = ",".join(map(str, sorted(gone[:count])))
        assert shown._known[name][key] == pytest.approx(error_by_hand(networks[name], data, gone[:count])), key


def test_the_bars_are_lesion_studys(shown, networks, data):
    for entry in shown._networks:
        expected = lesion_study(networks[entry["name"]], *data)
        single = [None if np.isnan(one) else one for one in expected.single]
        assert entry["single"] == single
        assert entry["reshapes"] == expected.reshapes.tolist() == [False, False, True, False, True, False]
        assert entry["guess"] == 0.75
        assert len(set(single) - {None}) > 1  # or there would be nothing to tell apart
    assert shown._networks[1]["single"][2] is None  # no shortcut makes the shape that follows


def test_the_networks_are_not_changed_and_what_they_learn_later_is_not_seen(networks, data):
    net = copy.deepcopy(networks["residual"])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    shown = LesionExplorer({"net": net}, data, deleted={"net": [0, 1]})
    assert net.training
    assert not any("forward" in vars(module) for module in net.modules())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    expected = error_by_hand(net, data, [0, 3])
    nn.init.zeros_(net.head[-1].weight)
    shown.deleted = {"net": [0, 3]}
    assert shown._known["net"]["0,3"] == pytest.approx(expected)


def test_it_says_errors_and_what_is_deleted(shown):
    known = shown._known["residual"]
    single = {int(key): error for key, error in known.items() if key}
    least, most = min(single, key=single.get), max(single, key=single.get)
    assert shown.describe().startswith(
        f"residual, 6 blocks: error {100 * known['']:.1f} %; without one block from {100 * single[least]:.1f} % "
        f"(block {least + 1}) to {100 * single[most]:.1f} % (block {most + 1}). plain, 6 blocks: error"
    )
    shown.deleted = {"residual": [3, 0]}
    error = shown._known["residual"]["0,3"]
    assert f"residual, 6 blocks: error {100 * known['']:.1f} %; {100 * error:.1f} % without blocks 1, 4." in repr(shown)
    assert repr(shown).endswith("Guessing: 75.0 %.")
    shown.deleted = {"residual": [0, 1, 2, 3, 4]}
    assert "% without 5 blocks." in repr(shown)


def test_a_network_that_is_not_named_has_no_deleted_block(shown):
    shown.deleted = {"plain": [1, 0, 1]}
    assert shown.deleted == {"residual": [], "plain": [1, 0]}


@pytest.mark.parametrize(
    ("deleted", "message"),
    [
        ({"vgg": [0]}, "deleted has 'vgg'; it must be one of residual, plain"),
        ({"residual": [6]}, r"deleted\['residual'\] \(=\[6\]\) must be numbers from 0 to 5"),
        ({"residual": [True]}, "must be numbers from 0 to 5"),
        ({"residual": 3}, r"deleted\['residual'\] must be a list of numbers of blocks, not 3"),
        ({"plain": [0, 2]}, "block 2 of plain cannot be deleted: nothing else makes the shape"),
        ([0], "deleted"),
    ],
)
def test_an_illegal_setting_raises_and_changes_nothing(shown, networks, data, deleted, message):
    shown.deleted = {"residual": [1]}
    before = shown.deleted
    with pytest.raises(TraitError, match=message):
        shown.deleted = deleted
    assert shown.deleted == before
    with pytest.raises(TraitError, match=message):
        LesionExplorer(networks, data, deleted=deleted)


def test_what_does_not_belong_together_is_refused(networks, data):
    for arguments in ({}, {"networks": networks}, {"studies": {"a": study()}, "data": data},
                      {"networks": networks, "data": data, "studies": {"a": study()}}):  # fmt: skip
        with pytest.raises(ValueError, match="give networks and data, or studies alone"):
            LesionExplorer(**arguments)
    with pytest.raises(TypeError, match=r"studies\['a'\] must be a LesionStudy, not int"):
        LesionExplorer(studies={"a": 1})
    with pytest.raises(ValueError, match="has no residual block"):
        LesionExplorer({"net": nn.Flatten()}, data)


def test_stored_studies_are_shown_and_delete_nothing():
    shown = LesionExplorer(studies={"stored": study()}, classes=5)
    assert shown.describe() == (
        "stored, 3 blocks: error 10.0 %; without one block from 15.0 % (block 3) to 20.0 % (block 1). Guessing: 80.0 %."
    )
    assert shown._known == {"stored": {"": 0.1, "0": 0.2, "2": 0.15}}
    assert shown._networks[0]["several"] == [[2, 0.4, 0.3, 0.5]]
    assert not shown._live
    with pytest.raises(TraitError, match="give networks and data"):
        shown.deleted = {"stored": [0]}


# Clicks


def wait_for(explorer, done):
    heard = threading.Event()
    explorer.observe(lambda change: done() and heard.set(), ["_known", "_problem"])
    assert done() or heard.wait(60)


def test_a_click_is_answered_from_another_thread_and_the_last_one_wins(shown, networks, data, monkeypatch):
    asked, begun, go = [], threading.Event(), threading.Event()

    def slow(net, *arguments, **options):
        asked.append(threading.current_thread())
        begun.set()
        assert go.wait(60)
        return evaluate(net, *arguments, **options)

    monkeypatch.setattr(widget, "evaluate", slow)
    for gone in ([0, 1], [0, 1, 2], [3, 4], [4, 5, 0]):
        shown.set_state({"deleted": {"residual": gone, "plain": []}})
        assert begun.wait(60)  # with the first of them; the others come while it computes
    assert "residual, 6 blocks: error" in shown.describe()  # while it computes
    assert "not computed without blocks 1, 5, 6" in shown.describe()
    go.set()
    wait_for(shown, lambda: {"0,4,5", "4,5"} <= set(shown._known["residual"]))
    assert set(shown._known["residual"]) - {"0,1"} == {"", *"012345", "0,4,5", "4,5"}  # what was passed over: nothing
    assert len(set(asked)) == 1
    assert asked[0] is not threading.current_thread()
    assert shown._known["residual"]["0,4,5"] == pytest.approx(error_by_hand(networks["residual"], data, [0, 4, 5]))


def test_what_a_computation_raises_is_shown_and_the_next_one_works(shown, monkeypatch):
    def fails(*arguments, **options):
        raise ArithmeticError("no more memory")

    monkeypatch.setattr(widget, "evaluate", fails)
    shown.set_state({"deleted": {"residual": [0, 1], "plain": []}})
    wait_for(shown, lambda: shown._problem == "ArithmeticError: no more memory")
    assert "not computed without blocks 1, 2" in shown.describe()
    with pytest.raises(ArithmeticError, match="no more memory"):
        shown.deleted = {"residual": [0, 2]}
    monkeypatch.setattr(widget, "evaluate", evaluate)
    shown.set_state({"deleted": {"residual": [0, 1], "plain": []}})
    wait_for(shown, lambda: "0,1" in shown._known["residual"])
    assert shown._problem == ""


def test_random_numbers_drawn_while_it_computes_are_not_drawn_again(shown, monkeypatch):
    """In the notebook a cell may train meanwhile."""
    drawn = []

    def draws(*arguments, **options):
        drawn.append(torch.rand(()).item())  # as the cell of the other thread does
        return evaluate(*arguments, **options)

    monkeypatch.setattr(widget, "evaluate", draws)
    shown.set_state({"deleted": {"residual": [0, 1, 2], "plain": []}})
    wait_for(shown, lambda: {"0,1", "0,1,2"} <= set(shown._known["residual"]))
    assert len({*drawn, torch.rand(()).item()}) == len(drawn) + 1
