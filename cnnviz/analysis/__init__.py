"""Arrays or a network in, numbers out: frozen dataclasses that can `describe()` themselves."""

from cnnviz.analysis.architecture import Architecture, Edge, Part, architecture
from cnnviz.analysis.comparison import Comparison, comparison, provenance
from cnnviz.analysis.confusion import Confusion, confusion
from cnnviz.analysis.convolution import Steps, convolution, leftover, output_size, pad_amounts, pooling
from cnnviz.analysis.depth import depth
from cnnviz.analysis.diagnosis import diagnoses
from cnnviz.analysis.directions import cosine, interpolate_direction, length, random_direction
from cnnviz.analysis.evaluate import Evaluation, evaluate
from cnnviz.analysis.experiment import Experiment, experiment
from cnnviz.analysis.feature_maps import FeatureMaps, feature_maps
from cnnviz.analysis.filters import Filters, filters
from cnnviz.analysis.growth import growth
from cnnviz.analysis.hessian import CurvatureMap, HessianExtremes, curvature_map, hessian_extremes
from cnnviz.analysis.hooks import capture, untouched
from cnnviz.analysis.keras_parameters import Difference, KerasParameters, keras_parameters
from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.analysis.landscape import Landscape, landscape
from cnnviz.analysis.layer_table import LayerRow, LayerTable, Stage, layer_table
from cnnviz.analysis.lectures import lecture_numbers
from cnnviz.analysis.lesion import LesionStudy, deleted, lesion_study, reordered
from cnnviz.analysis.linear_field import LinearField, linear_field
from cnnviz.analysis.loss_surface import LossLine, LossSurface, loss_line, loss_surface
from cnnviz.analysis.noise import NOISES, NoiseRemoval, add_noise, noise_removal, psnr, rmse
from cnnviz.analysis.path_lengths import length_distribution, number_of_paths
from cnnviz.analysis.path_study import PathStudy, path_study
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
from cnnviz.analysis.residual_paths import (
    PathLengthProfile,
    PathSample,
    path_gradients,
    path_length_profile,
    path_shares,
    sample_path_gradients,
)
from cnnviz.analysis.signals import Signals, signals
from cnnviz.analysis.statements import lecture_statements
from cnnviz.analysis.tradeoff import Network, Tradeoff, network, tradeoff
from cnnviz.analysis.trajectory import Plane, Trajectory, pca_directions, project, random_walk, trajectory

__all__ = [
    "KERNELS",
    "NOISES",
    "SAMPLES",
    "Architecture",
    "BorderEffect",
    "Comparison",
    "Confusion",
    "CurvatureMap",
    "Difference",
    "Edge",
    "Evaluation",
    "Experiment",
    "FeatureMaps",
    "Filters",
    "HessianExtremes",
    "KerasParameters",
    "Landscape",
    "LayerRow",
    "LayerTable",
    "LesionStudy",
    "LinearField",
    "LossLine",
    "LossSurface",
    "Network",
    "NoiseRemoval",
    "Part",
    "PathLengthProfile",
    "PathSample",
    "PathStudy",
    "PhotoFilter",
    "Plane",
    "ReceptiveField",
    "Signals",
    "Stage",
    "Steps",
    "Tradeoff",
    "Trajectory",
    "add_noise",
    "architecture",
    "border_effect",
    "capture",
    "comparison",
    "confusion",
    "convolution",
    "cosine",
    "curvature_map",
    "deleted",
    "depth",
    "diagnoses",
    "edge_magnitude",
    "evaluate",
    "experiment",
    "feature_maps",
    "filters",
    "growth",
    "hessian_extremes",
    "interpolate_direction",
    "keras_parameters",
    "kernel",
    "landscape",
    "layer_table",
    "lecture_numbers",
    "lecture_statements",
    "leftover",
    "length",
    "length_distribution",
    "lesion_study",
    "linear_field",
    "loss_line",
    "loss_surface",
    "median_filter",
    "network",
    "noise_removal",
    "number_of_paths",
    "output_size",
    "pad_amounts",
    "path_gradients",
    "path_length_profile",
    "path_shares",
    "path_study",
    "pca_directions",
    "photo",
    "photo_filter",
    "pooling",
    "project",
    "provenance",
    "psnr",
    "random_direction",
    "random_walk",
    "receptive_field",
    "reordered",
    "rmse",
    "sample_path_gradients",
    "signals",
    "tradeoff",
    "trajectory",
    "untouched",
]
