"""What the records of a run say about its health, in words, with what to try."""

import math
from collections.abc import Sequence


def diagnoses(records: Sequence, lr: float | None = None) -> tuple[str, ...]:
    """Return warnings about a run, given its `EpochRecord`s so far; an empty tuple where nothing is wrong.

    Two are looked for. A loss that is not finite: the numbers overflowed, and no later step repairs them. A network
    still at chance after its first epoch: its training error is within 3 points of 1 - 1 / num_classes (which is 90 %
    for 10 classes of equal size), so it has not learned to tell any class from the others. The advice starts from
    `lr`, the recipe's learning rate, or the highest of the records.
    """
    trained = [record for record in records if record.epoch > 0]
    if not trained:
        return ()
    if lr is None:
        lr = max(record.lr for record in trained)  # a schedule may have brought the last one down to 0
    broken = next((record for record in trained if not math.isfinite(record.train_loss)), None)
    if broken is not None:
        return (
            f"The loss is not finite since epoch {broken.epoch}: the numbers overflowed, and training on does not "
            f"repair them. Try a smaller learning rate ({lr / 10:.2g} instead of {lr:.2g}), and check that "
            "the images are normalised and hold no NaN.",
        )
    last, chance = trained[-1], 1 - 1 / trained[-1].num_classes
    if last.train_error < chance - 0.03:
        return ()
    return (
        f"The network is still at chance after epoch {last.epoch}: it misses {last.train_error:.0%} of the training "
        f"images, and guessing one of {last.num_classes} classes misses {chance:.0%}. Try a learning rate ten times "
        f"smaller ({lr / 10:.2g}) or larger ({lr * 10:.2g}), and check that the images are normalised and that "
        "the labels belong to them.",
    )
