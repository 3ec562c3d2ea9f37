"""Arrays or a network in, numbers out: frozen dataclasses that can `describe()` themselves."""

from cnnviz.analysis.comparison import Comparison, comparison, provenance
from cnnviz.analysis.confusion import Confusion, confusion
from cnnviz.analysis.evaluate import Evaluation, evaluate
from cnnviz.analysis.feature_maps import FeatureMaps, feature_maps
from cnnviz.analysis.filters import Filters, filters
from cnnviz.analysis.hooks import capture, untouched
from cnnviz.analysis.signals import training_signals

__all__ = [
    "Comparison",
    "Confusion",
    "Evaluation",
    "FeatureMaps",
    "Filters",
    "capture",
    "comparison",
    "confusion",
    "evaluate",
    "feature_maps",
    "filters",
    "provenance",
    "training_signals",
    "untouched",
]
