import pytest

from cnnviz.analysis import keras_parameters

# Keras' table of applications, which the lectures print; Keras 3.15 counts the same, `count_params()` of each.
KERAS = {
    "Xception": ("xception", 22_910_480),
    "VGG16": ("vgg16", 138_357_544),
    "VGG19": ("vgg19", 143_667_240),
    "ResNet50": ("resnet50", 25_636_712),
    "ResNet101": ("resnet101", 44_707_176),
    "ResNet152": ("resnet152", 60_419_944),
    "ResNet50V2": ("resnet50_v2", 25_613_800),
    "ResNet101V2": ("resnet101_v2", 44_675_560),
    "ResNet152V2": ("resnet152_v2", 60_380_648),
    "InceptionV3": ("inception_v3", 23_851_784),
    "InceptionResNetV2": ("inception_resnet_v2", 55_873_736),
    "MobileNet": ("mobilenet", 4_253_864),
    "MobileNetV2": ("mobilenet_v2", 3_538_984),
    "DenseNet121": ("densenet121", 8_062_504),
    "DenseNet169": ("densenet169", 14_307_880),
    "DenseNet201": ("densenet201", 20_242_984),
    "NASNetMobile": ("nasnet_mobile", 5_326_716),
    "NASNetLarge": ("nasnet_large", 88_949_818),
}


@pytest.mark.parametrize(("name", "ours", "printed"), [(name, *values) for name, values in KERAS.items()])
def test_our_own_model_gives_keras_count_to_the_unit(name, ours, printed):
    assert keras_parameters(ours).keras == printed
    assert keras_parameters(name) == keras_parameters(ours)


@pytest.mark.parametrize(
    ("name", "torch", "differences"),
    [  # what Keras' own layers say: biases of Conv2D, and the four (or three) weights of BatchNormalization
        ("vgg16", 138_357_544, []),
        ("resnet50", 25_557_032, [53_120, 26_560]),
        ("resnet50_v2", 25_549_352, [45_440, 19_008]),
        ("inception_v3", 27_161_264, [-3_326_696, -17_216, 34_432]),
        ("inception_resnet_v2", 55_843_464, [-30_272, 60_544]),
        ("mobilenet", 4_231_976, [21_888]),
    ],
)
def test_every_difference_to_torch_has_its_number(name, torch, differences):
    found = keras_parameters(name)
    assert found.torch == torch
    assert [difference.number for difference in found.differences] == differences


def test_the_explanation_is_the_sum():
    assert keras_parameters("resnet50").describe() == (
        "ResNet50: 25,557,032 as torch counts + 53,120 running means and variances, which training does not change "
        "(torch: buffers) + 26,560 biases of the convolutions, without effect, as normalisation takes every mean away "
        "= 25,636,712."
    )
    assert keras_parameters("vgg16").describe() == "VGG16: 138,357,544 as torch counts: the same network."


def test_an_unknown_network_is_named_with_those_that_there_are():
    with pytest.raises(ValueError, match="Keras' table has no 'resnet18'; it has xception, vgg16"):
        keras_parameters("resnet18")
