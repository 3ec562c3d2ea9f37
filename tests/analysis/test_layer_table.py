import gc
import random
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
import torchinfo
import torchvision
from torch import nn
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from cnnviz.analysis import layer_table, receptive_field
from cnnviz.analysis.layer_table.__main__ import main
from cnnviz.models import create_model


def on_meta(build, **options):
    with torch.device("meta"):
        return build(**options)


# One model by hand


def test_every_number_of_a_small_network_is_that_of_pencil_and_paper():
    model = nn.Sequential(nn.Conv2d(3, 8, 5, stride=2, padding=1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8 * 9, 4))
    table = layer_table(model, (3, 7, 8))
    conv, norm, flatten, linear = table.rows
    assert (conv.name, conv.stage, conv.kind) == ("0", "0", "Conv2d")
    assert (conv.input_shape, conv.output_shape) == ((1, 3, 7, 8), (1, 8, 3, 3))
    assert (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups) == (
        (5, 5),
        (2, 2),
        (1, 1),
        (1, 1),
        1,
    )
    assert conv.parameters == 8 * 3 * 25 + 8
    assert conv.mult_adds == 8 * 3 * 3 * 3 * 25
    assert conv.flops == 2 * conv.mult_adds
    assert conv.activations == 72
    assert conv.activation_bytes == 4 * 72
    assert conv.kept_bytes == 4 * 3 * 7 * 8, "its input"
    assert (conv.receptive_field, conv.jump) == ((5, 5), (2, 2))
    assert (norm.parameters, norm.buffers, norm.mult_adds) == (16, 17, 0)
    assert flatten.activation_bytes == 0, "it only looks at the numbers differently"
    assert (linear.parameters, linear.mult_adds) == (8 * 9 * 4 + 4, 8 * 9 * 4)
    assert linear.kernel_size is linear.stride is linear.jump is None
    assert linear.receptive_field == (9, 9), "the image and its padding, as far as the windows go"
    assert table.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert table.mult_adds == conv.mult_adds + linear.mult_adds
    assert table.flops == 2 * table.mult_adds
    assert table["3"] is linear


@pytest.mark.parametrize(
    ("layer", "size", "expected"),
    [
        (nn.Conv2d(8, 12, 3, groups=4), (8, 9, 9), 12 * 49 * 2 * 9),
        (nn.Conv1d(2, 3, 5, dilation=2), (2, 20), 3 * 12 * 2 * 5),
        (nn.Conv3d(1, 2, 2), (1, 4, 4, 4), 2 * 27 * 8),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), (4, 5, 5), 4 * 25 * 6 * 9),
        (nn.Linear(10, 3), (7, 10), 7 * 10 * 3),
        (nn.Bilinear(3, 4, 5), [(3,), (4,)], None),
        (nn.LSTM(3, 5), (6, 3), None),
        (nn.MultiheadAttention(8, 2, batch_first=True), [(6, 8)] * 3, None),
    ],
)
def test_mult_adds_are_half_of_what_torch_counts(layer, size, expected):
    table = layer_table(layer, size)
    if expected is not None:
        assert table.mult_adds == expected
    sizes = size if isinstance(size, list) else [size]
    with FlopCounterMode(display=False) as counter:
        layer.to("meta")(*(torch.ones(1, *size, device="meta") for size in sizes))
    assert 2 * table.mult_adds == counter.get_total_flops()
    assert table.parameters == sum(parameter.numel() for parameter in layer.parameters())


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg11_bn", "googlenet", "inception_v3", "resnet50", "densenet121", "mobilenet_v2",
             "efficientnet_b0", "shufflenet_v2_x0_5", "convnext_tiny", "swin_t", "vit_b_16"],
)  # fmt: skip
def test_networks_of_others_are_counted_as_torch_counts_them(name):
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    size = (3, 299, 299) if name == "inception_v3" else (3, 224, 224)
    model = on_meta(getattr(torchvision.models, name), **extra).eval()
    table = layer_table(model, size)
    assert table.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert table.buffers == sum(buffer.numel() for buffer in model.buffers())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.empty(1, *size, device="meta"))
    assert 2 * table.mult_adds == counter.get_total_flops()
    assert sum(stage.mult_adds for stage in table.stages) == table.mult_adds


