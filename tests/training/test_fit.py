"""The training loop against a plain torch loop, and its promises: repeatable, resumable, and nothing else changed."""

import copy
import math
import traceback
from dataclasses import replace
from importlib import import_module

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.analysis import evaluate
from cnnviz.analysis.losses import LOSSES
from cnnviz.datasets import ImageSet, load_dataset
from cnnviz.models import create_model, lenet5, lenet5_1998
from cnnviz.training import Recipe, fit
from cnnviz.training.fit import _begin_momentum, _own_random_numbers

RECIPE = Recipe(epochs=3, batch_size=32, lr=0.05, crop_padding=1, flip=0.5, weight_decay=1e-3)
TIMES = ("seconds", "images_per_second", "filters")


@pytest.fixture(scope="module")
def data():
    return load_dataset("digits").subset(train=200, test=60)


def network(seed=0, dropout=0.5):
    """A small network with batch normalisation and dropout: every kind of state that training has."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 4, 5, stride=3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(256, 10),
        )


def seeded_lenet():
    """LeNet-5, whose second convolution has more than one channel: there the layout in memory makes a difference."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return lenet5()


def weights(model):
    return torch.cat([tensor.flatten().double() for tensor in model.state_dict().values()])


def figures(run):
    """All of the records but the times."""
    return [[value for key, value in vars(record).items() if key not in TIMES] for record in run.records]


@pytest.fixture(scope="module")
def undisturbed(data):
    """Weights and figures of a run that nothing disturbed."""
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    assert len(list(run)) == 4
    return weights(model), figures(run)


def assert_as_undisturbed(model, run, undisturbed):
    assert torch.equal(weights(model), undisturbed[0])
    assert figures(run) == undisturbed[1]


