"""A course about convolutional networks that is also a laboratory. This page is the map of the package.

Importing cnnviz imports nothing else; ask for what you need, as in `from cnnviz.models import lenet5`.
Each part uses only those above it. What a chapter shows is computed by one of them.

cnnviz.files      `whole_file`: a file appears whole or not at all
cnnviz.models     one paper, one file: `lenet5`, `lenet5_1998`; by name with `create_model`, `list_models`
cnnviz.datasets   a name in, images and labels out: `load_dataset`, `ImageSet`; published numbers: `published`
cnnviz.analysis   arrays or a network in, numbers out, as a frozen dataclass that can `describe()` itself
cnnviz.training   the one training loop; it yields records and draws nothing
cnnviz.figures    those numbers in, a figure out; colours in `style`
cnnviz.widgets    controls around a figure; what is dragged computes and draws in the browser
cnnviz.exercises  checks of the learner's answers, one module a chapter
"""
