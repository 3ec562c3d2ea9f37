"""Sizes and steps against torch on random cases, refusals included; what is ours alone, against brute force."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnviz.analysis.convolution import PADDING_MODES, convolution, leftover, output_size, pad_amounts, pooling

small = st.integers(0, 4)
many = settings(max_examples=300, deadline=None)
some = settings(max_examples=80, deadline=None)


def outcome(call):
    """What a call gives: a number, or "refused" for the errors by which torch and cnnviz say no."""
    try:
        return call()
    except (RuntimeError, ValueError):
        return "refused"


def torch_size(layer, size, *arguments, **options):
    return layer(torch.zeros(1, 1, size), *arguments, **options).shape[-1]


@many
@given(st.integers(0, 12), st.integers(0, 7), small, st.integers(-1, 6), small)
def test_convolution_size_and_refusals_agree_with_torch(size, kernel_size, stride, padding, dilation):
    ours = outcome(lambda: output_size(size, kernel_size, stride, padding, dilation))
    weight = torch.zeros(1, 1, kernel_size)
    theirs = outcome(lambda: torch_size(F.conv1d, size, weight, None, stride, padding, dilation))
    if size == 0 and padding > 0:
        theirs = "refused"  # torch computes with an empty axis once it is padded; there is nothing to convolve
    assert ours == theirs


@many
@given(st.integers(1, 9), st.integers(1, 6), small, st.integers(-1, 6), small, st.integers(-1, 4))
def test_transposed_size_and_refusals_agree_with_torch(size, kernel_size, stride, padding, dilation, output_padding):
    ours = outcome(
        lambda: output_size(
            size, kernel_size, stride, padding, dilation, transposed=True, output_padding=output_padding
        )
    )
    weight = torch.zeros(1, 1, kernel_size)
    assert ours == outcome(
        lambda: torch_size(F.conv_transpose1d, size, weight, None, stride, padding, output_padding, 1, dilation)
    )


@many
@given(st.integers(1, 12), st.integers(0, 7), small, st.integers(-1, 4), small)
def test_ceil_mode_size_and_refusals_agree_with_torch_max_pooling(size, kernel_size, stride, padding, dilation):
    ours = outcome(lambda: output_size(size, kernel_size, stride, padding, dilation, ceil_mode=True))
    assert ours == outcome(
        lambda: torch_size(F.max_pool1d, size, kernel_size, stride, padding, dilation, ceil_mode=True)
    )


@some
@given(st.integers(1, 12), st.integers(1, 7), small, small)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_the_words_same_and_valid_agree_with_torch(size, kernel_size, stride, dilation):
    for word in ("same", "valid"):
        weight = torch.zeros(1, 1, kernel_size)
        ours = outcome(lambda word=word: output_size(size, kernel_size, stride, word, dilation))
        theirs = outcome(
            lambda word=word, weight=weight: torch_size(F.conv1d, size, weight, None, stride, word, dilation)
        )
        assert ours == theirs


@some
@given(st.integers(1, 10), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3), small, small)
def test_pairs_full_and_leftover_agree_with_windows_placed_by_hand(size, kernel_size, stride, dilation, before, after):
    total = dilation * (kernel_size - 1)
    for padding, pair in (((before, after), (before, after)), ("full", (total, total))):
        padded = size + sum(pair)
        starts = [start for start in range(0, padded, stride) if start + total < padded]
        ours = outcome(lambda padding=padding: output_size(size, kernel_size, stride, padding, dilation))
        assert ours == (len(starts) or "refused")
        if starts:
            beyond = padded - (starts[-1] + total + 1)
            assert leftover(size, kernel_size, stride, padding, dilation) == beyond


@pytest.mark.parametrize("kernel_size", [2, 3, 4, 5])
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_puts_an_odd_pixel_on_the_side_where_torch_puts_it(kernel_size):
    row, kernel = np.arange(1.0, 8), np.arange(1.0, kernel_size + 1)
    theirs = F.conv1d(torch.tensor(row)[None, None], torch.tensor(kernel)[None, None], padding="same")[0]
    np.testing.assert_array_equal(convolution(row, kernel, padding="same").output, theirs)


def test_full_holds_every_window_that_touches_the_input():
    assert output_size(5, 3, padding="full") == 7
    np.testing.assert_array_equal(
        convolution(np.arange(1.0, 4), [1.0, 10.0], padding="full").output[0], np.convolve([1, 2, 3], [10, 1], "full")
    )


def test_pooling_is_refused_an_average_with_holes_and_too_much_padding():
    with pytest.raises(ValueError, match=r"no dilation, got dilation=2"):
        pooling(np.ones((5, 5)), 2, kind="average", dilation=2)
    with pytest.raises(ValueError, match=r"padding \(=2\) must be at most half of kernel_size \(=3\)"):
        pooling(np.ones((5, 5)), 3, padding=2)
    with pytest.raises(ValueError, match='choose "max", "average" or "L2-norm"'):
        pooling(np.ones((5, 5)), 2, kind="median")
    with pytest.raises(ValueError, match=r"input of shape \(5,\) must be 2-D, or 3-D with channels"):
        pooling(np.ones(5), 2)
    with pytest.raises(ValueError, match=r"dims \(=3\) must be 1 or 2"):
        pooling(np.ones((5, 5, 5)), 2, dims=3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: output_size(5, 9), r"reaches over 9 pixels but the padded input has only 5 \(= 5 \+ 0 \+ 0\)"),
        (lambda: output_size(5, 3, 1, 0, 4), r"9 pixels \(= 4 \* \(3 - 1\) \+ 1\)"),
        (lambda: output_size(5, 3, 0), "stride=0 must be a whole number of at least 1"),
        (lambda: output_size(5, 3, 1.5), r"stride=1\.5 must be a whole number"),
        (lambda: output_size(5, 3, True), "stride=True must be a whole number"),
        (lambda: output_size(5, 3, 2, "same"), "needs stride 1, got stride=2"),
        (lambda: output_size(5, 3, 1, "some"), "choose a number, a pair"),
        (lambda: output_size(5, 3, 1, (1, 2, 3)), r"one number or a pair \(before, after\)"),
        (lambda: output_size(5, 3, output_padding=1), "belongs to transposed convolution"),
        (lambda: output_size(5, 3, 2, "same", transposed=True), "takes padding as one number"),
        (lambda: output_size(5, 3, transposed=True, ceil_mode=True), "ceil_mode belongs to pooling"),
        (lambda: output_size(5, 3, 2, transposed=True, output_padding=2), r"output_padding \(=2\) must be smaller"),
        (lambda: output_size(2, 2, transposed=True, padding=2), "leaves none; use less padding"),
        (lambda: convolution(np.ones((4, 4)), np.ones((3, 3)), padding=4, padding_mode="reflect"), "at most 3 pixels"),
        (lambda: convolution(np.ones((4, 4)), np.ones((3, 3)), padding_mode="mirror"), "choose zeros, reflect"),
        (lambda: convolution(np.ones((2, 4, 4)), np.ones((1, 3, 3, 3))), "input has 2 channels"),
        (lambda: convolution(np.ones((4, 4)), np.ones((3, 3)), [1, 2]), "bias has 2 values"),
        (lambda: convolution(np.ones((0, 4)), np.ones((3, 3))), "not empty"),
        (lambda: convolution(np.ones((4, 4)), 3.0), "is no kernel"),
        (
            lambda: convolution(np.ones((4, 4)), np.ones((3, 3)), transposed=True, padding_mode="reflect"),
            "pads with zeros only",
        ),
    ],
)
def test_each_refusal_says_what_was_given_and_what_is_allowed(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def reference(x, weight, bias, *, stride, padding, dilation, padding_mode):
    """torch's answer, with torch's own padding; "full" and pairs become amounts first."""
    dims = x.ndim - 1
    pads = [pad_amounts(padding, k, stride, dilation) for k in weight.shape[2:]]
    amounts = [amount for pair in reversed(pads) for amount in pair]
    mode = "constant" if padding_mode == "zeros" else padding_mode
    x = F.pad(x[None], amounts, mode=mode)
    return (F.conv1d if dims == 1 else F.conv2d)(x, weight, bias, stride, 0, dilation)[0]


paddings = st.one_of(st.integers(0, 4), st.tuples(small, small), st.sampled_from(["valid", "same", "full"]))


@many
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    paddings,
    st.sampled_from([*PADDING_MODES]),
)
def test_convolution_steps_add_up_to_torch(seed, dims, channels, filters, k, stride, dilation, padding, padding_mode):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(channels, *rng.integers(3, 8, dims)))
    weight = rng.normal(size=(filters, channels, *[k] * dims))
    bias = rng.normal(size=filters)
    options = {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": padding_mode}
    theirs = outcome(lambda: reference(*map(torch.tensor, (x, weight, bias)), **options).numpy())
    ours = outcome(lambda: convolution(x, weight, bias, **options))
    if isinstance(theirs, str):
        assert ours == theirs
        return
    np.testing.assert_allclose(ours.output, theirs, atol=1e-12)
    for step in ours:
        np.testing.assert_allclose(step.products.reshape(filters, -1).sum(1) + bias, step.result, atol=1e-12)
        np.testing.assert_allclose(theirs[(slice(None), *step.position)], step.result, atol=1e-12)


@many
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 2),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    small,
    st.integers(0, 2),
)
def test_transposed_steps_add_up_to_torch(seed, dims, k, stride, dilation, padding, output_padding):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(2, *rng.integers(1, 6, dims)))
    weight = rng.normal(size=(2, 3, *[k] * dims))
    bias = rng.normal(size=3)
    layer = F.conv_transpose1d if dims == 1 else F.conv_transpose2d
    tensors = map(torch.tensor, (x[None], weight, bias))
    theirs = outcome(lambda: layer(*tensors, stride, padding, output_padding, 1, dilation)[0].numpy())
    ours = outcome(
        lambda: convolution(
            x,
            weight,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            transposed=True,
            output_padding=output_padding,
        )
    )
    assert isinstance(ours, str) == isinstance(theirs, str)
    if not isinstance(ours, str):
        np.testing.assert_allclose(ours.output, theirs, atol=1e-12)
        assert len(ours) == np.prod(x.shape[1:])


@many
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 2),
    st.sampled_from(["max", "average", "L2-norm"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_pooling_steps_are_torchs(seed, dims, kind, k, stride, padding, dilation):
    assume(kind == "max" or dilation == 1)
    assume(kind != "L2-norm" or padding == 0)  # torch's has none to refuse
    x = np.random.default_rng(seed).normal(size=(3, *[6] * dims)) - 2  # mostly negative: zeros in the padding would win
    pool = {"max": (F.max_pool1d, F.max_pool2d), "average": (F.avg_pool1d, F.avg_pool2d)}
    layer = (pool | {"L2-norm": (F.lp_pool1d, F.lp_pool2d)})[kind][dims - 1]
    arguments = {"max": (k, stride, padding, dilation), "average": (k, stride, padding), "L2-norm": (2, k, stride)}[
        kind
    ]
    theirs = outcome(lambda: layer(torch.tensor(x[None]), *arguments)[0].numpy())
    ours = outcome(lambda: pooling(x, k, kind=kind, stride=stride, padding=padding, dilation=dilation, dims=dims))
    assert isinstance(ours, str) == isinstance(theirs, str)
    if not isinstance(ours, str):
        np.testing.assert_allclose(ours.output, theirs, atol=1e-12)


@many
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["convolution", "transposed convolution", "max", "average", "L2-norm"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_unused_numbers_are_those_without_a_gradient(seed, kind, k, stride, padding, dilation):
    rng = np.random.default_rng(seed)
    x = torch.tensor(rng.integers(1, 6, (2, 6, 6)).astype(float), requires_grad=True)  # equal numbers in a window
    weight = torch.ones(2, 2, k, k, dtype=torch.float64)
    calls = {
        "convolution": lambda: (
            convolution(x.detach(), weight, stride=stride, padding=padding, dilation=dilation),
            F.conv2d(x[None], weight, None, stride, padding, dilation),
        ),
        "transposed convolution": lambda: (
            convolution(x.detach(), weight, stride=stride, padding=padding, dilation=dilation, transposed=True),
            F.conv_transpose2d(x[None], weight, None, stride, padding, dilation=dilation),
        ),
        "max": lambda: (
            pooling(x.detach(), k, stride=stride, padding=padding, dilation=dilation),
            F.max_pool2d(x[None], k, stride, padding, dilation),
        ),
        "average": lambda: (
            pooling(x.detach(), k, kind="average", stride=stride, padding=padding),
            F.avg_pool2d(x[None], k, stride, padding),
        ),
        "L2-norm": lambda: (pooling(x.detach(), k, kind="L2-norm", stride=stride), F.lp_pool2d(x[None], 2, k, stride)),
    }
    result = outcome(calls[kind])
    assume(result != "refused")
    steps, output = result
    output.sum().backward()
    np.testing.assert_array_equal(steps.unused, x.grad.numpy() == 0)


def test_padding_modes_of_1234_read_as_the_docstring_says():
    row = np.arange(1.0, 5)
    for mode, left in {"zeros": [0, 0], "reflect": [3, 2], "replicate": [1, 1], "circular": [3, 4]}.items():
        steps = convolution(row, [1.0], padding=(2, 0), padding_mode=mode)
        np.testing.assert_array_equal(steps.canvas[0], [*left, 1, 2, 3, 4])


def test_the_lectures_first_example_gives_19_25_37_43():
    steps = convolution(np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2))
    np.testing.assert_array_equal(steps.output, [[[19, 25], [37, 43]]])
    assert steps.describe() == (
        "Convolution: a 2 x 2 window with stride 1, padding 0 and dilation 1 over an input of 1 x 3 x 3 gives "
        "1 x 2 x 2 in 4 steps."
    )


def test_a_record_reads_like_a_sequence():
    steps = convolution(np.arange(9.0).reshape(3, 3), np.arange(4.0).reshape(2, 2))
    assert [step.position for step in steps] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert steps[-1].position == (1, 1)
    with pytest.raises(IndexError):
        steps[4]
