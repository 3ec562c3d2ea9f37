"""The long experiments: tables of independent cells, most important first.

What is compared stands in `variant` and `options`; all other fields are the same within a group of cells.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from torch import nn

from cnnviz.models import create_model
from cnnviz.models.laboratory import lab_net
from cnnviz.training.recipe import Recipe
from cnnviz.training.recipes import RECIPES

SCALES = ("quick", "reduced", "full")
LABORATORY = "lab_net"  # the model of the cells whose options are those of LabNet


@dataclass(frozen=True)
class Cell:
    """One training run of an experiment."""

    experiment: str
    scale: str  # quick: seconds; reduced: minutes; full: all images, as reported
    model: str  # name in MODELS, or lab_net
    dataset: str  # name in DATASETS
    recipe: Recipe
    seed: int  # of the weights and of the run; 0, 1, 2, never chosen by its result
    train_limit: int | None = None  # images; None: all
    test_limit: int | None = None
    variant: str = ""  # what it is called in tables and curves; empty: as the model
    group: str = ""  # cells of one group are compared with each other
    options: Mapping = field(default_factory=dict)  # of the model
    signals: bool = False  # whether the table keeps the signals of every layer
    # What is measured of it once it is trained: another plan for that is no other training.
    surface: Mapping = field(default_factory=dict, compare=False)  # points, images, seeds: slices of the loss
    paths: Mapping = field(default_factory=dict, compare=False)  # epochs, images, ...: path lengths and lesions

    @property
    def name(self) -> str:
        """A name for files and progress bars."""
        what = "-".join(filter(None, [self.group, self.variant or self.model]))
        return f"{self.experiment}-{self.scale}-{what}-{self.dataset}-{self.seed}".replace(" ", "_").replace("/", "_")

    def key(self) -> dict:
        """Return the cell as plain values: what a stored result must agree with to be this cell's."""
        return asdict(self)

    def build(self, num_classes: int, in_channels: int) -> nn.Module:
        """Return its model, untrained."""
        given = {"num_classes": num_classes, "in_channels": in_channels, **self.options}
        return lab_net(**given) if self.model == LABORATORY else create_model(self.model, **given)


def lenet(scale: str) -> list[Cell]:
    """LeNet-5, modern and of 1998, on MNIST and Fashion-MNIST, not augmented, as the paper's 0.95 %."""
    epochs, images, seeds = {"quick": (2, 2_000, 1), "reduced": (5, 12_000, 1), "full": (12, None, 3)}[scale]
    recipe = Recipe(epochs=epochs, batch_size=128, lr=0.05, momentum=0.9, weight_decay=5e-4, schedule="cosine")
    tests = None if scale == "full" else 2_000
    return [
        Cell("lenet", scale, model, dataset, recipe, seed, images, tests)
        for seed in range(seeds)
        for model in ("lenet5", "lenet5_1998")
        for dataset in ("mnist", "fashion_mnist")
    ]


def degradation(scale: str) -> list[Cell]:
    """Plain and residual networks of growing depth, with He's recipe (He et al. 2016, section 4.2, figure 6).

    Reduced, it shows how well each network optimises in a few passes, not where training ends.
    """
    epochs, depths = {"quick": (1, (20, 56)), "reduced": (15, (20, 56)), "full": (164, (20, 56, 32, 44))}[scale]
    recipe = replace(RECIPES["he2015_cifar"], epochs=epochs)
    rows = [Row(f"{kind}{depth}") for depth in depths for kind in ("plain", "resnet")]
    return _table("degradation", scale, rows, recipe, seeds=1 if scale == "quick" else 3, images=10_000)


def auxiliary_losses(scale: str) -> list[Cell]:
    """GoogLeNet with and without its auxiliary heads, with its local response normalisation or that of the batch."""
    rows = [
        Row(
            "googlenet",
            f"{'two' if heads else 'no'} auxiliary heads, {norm} normalisation".replace("_", " "),
            options={"small": True, "width": 0.31, "norm": norm, "aux_logits": heads},
            signals=True,
        )
        for norm in ("local_response", "batch")
        for heads in (True, False)
    ]
    return _table("auxiliary_losses", scale, rows, _one_cycle(scale, lr=0.02))


