"""Parameters as Keras counts them, from the layer tables of our own models; each difference with its reason.

torch counts what training changes. Keras' `count_params` also counts what it only stores: the running mean and
variance of batch normalisation, two numbers a channel. And some of its networks differ in biases, factors and heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cnnviz.analysis.layer_table import LayerRow, LayerTable
from cnnviz.analysis.zoo import zoo_table


@dataclass(frozen=True)
class Difference:
    """Numbers that Keras counts and torch does not; negative where torch counts and Keras does not."""

    number: int
    reason: str


@dataclass(frozen=True, repr=False)
class KerasParameters:
    """One network counted in both ways."""

    model: str  # name in MODELS
    name: str  # Keras' name
    torch: int  # parameters of our model
    differences: tuple[Difference, ...]

    @property
    def keras(self) -> int:
        """What Keras' `count_params()` returns."""
        return self.torch + sum(difference.number for difference in self.differences)

    @property
    def explanation(self) -> str:
        """The sum with its reasons, for instance 100 as torch counts + 20 running means = 120."""
        terms = [
            f"{'-' if number < 0 else '+'} {abs(number):,} {difference.reason}"
            for difference in self.differences
            if (number := difference.number)
        ]
        if not terms:
            return f"{self.torch:,} as torch counts: the same network"
        return " ".join([f"{self.torch:,} as torch counts", *terms, f"= {self.keras:,}"])

    def describe(self) -> str:
        """Say both counts and what lies between them."""
        return f"{self.name}: {self.explanation}."

    def __repr__(self) -> str:
        return self.describe()


@cache
def keras_parameters(name: str) -> KerasParameters:
    """Return how many parameters Keras counts for one of its networks (`keras.applications`, 1000 classes, with top).

    Args:
        name: ours, "resnet50_v2", or Keras', "ResNet50V2".

    Raises:
        ValueError: the lectures' table has no such network; the message lists those that it has.
    """
    ours = next((model for model, (keras, _) in NETWORKS.items() if name in (model, keras)), None)
    if ours is None:
        raise ValueError(f"Keras' table has no {name!r}; it has {', '.join(NETWORKS)}")
    table = zoo_table(ours)
    keras, rules = NETWORKS[ours]
    return KerasParameters(ours, keras, table.parameters, tuple(rule(table) for rule in rules))


def _running_statistics(table: LayerTable) -> Difference:
    numbers = sum(2 * _channels(row) for row in _normalisations(table))
    return Difference(numbers, "running means and variances, which training does not change (torch: buffers)")


def _without_factor(table: LayerTable) -> Difference:
    numbers = sum(map(_channels, _normalisations(table)))
    return Difference(-numbers, "factors of batch normalisation, which Keras leaves out here (scale=False)")


def _without_auxiliary_head(table: LayerTable) -> Difference:
    numbers = sum(row.parameters for row in table.rows if row.stage == "aux")
    return Difference(-numbers, "of the auxiliary head, which Keras leaves out")


def _biases_everywhere(table: LayerTable) -> Difference:
    numbers = sum(row.output_shape[1] for row in table.rows if row.kind == "Conv2d")
    return Difference(numbers, "biases of the convolutions, without effect, as normalisation takes every mean away")


def _biases_before_no_normalisation(table: LayerTable) -> Difference:
    """Keras normalises behind the stem's pooling, and has no bias only in a block's first two convolutions."""
    inside = ("residual.conv1", "residual.conv2")
    convolutions = [row for row in table.rows if row.kind == "Conv2d" and not row.name.endswith(inside)]
    numbers = sum(row.output_shape[1] for row in convolutions)
    return Difference(numbers, "biases of the stem, the projections and the last convolution of each block")


def _normalisations(table: LayerTable) -> list[LayerRow]:
    """Return the batch normalisations of the network, those of an auxiliary head left out."""
    return [row for row in table.rows if row.kind == "BatchNorm2d" and row.stage != "aux"]


def _channels(row: LayerRow) -> int:
    return row.output_shape[1]


Rule = Callable[[LayerTable], Difference]
V1: tuple[Rule, ...] = (_running_statistics, _biases_everywhere)
V2: tuple[Rule, ...] = (_running_statistics, _biases_before_no_normalisation)
NETWORKS: dict[str, tuple[str, tuple[Rule, ...]]] = {
    "xception": ("Xception", (_running_statistics,)),
    "vgg16": ("VGG16", ()),
    "vgg19": ("VGG19", ()),
    "resnet50": ("ResNet50", V1),
    "resnet101": ("ResNet101", V1),
    "resnet152": ("ResNet152", V1),
    "resnet50_v2": ("ResNet50V2", V2),
    "resnet101_v2": ("ResNet101V2", V2),
    "resnet152_v2": ("ResNet152V2", V2),
    "inception_v3": ("InceptionV3", (_without_auxiliary_head, _without_factor, _running_statistics)),
    "inception_resnet_v2": ("InceptionResNetV2", (_without_factor, _running_statistics)),
    "mobilenet": ("MobileNet", (_running_statistics,)),
    "mobilenet_v2": ("MobileNetV2", (_running_statistics,)),
    "densenet121": ("DenseNet121", (_running_statistics,)),
    "densenet169": ("DenseNet169", (_running_statistics,)),
    "densenet201": ("DenseNet201", (_running_statistics,)),
    "nasnet_mobile": ("NASNetMobile", (_running_statistics,)),
    "nasnet_large": ("NASNetLarge", (_running_statistics,)),
}  # Keras' name, and what it does otherwise
