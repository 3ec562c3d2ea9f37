"""Arrays or a network in, numbers out: frozen dataclasses that can `describe()` themselves."""

from cnnviz.analysis.architecture import Architecture, Edge, Part, architecture
from cnnviz.analysis.comparison import Comparison, comparison, provenance
from cnnviz.analysis.confusion import Confusion, confusion
from cnnviz.analysis.convolution import Steps, convolution, leftover, output_size, pad_amounts, pooling
from cnnviz.analysis.depth import depth
from cnnviz.analysis.diagnosis import diagnoses
from cnnviz.analysis.evaluate import Evaluation, evaluate
from cnnviz.analysis.experiment import Experiment, experiment
from cnnviz.analysis.feature_maps import FeatureMaps, feature_maps
from cnnviz.analysis.filters import Filters, filters
from cnnviz.analysis.hooks import capture, untouched
from cnnviz.analysis.keras_parameters import Difference, KerasParameters, keras_parameters
from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.analysis.layer_table import LayerRow, LayerTable, Stage, layer_table
from cnnviz.analysis.lectures import lecture_numbers
from cnnviz.analysis.linear_field import LinearField, linear_field
from cnnviz.analysis.noise import NOISES, NoiseRemoval, add_noise, noise_removal, psnr, rmse
from cnnviz.analysis.photo import SAMPLES, photo
from cnnviz.analysis.photo_filter import (
    BorderEffect,
    PhotoFilter,
    border_effect,
    edge_magnitude,
    median_filter,
    photo_filter,
)
from cnnviz.analysis.receptive_field import ReceptiveField, receptive_field
from cnnviz.analysis.signals import Signals, signals
from cnnviz.analysis.statements import lecture_statements
from cnnviz.analysis.tradeoff import Network, Tradeoff, network, tradeoff

__all__ = [
    "KERNELS",
    "NOISES",
    "SAMPLES",
    "Architecture",
    "BorderEffect",
    "Comparison",
    "Confusion",
    "Difference",
    "Edge",
    "Evaluation",
    "Experiment",
    "FeatureMaps",
    "Filters",
    "KerasParameters",
    "LayerRow",
    "LayerTable",
    "LinearField",
    "Network",
    "NoiseRemoval",
    "Part",
    "PhotoFilter",
    "ReceptiveField",
    "Signals",
    "Stage",
    "Steps",
    "Tradeoff",
    "add_noise",
    "architecture",
    "border_effect",
    "capture",
    "comparison",
    "confusion",
    "convolution",
    "depth",
    "diagnoses",
    "edge_magnitude",
    "evaluate",
    "experiment",
    "feature_maps",
    "filters",
    "keras_parameters",
    "kernel",
    "layer_table",
    "lecture_numbers",
    "lecture_statements",
    "leftover",
    "linear_field",
    "median_filter",
    "network",
    "noise_removal",
    "output_size",
    "pad_amounts",
    "photo",
    "photo_filter",
    "pooling",
    "provenance",
    "psnr",
    "receptive_field",
    "rmse",
    "signals",
    "tradeoff",
    "untouched",
]