def small_filters(scale: str) -> list[Cell]:
    """One 7x7 convolution against three of 3x3, at equal widths and at equal costs; pooling against strides."""
    half = {"width": 0.5}
    rows = [
        Row(LABORATORY, "one 7x7", "filters", half | {"kernel_sizes": [3, 7]}),
        Row(LABORATORY, "three 3x3, as wide", "filters", half | {"kernel_sizes": [3] * 4}),
        Row(LABORATORY, "three 3x3, as many parameters", "filters", {"width": 0.65, "kernel_sizes": [3] * 4}),
        Row(LABORATORY, "three 3x3, as many mult-adds", "filters", {"width": 0.66, "kernel_sizes": [3] * 4}),
        *(
            Row(LABORATORY, words, "halving", half | {"kernel_sizes": [3, 3], "down": down})
            for down, words in (("max", "max pooling"), ("average", "average pooling"), ("stride", "stride 2"))
        ),
    ]
    return _table("small_filters", scale, rows, _one_cycle(scale))


def decisions(scale: str) -> list[Cell]:
    """Decisions one at a time: head, dropout and augmentation, loss, activation, normalisation by depth."""
    fast, plain = _one_cycle(scale), _one_cycle(scale, lr=0.02)
    still = {"crop_padding": 0, "flip": 0.0}
    deep = {"width": 0.5, "norm": False}
    return [
        *_table(
            "decisions",
            scale,
            [Row(LABORATORY, f"{head} head", "head", {"head": head}) for head in ("flatten", "average")],
            fast,
        ),
        *(
            cell
            for augmented in (True, False)
            for cell in _table(
                "decisions",
                scale,
                [
                    Row(
                        LABORATORY,
                        f"dropout {dropout:g}, {'with' if augmented else 'no'} augmentation",
                        "regularisation",
                        {"head": "flatten", "dropout": dropout},
                    )
                    for dropout in (0.0, 0.5)
                ],
                fast if augmented else replace(fast, **still),
            )
        ),
        *(
            cell
            for loss in ("cross_entropy", "l2")
            for cell in _table(
                "decisions", scale, [Row(LABORATORY, loss.replace("_", "-"), "loss")], replace(fast, loss=loss)
            )
        ),
        *_table(
            "decisions",
            scale,
            [
                Row(
                    LABORATORY,
                    activation.replace("_", " "),
                    "activation",
                    deep | {"kernel_sizes": [3, 3], "activation": activation},
                )
                for activation in ("relu", "leaky_relu", "tanh", "sigmoid")
            ],
            plain,
        ),
        *_table(
            "decisions",
            scale,
            [
                Row(
                    LABORATORY,
                    f"{3 * depth} layers, {'normalised' if norm else 'not normalised'}",
                    "normalisation",
                    {"width": 0.5, "kernel_sizes": [3] * depth, "norm": norm},
                )
                for depth in (1, 3, 6)
                for norm in (True, False)
            ],
            plain,
        ),
    ]


# Architectures in the order of their years, one of each idea first; the widths with which their small forms (three
# channels, ten classes) have at most 270,000 parameters, and at most 40.6 million mult-adds: what ResNet-20 has.
WIDTHS = {
    "alexnet": (0.18, 0.71),
    "vgg11_bn": (0.17, 0.51),
    "nin": (0.52, 0.39),
    "googlenet": (0.31, 0.58),
    "resnet20": (1.0, 1.0),
    "resnext50_32x4d": (0.1, 0.16),
    "densenet_bc100": (0.49, 0.49),
    "xception_small": (0.6, 0.62),
    "mobilenet": (0.28, 0.46),
    "mobilenet_v2": (0.27, 0.62),
    "plain20": (1.0, 1.0),
    "inception_v3": (0.2, 0.41),
    "zfnet": (0.16, 0.64),
    "vgg11": (0.17, 0.51),
    "vgg16_bn": (0.16, 0.37),
    "resnet18": (0.15, 0.28),
    "xception": (0.26, 0.4),
    "densenet121": (0.18, 0.18),
    "resnet50": (0.1, 0.18),
    "inception_v4": (0.2, 0.34),
    "inception_resnet_v2": (0.18, 0.34),
    "resnet56": (0.56, 0.62),
}
NOT_SMALL = ("resnet20", "plain20", "resnet56", "densenet_bc100")  # made for small images: they have no other form