# Models of one's own


class Shared(nn.Module):
    """A layer that runs as often as the image is wide, and one that nothing runs."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU()
        self.spare = nn.Linear(3, 2)

    def forward(self, x):
        for _ in range(x.shape[-1] // 8):
            x = self.relu(self.conv(x))
        return x


def test_a_loop_over_a_shared_layer_counts_its_work_each_time_and_its_parameters_once():
    table = layer_table(Shared(), (4, 8, 24))
    assert [row.name for row in table.rows] == ["conv", "relu", "conv_1", "relu_1", "conv_2", "relu_2", "spare"]
    assert [row.parameters for row in table.rows] == [148, 0, 0, 0, 0, 0, 8]
    assert table.mult_adds == 3 * 4 * 8 * 24 * 36
    assert table["conv_2"].receptive_field == (7, 7)
    assert table["spare"].output_shape is None
    assert table.parameters == 156


class Functional(nn.Module):
    """Everything is a function; branches, a shortcut, several inputs, a dictionary as output."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.scale = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(7, 2)

    def forward(self, image, extra):
        x = F.relu(F.conv2d(image, self.weight, stride=2, padding=1))
        x = torch.cat([x, F.max_pool2d(image, 3, 2, 1)], dim=1) * self.scale
        vector = x.mean((2, 3)) + extra
        return {"maps": x, "logits": [self.head(vector), vector.sum()]}


def test_functions_have_rows_with_their_parameters():
    table = layer_table(Functional(), [(3, 8, 8), (7,)])
    assert [(row.name, row.kind, row.parameters) for row in table.rows] == [
        ("conv2d", "conv2d", 108),
        ("relu", "relu", 0),
        ("max_pool2d", "max_pool2d", 0),
        ("cat", "cat", 0),
        ("mul", "mul", 1),
        ("mean", "mean", 0),
        ("add", "add", 0),
        ("head", "Linear", 16),
        ("sum", "sum", 0),
    ]
    assert table["conv2d"].stride == (2, 2)
    assert table["cat"].input_shapes == ((1, 4, 4, 4), (1, 3, 4, 4))
    assert table["cat"].output_shape == (1, 7, 4, 4)
    assert table.input_shapes == ((1, 3, 8, 8), (1, 7))
    assert [(stage.name, stage.parameters) for stage in table.stages] == [("head", 16)]


def test_inputs_by_name_and_several_outputs():
    table = layer_table(Functional(), {"extra": (7,), "image": (3, 8, 8)})
    assert table.parameters == 125


def test_a_dataclass_as_output_is_followed():
    @dataclass
    class Output:
        first: torch.Tensor
        second: torch.Tensor

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()
            self.end = nn.Conv2d(2, 1, 3)

        def forward(self, x):
            return self.end(self.inner(x).second)

    class Inner(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return Output(x, self.conv(x))

    table = layer_table(Model(), (1, 9, 9))
    assert table["end"].receptive_field == (5, 5)
    assert [stage.output_shape for stage in table.stages] == [(1, 1, 9, 9), (1, 1, 5, 5)]


def test_parametrised_tied_and_frozen_layers_are_counted_once():
    conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    model = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), first, second.requires_grad_(False))
    table = layer_table(model, (3, 8, 8))
    assert table["0"].kind == "Conv2d"
    assert [row.parameters for row in table.rows] == [4 + 108 + 4, 0, 0, 16, 0]
    assert table.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_a_layer_with_its_own_functions_is_one_row():
    table = layer_table(create_model("lenet5_1998"))
    assert table["s2"].kind == "Subsampling"
    assert (table["s2"].kernel_size, table["s2"].stride) == ((2, 2), (2, 2))
    assert table["c3"].kernel_size == (5, 5)
    assert table.parameters == 60_850


