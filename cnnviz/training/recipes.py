"""Recipes by name, as the papers print them, and one of ours. `replace(RECIPES[name], epochs=15)` makes one shorter:
the steps of the learning rate are shares of the run and move along.

What a recipe cannot hold is said beside it. Steps "when the validation error stopped improving" are taken from the
training loss here: test images that choose the step size would be test images that train.
"""

from cnnviz.training.recipe import Recipe

RECIPES = {
    # LeCun et al. 1998, section III.B: 20 passes, one image at a time; 0.0005 for two passes, 0.0002 for three, 0.0001
    # for three, 0.00005 for four, then 0.00001. Left out: each weight's own step size (divided by its curvature).
    "lenet1998": Recipe(
        epochs=20,
        batch_size=1,
        lr=0.0005,
        momentum=0.0,
        schedule="step",
        steps=((2 / 20, 0.4), (5 / 20, 0.2), (8 / 20, 0.1), (12 / 20, 0.02)),
    ),
    # Krizhevsky et al. 2012, sections 4 and 5: about 90 passes, lr a tenth when the validation error stopped improving,
    # translations, reflections, colours along their components. Translations: 32 of 256 pixels there, 4 of 32 here.
    "alexnet2012": Recipe(
        epochs=90,
        batch_size=128,
        lr=0.01,
        momentum=0.9,
        weight_decay=0.0005,
        schedule="plateau",
        crop_padding=4,
        flip=0.5,
        pca_colour=0.1,
    ),
    # Simonyan and Zisserman 2015, section 3.1: 74 passes, lr a tenth when the validation accuracy stopped improving.
    # Left out: images of random size before the crop.
    "vgg2014": Recipe(
        epochs=74,
        batch_size=256,
        lr=0.01,
        momentum=0.9,
        weight_decay=0.0005,
        schedule="plateau",
        crop_padding=4,
        flip=0.5,
        pca_colour=0.1,
    ),
    # He et al. 2016, section 4.2: 64,000 batches of 128, lr a tenth after 32,000 and again after 48,000; 4 pixels of
    # padding, random crop, reflection. ResNet-110 began with lr = 0.01 for 400 batches. (Theirs were 45,000 images and
    # 5,000 for validation; with all 50,000 images 64,000 batches are 164 passes.)
    "he2015_cifar": Recipe(
        epochs=164,
        batch_size=128,
        lr=0.1,
        momentum=0.9,
        weight_decay=0.0001,
        schedule="step",
        steps=((1 / 2, 0.1), (3 / 4, 0.01)),
        crop_padding=4,
        flip=0.5,
    ),
    # Ours, for comparisons in few epochs: one cycle of the step size, and a gradient that cannot run away.
    "one_cycle": Recipe(
        epochs=15,
        batch_size=128,
        lr=0.1,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.0005,
        schedule="one-cycle",
        clip_norm=1.0,
        crop_padding=4,
        flip=0.5,
    ),
}
