"""What the records of a run say about its health, in words, with what to try."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

LEAKED = 0.01  # fraction of the test images that may be training images: large sets have a few doubles
NOISE = 0.01  # of the logits in evaluation mode, as a part of their deviation; rounding gives 1e-6
INPUT_MEAN, INPUT_STD = 2.0, (0.1, 5.0)  # normalised pixels have mean 0 and deviation 1
SCALE = 100.0  # times that the deviation of the activations may grow or shrink on its way through the layers
RISE = 1.5  # times the first loss that the mean loss of an epoch may have
DEAD = 0.5  # fraction of a layer's filters that may rest
STILL = 1e-5  # update / weight below which weights stand still; 1e-3 is healthy (Karpathy's rule, chapter 06)
CHANCE = 0.05  # difference between an error and that of guessing that chance can make
LUCK = 0.95  # of the first loss: a network that has more left after three epochs has guessed its errors
GAP = (0.25, 5.0)  # overfitting: the test error is so much larger than the training error, and so many times


@dataclass(frozen=True)
class Diagnosis:
    """One thing that is wrong with a run."""

    name: str
    text: str  # what is seen, with its numbers, and what to try

    def __str__(self) -> str:
        return self.text


def diagnoses(records: Sequence, lr: float | None = None) -> tuple[Diagnosis, ...]:
    """Return what is wrong with a run, given its `EpochRecord`s so far; an empty tuple where nothing is.

    First what is wrong around the network: `test data leaked`, `evaluation in training mode`, `input not normalised`.
    Then at most one cause inside: `zero weights`, `activations explode`, `activations vanish`, `learning rate too
    high`, `dead ReLUs`, `learning rate too low`, `labels do not fit`, `at chance`, `overfitting`. The constants above
    are the limits. Records without signals are judged by losses and errors alone. The advice starts from `lr`, the
    recipe's learning rate, or the highest of the records.
    """
    trained = [record for record in records if record.epoch > 0]
    measured = [record for record in records if record.signals]
    if lr is None:
        lr = max((record.lr for record in trained), default=0.0)  # a schedule may have brought the last one down to 0
    around = [rule(measured[-1]) for rule in (_leaked, _evaluation, _input)] if measured else []
    found = [one for one in around if one]
    if any(one.name == "input not normalised" for one in found):
        return tuple(found)  # all that is seen inside follows from it
    if measured:
        found += _first(rule(measured[0]) for rule in (_zero, _scale))
    if trained and not (found and found[-1].name in AT_THE_BEGINNING):
        found += _first(rule(records, trained, lr) for rule in (_too_high, _dead, _too_low, _chance, _gap))
    return tuple(found)


AT_THE_BEGINNING = ("zero weights", "activations explode", "activations vanish")


def _first(found) -> list[Diagnosis]:
    return next(([one] for one in found if one), [])


def _leaked(record) -> Diagnosis | None:
    if record.leaked > LEAKED:
        return Diagnosis(
            "test data leaked",
            f"{record.leaked:.0%} of the test images are also training images: the test error says nothing about new "
            "images. Split the data before anything else, and remove doubles.",
        )


def _evaluation(record) -> Diagnosis | None:
    noise = record.signals.evaluation_noise
    if noise > NOISE:
        return Diagnosis(
            "evaluation in training mode",
            f"Tested twice on the same images, the network gives other answers (by {noise:.0%} of their deviation): "
            "dropout or the statistics of the batch are still at work in the test. Call model.eval() before it, and "
            "let F.dropout know: F.dropout(x, p, self.training).",
        )


def _input(record) -> Diagnosis | None:
    mean, std = record.signals.input_mean, record.signals.input_std
    if abs(mean) > INPUT_MEAN or not INPUT_STD[0] <= std <= INPUT_STD[1]:
        return Diagnosis(
            "input not normalised",
            f"The network is given pixels with mean {mean:.3g} and deviation {std:.3g}; first weights and learning "
            "rates are made for mean 0 and deviation 1. Normalise the images (ImageSet.normalise).",
        )


def _zero(record) -> Diagnosis | None:
    if max(record.signals.activation_std) == 0:
        return Diagnosis(
            "zero weights",
            "Before training every layer answers the same to every image: all weights are 0 (or all alike), and all "
            "filters of a layer will get the same gradient, or none. Draw them at random (nn.init.kaiming_normal_).",
        )


def _scale(record) -> Diagnosis | None:
    hidden = record.signals.activation_std[:-1] or record.signals.activation_std
    change = hidden[-1] / max(hidden[0], 1e-30)
    if not (change < 1 / SCALE or change > SCALE):  # nan neither: its loss will say it
        return None
    name = "activations explode" if change > 1 else "activations vanish"
    return Diagnosis(
        name,
        f"Before training the deviation of the activations goes from {hidden[0]:.2g} in the first layer to "
        f"{hidden[-1]:.2g} in layer {len(hidden)}, and gradients on the way back likewise. Draw first weights around 0 "
        "with variance 2 / inputs (He), or normalise (nn.BatchNorm2d).",
    )


def _too_high(records, trained, lr) -> Diagnosis | None:
    broken = next((record for record in trained if not math.isfinite(record.train_loss)), None)
    if broken is not None:
        return Diagnosis(
            "learning rate too high",
            f"The loss is not finite since epoch {broken.epoch}: the numbers overflowed, and training on does not "
            f"repair them. Try a smaller learning rate ({lr / 10:.2g} instead of {lr:.2g}), and check that "
            "the images are normalised and hold no NaN.",
        )
    if records[0].epoch == 0:
        highest = max(trained, key=lambda record: record.train_loss)
        if highest.train_loss > RISE * records[0].train_loss:
            return Diagnosis(
                "learning rate too high",
                f"The mean training loss of epoch {highest.epoch} is {highest.train_loss:.3g}, above the "
                f"{records[0].train_loss:.3g} before training: steps are so long that they climb. Try a smaller "
                f"learning rate ({lr / 10:.2g} instead of {lr:.2g}), a warm-up, or batch normalisation.",
            )


def _dead(records, trained, lr) -> Diagnosis | None:
    found = trained[-1].signals
    if not found:
        return None
    silent = [value for value in found.silent[:-1] if not math.isnan(value)]
    if silent and max(silent) > DEAD:
        layer = found.layers[found.silent.index(max(silent))]
        return Diagnosis(
            "dead ReLUs",
            f"{max(silent):.0%} of the filters of {layer} get no gradient at all: their ReLU answers 0 to every image, "
            f"and nothing will wake them. Try a smaller learning rate ({lr / 10:.2g}), first biases of 0, or leaky "
            "ReLUs, and begin anew.",
        )


def _too_low(records, trained, lr) -> Diagnosis | None:
    found = trained[-1].signals
    if found and median(found.update_ratio) < STILL and trained[-1].lr >= lr / 10:  # not at a schedule's end
        return Diagnosis(
            "learning rate too low",
            f"A step changes the weights by {median(found.update_ratio):.1g} of their length (median of the layers; "
            f"1e-3 is healthy): they stand still. Try a learning rate of {100 * lr:.2g}.",
        )


def _chance(records, trained, lr) -> Diagnosis | None:
    last = trained[-1]
    chance = 1 - 1 / last.num_classes
    learned = last.train_error < chance - CHANCE
    late = last.signals and last.epoch >= 3
    # Errors of a whole class are right or wrong together, so a guess can be lucky by more than CHANCE; a loss cannot.
    lucky = late and last.train_loss > LUCK * records[0].train_loss
    if learned and last.test_error < chance - CHANCE and not lucky:
        return None
    if learned or late:
        seen = f"training error {last.train_error:.0%}, test error {last.test_error:.0%}, guessing {chance:.0%}"
        return Diagnosis(
            "labels do not fit",
            f"After epoch {last.epoch} the network knows nothing of the test images ({seen}), while its signals are "
            "healthy. Look at ten training images with their labels: were they shuffled apart? If they fit, try a "
            f"learning rate ten times smaller ({lr / 10:.2g}) or larger ({lr * 10:.2g}).",
        )
    return Diagnosis(
        "at chance",
        f"The network is still at chance after epoch {last.epoch}: it misses {last.train_error:.0%} of the training "
        f"images, and guessing one of {last.num_classes} classes misses {chance:.0%}. Try a learning rate ten times "
        f"smaller ({lr / 10:.2g}) or larger ({lr * 10:.2g}), and check that the images are normalised and that "
        "the labels belong to them.",
    )


def _gap(records, trained, lr) -> Diagnosis | None:
    last = trained[-1]
    if last.test_error > max(last.train_error + GAP[0], GAP[1] * last.train_error):
        return Diagnosis(
            "overfitting",
            f"After epoch {last.epoch} the network misses {last.train_error:.0%} of the training images and "
            f"{last.test_error:.0%} of the test images: it learns them by heart. More images help, or augmentation, "
            "weight decay, dropout, a smaller network.",
        )