def test_tensors_that_are_no_buffers_and_word_numbers_work():
    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(100, 8)
            self.positions = torch.arange(20)
            self.gru = nn.GRU(8, 5, batch_first=True)

        def forward(self, words):
            x = self.embedding(words) + self.embedding(self.positions[: words.shape[1]])
            return self.gru(x)[0][:, -1]

    table = layer_table(Words(), torch.zeros(2, 12, dtype=torch.int64))
    assert table["embedding"].output_shape == (2, 12, 8)
    assert table["gru"].output_shape == (2, 12, 5)
    assert all(row.receptive_field is None for row in table.rows)


def test_padding_modes_count_as_padding():
    table = layer_table(nn.Conv2d(1, 1, 3, padding=(1, 2), padding_mode="reflect"), (1, 8, 8))
    assert table.rows[0].padding == (1, 2)
    assert layer_table(nn.Conv2d(1, 1, (5, 3), padding="same"), (1, 8, 8)).rows[0].padding == (2, 1)


def test_a_model_that_asks_for_a_value_gets_one_clear_error():
    class Asks(nn.Module):
        def forward(self, x):
            return x if x.mean() > 0 else -x

    with pytest.raises(ValueError, match=r"Asks does not run .* asks for the value of a tensor \(__bool__\)"):
        layer_table(Asks(), (1, 4, 4))


