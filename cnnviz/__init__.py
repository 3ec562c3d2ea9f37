"""A course about convolutional networks that is also a laboratory. This page is the map of the package.

Importing cnnviz imports nothing else; ask for what you need, as in `from cnnviz.models import lenet5`.
Each part uses only those above it. What a chapter shows is computed by one of them.

cnnviz.files      a file appears whole or not at all: `whole_file`
cnnviz.models     one paper, one file: `lenet5`, `resnet50`; by name: `create_model`, `list_models`
cnnviz.datasets   a name in, images and labels out: `load_dataset`, `ImageSet`; published and measured numbers:
                  `published`, `measured`
cnnviz.analysis   arrays or a network in, numbers out, each a frozen dataclass that describes itself: `convolution`
                  (sizes, padding, every step), `kernels`, `photo_filter`, `feature_maps`, `filters`, `evaluate`,
                  `losses`, `confusion`, `comparison` (a paper's number beside ours), `experiment` (what was measured);
                  a network in training: `signals`, and what they mean: `diagnoses`; any network taken apart:
                  `layer_table`, `architecture`, `receptive_field`; its loss along lines and over planes:
                  `loss_surface`, `random_direction`, `trajectory`, `hessian_extremes`, `landscape`; its gradient by the
                  length of residual paths, and what it loses without a block: `path_length_profile`, `lesion_study`,
                  `path_study`; `stack` and `designs` (layers in plain words), what they cost; `lecture_numbers` and
                  `lecture_statements`, recomputed
cnnviz.training   the one training loop, which yields records and draws nothing: `fit`, `Recipe`, `RECIPES`,
                  `EpochRecord`, `Run`; where it runs: `best_device`, `profile`
cnnviz.figures    numbers in, a figure out: `plot_feature_maps`, `plot_filters`, `plot_confusion`,
                  `plot_learning_curves`, `plot_experiment`, `plot_receptive_field`, `plot_loss_surface`,
                  `plot_loss_line`, `plot_path_lengths`, `plot_lesions`, `montage`; moving: `convolution`; colours:
                  `style`
cnnviz.widgets    controls around a picture: `ConvolutionExplorer`, `PhotoFilterExplorer`, `ChannelExplorer`,
                  `CostExplorer`, `ReceptiveFieldExplorer`, `ArchitectureExplorer`, `LossSurfaceExplorer`,
                  `PathLengthExplorer`, `UnraveledExplorer`, `LesionExplorer`, `TrainingMonitor`, `FeatureMapExplorer`,
                  `FilterExplorer`
cnnviz.exercises  checks of the learner's answers, one module a chapter: `ch01` to `ch19`
"""
