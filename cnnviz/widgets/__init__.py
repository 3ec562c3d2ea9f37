"""Controls around a picture: drawn in the browser where it can be, as PNG by Python where only it has the numbers."""

from cnnviz.widgets.architecture import ArchitectureExplorer
from cnnviz.widgets.channels import ChannelExplorer
from cnnviz.widgets.convolution import ConvolutionExplorer
from cnnviz.widgets.cost import CostExplorer
from cnnviz.widgets.feature_maps import FeatureMapExplorer
from cnnviz.widgets.filters import FilterExplorer
from cnnviz.widgets.lesion import LesionExplorer
from cnnviz.widgets.loss_surface import LossSurfaceExplorer
from cnnviz.widgets.path_lengths import PathLengthExplorer
from cnnviz.widgets.photo_filter import PhotoFilterExplorer
from cnnviz.widgets.receptive_field import ReceptiveFieldExplorer
from cnnviz.widgets.training_monitor import TrainingMonitor
from cnnviz.widgets.unraveled import UnraveledExplorer

__all__ = [
    "ArchitectureExplorer",
    "ChannelExplorer",
    "ConvolutionExplorer",
    "CostExplorer",
    "FeatureMapExplorer",
    "FilterExplorer",
    "LesionExplorer",
    "LossSurfaceExplorer",
    "PathLengthExplorer",
    "PhotoFilterExplorer",
    "ReceptiveFieldExplorer",
    "TrainingMonitor",
    "UnraveledExplorer",
]