@pytest.mark.parametrize(
    ("model", "size", "error", "message"),
    [
        ("resnet50", (3, 8, 8), TypeError, "must be an nn.Module, not str"),
        (nn.Conv2d(3, 4, 3), None, ValueError, "does not say its image_size; give input_size"),
        (nn.Conv2d(3, 4, 3), (4, 8, 8), ValueError, r"Conv2d does not run with inputs of shape \[1, 4, 8, 8\]"),
        (nn.Conv2d(3, 4, 3), [(3, 8, 8), (3,)], ValueError, "positional arguments"),
        (nn.Conv2d(3, 4, 3), "3x8x8", TypeError, "input_size must be a shape"),
        (nn.Conv2d(3, 4, 3), (3, 0, 8), ValueError, "must be at least 1"),
        (nn.LazyConv2d(4, 3), (3, 8, 8), ValueError, "weight is not known yet"),
        (create_model("lenet5"), (1, 30, 30), ValueError, "LeNet-5 takes images"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_what_cannot_be_counted_is_said(model, size, error, message):
    with pytest.raises(error, match=message):
        layer_table(model, size)


# What stays as it was


def test_the_model_is_left_as_it_was():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm, self.drop = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()
            self.register_buffer("runs", torch.zeros(()))
            self.last = None

        def forward(self, x):
            self.runs += 1
            self.last = self.drop(self.norm(self.conv(x)))
            return self.last + torch.rand_like(x[:, :, 2:, 2:])

    model = Remembers().train()
    model.norm.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    tensors = {name: id(tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())}
    random = torch.get_rng_state()
    layer_table(model, (1, 8, 8), training=True, batch_size=2)
    with pytest.raises(ValueError, match="does not run"):
        layer_table(model, (2, 8, 8))
    assert {name: id(tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())} == tensors
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in before.items())
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert model.last is None
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(random, torch.get_rng_state())
    assert gc.isenabled()


class Writes(nn.Module):
    """Keeps something of each run, in every way that forward can."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.fc = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(72, 3)
        self.steps, self.seen, self.cache, self.weights = torch.zeros(()), [], {}, [self.conv.weight]

    def forward(self, x):
        x = self.norm(self.conv(x))
        self.last = x
        self.steps += 1
        self.seen.append(x)
        self.cache["last"] = x
        with torch.no_grad():
            self.weights[0].mul_(2)
        random.random()
        np.random.rand()
        return self.fc(x.flatten(1))


@pytest.mark.parametrize("look", [layer_table, lambda model, size: receptive_field(model, "norm", input_size=size)])
def test_whatever_forward_writes_stays_out_of_the_learners_model(look):
    model, states = Writes().train(), (random.getstate(), np.random.get_state()[1].tolist())
    attributes, weight = dict(vars(model)), model.conv.weight.clone()
    look(model, (1, 8, 8))
    assert vars(model) == attributes
    assert (model.steps, model.seen, model.cache) == (0, [], {})
    assert torch.equal(model.conv.weight, weight)
    assert model.norm.num_batches_tracked == 0
    assert states == (random.getstate(), np.random.get_state()[1].tolist())
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 3)


@pytest.mark.parametrize("fails", [False, True])
def test_a_layer_under_two_names_keeps_its_weights(fails):
    conv, norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
    model = nn.Sequential(conv, norm, nn.ReLU(), conv, norm, *([nn.Linear(5, 5)] if fails else []))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if fails:
        with pytest.raises(ValueError, match="does not run"):
            layer_table(model, (4, 8, 8))
    else:
        table = layer_table(model, (4, 8, 8))
        assert table.parameters == 4 * 4 * 9 + 4 + 8
        assert [row.parameters for row in table.rows] == [148, 8, 0, 0, 0]
        assert table.mult_adds == 2 * 64 * 4 * 4 * 9
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_modules_that_share_an_empty_dict_share_it_in_the_copy_and_not_with_the_learners_model():
    class Shares(nn.Module):
        def __init__(self, seen):
            super().__init__()
            self.seen = seen

        def forward(self, x):
            x = self.seen.setdefault("x", x[:, :, 1:])
            return x + 1

    seen = {}
    model = nn.Sequential(Shares(seen), Shares(seen))
    assert [row.output_shape for row in layer_table(model, (1, 8, 8)).rows] == [(1, 1, 7, 8)] * 2
    assert seen == {}
    assert model[0].seen is model[1].seen is seen


def test_a_weight_that_evaluation_mode_puts_in_place_of_another_is_counted():
    class Folds(nn.Conv2d):
        def train(self, mode=True):
            self.weight = nn.Parameter(self.weight[:, :1])
            return super().train(mode)

        def forward(self, x):
            return super().forward(x[:, :1])

    table = layer_table(model := Folds(3, 4, 3), (3, 8, 8))
    assert (table.parameters, table.rows[0].parameters, len(table.rows)) == (4 * 9 + 4, 4 * 9 + 4, 1)
    assert model.weight.shape[1] == 3


def test_a_buffer_that_hangs_in_two_modules_is_counted_once():
    one, other = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
    other.running_mean = one.running_mean
    rows = layer_table(nn.Sequential(one, other, nn.BatchNorm2d(3)), (3, 8, 8)).rows
    assert [(row.parameters, row.buffers) for row in rows] == [(6, 7), (6, 4), (6, 7)]


def test_a_layer_that_forward_makes_is_asked_to_be_made_before():
    class Late(nn.Module):
        def forward(self, x):
            if not hasattr(self, "fc"):
                self.fc = nn.Linear(x.shape[-1], 3)
            return self.fc(x)

    with pytest.raises(ValueError, match=r"Late makes fc\.weight only when it runs; run the model once before"):
        layer_table(late := Late(), (8,))
    late(torch.zeros(1, 8))
    assert layer_table(late, (8,)).parameters == 27


def test_hooks_of_the_learners_own_do_not_run_and_those_of_torch_do():
    layer, pruned = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 2, 3)), nn.Conv2d(2, 2, 1)
    prune.random_unstructured(pruned, "weight", 0.5)
    model, seen = nn.Sequential(layer, pruned), {}
    model[0].register_forward_hook(lambda module, inputs, output: seen.update(mean=output.mean().item()))
    rows = layer_table(model, (1, 8, 8)).rows
    assert [row.output_shape for row in rows if row.mult_adds] == [(1, 2, 6, 6)] * 2
    assert seen == {}
    assert len(model[0]._forward_hooks) == 1


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.to("cpu"),
        lambda x: x.cpu(),
        lambda x: x.to(torch.zeros(1)),
        lambda x: x.to(device="cpu", dtype=torch.float32),
    ],
)
def test_a_forward_that_chooses_a_device_runs(move):
    class Moves(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.conv(move(x)) + torch.ones(1, device="cpu")

    assert layer_table(Moves(), (1, 8, 8)).mult_adds == 2 * 9 * 36


@pytest.mark.parametrize("name", ["resnet20", "inception_resnet_v2"])
def test_in_training_every_branch_of_stochastic_depth_is_counted(name):
    with torch.device("meta"):
        model, plain = create_model(name, survival=0.5), create_model(name)
    table, whole = (layer_table(one, training=True) for one in (model, plain))
    assert (table.parameters, table.mult_adds) == (whole.parameters, whole.mult_adds)


def test_a_single_number_of_the_models_own_may_steer_the_run():
    class Draws(nn.Module):
        def forward(self, x):
            return F.relu(x) if torch.rand(()) < 2 else x

    assert [row.kind for row in layer_table(Draws(), (1, 8, 8)).rows] == ["relu"]


def test_inputs_have_the_models_type_and_inference_mode_and_compiled_models_are_no_obstacle():
    double = nn.Sequential(nn.Conv2d(1, 2, 3).double())
    assert layer_table(double, (1, 8, 8)).activation_bytes == 2 * 36 * 8
    with torch.inference_mode():
        assert layer_table(double, (1, 8, 8)).kept_bytes == 64 * 8
    assert [row.name for row in layer_table(torch.compile(double), (1, 8, 8)).rows] == ["0"]


def test_a_scripted_model_is_refused():
    with pytest.warns(FutureWarning, match="jit.script"):
        scripted = torch.jit.script(nn.Conv2d(1, 2, 3))
    with pytest.raises(ValueError, match="0 was scripted, which hides its layers"):
        layer_table(nn.Sequential(scripted), (1, 8, 8))


# Functions that begin a network


@pytest.mark.parametrize(
    ("run", "kept"),
    [
        (lambda w, x: F.conv2d(x, w[:, :, None, None]), 3 * 64 * 4),
        (lambda w, x: torch.einsum("nchw,oc->nohw", x, w), 3 * 64 * 4),
        (lambda w, x: x.flatten(2).mT @ w.mT, 3 * 64 * 4),
    ],
)
def test_what_the_first_function_of_a_network_keeps_is_counted(run, kept):
    class Begins(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.randn(5, 3))

        def forward(self, x):
            return run(self.w, x)

    assert layer_table(Begins(), (3, 8, 8)).kept_bytes == kept


def test_products_with_a_vector_are_counted():
    class Vectors(nn.Module):
        def __init__(self):
            super().__init__()
            self.v, self.w = nn.Parameter(torch.randn(16)), nn.Parameter(torch.randn(5))

        def forward(self, x):
            return torch.dot(x[0] @ self.v, self.w)

    assert layer_table(Vectors(), (5, 16)).mult_adds == 5 * 16 + 5


# Memory


def test_activations_are_the_outputs_and_an_overwritten_input_costs_nothing():
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
    table = layer_table(plain, (3, 10, 10), batch_size=5)
    assert [row.activation_bytes for row in table.rows] == [5 * 4 * n for n in (8 * 64, 8 * 64, 8 * 16)]
    inplace = nn.Sequential(plain[0], nn.ReLU(inplace=True), plain[2])
    assert layer_table(inplace, (3, 10, 10), batch_size=5).activation_bytes == table.activation_bytes - 5 * 4 * 512


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "densenet121", "alexnet"])
@pytest.mark.parametrize("training", [False, True])
def test_what_is_kept_for_the_backward_pass_is_what_autograd_keeps_on_the_processor(name, training):
    model = getattr(torchvision.models, name)().train(training)
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and storage.nbytes():
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(torch.randn(2, 3, 64, 64))
    table = layer_table(model, (3, 64, 64), batch_size=2, training=training)
    assert output.shape == (2, 1000)
    assert table.kept_bytes == sum(kept.values())


def test_training_mode_runs_auxiliary_heads_and_keeps_masks():
    model = create_model("googlenet")
    still, training = layer_table(model), layer_table(model, training=True, batch_size=2)
    assert still.parameters == training.parameters
    assert [stage.output_shape for stage in still.stages if stage.name.startswith("aux")] == [None, None]
    assert training.mult_adds > 2 * still.mult_adds, "two images, and the heads"


# What it prints


def test_to_pandas_has_a_row_a_layer():
    frame = layer_table(create_model("lenet5")).to_pandas()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.name[:3]) == ["c1", "relu", "s2"]
    assert frame.parameters.sum() == 61_706
    assert (frame.flops == 2 * frame.mult_adds).all()
    assert frame.output_shape[0] == (1, 6, 28, 28)


def test_stages_are_the_direct_children_and_add_up():
    table = layer_table(on_meta(torchvision.models.resnet50), (3, 224, 224))
    stages = {stage.name: stage for stage in table.stages}
    assert list(stages) == ["conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4", "avgpool", "fc"]
    assert stages["layer4"].output_shape == (1, 2048, 7, 7)
    assert stages["layer4"].layers == 3 * 3 + 1
    assert sum(stage.parameters for stage in table.stages) == table.parameters == 25_557_032
    assert list(table.stages_to_pandas().name) == list(stages)


def test_describe_says_the_sums():
    table = layer_table(create_model("lenet5"))
    text = (
        "LeNet5 on 1 x 1 x 28 x 28: 61,706 parameters, 416,520 mult-adds, outputs of 0.1 MB, 0.0 MB kept for the "
        "backward pass."
    )
    assert table.describe() == repr(table) == text
    assert str(table).splitlines()[1].split()[:2] == ["c1", "Conv2d"]
    with pytest.raises(ValueError, match="LeNet5 has no row 'c9'; there are c1, relu, s2"):
        table["c9"]


def test_the_command_prints_a_table(capsys):
    assert main(["lenet5"]) == 0
    assert "61,706 parameters" in capsys.readouterr().out
    assert main(["torchvision.models:squeezenet1_0", "--input-size", "3", "64", "64", "--stages"]) == 0
    assert "classifier" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "message"),
    [("resnet5", "there is no model 'resnet5'"), ("torchvision.models:resnet5", "cannot import 'resnet5'")],
)
def test_the_command_says_what_is_wrong(capsys, name, message):
    assert main([name]) == 2
    assert message in capsys.readouterr().err


def test_the_command_runs_without_a_warning_and_without_torchs_compiler():
    """Loading torch's compiler takes seconds, the table a moment."""
    code = "import runpy, sys; sys.argv = ['', 'lenet5']\n"
    code += "try: runpy.run_module('cnnviz.analysis.layer_table', run_name='__main__', alter_sys=True)\n"
    code += "except SystemExit: print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet50", {}),
        ("vgg16", {}),
        ("densenet121", {}),
        ("mobilenet_v2", {}),
        ("inception_v3", {"aux_logits": False}),
        ("xception", {}),
    ],
)
def test_parameters_and_mult_adds_are_those_of_torchinfo(name, options):
    """torchinfo counts the convolutions and linear layers, and one for each weight of a normalisation, too."""
    model = on_meta(create_model, name=name, **options)
    table, size = layer_table(model), (1, 3, model.image_size, model.image_size)
    theirs = torchinfo.summary(model, input_data=torch.zeros(size, device="meta"), device="meta", verbose=0)
    assert table.parameters == theirs.total_params == sum(parameter.numel() for parameter in model.parameters())
    assert table.mult_adds == pytest.approx(theirs.total_mult_adds, rel=2e-3)


# The greatest memory of a process in KiB; what `resource` says begins with that of the process that started it.
MEASURED = """
import re, torch
from pathlib import Path
from cnnviz.analysis import layer_table
from cnnviz.models import create_model
greatest = lambda: re.search("VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
before = greatest()
with torch.device("meta"):
    model = create_model("nasnet_large")
table = layer_table(model)
print(before, greatest(), table.parameters, table.activation_bytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory a process had")
def test_the_largest_network_takes_no_memory():
    """Measure the greatest memory of a process, before and after: neither weights nor activations are there."""
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    before, after, parameters, activation_bytes = map(int, done.stdout.split())
    assert parameters == 88_753_150
    assert activation_bytes > 1e9
    assert after * 1024 < 1e9, "with all that was imported"
    assert (after - before) * 1024 < 3 * parameters, "its weights alone have 4 bytes each"
