"""Chapter 19, choosing an architecture: four functions, of counting, choosing, and not being fooled by chance."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from cnnviz.exercises.check import Mistake, Verdict, cases, compare


def check_keras_count(keras_count: Callable) -> Verdict:
    """Parameters as Keras counts them. Difficulty 2 of 5, 10 minutes.

    ``keras_count(model) -> int``: what is trained, and the running means and variances of batch normalisation.
    """

    def count(model, *, trained=1, stored=1, counters=0):
        parameters = sum(p.numel() for p in model.parameters())
        buffers = {name: b.numel() for name, b in model.named_buffers()}
        batches = sum(number for name, number in buffers.items() if name.endswith("num_batches_tracked"))
        return trained * parameters + stored * (sum(buffers.values()) - batches) + counters * batches

    def tensors(model):
        return sum(not name.endswith("num_batches_tracked") for name in model.state_dict())

    two = "Keras counts a mean and a variance for each channel, which torch keeps in buffers."
    mistakes = [
        Mistake("running statistics forgotten", two, partial(count, stored=0)),
        Mistake("counters counted", "num_batches_tracked is a counter of torch's.", partial(count, counters=1)),
        Mistake("parameters forgotten", "What is trained counts as well.", partial(count, trained=0)),
        Mistake("tensors counted", "Count the numbers in each tensor: numel().", tensors),
        Mistake("running means only", two, lambda model: (count(model) + count(model, stored=0)) // 2),
    ]
    with torch.random.fork_rng(devices=[]):
        models = [
            nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)),
            nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Linear(4, 2)),
            nn.Sequential(nn.BatchNorm1d(5), nn.Sequential(nn.Conv2d(2, 8, 1), nn.BatchNorm2d(8)), nn.Linear(8, 10)),
        ]
    return compare("keras_count", keras_count, count, cases("model", *((model,) for model in models)), mistakes)


def check_best_within(best_within: Callable) -> Verdict:
    """The most accurate network that fits. Difficulty 1 of 5, 5 minutes.

    ``best_within(accuracy [n], mult_adds [n], budget) -> int``: its place, counted from 0; -1 where none fits.
    """

    def choose(accuracy, mult_adds, budget, *, worth=None, fits=torch.le, none=-1):
        inside = fits(mult_adds, budget)
        if not inside.any():
            return none
        worth = accuracy if worth is None else worth
        return worth.masked_fill(~inside, float("-inf")).argmax().item()

    def among_those_that_fit(accuracy, mult_adds, budget):
        return accuracy[mult_adds <= budget].argmax().item() if (mult_adds <= budget).any() else -1

    fit = "Only networks of at most budget mult-adds may be chosen."
    mistakes = [
        Mistake("budget ignored", fit, lambda a, m, b: a.argmax().item()),
        Mistake("less than for at most", fit, partial(choose, fits=torch.lt)),
        Mistake(
            "least work chosen", "Among those that fit, accuracy decides.", lambda a, m, b: choose(a, m, b, worth=-m)
        ),
        Mistake(
            "most work chosen", "Among those that fit, accuracy decides.", lambda a, m, b: choose(a, m, b, worth=m)
        ),
        Mistake("place among those that fit", "Return the place in the whole list.", among_those_that_fit),
        Mistake("one chosen where none fits", "Return -1 there.", partial(choose, none=0)),
    ]
    accuracy, work = torch.tensor([60.0, 75.0, 70.0, 72.0, 71.0]), torch.tensor([50.0, 600.0, 300.0, 400.0, 100.0])
    given = [(accuracy, work, float(budget)) for budget in (350, 1000, 400, 60, 10)]
    given.append((accuracy.flip(0), work.flip(0), 600.0))
    return compare("best_within", best_within, choose, cases("accuracy mult_adds budget", *given), mistakes)


def check_front(front: Callable) -> Verdict:
    """The networks that no other beats. Difficulty 3 of 5, 20 minutes.

    ``front(accuracy [n], mult_adds [n]) -> [n]``, 1 for a network that no other beats, else 0. One beats another if it
    is at least as accurate for at most as many mult-adds, and better in one of the two.
    """

    def unbeaten(accuracy: Tensor, mult_adds: Tensor, *, beats=None) -> Tensor:
        other, own = (accuracy[None], mult_adds[None]), (accuracy[:, None], mult_adds[:, None])
        if beats is None:
            no_worse = (other[0] >= own[0]) & (other[1] <= own[1])
            beaten = no_worse & ((other[0] > own[0]) | (other[1] < own[1]))
        else:
            beaten = beats(*other, *own)
        return (~beaten.any(1)).long()

    both = "One beats another if it is no worse in both and better in one."
    mistakes = [
        Mistake("beaten ones marked", "1 stands for a network that nobody beats.", lambda a, m: 1 - unbeaten(a, m)),
        Mistake("better in one is enough", both, partial(unbeaten, beats=lambda a, m, b, n: (a > b) | (m < n))),
        Mistake("equal in one beats nothing", both, partial(unbeaten, beats=lambda a, m, b, n: (a > b) & (m < n))),
        Mistake("equal networks beat each other", both, lambda a, m: _keep_first(unbeaten(a, m), a, m)),
        Mistake("accuracy upside down", "More accuracy is better.", lambda a, m: unbeaten(-a, m)),
        Mistake("work upside down", "Fewer mult-adds are better.", lambda a, m: unbeaten(a, -m)),
        Mistake("most accurate only", both, lambda a, m: (a == a.max()).long()),
    ]
    given = [
        ([60.0, 75.0, 70.0, 72.0, 50.0], [50.0, 600.0, 300.0, 400.0, 100.0]),
        ([70.0, 70.0, 80.0, 80.0], [100.0, 200.0, 300.0, 300.0]),
        ([70.0, 60.0, 65.0, 90.0, 66.0], [100.0, 100.0, 40.0, 900.0, 50.0]),
        ([80.0, 70.0, 60.0], [50.0, 100.0, 60.0]),
    ]
    tensors = [(torch.tensor(accuracy), torch.tensor(work)) for accuracy, work in given]
    return compare("front", front, unbeaten, cases("accuracy mult_adds", *tensors), mistakes)


def check_deviations(deviations: Callable) -> Verdict:
    """A difference of two errors, in standard deviations. Difficulty 2 of 5, 10 minutes.

    ``deviations(error_a, error_b, images) -> float``: abs(error_a - error_b) divided by the standard deviation that the
    difference has by chance, each error being a share of as many images: its variance is error * (1 - error) / images.
    """

    def right(a, b, images, *, power=0.5):
        return abs(a - b) / ((a * (1 - a) + b * (1 - b)) / images) ** power

    def added(a, b, images):
        return abs(a - b) / ((a * (1 - a) / images) ** 0.5 + (b * (1 - b) / images) ** 0.5)

    sums = "The variance of a difference is the sum of both variances."
    mistakes = [
        Mistake("deviations added", sums, added),
        Mistake("variance of one error only", sums, lambda a, b, n: abs(a - b) / (a * (1 - a) / n) ** 0.5),
        Mistake("variances subtracted", sums, lambda a, b, n: abs(a - b) / (abs(a * (1 - a) - b * (1 - b)) / n) ** 0.5),
        Mistake("root forgotten", "The standard deviation is the root of the variance.", partial(right, power=1)),
        Mistake("images forgotten", "Divide each variance by images.", lambda a, b, n: right(a, b, 1)),
        Mistake("not divided", "Divide the difference by its standard deviation.", lambda a, b, n: abs(a - b)),
        Mistake("sign kept", "Take abs: which of the two is ahead does not matter.",
                lambda a, b, n: (a - b) / right(a, b, n) * right(a, b, n) ** 2 / abs(a - b)),
    ]  # fmt: skip
    given = [(0.30, 0.35, 2_000), (0.35, 0.30, 2_000), (0.08, 0.07, 10_000), (0.5, 0.4, 500)]
    return compare("deviations", deviations, right, cases("error_a error_b images", *given), mistakes)


def _keep_first(marks: Tensor, accuracy: Tensor, mult_adds: Tensor) -> Tensor:
    """Unmark every network that has an equal one."""
    twins = (accuracy[None] == accuracy[:, None]) & (mult_adds[None] == mult_adds[:, None])
    return marks * (twins.sum(1) == 1)