def equal_budget(scale: str) -> list[Cell]:
    """Every architecture that has a form for small images, at equal parameters and at equal mult-adds.

    AdamW, because its steps do not depend on the scale of the gradients: a step size that fits networks with batch
    normalisation would leave those without it at chance.
    """
    recipe = replace(_one_cycle(scale, lr=0.003), optimizer="adamw", nesterov=False, weight_decay=0.05)
    if scale == "reduced":
        recipe = replace(recipe, epochs=6)  # 44 cells in about half an hour of two processor cores
    rows = [
        Row(model, group=group, options={"width": widths[place]} | ({} if model in NOT_SMALL else {"small": True}))
        for place, group in enumerate(("equal parameters", "equal mult-adds"))
        for model, widths in WIDTHS.items()
    ]
    return _table("equal_budget", scale, rows, recipe)


def convolution_kinds(scale: str) -> list[Cell]:
    """Full, grouped and separable convolutions at about 10 million mult-adds; MobileNet in four widths."""
    widths = {"full": 1.0, "grouped": 1.92, "separable": 2.69}
    rows = [
        *(Row(LABORATORY, kind, "kind", {"kind": kind, "width": width}) for kind, width in widths.items()),
        *(
            Row("mobilenet", f"width {width:g}", "width", {"small": True, "width": width})
            for width in (0.25, 0.5, 0.75, 1.0)
        ),
    ]
    return _table("convolution_kinds", scale, rows, _one_cycle(scale))


RELATIVES = (
    "resnet18", "plain18", "resnet18_v2", "resnet34", "plain34", "resnet34_v2", "resnet50", "resnet50_v2", "resnet101",
    "resnet101_v2", "resnet152", "resnet152_v2", "resnext50_32x4d", "resnext101_32x8d", "densenet121", "densenet169",
    "densenet201",
)  # fmt: skip


def relatives(scale: str) -> list[Cell]:
    """The families of ResNet, ResNeXt and DenseNet to their deepest members, in their forms for small images.

    Reduced, each learns a third of the handwritten digits with a few of its channels in under a minute of one processor
    core: that it learns at all is what is asked. Full, each has all channels and CIFAR-10.
    """
    recipe = replace(_one_cycle(scale, lr=0.003), optimizer="adamw", nesterov=False, weight_decay=0.05)
    full = scale == "full"
    if not full:
        recipe = replace(recipe, epochs={"quick": 1, "reduced": 6}[scale], batch_size=32, crop_padding=2, flip=0.0)
    train, test = (None, None) if full else (480, 300)
    width = {"resnext50_32x4d": 0.1, "resnext101_32x8d": 0.1} | dict.fromkeys(RELATIVES[-3:], 0.25)
    return [
        Cell(
            "relatives", scale, model, "cifar10" if full else "digits", recipe, 0, train, test,
            options={"small": True} | ({} if full else {"width": width.get(model, 0.15)}),
        )
        for model in RELATIVES
    ]  # fmt: skip


def loss_surfaces(scale: str) -> list[Cell]:
    """ResNets and plain networks that fit their training images as well as they can, for slices of their loss.

    The recipe is that of Li et al. (Visualizing the loss landscape of neural nets, NeurIPS 2018, section 5), with a
    tenth of the step size for the deeper plain network, which fails with theirs. Reduced has fewer images, each as it
    is: then 60 passes, at most twenty minutes a network on one processor core, are enough to fit them. The last
    network differs from the first in its batch alone.
    """
    epochs, images, tests = {"quick": (2, 500, 500), "reduced": (60, 5_000, 2_000), "full": (300, None, None)}[scale]
    points, shown = {"quick": (5, 100), "reduced": (31, 1_000), "full": (51, 10_000)}[scale]
    recipe = Recipe(
        epochs=epochs, batch_size=128, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.0005, schedule="step",
        steps=((1 / 2, 0.1), (3 / 4, 0.01), (11 / 12, 0.001)), precision="bf16",
    )  # fmt: skip
    if scale == "full":
        recipe = replace(recipe, crop_padding=4, flip=0.5)
    surface = {"points": points, "images": shown, "seeds": [0, 1, 2]}
    networks = {
        "resnet20": recipe,
        "plain20": recipe,
        "resnet56": recipe,
        "plain56": replace(recipe, lr=0.01),
        "resnet20, large batch": replace(recipe, batch_size=1280),
    }
    return [
        Cell("loss_surfaces", scale, name.split(",")[0], "cifar10", one, 0, images, tests, name, surface=surface)
        for name, one in networks.items()
    ]


