"""Every number that the lectures print, computed again by the package, with a verdict.

The numbers stand in data/reference/lectures.csv; here stands, for each of them, what the package computes and the
arithmetic behind it. Where a number can be read in two ways, both are computed.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import floor, isclose, prod

import numpy as np
import pandas as pd
import torch
from torch import nn

from cnnviz.analysis.convolution import convolution, leftover, output_size, pooling
from cnnviz.analysis.keras_parameters import keras_parameters
from cnnviz.analysis.kernels import GAUSSIAN_273
from cnnviz.analysis.layer_table import LayerRow, LayerTable, layer_table
from cnnviz.analysis.path_lengths import band
from cnnviz.analysis.path_study import VEIT, PathStudy, path_study
from cnnviz.datasets.reference import LECTURES, published
from cnnviz.models import create_model
from cnnviz.models.googlenet import Inception, NaiveInception
from cnnviz.models.resnet import residual_blocks

UNITS = {"million": 10**6, "billion": 10**9, "thousand": 10**3, "percent": 0.01, "KB": 10**3, "MB": 10**6}
KIB, MIB = 2**10, 2**20  # bytes; some lectures call them KB and MB
FLOAT = 4  # bytes
BRANCHES = {"1x1": 128, "3x3": 192, "5x5": 96}  # filters of the lectures' Inception module, on 28 x 28 x 256

KERAS = {
    "B20": "xception", "B21": "vgg16", "B22": "vgg19", "B23": "resnet50", "B24": "resnet101", "B25": "resnet152",
    "B26": "resnet50_v2", "B27": "resnet101_v2", "B28": "resnet152_v2", "B29": "inception_v3",
    "B30": "inception_resnet_v2", "B31": "mobilenet", "B32": "mobilenet_v2", "B33": "densenet121",
    "B34": "densenet169", "B35": "densenet201", "B36": "nasnet_mobile", "B37": "nasnet_large",
}  # fmt: skip
GOOGLENET_OUTPUTS = {
    "A03": "inception3b", "A04": "pool3", "A05": "inception4c", "A06": "inception4d", "A07": "inception4e",
    "A08": "inception5a", "A09": "inception5b",
}  # fmt: skip
ALEXNET_PARAMETERS = {f"C0{number}": number - 1 for number in range(1, 9)}  # of its layers with weights, in order


@dataclass(frozen=True)
class Reading:
    """One way to read a number of a lecture."""

    value: float | str  # in plain units: bytes, not MB; shapes and values as the lecture writes them
    because: str  # the arithmetic
    unit: float = 0  # plain units in one unit of the lecture, where that is not what UNITS says


def lecture_numbers() -> pd.DataFrame:
    """Return one row for each number of the lectures, with what the package computes for it.

    Columns: id, lecture, statement, printed, unit, computed (in that unit), verdict, explanation. Verdicts: "agrees";
    "agrees as rounded": equal at the digits that are printed, in one of the readings at least; "depends on": of two
    readings one agrees, both stand in the explanation; "does not agree"; "not measured yet": only an experiment can
    tell.
    """
    course = _course()
    return pd.DataFrame([_row(row, course) for row in printed_numbers()])


def readings(id: str) -> list[Reading]:
    """Return what the package computes for one number, ours first; nothing for what only an experiment can tell.

    Raises:
        ValueError: the lectures have no number of that id.
    """
    if id not in {row["id"] for row in printed_numbers()}:
        raise ValueError(f"the lectures have no number {id!r}; ids run from A01 to E07")
    return _readings(_course(), id)


def printed_numbers() -> list[dict[str, str]]:
    """Return the numbers as the lectures print them: id, lecture, topic, statement, printed, unit."""
    with LECTURES.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _readings(course: dict[str, Callable], id: str) -> list[Reading]:
    found = course[id]() if id in course else []
    return found if isinstance(found, list) else [found]


def _row(row: dict[str, str], course: dict[str, Callable]) -> dict:
    found = _readings(course, row["id"])
    verdicts = {_verdict(row["printed"], _in_unit(reading, row["unit"])) for reading in found}
    if not verdicts:
        verdict = "not measured yet"
    elif len(verdicts) > 1 and "does not agree" in verdicts:
        verdict = "depends on"
    else:
        verdict = "agrees as rounded" if "agrees as rounded" in verdicts else verdicts.pop()
    return {
        **{name: row[name] for name in ("id", "lecture", "statement", "printed", "unit")},
        "computed": _in_unit(found[0], row["unit"]) if found else None,
        "verdict": verdict,
        "explanation": "; or: ".join(reading.because for reading in found) or "An experiment has to tell.",
    }


def _in_unit(reading: Reading, unit: str) -> float | str:
    if isinstance(reading.value, str):
        return reading.value
    return reading.value / (reading.unit or UNITS.get(unit, 1))


def _verdict(printed: str, computed: float | str) -> str:
    if isinstance(computed, str):
        return "agrees" if computed == printed else "does not agree"
    try:
        number = float(printed)
    except ValueError:  # words
        return "does not agree"
    if isclose(computed, number, rel_tol=1e-12):
        return "agrees"
    tenths = 10 ** len(printed.partition(".")[2])
    return "agrees as rounded" if floor(computed * tenths + 0.5) / tenths == number else "does not agree"


def _course() -> dict[str, Callable[[], Reading | list[Reading]]]:
    """Return the computation of each number. Tables of whole networks are made once and only when they are needed."""

    @cache
    def net(name: str, **options) -> LayerTable:
        with torch.device("meta"):
            return layer_table(create_model(name, **options))

    printed = {row["id"]: row["printed"] for row in printed_numbers()}
    return {
        **_googlenet(net, printed),
        **_residual(net, printed),
        **_bottlenecks(printed),
        **_mobilenet(net, printed),
        **_keras(),
        **_alexnet(net, printed),
        **_googlenet_stem(net, printed),
        **_arithmetic(printed),
        **_vgg(net, printed),
    }


def _layers(*layers: nn.Module, size: tuple[int, ...]) -> LayerTable:
    """Return the table of a few layers in a row, on an input of `size` (C, H, W)."""
    return layer_table(nn.Sequential(*layers).to("meta"), size)


def _conv(before: int, after: int, kernel: int, size: int, groups: int = 1) -> LayerRow:
    """Return the row of a convolution with stride 1 that keeps height and width."""
    layer = nn.Conv2d(before, after, kernel, padding=kernel // 2, groups=groups, device="meta")
    return _layers(layer, size=(before, size, size)).rows[0]


def _weights(row: LayerRow) -> int:
    """Return the parameters without the biases: one bias for each map that comes out."""
    return row.parameters - row.output_shape[1]


def _weighted(table: LayerTable) -> list[LayerRow]:
    """Return the convolutions and linear layers."""
    return [row for row in table.rows if row.mult_adds]


def _times(shape: tuple[int, ...]) -> str:
    """Return C x H x W as the lectures write it."""
    return "x".join(map(str, shape[1:]))


def _last_channels(shape: tuple[int, ...]) -> str:
    """Return H x W x C, as the lectures write it elsewhere."""
    return _times((shape[0], *shape[2:], shape[1]))


def _millions(number: float) -> str:
    return f"{number / 1e6:,.1f} million"


def _product(*factors: int) -> str:
    """Return factors as a product, as it is written."""
    return " · ".join(map(str, factors))


def _weight_factors(row: LayerRow) -> str:
    """Return the weights of a convolution or linear layer as a product: 3² · 64 · 192."""
    ends = _product(row.input_shape[1] // (row.groups or 1), row.output_shape[1])
    return f"{row.kernel_size[0]}² · {ends}" if row.kernel_size else ends


def _size_of(row: LayerRow) -> str:
    """Return the arithmetic of a height that a window leaves."""
    size, kernel, stride, padding = row.input_shape[2], row.kernel_size[0], row.stride[0], row.padding[0]
    return f"({size} + 2 · {padding} - {kernel}) / {stride} + 1 = {row.output_shape[2]}"


def _cause(printed: str, *found: tuple[float, str]) -> str:
    """Return, as the end of a sentence, each way that was found to give what is printed: (value, arithmetic)."""
    because = [arithmetic for value, arithmetic in found if _verdict(printed, value) != "does not agree"]
    return f"; where {printed} may come from: {', or '.join(because)}" if because else ""


def _paper(model: str, quantity: str) -> float:
    [number] = published(model=model, quantity=quantity)
    return number.value


def _memory(numbers: int, kilo: bool = False) -> list[Reading]:
    """Return both readings of KB or MB for so many float32 numbers."""
    units = [("KB", 10**3), ("KiB", KIB)] if kilo else [("MB", 10**6), ("MiB", MIB)]
    return [
        Reading(numbers * FLOAT, f"{numbers:,} numbers of {FLOAT} bytes are {numbers * FLOAT / unit:,.1f} {name}", unit)
        for name, unit in units
    ]


def _googlenet(net, printed) -> dict:
    def output(stage):
        [shape] = [found.output_shape for found in net("googlenet").stages if found.name == stage]
        return Reading(_times(shape), f"the output of {stage} of our GoogLeNet is {_times(shape)}")

    def straight():
        table = _layers(nn.Flatten(), nn.Linear(1024 * 7 * 7, 1000), size=(1024, 7, 7))
        [row] = _weighted(table)
        factors = _product(*table.input_shapes[0][1:], row.output_shape[1])
        return Reading(_weights(row), f"{factors} = {_weights(row):,} weights")

    def averaged():
        table = _layers(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, 1000), size=(1024, 7, 7))
        [row] = _weighted(table)
        pooling = table.parameters - row.parameters
        return Reading(_weights(row), f"{_weight_factors(row)} = {_weights(row):,} weights; the pooling has {pooling}")

    def modules():
        with torch.device("meta"):
            return sum(isinstance(part, Inception) for part in create_model("googlenet").modules())

    def layers():
        ends = {stage.name: stage.layers for stage in net("googlenet").stages}
        total = ends["stem"] + 2 * modules() + ends["head"]
        because = f"{ends['stem']} in the stem, 2 in each of {modules()} modules, {ends['head']} in the head: {total}"
        return Reading(total, because)

    def blocks():
        return Reading(modules(), f"our GoogLeNet has {modules()} Inception modules")

    def counts():
        """GoogLeNet without the auxiliary heads, AlexNet in one tower and in two groups."""
        return net("googlenet", aux_logits=False), net("alexnet"), net("alexnet_two_groups")

    def fewer(times):
        ours, one, two = counts()
        found = []
        for form, alexnet in (("in one tower", one), ("in two groups", two)):
            ratio = alexnet.parameters / ours.parameters
            because = (
                f"AlexNet {form} {alexnet.parameters:,} / {ours.parameters:,} = {ratio:.1f}; {times} times fewer would "
                f"be {_millions(alexnet.parameters / float(times))}"
            )
            found.append((ratio, because))
        paper = _paper("googlenet", "parameters of AlexNet divided by its own, as printed")
        cause = _cause(
            times,
            (paper, f"GoogLeNet's paper prints {paper:g}, too"),
            (round(ratio, -1), f"{ratio:.1f} to the nearest ten is {round(ratio, -1):g}"),
        )
        return [Reading(found[0][0], found[0][1]), Reading(found[1][0], found[1][1] + cause)]

    def more_work():
        ours, one, two = counts()
        return [
            Reading(
                ours.mult_adds / alexnet.mult_adds,
                f"AlexNet {form}: {_millions(ours.mult_adds)} / {_millions(alexnet.mult_adds)} mult-adds = "
                f"{ours.mult_adds / alexnet.mult_adds:.1f}",
            )
            for form, alexnet in (("in one tower", one), ("in the two groups of its paper", two))
        ]

    def parameters():
        ours, with_heads = net("googlenet", aux_logits=False).parameters, net("googlenet").parameters
        alexnet, times = _paper("alexnet_two_groups", "parameters, as printed"), float(printed["A11"])
        arithmetic = (
            f"AlexNet's {alexnet:g} million, as its paper prints, by the ratio of A11: {alexnet:g} / {times:g} = "
            f"{alexnet / times:g}"
        )
        cause = _cause(printed["B38"], (alexnet / times, arithmetic))
        return [
            Reading(ours, f"without the auxiliary heads {ours:,}"),
            Reading(with_heads, f"with both of them {with_heads:,}{cause}"),
        ]

    return {
        "A01": straight,
        "A02": averaged,
        **{id: lambda stage=stage: output(stage) for id, stage in GOOGLENET_OUTPUTS.items()},
        "A10": layers,
        "A11": lambda: fewer(printed["A11"]),
        "A12": more_work,
        "B38": parameters,
        "C26": blocks,
        "E06": lambda: fewer(printed["E06"]),
        "E07": layers,
    }


def _residual(net, printed) -> dict:
    def depth(id, name):
        rows = [row for row in _weighted(net(name)) if ".shortcut" not in row.name]
        convolutions = sum("Conv" in row.kind for row in rows)
        pools = sum("MaxPool" in row.kind for row in net(name).rows)
        because = f"{convolutions} convolutions and {len(rows) - convolutions} linear layer on the way through {name}"
        cause = _cause(
            printed[id],
            (convolutions, f"{len(rows)} - {len(rows) - convolutions} = {convolutions} without the linear layer"),
            (
                len(rows) + pools,
                f"{len(rows)} + {pools} = {len(rows) + pools} with the max pooling, which has no weights",
            ),
        )
        return Reading(len(rows), f"{because}: {len(rows)}; projections in shortcuts do not count{cause}")

    def paths():
        with torch.device("meta"):
            blocks = len(residual_blocks(create_model("resnet20").stage1))
        return Reading(2**blocks, f"each of {blocks} blocks is passed or skipped: 2^{blocks} = {2**blocks}")

    def carried():
        study = path_study()
        profiles = study.profiles.get(VEIT, {})
        ends = [epoch for epoch in (study.passes(VEIT), 0) if epoch in profiles] if profiles else []
        return [_carried(study, epoch, printed["B07"]) for epoch in ends]

    def share():
        small, large = net("resnet34").mult_adds, net("vgg19").mult_adds
        because = f"{small / 1e9:.2f} / {large / 1e9:.2f} billion = {100 * small / large:.1f} %"
        return Reading(small / large, because)

    def deepest():
        ours, vgg = net("resnet152").mult_adds, net("vgg16")
        convolutions = sum(row.mult_adds for row in vgg.rows if "Conv" in row.kind)
        paper, vgg_in_it = (_paper(name, "mult-adds, as printed") for name in ("resnet152", "vgg16"))
        cause = _cause(
            printed["D22"],
            (
                convolutions / 1e9,
                f"the convolutions of VGG-16 have {convolutions / 1e9:.1f} billion ({vgg.mult_adds / 1e9:.1f} with its "
                f"linear layers); for VGG-16 the same paper prints {vgg_in_it:g}",
            ),
        )
        return Reading(ours, f"ResNet-152 has {ours / 1e9:.1f} billion, and its paper prints {paper:g}{cause}")

    return {
        "A13": lambda: depth("A13", "resnet152"),
        "A14": lambda: depth("A14", "resnet50"),
        "B06": paths,
        "B07": carried,
        "D21": share,
        "D22": deepest,
    }


def _carried(study: PathStudy, epoch: int, printed: str) -> Reading:
    """Return the lengths that carry most of the gradient in Veit's network: those of the lecture, or the 95 % band."""
    low, high = map(int, printed.split("-"))
    profile, cell = study.profiles[VEIT][epoch], study.trained[VEIT]
    part = {name: f"{100 * value:.1f} %" for name, value in study.share(VEIT, low, high, epoch).items()}
    held = band(profile.exact)
    product = f", {part['product']} of the estimate by Veit et al. from single paths" if "product" in part else ""
    state = "before training (normalised by training images)"
    if epoch:
        error = f"{study.scale} scale, test error {cell['final']['test_error']:.1%}"
        state = f"after {epoch} passes over {cell['train_images']:,} images ({error})"
    because = (
        f"{profile.blocks} blocks, pre-activated, {cell['dataset']}, {state}, {profile.norm.shape[1]} test images: "
        f"lengths {low} to {high} carry {part['exact']} of the exact gradients by length{product}; 95 % of them are at "
        f"{held[0]} to {held[1]}"
    )
    return Reading(printed if float(profile.exact[low : high + 1].sum()) > 0.5 else f"{held[0]}-{held[1]}", because)


