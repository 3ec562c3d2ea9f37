"""The one training loop, its recipes, and the device it runs on."""

from cnnviz.analysis.device import best_device, profile
from cnnviz.training.fit import EpochRecord, Run, fit
from cnnviz.training.recipe import Recipe
from cnnviz.training.recipes import RECIPES
from cnnviz.training.summary import summary

__all__ = ["RECIPES", "EpochRecord", "Recipe", "Run", "best_device", "fit", "profile", "summary"]
