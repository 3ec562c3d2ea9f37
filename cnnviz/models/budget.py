"""Networks of one size: the width with which an architecture has as many parameters as it may have."""

import inspect

import torch

from cnnviz.models import MODELS, create_model

WIDEST = 32.0  # times the paper's channels; no wider network is looked for


def width_for(name: str, parameters: int, **options) -> float:
    """Return the largest `width`, in steps of 1 %, with which a model has at most so many parameters.

    `create_model(name, width=width_for(name, 250_000, small=True), small=True)` compares architectures at one budget.

    Args:
        name: of a model with the option `width`.
        parameters: the budget.
        options: the other options of the model; they count too.

    Raises:
        TypeError: a width is among the options.
        ValueError: the model has no option `width`, its narrowest form is larger than the budget, or its form of 32
            times the width is smaller.
    """
    if "width" in options:
        raise TypeError(f"width (={options['width']}) is what is looked for; leave it out of the options")
    if name in MODELS and "width" not in inspect.signature(MODELS[name]).parameters:
        raise ValueError(f"{name} has no option width: it has one size only")

    def count(hundredths: int) -> int:
        with torch.device("meta"):
            model = create_model(name, **options, width=hundredths / 100)
        return sum(parameter.numel() for parameter in model.parameters())

    low, high = 1, int(100 * WIDEST)
    if count(low) > parameters:
        raise ValueError(f"the narrowest {name} has {count(low):,} parameters, the budget is {parameters:,}")
    if count(high) < parameters:
        raise ValueError(
            f"even with a width of {WIDEST:g} {name} has {count(high):,} parameters only; the budget is "
            f"{parameters:,}, and wider networks are not built here"
        )
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(middle) <= parameters else (low, middle - 1)
    return low / 100