def _bottlenecks(printed) -> dict:
    def cost(*steps, size=28):
        """Convolutions (before, after, kernel) one after the other on size x size maps."""
        rows = [_conv(*step, size) for step in steps]
        terms = " + ".join(f"{size}² · {k}² · {before} · {after}" for before, after, k in steps)
        total = sum(row.mult_adds for row in rows)
        return Reading(total, f"{terms} = {total:,} mult-adds")

    def stacked_field():
        table = _layers(*(nn.Conv2d(1, 1, 3) for _ in range(3)), size=(1, 16, 16))
        field = table.rows[-1].receptive_field[0]
        more = " + ".join(f"({row.kernel_size[0]} - 1)" for row in table.rows)
        return Reading(field, f"1 + {more} = {field} pixels")

    def naive():
        module = NaiveInception(256, BRANCHES["1x1"], BRANCHES["3x3"], BRANCHES["5x5"])
        rows = _weighted(_layers(module, size=(256, 28, 28)))
        terms = " + ".join(f"{row.mult_adds / 1e6:.1f}" for row in rows)
        total = sum(row.mult_adds for row in rows)
        return Reading(total, f"{terms} = {_millions(total)} mult-adds")

    def reduced(id):
        module = Inception(256, BRANCHES["1x1"], 64, BRANCHES["3x3"], 64, BRANCHES["5x5"], 64)
        rows = _weighted(_layers(module, size=(256, 28, 28)))
        [three] = [row.mult_adds for row in rows if row.kernel_size == (3, 3)]
        total = sum(row.mult_adds for row in rows)
        terms = " + ".join(f"{row.mult_adds / 1e6:.1f}" for row in rows)
        twice = f"the 3x3 convolution ({_millions(three)}) counted twice gives {_millions(total + three)}"
        cause = _cause(printed[id], ((total + three) / 1e6, twice))
        return Reading(total, f"{terms} = {_millions(total)} mult-adds{cause}")

    def stack(kernel, depth):
        rows = [_conv(64, 64, kernel, 28) for _ in range(depth)]
        multiple = sum(map(_weights, rows)) / 64**2
        return Reading(multiple, f"{depth} · {kernel}² = {multiple:g}, counted for K = 64")

    wide = (192, 32, 5)
    narrow = [(192, 16, 1), (16, 32, 5)]
    return {
        "B01": lambda: cost((256, 192, 3)),
        "B02": lambda: cost((256, 64, 1), (64, 192, 3)),
        "B03": stacked_field,
        "B04": naive,
        "B05": lambda: reduced("B05"),
        "C13": lambda: stack(7, 1),
        "C14": lambda: stack(3, 3),
        "C24": lambda: cost(wide),
        "C25": lambda: cost(*narrow),
        "D24": lambda: reduced("D24"),
        "E02": lambda: cost(wide),
        "E03": lambda: cost(narrow[0]),
        "E04": lambda: cost(narrow[1]),
        "E05": lambda: cost(*narrow),
    }


