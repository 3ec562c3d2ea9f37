"""Print the layer table of a model of the course, or of one's own: `python -m cnnviz.analysis.layer_table resnet50`.

One's own is named by the module and what makes it: `package.module:factory --input-size 3 64 64`.
"""

import argparse
import importlib
import sys

import torch
from torch import nn

from cnnviz.analysis.layer_table import layer_table
from cnnviz.models import MODELS, create_model


def model_of(name: str) -> nn.Module:
    """Return a model of the course by its name, or what `package.module:factory` makes.

    Raises:
        ValueError: there is no such model, module or factory.
    """
    if ":" not in name:
        with torch.device("meta"):
            return create_model(name)
    place, _, factory = name.partition(":")
    try:
        model = getattr(importlib.import_module(place), factory)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import {factory!r} from {place!r}: {error}") from error
    return model if isinstance(model, nn.Module) else model()


def main(arguments: list[str] | None = None) -> int:
    """Print the table of the model that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cnnviz.analysis.layer_table", description=__doc__.splitlines()[0])
    parser.add_argument("model", help=f"package.module:factory, or one of {', '.join(MODELS)}")
    parser.add_argument("--input-size", type=int, metavar="N", nargs="+", help="without the batch: 3 224 224, or 224")
    parser.add_argument("--stages", action="store_true", help="only the sums of each stage")
    options = parser.parse_args(arguments)
    try:
        size = options.input_size
        table = layer_table(model_of(options.model), size[0] if size and len(size) == 1 else size)
    except (TypeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(table.stages_to_pandas().to_string(index=False) if options.stages else str(table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