@pytest.mark.parametrize("build", [lambda: network(dropout=0), seeded_lenet])
def test_weights_are_those_of_a_plain_torch_loop(data, build):
    """Without augmentation; the order of the images comes from a generator with the seed `seed * 10,007 + epoch`."""
    recipe = Recipe(epochs=2, batch_size=32, lr=0.05, weight_decay=1e-3)
    ours, plain = build(), build()
    records = list(fit(ours, data, recipe, device="cpu", seed=3))
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    x = (data.x_train / 255 - data.mean[:, None, None]) / data.std[:, None, None]
    for epoch in (1, 2):
        order = torch.randperm(200, generator=torch.Generator().manual_seed(3 * 10_007 + epoch))
        losses = []
        for step, chosen in enumerate(order.split(32)):
            optimizer.param_groups[0]["lr"] = 0.05 * (1 + math.cos(math.pi * (epoch - 1 + (step + 0.5) / 7) / 2)) / 2
            loss = F.cross_entropy(plain(x[chosen]), data.y_train[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(chosen))
        assert records[epoch].train_loss == pytest.approx(sum(losses) / 200, rel=1e-4)
    torch.testing.assert_close(weights(ours), weights(plain), rtol=1e-3, atol=1e-5)


def test_the_records_are_what_evaluate_finds(data):
    model = network()
    x_test = data.normalise(data.x_test)
    for epoch, record in enumerate(fit(model, data, RECIPE, device="cpu")):
        now = evaluate(model, x_test, data.y_test)
        assert record.epoch == epoch
        assert (record.test_loss, record.test_error) == pytest.approx((now.loss, now.error[1]), rel=1e-5)
        assert (record.epochs, record.num_classes) == (3, 10)
        assert record.lr == pytest.approx(RECIPE.lr_at(max(0, epoch - 0.5)))


def test_epoch_0_is_the_network_before_training(data):
    model = network()
    before = weights(model)
    record = next(fit(model, data, RECIPE, device="cpu"))
    assert record.epoch == 0
    assert record.train_error > 0.7
    assert torch.equal(weights(model), before)


def test_lenet_learns_the_digits(data):
    torch.manual_seed(0)
    run = fit(lenet5_1998(), load_dataset("digits"), Recipe(epochs=4, batch_size=32, lr=0.02), device="cpu")
    first, *_, last = run
    assert first.test_error > 0.8
    assert last.test_error < 0.15
    assert last.train_loss < 0.3
    assert last.images_per_second > 0


def test_the_same_seed_repeats_the_run_and_another_does_not(data, undisturbed):
    again, other = network(), network()
    run = fit(again, data, RECIPE, device="cpu", seed=3)
    list(run)
    assert_as_undisturbed(again, run, undisturbed)
    list(fit(other, data, RECIPE, device="cpu", seed=4))
    assert not torch.equal(weights(other), undisturbed[0])


def test_what_the_learner_draws_between_epochs_does_not_change_the_run(data, undisturbed):
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    for _ in run:
        torch.rand(100)
    assert_as_undisturbed(model, run, undisturbed)


def test_the_learners_random_state_is_as_it_was(data):
    before = torch.get_rng_state()
    list(fit(network(), data, RECIPE, device="cpu"))
    assert torch.equal(torch.get_rng_state(), before)


def break_after(run, batches, error):
    """Raise `error` after so many batches of an epoch, once."""

    def on_batch(done, total):
        if done == batches:
            run.on_batch = None
            raise error

    run.on_batch = on_batch


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("batches", [1, 4, 7])
def test_an_interrupted_run_keeps_its_records_and_resumes_to_the_same_end(data, undisturbed, capsys, epoch, batches):
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    for _ in range(epoch):
        next(run)
    at_last_epoch = weights(model)
    break_after(run, batches, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    said = capsys.readouterr().out
    assert f"Interrupted. {epoch} records kept. Epoch {epoch - 1} of 3" in said
    assert "Iterate the run again" in said
    assert torch.equal(weights(model), at_last_epoch)
    assert len(list(run)) == 4 - epoch
    assert_as_undisturbed(model, run, undisturbed)


def test_a_run_interrupted_twice_in_the_same_epoch_resumes_to_the_same_end(data, undisturbed):
    """The second time it goes back to the same checkpoint, which the steps in between must not have changed."""
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    next(run), next(run)
    for batches in (5, 2):
        break_after(run, batches, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            next(run)
    list(run)
    assert_as_undisturbed(model, run, undisturbed)


def test_an_interrupt_while_the_model_is_set_back_does_no_harm_either(data, undisturbed, monkeypatch):
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    next(run), next(run)
    break_after(run, 3, KeyboardInterrupt)
    with monkeypatch.context() as patch:
        patch.setattr(run, "_restore", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(run)
    list(run)
    assert_as_undisturbed(model, run, undisturbed)


@pytest.mark.parametrize("batch", [1, 5])
def test_stop_ends_after_the_current_batch_and_iterating_again_resumes(data, undisturbed, batch):
    model, seen = network(), []
    run = fit(model, data, RECIPE, device="cpu", seed=3)

    def on_batch(done, total):
        seen.append((done, total))
        if len(seen) == 7 + batch:  # in the second epoch
            run.stop()

    run.on_batch = on_batch
    assert [record.epoch for record in run] == [0, 1]
    assert seen[-1] == (batch, 7)
    assert seen[:7] == [(done, 7) for done in range(1, 8)]
    assert [record.epoch for record in run] == [2, 3]
    assert_as_undisturbed(model, run, undisturbed)


def test_stop_in_the_loop_ends_it_before_the_next_epoch(data):
    run = fit(network(), data, RECIPE, device="cpu")
    for record in run:
        if record.epoch == 1:
            run.stop()
    assert [record.epoch for record in run.records] == [0, 1]


def test_a_finished_run_yields_nothing_more(data, undisturbed):
    run = fit(network(), data, RECIPE, device="cpu")
    list(run)
    assert list(run) == []
    assert "Iterate" not in repr(run)


def test_a_checkpoint_goes_through_a_file_to_another_process(data, undisturbed, tmp_path):
    first = fit(network(), data, RECIPE, device="cpu", seed=3)
    next(first), next(first)
    torch.save(first.state_dict(), tmp_path / "run.pt")
    model = network(seed=99)
    second = fit(model, data, RECIPE, device="cpu", seed=3)
    second.load_state_dict(torch.load(tmp_path / "run.pt", weights_only=True))
    list(second)
    assert_as_undisturbed(model, second, undisturbed)


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ZeroDivisionError])
def test_modes_grad_and_layout_are_as_they_were(data, error):
    model = network()
    model[1].eval()
    model[0].bias.requires_grad = False
    modes = [module.training for module in model.modules()]
    run = fit(model, data, RECIPE, device="cpu")
    next(run)
    if error:
        break_after(run, 2, error)
        with pytest.raises(error):
            next(run)
    else:
        next(run)
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model[0].parameters()] == [True, False]
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    assert torch.is_grad_enabled()


def test_gradients_that_the_learner_left_are_not_used(data, undisturbed):
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    F.cross_entropy(model(data.normalise(data.x_train[:50])), data.y_train[:50]).backward()
    model[1].load_state_dict(network()[1].state_dict())  # that forward pass moved the running means
    list(run)
    assert_as_undisturbed(model, run, undisturbed)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_filters_lie_in_memory_as_they_did(data, layout, error):
    model = seeded_lenet().to(memory_format=layout)
    strides = [parameter.stride() for parameter in model.parameters()]
    run = fit(model, data, RECIPE, device="cpu")
    next(run)
    if error:
        break_after(run, 2, error)
        with pytest.raises(error):
            next(run)
    else:
        next(run)
    assert [parameter.stride() for parameter in model.parameters()] == strides


class Counting(nn.Sequential):
    """Counts its calls in training in a buffer that no state_dict has, and replaces it each time."""

    def __init__(self):
        super().__init__(*network())
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        self.calls = self.calls + self.training
        return super().forward(x)


def test_buffers_that_are_not_persistent_go_back_with_the_rest(data):
    model = Counting()
    run = fit(model, data, RECIPE, device="cpu")
    next(run), next(run)
    assert model.calls == 7
    break_after(run, 3, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert model.calls == 7
    next(run)
    assert model.calls == 14


def test_an_interrupt_while_the_epoch_is_kept_goes_back_as_well(data, undisturbed, monkeypatch):
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    next(run), next(run)
    at_last_epoch = weights(model)

    def interrupted(records):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "_snapshot", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(run)
    assert torch.equal(weights(model), at_last_epoch)
    list(run)
    assert_as_undisturbed(model, run, undisturbed)


def test_an_apple_gpu_draws_from_the_seed(monkeypatch):
    seeds = []
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: 0)
    monkeypatch.setattr(torch.mps, "set_rng_state", seeds.append)
    monkeypatch.setattr(torch.mps, "manual_seed", seeds.append)
    with _own_random_numbers(11, torch.device("mps")):
        assert seeds == [11]
    assert seeds == [11, 0]


def test_a_transposed_convolution_has_no_filters_to_keep(data):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3), nn.Flatten(), nn.Linear(784, 10))
    assert list(next(fit(model, data, RECIPE, device="cpu")).filters) == ["0"]


