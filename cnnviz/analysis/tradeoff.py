"""Networks as points: what each gets right, published, beside what it costs, counted here."""

from collections.abc import Iterable
from dataclasses import dataclass

from cnnviz.analysis.zoo import zoo_table
from cnnviz.datasets import PublishedNumber

FAMILIES = {  # the beginning of a name in MODELS, and what the networks of that name are made of
    "alexnet": "plain",
    "zfnet": "plain",
    "vgg": "plain",
    "plain": "plain",
    "googlenet": "Inception",
    "inception": "Inception",
    "resn": "residual",
    "densenet": "dense",
    "xception": "separable",
    "mobilenet": "separable",
    "nasnet": "separable",
}


@dataclass(frozen=True)
class Network:
    """One network at one place."""

    name: str
    family: str  # networks of one family share a colour and a symbol
    parameters: int
    mult_adds: int  # of one image
    accuracy: float  # percent of the images
    source: str


@dataclass(frozen=True, repr=False)
class Tradeoff:
    """Accuracy against mult-adds and parameters."""

    networks: tuple[Network, ...]
    measure: str = "top-1 accuracy on ImageNet"

    @property
    def front(self) -> tuple[Network, ...]:
        """Those that no other beats: none is more accurate for as few mult-adds, or as accurate for fewer."""
        best, found = float("-inf"), []
        for one in sorted(self.networks, key=lambda one: (one.mult_adds, -one.accuracy)):
            if one.accuracy > best:
                best, found = one.accuracy, [*found, one]
        return tuple(found)

    def describe(self) -> str:
        """Say the numbers of every network, and which are beaten by none."""
        points = [
            f"{one.name}: {one.accuracy:.1f} %, {one.mult_adds / 1e6:,.0f} million mult-adds, "
            f"{one.parameters / 1e6:.1f} million parameters."
            for one in self.networks
        ]
        return " ".join([f"{self.measure}.", *points, f"Beaten by none: {', '.join(one.name for one in self.front)}."])

    def __repr__(self) -> str:
        return self.describe()


def tradeoff(numbers: Iterable[PublishedNumber], measure: str = Tradeoff.measure) -> Tradeoff:
    """Return the networks of published accuracies (or errors, taken from 100) as points, in their order."""
    return Tradeoff(tuple(network(number) for number in numbers), measure)


def network(number: PublishedNumber, name: str = "", family: str = "", **options) -> Network:
    """Return one network as a point.

    Args:
        number: its published accuracy or error, in percent.
        name: what to call it; by default its name in MODELS.
        family: by default what it is made of.
        options: of the model, where the number is that of a variant.

    Raises:
        ValueError: the number is no percentage of images.
    """
    if number.unit != "percent":
        raise ValueError(f"accuracies and errors are counted in percent, not in {number.unit}: {number.describe()}")
    table = zoo_table(number.model, **options)
    accuracy = 100 - number.value if "error" in number.quantity else number.value
    known = next((kind for start, kind in FAMILIES.items() if number.model.startswith(start)), number.model)
    source = f"{number.paper}, {number.where}"
    return Network(name or number.model, family or known, table.parameters, table.mult_adds, accuracy, source)
