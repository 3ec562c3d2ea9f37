"""The long experiments: tables of independent cells, most important first."""

from dataclasses import asdict, dataclass

from cnnviz.training.recipe import Recipe

SCALES = ("quick", "reduced", "full")


@dataclass(frozen=True)
class Cell:
    """One training run of an experiment."""

    experiment: str
    scale: str  # quick: seconds; reduced: minutes; full: all images, as reported
    model: str  # name in MODELS
    dataset: str  # name in DATASETS
    recipe: Recipe
    seed: int  # of the weights and of the run; 0, 1, 2, never chosen by its result
    train_limit: int | None = None  # images; None: all
    test_limit: int | None = None

    @property
    def name(self) -> str:
        """A name for files and progress bars."""
        return f"{self.experiment}-{self.scale}-{self.model}-{self.dataset}-{self.seed}"

    def key(self) -> dict:
        """Return the cell as plain values: what a stored result must agree with to be this cell's."""
        return asdict(self)


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


EXPERIMENTS = {
    "lenet": lenet,
}


def cells(experiment: str, scale: str) -> list[Cell]:
    """Return the cells of one experiment, or of "all", in the order of their importance."""
    names = list(EXPERIMENTS) if experiment == "all" else [experiment]
    return [cell for name in names for cell in EXPERIMENTS[name](scale)]