def test_it_trains_where_gradients_are_switched_off(data, undisturbed):
    """As in a widget's callback or a cell under no_grad: the switch belongs to the thread, and is given back."""
    model = network()
    run = fit(model, data, RECIPE, device="cpu", seed=3)
    with torch.no_grad():
        list(run)
        assert not torch.is_grad_enabled()
    assert_as_undisturbed(model, run, undisturbed)


def test_a_loss_that_is_not_finite_is_recorded(data):
    run = fit(lenet5(), data, Recipe(epochs=3, lr=1e6), device="cpu")
    records = list(run)
    assert len(records) == 4
    assert not math.isfinite(records[-1].train_loss)
    assert records[-1].test_error > 0.5


def test_filters_of_the_convolutions_are_kept_at_every_epoch(data):
    model = lenet5_1998()
    before = model.c1.weight.detach().clone()
    run = fit(model, data, Recipe(epochs=2), device="cpu")
    list(run)
    assert list(run.records[0].filters) == ["c1", "c3"]  # c5 has more than 20,000 weights
    assert torch.equal(run.records[0].filters["c1"], before)
    assert torch.equal(run.records[2].filters["c3"], model.c3.weight)
    assert not torch.equal(run.records[1].filters["c1"], run.records[2].filters["c1"])


def test_filters_can_be_chosen(data):
    assert list(next(fit(lenet5_1998(), data, RECIPE, device="cpu", keep_filters=["c5"])).filters) == ["c5"]
    assert next(fit(lenet5(), data, RECIPE, device="cpu", keep_filters=())).filters == {}
    with pytest.raises(ValueError, match="keep_filters names 'f6'; the convolution layers are c1, c3"):
        fit(lenet5(), data, RECIPE, keep_filters=["f6"])