def _mobilenet(net, printed) -> dict:
    def full(count):
        row = _conv(512, 512, 3, 14)
        value = {"mult-adds": row.mult_adds, "parameters": _weights(row)}[count]
        places = "14² · " if count == "mult-adds" else ""
        return Reading(value, f"{places}3² · 512 · 512 = {value:,}")

    def separable(count, channels=512, size=14):
        rows = _conv(channels, channels, 3, size, groups=channels), _conv(channels, channels, 1, size)
        value = sum(row.mult_adds if count == "mult-adds" else _weights(row) for row in rows)
        places = f"{size}² · " if count == "mult-adds" else ""
        return Reading(value, f"{places}(3² · {channels} + {channels}²) = {value:,}")

    def whole(count, **options):
        value = getattr(net("mobilenet", **options), count)
        return Reading(value, f"our MobileNet{' with full convolutions' if options else ''}: {value:,}")

    def full_work():
        convolutions = [row for row in net("mobilenet", separable=False).rows if row.kind == "Conv2d"]
        inside = sum(row.mult_adds for row in convolutions)
        return [
            whole("mult_adds", separable=False),
            Reading(inside, f"without its linear layer {inside:,}, though the {printed['B17']} million are with it"),
        ]

    def pointwise():
        table = net("mobilenet")
        inside = sum(row.mult_adds for row in table.rows if row.kernel_size == (1, 1))
        because = f"{_millions(inside)} / {_millions(table.mult_adds)} = {100 * inside / table.mult_adds:.1f} %"
        return Reading(inside / table.mult_adds, because)

    def thinner(count, resolution=1.0):
        return separable(count, round(0.75 * 512), round(resolution * 14))

    return {
        "B08": lambda: full("mult-adds"),
        "B09": lambda: full("parameters"),
        "B10": lambda: separable("mult-adds"),
        "B11": lambda: separable("parameters"),
        "B12": lambda: thinner("mult-adds"),
        "B13": lambda: thinner("parameters"),
        "B14": lambda: thinner("mult-adds", resolution=0.714),
        "B15": full_work,
        "B16": lambda: whole("parameters", separable=False),
        "B17": lambda: whole("mult_adds"),
        "B18": lambda: whole("parameters"),
        "B19": pointwise,
    }


