import math

import pytest
import torch
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model, googlenet
from cnnviz.models.googlenet import GoogLeNetOutputs, Inception, NaiveInception
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import close, count, on_meta, randomised, stage_shapes

# Table 1: input channels, 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection; height and width.
TABLE = {
    "inception3a": (192, 64, 96, 128, 16, 32, 32, 28),
    "inception3b": (256, 128, 128, 192, 32, 96, 64, 28),
    "inception4a": (480, 192, 96, 208, 16, 48, 64, 14),
    "inception4b": (512, 160, 112, 224, 24, 64, 64, 14),
    "inception4c": (512, 128, 128, 256, 24, 64, 64, 14),
    "inception4d": (512, 112, 144, 288, 32, 64, 64, 14),
    "inception4e": (528, 256, 160, 320, 32, 128, 128, 14),
    "inception5a": (832, 256, 160, 320, 32, 128, 128, 7),
    "inception5b": (832, 384, 192, 384, 48, 128, 128, 7),
}
SHAPES = {
    "stem": (192, 28, 28),
    "inception3a": (256, 28, 28),
    "inception3b": (480, 28, 28),
    "pool3": (480, 14, 14),
    "inception4a": (512, 14, 14),
    "aux1": (1000,),
    "inception4b": (512, 14, 14),
    "inception4c": (512, 14, 14),
    "inception4d": (528, 14, 14),
    "aux2": (1000,),
    "inception4e": (832, 14, 14),
    "pool4": (832, 7, 7),
    "inception5a": (832, 7, 7),
    "inception5b": (1024, 7, 7),
    "head": (1000,),
}


def meta(**options):
    return on_meta(googlenet, **options).train()  # with its auxiliary heads


def module_weights(name):
    inputs, one, reduce3, three, reduce5, five, pool, _ = TABLE[name]
    return inputs * (one + reduce3 + reduce5 + pool) + 9 * reduce3 * three + 25 * reduce5 * five


def test_stages_are_the_children_in_the_order_of_the_forward_pass_with_the_papers_shapes():
    model = meta()
    assert list(SHAPES) == [name for name, _ in model.named_children()]
    assert stage_shapes(model) == SHAPES
    assert list(stage_shapes(meta())) == list(SHAPES)


def test_parameters_are_those_of_table_1():
    biases = {name: sum(row[1:7]) for name, row in TABLE.items()}
    expected = {name: module_weights(name) + biases[name] for name in TABLE}
    expected["stem"] = (7 * 7 * 3 + 1) * 64 + (64 + 1) * 64 + (9 * 64 + 1) * 192
    expected["head"] = (1024 + 1) * 1000
    for name, channels in {"aux1": 512, "aux2": 528}.items():
        expected[name] = (channels + 1) * 128 + (4 * 4 * 128 + 1) * 1024 + (1024 + 1) * 1000
    assert {name: count(stage) for name, stage in meta().named_children() if count(stage)} == expected
    [row] = published(model="googlenet", quantity="parameters")
    [row_without] = published(model="googlenet", quantity="parameters, without auxiliary heads")
    assert sum(expected.values()) == row.value == count(meta())
    assert row.value - expected["aux1"] - expected["aux2"] == row_without.value == count(meta(aux_logits=False))


@pytest.mark.parametrize("name", TABLE)
def test_mult_adds_of_table_1_are_those_of_the_module_except_5a(name):
    [row] = published(model="googlenet", quantity=f"mult-adds, {name}, as printed")
    computed = module_weights(name) * TABLE[name][-1] ** 2 / 1e6
    assert (abs(computed - row.value) < 1) == (name != "inception5a")  # 51.1 million, the table prints 54


def test_parameters_that_table_1_prints_are_kibi_weights_within_eight_percent():
    for name in TABLE:
        [row] = published(model="googlenet", quantity=f"parameters, {name}, as printed")
        assert row.value == pytest.approx(module_weights(name) / 1024, rel=0.08)


def test_the_forward_pass_names_its_outputs_in_training_and_gives_logits_alone_in_evaluation():
    model, x = meta(num_classes=5), torch.zeros(2, 3, 224, 224, device="meta")
    outputs = model(x)
    assert isinstance(outputs, GoogLeNetOutputs)
    assert {name: tuple(logits.shape) for name, logits in outputs._asdict().items()} == dict.fromkeys(
        ("logits", "aux1", "aux2"), (2, 5)
    )
    assert model.eval()(x).shape == (2, 5)
    assert meta(num_classes=5, aux_logits=False)(x).shape == (2, 5)


def test_auxiliary_heads_see_the_outputs_of_4a_and_4d():
    seen = {}
    model = meta()
    for head, module in {"aux1": "inception4a", "aux2": "inception4d"}.items():
        getattr(model, module).register_forward_hook(lambda m, i, output, head=head: seen.update({head: output}))
        getattr(model, head).register_forward_pre_hook(
            lambda m, inputs, head=head: seen.update({head: seen[head] is inputs[0]})
        )
    stage_shapes(model)
    assert seen == {"aux1": True, "aux2": True}


def test_auxiliary_heads_average_5x5_windows_of_stride_3():
    x = torch.rand(1, 2, 14, 14)
    windows = [x[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5].mean((2, 3)) for i in range(4) for j in range(4)]
    torch.testing.assert_close(googlenet(small=False, width=0.1).aux1.pool(x).flatten(2), torch.stack(windows, 2))


