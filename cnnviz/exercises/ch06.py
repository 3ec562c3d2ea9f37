"""Chapter 06, training well: six exercises. Five ask for a function, one for the names of failures."""

from collections.abc import Callable
from dataclasses import replace
from math import prod

import torch
import torch.nn.functional as F

from cnnviz.datasets import load_dataset
from cnnviz.exercises.check import Mistake, Verdict, cases, compare, fail, whole_numbers
from cnnviz.training import EpochRecord
from cnnviz.training.failures import FAILURES, failing_run

SOUND = "nothing is wrong"
NAMES = (*dict.fromkeys(failure.diagnosis for failure in FAILURES.values()), SOUND)
MYSTERIES = {  # the failure that is switched on; None: the repaired run
    "A": "learning rate too low",
    "B": "positive weights",
    "C": None,
    "D": "dead ReLUs",
    "E": "test data leaked",
}


def check_normalise(normalise: Callable) -> Verdict:
    """Pixels with mean 0 and deviation 1. Difficulty 1 of 5, 5 minutes.

    ``normalise(images uint8 [N, C, H, W], mean [C], std [C]) -> float [N, C, H, W]``: mean and deviation are those of
    the training pixels from 0 to 1, channel by channel.
    """

    def right(images, mean, std, scale=255.0, shape=(-1, 1, 1)):
        return (images / scale - mean.view(shape)) / std.view(shape)

    def own(images, mean, std):
        pixels = images / 255
        return (pixels - pixels.mean((0, 2, 3))[:, None, None]) / pixels.std((0, 2, 3))[:, None, None]

    channel = "mean and std have one number a channel: reshape them to [C, 1, 1]."
    training = "Use the mean and std that were passed in: those of the training images, also for test images."
    mistakes = [
        Mistake("not divided by 255", "mean and std are those of pixels from 0 to 1.", lambda *x: right(*x, scale=1)),
        Mistake("mean forgotten", "Subtract it first.", lambda x, m, s: right(x, 0 * m, s)),
        Mistake("deviation forgotten", "Divide by std.", lambda x, m, s: right(x, m, s / s)),
        Mistake("variance for deviation", "Divide by std, not by its square.", lambda x, m, s: right(x, m, s**2)),
        Mistake("mean and deviation exchanged", "Subtract mean, divide by std.", lambda x, m, s: right(x, s, m)),
        Mistake("divided first", "(pixel - mean) / std, not pixel / std - mean.", lambda x, m, s: right(x, m * s, s)),
        Mistake("multiplied", "Divide by std.", lambda x, m, s: right(x, m, 1 / s)),
        Mistake("these images' own statistics", training, own),
        Mistake("one number for all channels", channel, lambda x, m, s: right(x, m.mean(), s.mean(), shape=())),
        Mistake("along the width", channel, lambda *x: right(*x, shape=-1)),
    ]
    draw = torch.Generator().manual_seed(6)
    rows = []
    for shape in ((1, 1, 2, 2), (2, 3, 3, 3), (4, 3, 5, 3), (3, 2, 4, 2)):  # as wide as there are channels
        images = torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)
        mean, std = (0.2 + 0.5 * torch.rand(shape[1], generator=draw) for _ in range(2))
        rows.append((images, mean, std))
    return compare("normalise", normalise, right, cases("images mean std", *rows), mistakes)


