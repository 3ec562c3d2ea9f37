"""Numbers in, a figure out; nothing is computed here, and no torch is imported."""

from cnnviz.figures.confusion import plot_confused_images, plot_confusion
from cnnviz.figures.convolution import ConvolutionAnimation, animate_convolution
from cnnviz.figures.experiment import plot_experiment
from cnnviz.figures.feature_maps import plot_feature_maps, plot_layers
from cnnviz.figures.filters import plot_filters
from cnnviz.figures.learning_curves import plot_learning_curves
from cnnviz.figures.lesion import plot_lesions
from cnnviz.figures.loss_surface import plot_loss_line, plot_loss_surface
from cnnviz.figures.montage import montage, png
from cnnviz.figures.path_lengths import plot_path_lengths
from cnnviz.figures.photo import plot_landscape, plot_photos
from cnnviz.figures.receptive_field import plot_receptive_field
from cnnviz.figures.signals import plot_growth, plot_signals
from cnnviz.figures.tradeoff import plot_tradeoff

__all__ = [
    "ConvolutionAnimation",
    "animate_convolution",
    "montage",
    "plot_confused_images",
    "plot_confusion",
    "plot_experiment",
    "plot_feature_maps",
    "plot_filters",
    "plot_growth",
    "plot_landscape",
    "plot_layers",
    "plot_learning_curves",
    "plot_lesions",
    "plot_loss_line",
    "plot_loss_surface",
    "plot_path_lengths",
    "plot_photos",
    "plot_receptive_field",
    "plot_signals",
    "plot_tradeoff",
    "png",
]