def _keras() -> dict:
    def count(name):
        number = keras_parameters(name)
        return Reading(number.keras, number.explanation)

    return {id: lambda name=name: count(name) for id, name in KERAS.items()}


def _alexnet(net, printed) -> dict:
    def linear(table):
        return sum(row.parameters for row in table.rows if row.kind == "Linear")

    def layer(index):
        row = _weighted(net("alexnet"))[index]
        inputs = prod(row.kernel_size or (1,)) * row.input_shape[1]
        out = row.output_shape[1]
        return Reading(row.parameters, f"{inputs:,} · {out} weights + {out} biases = {row.parameters:,}")

    def total():
        number = net("alexnet").parameters
        return Reading(number, f"the eight layers together: {number:,}")

    def in_linear():
        number = linear(net("alexnet"))
        whole, share = _paper("alexnet_two_groups", "parameters, as printed"), float(printed["C11"])
        part = whole * share / 100
        arithmetic = f"the {share:g} % of C11, of the {whole:g} million that the paper prints, are {part:g} million"
        because = f"{number:,} of {net('alexnet').parameters:,}{_cause(printed['C10'], (part, arithmetic))}"
        return Reading(number, because)

    def share():
        parts = []
        for form, name in (("one tower", "alexnet"), ("two groups", "alexnet_two_groups")):
            inside, whole = linear(net(name)), net(name).parameters
            parts.append((inside / whole, f"{form}: {inside:,} / {whole:,} = {100 * inside / whole:.1f} %"))
        part, whole = float(printed["C10"]), _paper("alexnet_two_groups", "parameters, as printed")
        arithmetic = f"{part:g} million (C10) of the {whole:g} that the paper prints are {100 * part / whole:g} %"
        cause = _cause(printed["C11"], (100 * part / whole, arithmetic))
        return [Reading(*parts[0]), Reading(parts[1][0], parts[1][1] + cause)]

    def neurons():
        channels, height, width = _weighted(net("alexnet"))[0].output_shape[1:]
        number, other = channels * height * width, int(printed["C12"])
        wrong = _product(height, other // height // channels, channels)
        paper = _paper("alexnet_two_groups", "neurons, conv1, as printed")
        cause = _cause(
            printed["C12"],
            (
                paper,
                f"AlexNet's paper prints {paper:,.0f}, too, which is {wrong}",
            ),
        )
        return Reading(number, f"{_product(height, width, channels)} = {number:,}{cause}")

    def first():
        row = _weighted(net("alexnet"))[0]
        shape = _last_channels(row.output_shape)
        return Reading(shape, f"{_size_of(row)}: {shape}")

    def last_pool():
        pools = [row for row in net("alexnet").rows if row.kind == "MaxPool2d"]
        shape = _last_channels(pools[-1].output_shape)
        return Reading(shape, f"pooling {len(pools)} of {len(pools)}: {_size_of(pools[-1])}: {shape}")

    return {
        **{id: lambda index=index: layer(index) for id, index in ALEXNET_PARAMETERS.items()},
        "C09": total,
        "C10": in_linear,
        "C11": share,
        "C12": neurons,
        "D19": first,
        "D20": last_pool,
    }


def _googlenet_stem(net, printed) -> dict:
    def stem():
        return [row for row in net("googlenet").rows if row.stage == "stem"]

    def convolutions():
        return [row for row in stem() if row.mult_adds]

    def work(index):
        row = convolutions()[index]
        (height, width), (channels, out) = row.output_shape[2:], (row.input_shape[1], row.output_shape[1])
        terms = f"{height} · {width} · {row.kernel_size[0]}² · {channels} · {out}"
        return Reading(row.mult_adds, f"{terms} = {row.mult_adds:,}")

    def first_memory():
        return _memory(convolutions()[0].activations, kilo=True)

    def third_parameters():
        row = convolutions()[2]
        because = f"{_weight_factors(row)} = {_weights(row):,} weights, {row.parameters:,} with biases"
        return Reading(_weights(row), because)

    def memory():
        stored = [row for row in stem() if row.mult_adds or "Pool" in row.kind]
        return _memory(sum(row.activations for row in stored))

    def parameters():
        numbers = [row.parameters for row in convolutions()]
        return Reading(sum(numbers), f"{' + '.join(f'{number:,}' for number in numbers)} = {sum(numbers):,}")

    def whole_work():
        numbers = [row.mult_adds for row in convolutions()]
        pools = sum(prod(row.kernel_size) * row.activations for row in stem() if "Pool" in row.kind)
        terms, total = " + ".join(f"{number / 1e6:.1f}" for number in numbers), sum(numbers) + pools
        because, whole = f"with {_millions(pools)} comparisons of the poolings {_millions(total)}", f"{total / 1e6:.0f}"
        if sorted(whole) == sorted(printed["C22"]) and whole != printed["C22"]:
            because += f"; the printed {printed['C22']} has the digits of {whole} in another order"
        return [
            Reading(sum(numbers), f"{terms} = {_millions(sum(numbers))} mult-adds"),
            Reading(total, because),
        ]

    def against_vgg():
        ours = sum(row.mult_adds for row in convolutions())
        before = [row.mult_adds for row in net("vgg16").rows if row.kind == "Conv2d" and row.output_shape[-1] >= 56]
        stem_printed = float(printed["C22"])
        divisors = (stem_printed, float(f"{stem_printed:.2g}"))  # as it is printed, and at two digits
        ratios = [sum(before[:-1]) / 1e6 / divisor for divisor in divisors]
        fewer = f"without the last convolution {_millions(sum(before[:-1]))}"
        cause = _cause(
            printed["C23"],
            (ratios[0], f"{fewer}, divided by the {divisors[0]:g} of C22 = {ratios[0]:.2f}"),
            (
                ratios[1],
                f"{fewer}, divided by the {divisors[0]:g} of C22 at two digits, {divisors[1]:g}, = {ratios[1]:.2f}; "
                f"by {divisors[0]:g} itself it would be {ratios[0]:.2f}",
            ),
        )
        return Reading(
            sum(before) / ours,
            f"{len(before)} convolutions of VGG-16 lie before 28 x 28: {_millions(sum(before))} mult-adds, divided by "
            f"{_millions(ours)} = {sum(before) / ours:.1f}{cause}",
        )

    return {
        "C15": first_memory,
        "C16": lambda: work(0),
        "C17": lambda: work(1),
        "C18": lambda: work(2),
        "C19": third_parameters,
        "C20": memory,
        "C21": parameters,
        "C22": whole_work,
        "C23": against_vgg,
    }


def _arithmetic(printed) -> dict:
    def by_hand():
        image, kernel = np.arange(9).reshape(3, 3), np.arange(4).reshape(2, 2)
        [output] = convolution(image, kernel).output
        sums = []
        for (top, left), value in np.ndenumerate(output):
            window = image[top : top + len(kernel), left : left + kernel.shape[1]]
            pairs = zip(window.flat, kernel.flat, strict=True)
            sums.append(f"{' + '.join(f'{pixel}·{weight}' for pixel, weight in pairs)} = {value:g}")
        return Reading(" ".join(f"{value:g}" for value in output.flat), ", ".join(sums))

    def size(stride, padding=0):
        pixels = output_size(7, 3, stride, padding)
        return Reading(pixels, f"⌊(7 + 2·{padding} - 3) / {stride}⌋ + 1 = {pixels}")

    def misfit():
        pixels, kernel, stride = 7, 3, 3
        left, size = leftover(pixels, kernel, stride), output_size(pixels, kernel, stride)
        return [
            Reading(f"{size}", f"torch rounds ({pixels} - {kernel}) / {stride} down: {size} x {size}"),
            Reading("does not fit" if left else "fits", f"the last window ends {left} pixel before the edge"),
        ]

    def unshared(filters, padding):
        layer = nn.Conv2d(3, filters, 5, padding=padding)
        row = _layers(layer, size=(3, 32, 32)).rows[0]
        # Each multiplication would have a weight of its own.
        each = _product(*row.kernel_size, row.input_shape[1])
        return Reading(
            row.mult_adds, f"{_last_channels(row.output_shape)} neurons, {each} weights each: {row.mult_adds:,}"
        )

    def shared():
        row = _layers(nn.Conv2d(3, 30, 5, padding=2), size=(3, 32, 32)).rows[0]
        biases = row.parameters - _weights(row)
        return Reading(_weights(row), f"{_weight_factors(row)} = {_weights(row):,}, and {biases} biases")

    def discarded():
        steps = pooling(np.zeros((1, 4, 4)), 2, stride=2)
        kept, there = steps.output.size, steps.input.size
        share = 1 - kept / there
        return Reading(share, f"{kept} of {there} numbers are kept: {100 * share:g} % are not")

    def ten_filters(channels):
        row = _conv(channels, 10, 3, 32)
        biases = row.parameters - _weights(row)
        return Reading(row.parameters, f"{_weight_factors(row)} weights + {biases} biases = {row.parameters}")

    def last_linear():
        table = _layers(nn.Flatten(), nn.Linear(160, 10), size=(10, 4, 4))
        [row] = _weighted(table)
        factors, biases = _product(*table.input_shapes[0][1:], row.output_shape[1]), row.parameters - _weights(row)
        return [
            Reading(row.parameters, f"{factors} weights + {biases} biases = {row.parameters:,}"),
            Reading(_weights(row), f"the weights alone are {_weights(row):,}, though elsewhere biases are counted"),
        ]

    def gaussian():
        total = convolution(np.ones((5, 5)), GAUSSIAN_273).output.item()
        return Reading(total, f"on an image of ones the kernel answers with its sum: {total:g}")

    def three_layers():
        layers = [nn.Conv2d(before, 64, 3, padding=1) for before in (3, 64, 64)]
        rows = _layers(*layers, size=(3, 224, 224)).rows
        numbers = sum(row.activations for row in rows)
        found = _memory(2 * numbers)
        reason = f"{_millions(numbers)} activations and as many gradients; {found[0].because}"
        rounded = round(rows[0].activations / 1e6)
        early = len(rows) * rounded * 2 * FLOAT
        arithmetic = (
            f"{_millions(rows[0].activations)} a layer rounded to {rounded} before they are multiplied, "
            f"{_product(len(rows), rounded, 2, FLOAT)} = {early}"
        )
        cause = _cause(printed["D14"], (early, arithmetic))
        return [
            Reading(found[0].value, reason, found[0].unit),
            Reading(found[1].value, found[1].because + cause, found[1].unit),
        ]

    def one_less():
        [row] = _layers(nn.MaxPool2d(3, stride=1), size=(1, 28, 28)).rows
        return Reading(_times(row.output_shape[1:]), _size_of(row))

    return {
        "D01": by_hand,
        "D02": lambda: size(1),
        "D03": lambda: size(2),
        "D04": misfit,
        "D05": lambda: size(1, 1),
        "D06": lambda: unshared(5, 0),
        "D07": lambda: unshared(30, 2),
        "D08": shared,
        "D09": discarded,
        "D10": lambda: ten_filters(3),
        "D11": lambda: ten_filters(10),
        "D12": last_linear,
        "D13": gaussian,
        "D14": three_layers,
        "E01": one_less,
    }


def _vgg(net, printed) -> dict:
    def activations():
        """Numbers in the image and in the outputs of convolutions, poolings and linear layers; and with ReLU's."""
        table = net("vgg16")
        image = prod(table.input_shapes[0])
        stored = [row for row in table.rows if row.mult_adds or "Pool" in row.kind]
        separate = [row for row in table.rows if row.kind.lower() == "relu"]  # layers, and functions between layers
        in_place = image + sum(row.activations for row in stored)
        return in_place, in_place + sum(row.activations for row in separate)

    def numbers():
        in_place, separate = activations()
        said = float(printed["D15"]) * 1e6
        because = f"with the outputs of ReLU stored apart {separate:,}"
        if in_place < said < separate:
            because += (
                f"; the printed {printed['D15']} lies between the two ({said / in_place:.2f} and "
                f"{said / separate:.2f} times as much), no way to count was found that gives it"
            )
        return [
            Reading(in_place, f"the lecture's own list of layers adds up to {in_place:,}"),
            Reading(separate, because),
        ]

    def memory():
        in_place, separate = activations()
        carried = float(printed["D15"]) * FLOAT
        arithmetic = f"the {printed['D15']} million of D15 · {FLOAT} bytes = {carried:g}, an error carried on"
        because = (
            f"with the outputs of ReLU {separate * FLOAT / 1e6:,.1f} MB{_cause(printed['D16'], (carried, arithmetic))}"
        )
        return [*_memory(in_place), Reading(separate * FLOAT, because)]

    def parameters():
        number = net("vgg16").parameters
        return Reading(number, f"our VGG-16 has {number:,}")

    def first_linear():
        rows = net("vgg16").rows
        row = next(row for row in rows if row.kind == "Linear")
        pool = [row for row in rows if "Pool" in row.kind][-1]
        factors = _product(*pool.output_shape[1:], row.output_shape[1])
        return Reading(_weights(row), f"{factors} = {_weights(row):,}")

    def work():
        number = net("vgg19").mult_adds
        return Reading(number, f"our VGG-19: {number:,}")

    return {"D15": numbers, "D16": memory, "D17": parameters, "D18": first_linear, "D23": work}