def test_label_smoothing_and_adamw_are_used(data):
    plain, smooth, adamw = (
        list(fit(network(), data, Recipe(epochs=1, lr=0.01, **options), device="cpu"))[1].train_loss
        for options in ({}, {"label_smoothing": 0.5}, {"optimizer": "adamw"})
    )
    assert len({plain, smooth, adamw}) == 3


# Losses, auxiliary heads, long gradients, plateaus, and batches that do not fit into the memory


class TwoHeads(nn.Module):
    """In training mode logits and those of an auxiliary head on the same features; logits alone otherwise."""

    def __init__(self):
        super().__init__()
        self.body, self.head, self.aux = nn.Flatten(), nn.Linear(784, 10), nn.Linear(784, 10)

    def forward(self, x):
        x = self.body(x)
        return (self.head(x), self.aux(x)) if self.training else self.head(x)


def plain_loop(model, data, loss, step=lambda model: None, **options):
    """The weights after one epoch of plain SGD on the batches of epoch 1."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, **options)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    for batch in order.split(50):
        optimizer.zero_grad()
        loss(model(data.normalise(data.x_train[batch])), data.y_train[batch]).backward()
        step(model)
        optimizer.step()
    return weights(model)


PLAIN = Recipe(epochs=1, batch_size=50, lr=0.05, momentum=0.0, schedule="constant")


def test_the_loss_of_an_auxiliary_head_is_added_with_its_weight_and_recorded_without(data):
    torch.manual_seed(0)
    ours = TwoHeads()
    plain = copy.deepcopy(ours).train()
    [_, record] = fit(ours, data, replace(PLAIN, aux_weight=0.25), device="cpu")
    seen = []

    def loss(outputs, labels):
        main, aux = (F.cross_entropy(logits, labels) for logits in outputs)
        seen.append(main.item())
        return main + 0.25 * aux

    torch.testing.assert_close(weights(ours), plain_loop(plain, data, loss), rtol=1e-4, atol=1e-6)
    assert record.train_loss == pytest.approx(sum(seen) / 4, rel=1e-4)


def test_googlenet_trains_with_both_of_its_auxiliary_heads(data):
    with torch.random.fork_rng(devices=[]):
        model = create_model("googlenet", small=True, width=0.25, num_classes=10, in_channels=3)
    colour = F.interpolate(data.x_train[:16].float(), 32).byte().expand(-1, 3, -1, -1)
    few = ImageSet("few", colour, data.y_train[:16], colour, data.y_train[:16], data.class_names)
    before = {name: parameter.clone() for name, parameter in model.named_parameters() if name.startswith("aux")}
    list(fit(model, few, replace(PLAIN, batch_size=16, lr=0.01), device="cpu"))
    assert before
    assert all(not torch.equal(model.get_parameter(name), old) for name, old in before.items())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_layers_that_stochastic_depth_leaves_out_are_stepped_when_they_come(data, optimizer):
    """As by torch's own step for one parameter after the other, which waits for the first gradient of each."""
    recipe = replace(RECIPE, optimizer=optimizer, lr=0.01)
    ours = nn.ParameterList(torch.randn(3, 2) for _ in range(3))
    theirs = copy.deepcopy(ours)
    kinds = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
    options = {"momentum": recipe.momentum} if optimizer == "sgd" else {}
    plain = kinds[optimizer](theirs, lr=0.01, weight_decay=recipe.weight_decay, foreach=False, **options)
    steps = [recipe.build_optimizer(ours), plain]
    _begin_momentum(steps[0])
    for present in ((0,), (0, 2), (1,), (0, 1, 2)):
        for number in range(3):
            gradient = torch.randn(3, 2) if number in present else None
            ours[number].grad = theirs[number].grad = gradient
        for step in steps:
            step.step()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    net = create_model("resnet20", in_channels=1, width=0.25, survival=0.3)
    *_, record = fit(net, data, replace(recipe, epochs=1))
    assert math.isfinite(record.train_loss)