def residual_paths(scale: str) -> list[Cell]:
    """ResNets before and after pre-activation, with stochastic depth, and plain networks: for their path lengths.

    With He's recipe (He et al. 2016, section 4.2); the step size of all rises during the first pass, as the paper has
    it for 110 layers. Stochastic depth as in its paper: after the addition, the last block survives every second time.
    Reduced, it shows how well each network optimises in a few passes, not where training ends.
    """
    epochs, images, tests = {"quick": (1, 500, 500), "reduced": (10, 10_000, 2_000), "full": (164, None, None)}[scale]
    recipe = replace(RECIPES["he2015_cifar"], epochs=epochs, warmup=1.0, precision="bf16")
    after = {"quick": [0, 1], "reduced": [0, 1, 3, 10], "full": [0, 1, 10, 82, 164]}[scale]
    shown, sampled, cut = {"quick": (4, 4, 100), "reduced": (64, 16, 1_000), "full": (1_000, 64, None)}[scale]
    signs, samples = {"quick": (1, 2), "reduced": (4, 20), "full": (16, 100)}[scale]
    paths = {"images": shown, "signs": signs, "sampled": sampled, "samples": samples, "lesions": cut}
    pre, last = {"preactivation": True}, {"survival": 0.5}
    networks = [
        ("resnet110", "resnet110, pre-activated", pre),
        ("resnet110", "resnet110", {}),
        ("resnet110", "resnet110, stochastic depth", last),
        ("plain110", "plain110", {}),
        *(
            cell
            for depth in (56, 20)
            for cell in (
                (f"resnet{depth}", f"resnet{depth}, pre-activated", pre),
                (f"resnet{depth}", f"resnet{depth}", {}),
                (f"plain{depth}", f"plain{depth}", {}),
            )
        ),
    ]
    return [
        Cell(
            "residual_paths", scale, model, "cifar10", recipe, 0, images, tests, variant, options=options,
            paths=paths | {"epochs": [] if model.startswith("plain") else after},
        )
        for model, variant, options in networks
    ]  # fmt: skip


EXPERIMENTS = {  # in the order in which `make gpu` runs what is missing
    "lenet": lenet,
    "degradation": degradation,
    "equal_budget": equal_budget,
    "auxiliary_losses": auxiliary_losses,
    "loss_surfaces": loss_surfaces,
    "residual_paths": residual_paths,
    "small_filters": small_filters,
    "convolution_kinds": convolution_kinds,
    "decisions": decisions,
    "relatives": relatives,
}


def cells(experiment: str, scale: str) -> list[Cell]:
    """Return the cells of one experiment, or of "all", in the order of their importance."""
    names = list(EXPERIMENTS) if experiment == "all" else [experiment]
    return [cell for name in names for cell in EXPERIMENTS[name](scale)]


@dataclass(frozen=True)
class Row:
    """What differs between the cells of an experiment on CIFAR-10."""

    model: str
    variant: str = ""
    group: str = ""
    options: Mapping = field(default_factory=dict)
    signals: bool = False


def _table(
    experiment: str, scale: str, rows: Iterable[Row], recipe: Recipe, *, seeds: int | None = None, images: int = 5_000
) -> list[Cell]:
    """Return a cell for each seed and row, on CIFAR-10; all images in full, `images` of them reduced.

    All multiply in bf16 where the device does: a processor that has it trains ResNet-20 about 1.7 times as fast.
    """
    recipe = replace(recipe, precision="bf16")
    train, test = {"quick": (500, 500), "reduced": (images, 2_000), "full": (None, None)}[scale]
    count = seeds or (3 if scale == "full" else 1)
    return [
        Cell(
            experiment, scale, row.model, "cifar10", recipe, seed, train, test,
            row.variant, row.group, row.options, row.signals,
        )
        for seed in range(count)
        for row in rows
    ]  # fmt: skip


def _one_cycle(scale: str, lr: float = 0.1) -> Recipe:
    """Return our recipe for comparisons, with as many epochs as the scale has."""
    return replace(RECIPES["one_cycle"], epochs={"quick": 1, "reduced": 10, "full": 30}[scale], lr=lr)