def check_hinge_loss(hinge_loss: Callable) -> Verdict:
    """The hinge loss of each image. Difficulty 2 of 5, 10 minutes.

    ``hinge_loss(logits [N, C], labels [N]) -> [N]``: the sum over the wrong classes j of
    max(0, logits[j] - logits[label] + 1).
    """

    def terms(logits, labels, margin=1.0):
        found = logits - logits.gather(1, labels[:, None]) + margin
        return found.masked_fill(F.one_hot(labels, logits.shape[1]).bool(), 0)

    def right(logits, labels):
        return terms(logits, labels).clamp(min=0).sum(1)

    def turned(logits, labels):
        return right(-logits, labels)

    each = "The loss is one number an image: sum over the classes, dimension 1."
    every = "Sum over all wrong classes that come too close."
    mistakes = [
        Mistake("right class counted", "For j = label the term is 1; leave it out.", lambda x, y: right(x, y) + 1),
        Mistake("margin forgotten", "Add 1: a lead must be that large.",
                lambda x, y: terms(x, y, 0).clamp(min=0).sum(1)),
        Mistake("not cut off at 0", "A term below 0 counts as 0.", lambda x, y: terms(x, y).sum(1)),
        Mistake("cut off after the sum", "Each term has its own max(0, ...).",
                lambda x, y: terms(x, y).sum(1).clamp(min=0)),
        Mistake("largest term only", every, lambda x, y: terms(x, y).clamp(min=0).amax(1)),
        Mistake("squared", "No square.", lambda x, y: terms(x, y).clamp(min=0).square().sum(1)),
        Mistake("difference turned round", "logits[j] - logits[label].", turned),
        Mistake("mean over the classes", each, lambda x, y: right(x, y) / x.shape[1],
                lambda x, y: right(x, y) / (x.shape[1] - 1)),
        Mistake("summed over the images", each, lambda x, y: right(x, y).sum()),
        Mistake("mean over the images", each, lambda x, y: right(x, y).mean()),
        Mistake("cross-entropy", "No softmax here.", lambda x, y: F.cross_entropy(x, y, reduction="none")),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(6)
    rows = []
    for seed, shape in enumerate(((1, 3), (2, 3), (4, 4), (5, 10))):
        rows.append((whole_numbers(seed, *shape) / 4, torch.randint(0, shape[1], shape[:1], generator=draw)))
    return compare("hinge_loss", hinge_loss, right, cases("logits labels", *rows), mistakes)


def check_first_deviation(first_deviation: Callable) -> Verdict:
    """The deviation of first weights that keeps the scale behind ReLUs. Difficulty 3 of 5, 10 minutes.

    ``first_deviation(shape) -> number``, for the shape of a weight: (out, in, height, width) of a convolution or
    (out, in) of a linear layer. He et al. 2015, equation 10.
    """

    def with_variance(variance):
        return lambda shape: variance(prod(shape[1:]), shape) ** 0.5

    right = with_variance(lambda inputs, shape: 2 / inputs)
    ways_in = "A unit of a convolution adds up in * height * width products."
    mistakes = [
        Mistake("ReLU forgotten", "It sets half of the numbers to 0: the variance needs a factor 2.",
                with_variance(lambda inputs, shape: 1 / inputs)),
        Mistake("variance for deviation", "Take the root.", lambda shape: 2 / prod(shape[1:])),
        Mistake("outputs for inputs", "The sum goes over the inputs of a unit.",
                with_variance(lambda inputs, shape: 2 / (shape[0] * prod(shape[2:]))),
                with_variance(lambda inputs, shape: 2 / shape[0])),
        Mistake("kernel forgotten", ways_in, with_variance(lambda inputs, shape: 2 / shape[1])),
        Mistake("all weights counted", ways_in, with_variance(lambda inputs, shape: 2 / prod(shape))),
        Mistake("inputs and outputs", "That is Glorot's, made for tanh.",
                with_variance(lambda inputs, shape: 2 / (inputs + shape[0] * prod(shape[2:])))),
        Mistake("U(0, 1) / sqrt(n)", "That is the deviation of the slide's weights, and their mean is not 0.",
                with_variance(lambda inputs, shape: 1 / (12 * inputs))),
        Mistake("0.01", "A fixed number fits one number of inputs only.", lambda shape: 0.01),
    ]  # fmt: skip
    shapes = [(8, 2), (500, 50), (16, 3, 3, 3), (64, 8, 5, 5), (128, 64, 1, 1)]
    return compare("first_deviation", first_deviation, right, cases("shape", *[(s,) for s in shapes]), mistakes)


def check_update_ratio(update_ratio: Callable) -> Verdict:
    """How far one step moves a layer, beside where it stands. Difficulty 2 of 5, 5 minutes.

    ``update_ratio(before, after) -> number``: length of the change of a weight tensor / length of the weight before.
    """

    def right(before, after):
        return ((after - before).norm() / before.norm()).item()

    mistakes = [
        Mistake("divided by the new weight", "Divide by the weight before the step.",
                lambda b, a: (a - b).norm() / a.norm()),
        Mistake("upside down", "The change is the numerator.", lambda b, a: b.norm() / (a - b).norm()),
        Mistake("root forgotten", "A length is the root of the sum of squares.", lambda b, a: right(b, a) ** 2),
        Mistake("difference of the lengths", "First the difference, then its length.",
                lambda b, a: a.norm() / b.norm() - 1, lambda b, a: abs(a.norm() / b.norm() - 1)),
        Mistake("weight by weight", "Divide one length by another; a single weight may be close to 0.",
                lambda b, a: ((a - b) / b).abs().mean(), lambda b, a: ((a - b) / b).norm()),
        Mistake("largest weight", "The length is .norm().", lambda b, a: (a - b).abs().max() / b.abs().max()),
        Mistake("absolute values", "The length is .norm(), not the sum of absolute values.",
                lambda b, a: (a - b).abs().sum() / b.abs().sum()),
        Mistake("not divided", "Divide by the length of the weight before the step.", lambda b, a: (a - b).norm()),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(6)
    rows = []
    for shape in ((1, 3), (4, 5), (8, 3, 3, 3)):
        before = torch.randn(shape, generator=draw)
        rows.append((before, 0.7 * before + 0.3 * torch.randn(shape, generator=draw)))
    return compare("update_ratio", update_ratio, right, cases("before after", *rows), mistakes)


def check_dropout(dropout: Callable) -> Verdict:
    """Dropout with the random numbers given. Difficulty 2 of 5, 10 minutes.

    ``dropout(x, p, random, training) -> like x``: in training a number is set to 0 where `random`, from 0 to 1 and of
    the shape of x, is below p, and the others grow so that the mean stays; tested, x stays as it is.
    """

    def way(scale, tested=lambda x, p: x, kept=lambda random, p: random >= p):
        return lambda x, p, random, training: x * kept(random, p) * scale(p) if training else tested(x, p)

    right = way(lambda p: 1 / (1 - p))
    mean = "A share of 1 - p is kept: divide it by 1 - p."
    mistakes = [
        Mistake("not scaled", mean, way(lambda p: 1)),
        Mistake("scaled in the test", "That was the form of 2012; here the test leaves x alone.",
                way(lambda p: 1, lambda x, p: x * (1 - p)), way(lambda p: 1 / (1 - p), lambda x, p: x * (1 - p))),
        Mistake("divided by p", mean, way(lambda p: 1 / p)),
        Mistake("multiplied", mean, way(lambda p: 1 - p)),
        Mistake("kept for dropped", "p is the share that is set to 0.",
                way(lambda p: 1 / (1 - p), kept=lambda random, p: random < p),
                way(lambda p: 1 / p, kept=lambda random, p: random < p)),
        Mistake("at work in the test", "Tested, x stays as it is.",
                lambda x, p, random, training: x * (random >= p) / (1 - p)),
        Mistake("training and test exchanged", "It drops in training only.",
                lambda x, p, random, training: right(x, p, random, not training)),
        Mistake("never at work", "In training it sets numbers to 0.", lambda x, p, random, training: x),
    ]  # fmt: skip
    draw = torch.Generator().manual_seed(6)
    rows = [
        (whole_numbers(seed, *shape), p, torch.rand(shape, generator=draw), training)
        for seed, (shape, p) in enumerate((((2, 4), 0.5), ((3, 5), 0.2), ((2, 3, 4), 0.75)))
        for training in (True, False)
    ]
    return compare("dropout", dropout, right, cases("x p random training", *rows), mistakes)


def check_named(named: dict[str, str]) -> Verdict:
    """What is wrong with the runs of `mysteries()`. Difficulty 3 of 5, 15 minutes.

    A dict by letter, A to E: one of NAMES for each.
    """
    if named is not ... and not isinstance(named, dict):
        return fail("named", "not a table", f"Pass a dict with the keys {', '.join(MYSTERIES)}.")
    for letter, name in {} if named is ... else named.items():
        if letter not in MYSTERIES:
            return fail("named", "unknown run", f"{letter!r} is no run; the runs are {', '.join(MYSTERIES)}.")
        if name is not ... and name not in NAMES:
            return fail("named", "unknown name", f"{name!r} is none of the names: {', '.join(NAMES)}.")
    right = {letter: NAMES.index(FAILURES[one].diagnosis if one else SOUND) for letter, one in MYSTERIES.items()}

    def look_up(run):
        name = named.get(run, ...)
        return name if name is ... else NAMES.index(name)

    def instead(letter, name):
        return (right | {letter: NAMES.index(name)}).get

    mistakes = [
        Mistake("explode and vanish exchanged", "Compare the deviations of the first and the last layer of B.",
                instead("B", "activations vanish")),
        Mistake("too high for too low", "An update of less than a millionth of the weight moves nothing.",
                instead("A", "learning rate too high")),
        Mistake("sound run accused", "Every signal of C is in its range, and it learns.",
                *(instead("C", name) for name in NAMES[:-1])),
        Mistake("leak not seen", "Look at the last line of E: how can a test image be a training image?",
                instead("E", SOUND)),
        Mistake("dead units not seen", "How many filters of a layer of D get no gradient?",
                instead("D", SOUND), instead("D", "learning rate too low"), instead("D", "learning rate too high")),
    ]  # fmt: skip
    letters = cases("run", *[(letter,) for letter in MYSTERIES])
    answer = named if named is ... else look_up
    verdict = compare("named", answer, right.get, letters, mistakes, reveal=False)
    return replace(verdict, got=None)


def mysteries() -> dict[str, list[EpochRecord]]:
    """Return the records of five runs on digits by letter, before training and after one epoch; one run is sound."""
    data = load_dataset("digits").subset(train=600)
    records = {}
    for letter, name in MYSTERIES.items():
        run = failing_run(name or "learning rate too low", data, seed=1, repaired=name is None, keep_filters=())
        records[letter] = [next(run), next(run)]
    return records