def test_a_longer_gradient_is_cut_to_clip_norm_over_all_weights(data):
    ours, plain = network(dropout=0), network(dropout=0)
    list(fit(ours, data, replace(PLAIN, clip_norm=0.1), device="cpu"))

    def cut(model):
        length = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm()
        assert length > 0.1
        for parameter in model.parameters():
            parameter.grad *= 0.1 / length

    torch.testing.assert_close(weights(ours), plain_loop(plain.train(), data, F.cross_entropy, cut))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_and_is_the_recorded_one(data, name):
    groups = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)) if name == "two_level" else ()
    recipe = Recipe(epochs=6, batch_size=20, lr=2e-3, loss=name, groups=groups, optimizer="adamw")
    model = network(dropout=0)
    records = list(fit(model, data, recipe, device="cpu"))
    assert records[-1].test_loss < 0.8 * records[0].test_loss
    assert records[-1].test_error < 0.5
    x = data.normalise(data.x_test)
    with torch.no_grad():
        expected = recipe.loss_function()(model.eval()(x), data.y_test).mean().item()
    assert records[-1].test_loss == pytest.approx(expected, rel=1e-5)


def test_top5_error_is_the_share_of_labels_outside_the_five_largest_logits(data):
    model = network(dropout=0)
    record = list(fit(model, data, PLAIN, device="cpu"))[-1]
    with torch.no_grad():
        best = model.eval()(data.normalise(data.x_test)).topk(5).indices
    assert record.test_top5_error == pytest.approx((best != data.y_test[:, None]).all(1).float().mean().item())
    assert record.test_top5_error < record.test_error


def test_on_a_plateau_lr_falls_and_an_interrupted_run_falls_at_the_same_epochs(data):
    recipe = Recipe(epochs=8, batch_size=200, lr=1e-9, momentum=0.0, schedule="plateau", patience=1)
    run = fit(network(dropout=0), data, recipe, device="cpu")
    records = list(run)
    assert [record.lr for record in records[1:]] == pytest.approx([1e-9] * 3 + [1e-10] * 2 + [1e-11] * 2 + [1e-12])
    again = fit(network(dropout=0), data, recipe, device="cpu")
    for _ in range(5):
        next(again)
    resumed = fit(network(dropout=0), data, recipe, device="cpu")
    resumed.load_state_dict(again.state_dict())
    assert [record.lr for record in resumed] == [record.lr for record in records[5:]]


class Hungry(nn.Module):
    """Runs out of memory with more than `room` images."""

    def __init__(self, room):
        super().__init__()
        self.layers, self.room, self.seen = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), room, []

    def forward(self, x):
        if self.training and len(x) > self.room:
            raise torch.OutOfMemoryError("no room")
        self.seen.append(len(x))
        return self.layers(x)


def test_a_batch_that_does_not_fit_into_the_memory_is_split_and_the_step_is_the_same(data, capsys):
    torch.manual_seed(0)
    hungry = Hungry(room=20)
    modest = copy.deepcopy(hungry)
    modest.room = 1000
    few, all_ = (fit(model, data, PLAIN, device="cpu") for model in (hungry, modest))
    records = [list(run)[-1] for run in (few, all_)]
    torch.testing.assert_close(weights(hungry), weights(modest))
    assert records[0].train_loss == pytest.approx(records[1].train_loss, rel=1e-5)
    said = capsys.readouterr().out
    assert said.count("does not fit into the memory of cpu") == 2
    assert "from here on it is split into 4." in said
    assert sum(size for size in hungry.seen if size <= 20) >= 200


