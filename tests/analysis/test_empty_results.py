"""Shapes and types are those of torch on the processor; where torch refuses, so does it here."""

import pytest
import torch
import torch.nn.functional as F

from cnnviz.analysis.empty_results import empty_result

aten = torch.ops.aten
X, ROW = torch.ones(2, 4, 9, 7), torch.ones(7)


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (aten.convolution.default, (X, torch.ones(6, 2, 3, 2), None, [2, 1], [1, 0], [2, 1], False, [0, 0], 2), {}),
        (aten.convolution.default, (X, torch.ones(4, 3, 3, 3), None, [2], [1], [1], True, [1], 2), {}),
        (aten.convolution.default, (X[:, :, 0], torch.ones(5, 4, 3), None, [1], [0], [3], False, [0], 1), {}),
        (aten.max_pool2d_with_indices.default, (X, [3, 3], [2, 2], [1, 1], [1, 1], True), {}),
        (aten.max_pool2d_with_indices.default, (X, [2, 3]), {}),
        (aten.max_pool2d_with_indices.default, (X, [2], [3], [1]), {}),
        (aten.avg_pool2d.default, (X, [2], [], [1], True, False), {}),
        (aten.avg_pool3d.default, (X[None], [2, 1, 1], [1]), {}),
        (aten._adaptive_avg_pool2d.default, (X, [3, 5]), {}),
        (aten.mm.default, (X[0, 0], X[0, 1].T), {}),
        (aten.addmm.default, (torch.ones(9), X[0, 0], X[0, 1].T), {}),
        (aten.cat.default, ([X, X[:, :1]], 1), {}),
        (aten.cat.default, ([X, X], -1), {}),
        (aten.mean.dim, (X, [-1, 2]), {}),
        (aten.mean.dim, (X, [2, 3], True), {}),
        (aten.empty_like.default, (X,), {"dtype": torch.int64}),
        (aten.add.Tensor, (X, ROW), {"alpha": 2}),
        (aten.mul.Tensor, (X.long(), 2.5), {}),
        (aten.gt.Scalar, (X, 0), {}),
        (aten.where.self, (X > 0, X, X.double()), {}),
        (aten.relu.default, (X,), {}),
    ],
)
def test_shape_and_type_are_torchs(function, args, kwargs):
    expected = function(*args, **kwargs)
    found = empty_result(function, on_meta(args), kwargs)
    pairs = zip(expected, found, strict=True) if isinstance(expected, tuple) else [(expected, found)]
    for one, other in pairs:
        assert (other.shape, other.dtype, other.is_meta) == (one.shape, one.dtype, True)


def test_what_is_overwritten_comes_back():
    [x] = on_meta((X,))
    assert empty_result(aten.add_.Tensor, (x, 1), {}) is x


@pytest.mark.parametrize("training", [False, True])
def test_batch_normalisation_keeps_statistics_in_training_only(training):
    args = (X, ROW[:4], ROW[:4], ROW[:4].clone(), ROW[:4].clone(), training, 0.1, 1e-5)
    expected = aten.native_batch_norm.default(*args)
    found = empty_result(aten.native_batch_norm.default, on_meta(args), {})
    assert [tensor.shape for tensor in found] == [tensor.shape for tensor in expected]


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (aten.convolution.default, (X, torch.ones(6, 3, 3, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)),
        (aten.convolution.default, (X, torch.ones(6, 4, 11, 3), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)),
        (aten.max_pool2d_with_indices.default, (X, [10, 10])),
        (aten.avg_pool2d.default, (X, [10, 10])),
        (aten.mm.default, (X[0, 0], X[0, 1])),
        (aten.cat.default, ([X, X[:, :, 1:]], 1)),
        (aten.add.Tensor, (X, ROW[1:])),
        (aten.softmax.int, (X, 1)),
    ],
)
def test_what_does_not_fit_or_is_not_known_is_left_to_torch(function, args):
    assert empty_result(function, on_meta(args), {}) is None


def test_tensors_with_numbers_are_left_to_torch():
    assert empty_result(aten.relu.default, (X,), {}) is None
    assert F.relu(X).sum() == X.sum()


def on_meta(args):
    return tuple(
        arg.to("meta") if isinstance(arg, torch.Tensor) else
        [one.to("meta") if isinstance(one, torch.Tensor) else one for one in arg] if isinstance(arg, list) else arg
        for arg in args
    )  # fmt: skip
