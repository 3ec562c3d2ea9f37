"""The layer tables of the course's own models, each counted once."""

from functools import cache

import torch

from cnnviz.analysis.layer_table import LayerTable, layer_table
from cnnviz.models import create_model


@cache
def zoo_table(name: str, **options) -> LayerTable:
    """Return what the layers of a model cost, by its name in MODELS and its options; no weight is stored for it."""
    with torch.device("meta"):
        return layer_table(create_model(name, **options))