def test_an_inception_module_is_its_four_branches_side_by_side():
    torch.manual_seed(0)
    module, x = Inception(6, 1, 2, 3, 4, 5, 6), torch.randn(2, 6, 9, 8)
    parts = module(x).split((1, 3, 5, 6), dim=1)
    for part, branch in zip(parts, module.children(), strict=True):
        assert torch.equal(part, branch(x))
    kernels = [layer.kernel_size[0] for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [1, 1, 3, 1, 5, 1]
    assert module.out_channels == 15


def test_a_naive_module_hands_on_its_pooled_input():
    module, x = NaiveInception(6, 1, 2, 3), torch.randn(2, 6, 9, 8)
    assert module(x).shape == (2, module.out_channels, 9, 8) == (2, 12, 9, 8)
    assert torch.equal(module(x)[:, 6:], nn.functional.max_pool2d(x, 3, stride=1, padding=1))


def test_the_naive_module_of_the_lectures_takes_854_million_operations():
    with torch.device("meta"):
        module = NaiveInception(256, 128, 192, 96)
    weights = sum(parameter.numel() for parameter in module.parameters() if parameter.ndim == 4)
    assert round(weights * 28 * 28 / 1e6) == 854


def test_local_response_normalisation_has_the_constants_of_alexnet():
    x = torch.rand(1, 7, 2, 2)
    norm = googlenet(small=True, width=0.1).stem.norm1
    for centre in range(7):
        energy = x[:, max(0, centre - 2) : centre + 3].square().sum(1)
        torch.testing.assert_close(norm(x)[:, centre], x[:, centre] / (2 + 1e-4 * energy) ** 0.75)


def test_batch_normalisation_replaces_local_response_normalisation_and_biases():
    kinds = [type(layer) for layer in meta(norm="batch").modules()]
    assert nn.LocalResponseNorm not in kinds
    assert kinds.count(nn.BatchNorm2d) == kinds.count(nn.Conv2d) == 3 + 9 * 6 + 2
    kinds = [type(layer) for layer in meta().modules()]
    assert (kinds.count(nn.LocalResponseNorm), kinds.count(nn.BatchNorm2d)) == (2, 0)


def test_small_form_has_the_same_modules_on_maps_of_16_8_and_4_pixels():
    small = stage_shapes(meta(small=True))
    halves = {name: (shape[0] // 2, *shape[1:]) for name, shape in SHAPES.items() if len(shape) == 3}
    sizes = {28: 16, 14: 8, 7: 4}
    expected = {name: (channels, sizes[height], sizes[width]) for name, (channels, height, width) in halves.items()}
    assert list(small) == list(SHAPES)
    assert {name: small[name] for name in expected} == expected


@pytest.mark.parametrize("small", [False, True])
def test_the_smallest_image_works_and_a_smaller_one_does_not(small):
    model = meta(small=small)
    assert model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta")).logits.shape == (2, 1000)
    with pytest.raises(ValueError, match=f"GoogLeNet takes .* at least {model.smallest} pixels"):
        model(torch.zeros(2, 3, model.smallest, model.smallest - 1, device="meta"))
    model.smallest -= 1
    with pytest.raises(RuntimeError):
        model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta"))


def test_width_scales_every_number_of_channels_to_multiples_of_8():
    shape = {name: shape[0] for name, shape in stage_shapes(meta(width=0.5)).items()}
    rows = [[max(8, round(channels / 16) * 8) for channels in row[1:7]] for row in TABLE.values()]
    expected = [one + three + five + pool for one, _, three, _, five, pool in rows]
    assert [shape[name] for name in TABLE] == expected


def test_weights_begin_with_the_variance_of_two_over_fan_in_and_small_before_the_logits():
    torch.manual_seed(0)
    for name, layer in googlenet(small=True).named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            std = 0.01 if name in ("aux1.fc2", "aux2.fc2", "head.fc") else math.sqrt(2 / layer.weight[0].numel())
            assert layer.weight.std().item() == pytest.approx(std, rel=4 / layer.weight.numel() ** 0.5)
            assert not layer.bias.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "layer"}, r"norm \(='layer'\) must be 'local_response' or 'batch'"),
        ({"torchvision_twin": True}, r"norm \(='local_response'\) must be 'batch'"),
        ({"width": -1}, r"width \(=-1\) must be above 0"),
    ],
)
def test_an_option_that_does_not_exist_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        meta(**options)


def test_torchvisions_weights_give_torchvisions_outputs():
    torch.set_default_dtype(torch.float64)
    try:
        theirs = randomised(torchvision.models.googlenet(init_weights=False)).eval()
        ours = create_model("googlenet", norm="batch", torchvision_twin=True).eval()
    finally:
        torch.set_default_dtype(torch.float32)
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 95, 84, dtype=torch.float64)
    logits = theirs(x)
    assert close(ours(x), logits)
    assert not close(logits[0], logits[1])  # the outputs depend on the image
    for model in (ours, theirs):
        model.train()
        for layer in model.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
    trained, expected = ours(x), theirs(x)
    assert close(trained.logits, expected.logits)
    assert close(trained.aux1, expected.aux_logits1)
    assert close(trained.aux2, expected.aux_logits2)


def test_torchvisions_weights_do_not_fit_the_papers_network():
    with torch.device("meta"):
        state = torchvision.models.googlenet(init_weights=False).state_dict()
    with pytest.raises(ValueError, match="do not fit GoogLeNet"):
        load_torchvision_weights(meta(), state)