def test_a_single_image_that_does_not_fit_is_an_error(data, capsys):
    with pytest.raises(torch.OutOfMemoryError):
        list(fit(Hungry(room=0), data, PLAIN, device="cpu"))


def test_bf16_is_used_where_the_device_has_it_and_only_in_multiplications(data, monkeypatch):
    monkeypatch.setattr(import_module("cnnviz.training.fit"), "has_bf16", lambda device: True)
    model, seen = network(dropout=0), []
    model[0].register_forward_hook(lambda module, inputs, output: seen.append((module.training, output.dtype)))
    records = list(fit(model, data, replace(PLAIN, precision="bf16"), device="cpu", signals=False))
    assert {(True, torch.bfloat16), (False, torch.float32)} == set(seen)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert records[-1].train_loss < records[0].train_loss
    monkeypatch.setattr(import_module("cnnviz.training.fit"), "has_bf16", lambda device: False)
    seen.clear()
    list(fit(network(dropout=0), data, replace(PLAIN, precision="bf16"), device="cpu"))
    assert torch.bfloat16 not in {dtype for _, dtype in seen}


def test_the_note_of_the_data_comes_along(data):
    assert fit(network(), data, RECIPE, device="cpu").note == data.note != ""


def test_a_record_describes_itself(data):
    record = list(fit(network(), data, Recipe(epochs=1), device="cpu"))[1]
    assert record.describe().startswith(f"Epoch 1 of 1: training loss {record.train_loss:.4f}, error ")
    assert "filters" not in repr(record)


class Silent(nn.Module):
    def forward(self, x):
        """A forward pass whose return was forgotten."""


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"model": lenet5(image_size=32)}, ValueError, "N x 1 x 32 x 32, not 1 x 1 x 28 x 28"),
        (
            {"model": nn.Sequential(nn.Flatten(), nn.Linear(10, 10))},
            ValueError,
            "does not take images of shape 1 x 28 x 28",
        ),
        ({"model": nn.Flatten}, TypeError, "the model must be an nn.Module, not type; create_model makes one"),
        ({"model": lenet5(num_classes=7)}, ValueError, "labels run from 0 to 9; the model's 7 logits allow 0 to 6"),
        ({"model": nn.Sequential(nn.Flatten(), Silent())}, TypeError, "tensor of logits N, num_classes, not NoneType"),
        ({"data": "mnist"}, TypeError, "takes a model, an ImageSet and a Recipe; data and recipe are str and Recipe"),
        ({"recipe": {"epochs": 3}}, TypeError, "data and recipe are ImageSet and dict"),
        ({"device": "cuda:99"}, ValueError, r"device \(='cuda:99'\) does not exist here"),
    ],
)
def test_what_does_not_fit_is_one_clear_error_before_training(data, changes, kind, message):
    options = {"model": lenet5(), "data": data, "recipe": RECIPE} | changes
    with pytest.raises(kind, match=message) as caught:
        fit(options.pop("model"), options.pop("data"), options.pop("recipe"), **options)
    assert caught.value.__cause__ is None
    assert len(traceback.extract_tb(caught.value.__traceback__)) <= 4


def test_nan_images_do_not_even_make_a_data_set(data):
    images = data.x_train.float()
    images[0] = torch.nan
    with pytest.raises(TypeError, match=r"x_train must be a uint8 tensor .*NaN"):
        ImageSet("nan", images, data.y_train, data.x_test, data.y_test, data.class_names)


@pytest.mark.gpu
def test_the_gpu_learns_like_the_processor(data):
    torch.manual_seed(0)
    model = lenet5_1998()
    state = torch.cuda.get_rng_state()
    run = fit(model, load_dataset("digits"), Recipe(epochs=4, batch_size=32, lr=0.02), device="cuda")
    assert list(run)[-1].test_error < 0.15
    assert model.c1.weight.device.type == "cuda"
    assert torch.equal(torch.cuda.get_rng_state(), state)
