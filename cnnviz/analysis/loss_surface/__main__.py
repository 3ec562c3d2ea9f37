"""Compute the surface of one's own weights: `python -m cnnviz.analysis.loss_surface resnet20 weights.pt surface.npz`.

The weights are what `torch.save(model.state_dict(), path)` wrote. Every finished row is kept in the npz file; the same
command goes on from there. Under `accelerate launch -m` several processes share the rows.
"""

import argparse
import contextlib
import io
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import torch

from cnnviz.analysis.device import as_device, best_device
from cnnviz.analysis.directions import NORMS, random_direction
from cnnviz.analysis.loss_surface import loss_surface
from cnnviz.analysis.slice import BN
from cnnviz.datasets import DATASETS, load_dataset
from cnnviz.models import MODELS, create_model

DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}


def main(arguments: list[str] | None = None) -> int:
    """Compute what the command line asks for; return 0, or 2 where something does not fit."""
    options = _parse(arguments)
    accelerator = None
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        from accelerate import Accelerator  # slow to import, and only several processes need it

        accelerator = Accelerator(cpu=options.device == "cpu")
    speaks = accelerator is None or accelerator.is_main_process
    with contextlib.nullcontext() if speaks else contextlib.redirect_stdout(io.StringIO()):
        try:
            print(_run(options, accelerator).describe())
        except (TypeError, ValueError, OSError) as error:
            print(error, file=sys.stderr)
            return 2
    if accelerator:
        accelerator.end_training()
    return 0


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m cnnviz.analysis.loss_surface", description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=MODELS, metavar="model", help=f"one of {', '.join(MODELS)}")
    parser.add_argument("weights", type=Path, help="a file of torch.save(model.state_dict(), ...)")
    parser.add_argument("surface", type=Path, help="the npz file to write, or to go on with")
    parser.add_argument("--dataset", choices=DATASETS, default="cifar10", help="default: cifar10")
    parser.add_argument("--images", type=int, default=1000, help="training images, evenly spaced; default: 1000")
    parser.add_argument("--points", type=int, default=31, help="on each axis, from -1 to 1; default: 31")
    parser.add_argument("--seed", type=int, default=0, help="of the two directions; default: 0")
    parser.add_argument("--norm", choices=NORMS, default="filter", help="of the directions; default: filter")
    parser.add_argument("--bn", choices=BN, default="frozen", help="statistics of batch normalisation; default: frozen")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the arithmetic; default: float32")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many minutes")
    parser.add_argument("--device", help=f"cuda, mps or cpu; here the default is {best_device()}")
    return parser.parse_args(arguments)


def _run(options, accelerator):
    data = load_dataset(options.dataset)
    few = data.subset(train=min(options.images, len(data.x_train)))
    model = create_model(options.model, num_classes=data.num_classes, in_channels=data.image_shape[0])
    try:
        state = torch.load(options.weights, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{options.weights} holds no weights ({type(error).__name__})") from None
    try:
        model.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"{options.weights} does not fit {options.model}: {reason}") from None
    generator = torch.Generator().manual_seed(options.seed)
    directions = [random_direction(model, norm=options.norm, generator=generator) for _ in range(2)]
    device = accelerator.device if accelerator else as_device(options.device)
    axis = np.linspace(-1, 1, options.points)
    return loss_surface(
        model.to(device), (data.normalise(few.x_train), few.y_train), *directions, alphas=axis, betas=axis,
        bn=options.bn, dtype=DTYPES[options.dtype], resume=options.surface, minutes=options.minutes,
        accelerator=accelerator, metadata={"network": options.model, "dataset": options.dataset, "seed": options.seed},
    )  # fmt: skip


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
