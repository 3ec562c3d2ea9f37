import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn.functional import conv2d

from cnnviz.analysis.kernels import GAUSSIAN_273, KERNELS, kernel

SIZES = range(1, 8)
KEEP_FLAT_AREAS = {"identity", "box", "gaussian", "sharpen", "emboss"}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("size", SIZES)
def test_sum_is_one_or_zero_at_every_size(name, size):
    weight = kernel(name, size)
    assert weight.shape == (size, size)
    assert weight.dtype == np.float32
    assert weight.sum() == pytest.approx(1 if name in KEEP_FLAT_AREAS else 0, abs=1e-6)


def test_gaussian_is_the_integers_that_sum_to_273():
    assert GAUSSIAN_273.sum() == 273
    assert GAUSSIAN_273[2].tolist() == [7, 26, 41, 26, 7]
    np.testing.assert_allclose(kernel("gaussian") * 273, GAUSSIAN_273, rtol=1e-6)


def test_gaussian_of_five_is_close_to_the_sampled_gaussian_of_sigma_one():
    bell = np.exp(-(np.arange(-2, 3) ** 2) / 2)
    sampled = np.outer(bell, bell) / bell.sum() ** 2
    assert np.abs(kernel("gaussian") - sampled).max() < 0.012


def test_gaussian_of_three_is_one_two_one():
    np.testing.assert_array_equal(kernel("gaussian", 3) * 16, np.outer([1, 2, 1], [1, 2, 1]))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["box", "gaussian", "sharpen", "laplacian"])
def test_symmetric_kernels_are_equal_to_their_transpose_and_odd_ones_to_their_flip(name, size):
    weight = kernel(name, size)
    np.testing.assert_array_equal(weight, weight.T)
    if size % 2:
        np.testing.assert_array_equal(weight, weight[::-1, ::-1])


@pytest.mark.parametrize("size", SIZES)
def test_sobel_is_separable_and_y_is_x_transposed(size):
    x = kernel("sobel x", size)
    np.testing.assert_array_equal(kernel("sobel y", size), x.T)
    assert np.linalg.matrix_rank(x) == (1 if size > 1 else 0)


def test_sobel_smooths_down_and_differentiates_across():
    np.testing.assert_array_equal(kernel("sobel x"), np.outer([1, 2, 1], [-1, 0, 1]))


def test_sobel_x_is_positive_where_the_right_side_is_bright():
    dark_then_bright = torch.tensor([[0.0, 0, 1, 1]]).expand(1, 1, 4, 4)
    across = conv2d(dark_then_bright, torch.from_numpy(kernel("sobel x"))[None, None])
    down = conv2d(dark_then_bright, torch.from_numpy(kernel("sobel y"))[None, None])
    assert across.eq(4).all()
    assert down.eq(0).all()


@pytest.mark.parametrize(("name", "axis"), [("sobel x", 1), ("sobel y", 0)])
def test_sobel_agrees_with_scipy(name, axis):
    image = np.random.default_rng(0).normal(size=(9, 11))
    np.testing.assert_allclose(
        ndimage.correlate(image, kernel(name), mode="nearest"),
        ndimage.sobel(image, axis=axis, mode="nearest"),
        atol=1e-12,
    )


def test_laplacian_agrees_with_scipy_and_sharpen_is_identity_minus_laplacian():
    image = np.random.default_rng(0).normal(size=(9, 11))
    np.testing.assert_allclose(
        ndimage.correlate(image, kernel("laplacian"), mode="nearest"),
        ndimage.laplace(image, mode="nearest"),
        atol=1e-12,
    )
    for size in SIZES:
        np.testing.assert_array_equal(kernel("sharpen", size), kernel("identity", size) - kernel("laplacian", size))


@pytest.mark.parametrize("size", SIZES)
def test_identity_with_same_padding_changes_nothing(size):
    image = torch.rand(1, 1, 8, 9)
    same = ((size - 1) // 2, size // 2) * 2  # what padding="same" pads, written out
    padded = torch.nn.functional.pad(image, same)
    assert torch.equal(conv2d(padded, torch.from_numpy(kernel("identity", size))[None, None]), image)


def test_small_sizes_add_what_falls_outside_to_the_nearest_cell():
    assert kernel("sobel x", 2).tolist() == [[-3, 3], [-1, 1]]
    assert kernel("emboss", 2).tolist() == [[-3, 1], [1, 2]]
    assert kernel("laplacian", 1).tolist() == [[0]]


def test_a_large_size_is_the_natural_kernel_among_zeros():
    large = kernel("emboss", 6)
    np.testing.assert_array_equal(large[1:4, 1:4], KERNELS["emboss"])
    assert np.abs(large).sum() == np.abs(KERNELS["emboss"]).sum()


def test_the_result_is_a_copy():
    kernel("sobel x")[:] = 7
    assert kernel("sobel x")[0, 0] == -1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("blur",), ValueError, "there is no kernel 'blur'; choose one of identity, box"),
        (("box", 0), ValueError, r"kernel_size \(=0\) must be at least 1"),
        (("box", 2.5), TypeError, "float"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        kernel(*arguments)
