"""Which classes a network takes for which others, and on which images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ConfusedPair:
    """One way to be wrong: images of class `true` that were taken for class `predicted`."""

    true: int
    predicted: int
    indices: np.ndarray  # int64 [count], positions of the images in the evaluated set

    @property
    def count(self) -> int:
        """How many images were confused in this way."""
        return len(self.indices)


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix and its largest entries off the diagonal."""

    matrix: np.ndarray  # int64 [true, predicted], images
    pairs: tuple[ConfusedPair, ...]  # most frequent first
    class_names: tuple[str, ...]

    def name(self, pair: ConfusedPair) -> str:
        """Return the pair in words: `Shirt taken for Coat`."""
        return f"{self.class_names[pair.true]} taken for {self.class_names[pair.predicted]}"

    def describe(self) -> str:
        """Say how many images are wrong, and which confusions are the most frequent."""
        total, wrong = int(self.matrix.sum()), int(self.matrix.sum() - self.matrix.trace())
        most = ", ".join(f"{self.name(pair)} ({pair.count})" for pair in self.pairs)
        return f"{wrong} of {total} images are wrong ({wrong / total:.1%})" + (
            f"; most often: {most}." if most else "."
        )


def confusion(evaluation, labels, class_names: Sequence[str] | None = None, *, pairs: int = 5) -> Confusion:
    """Return the confusion matrix of an `Evaluation` with its `pairs` most frequent confusions and their images.

    Args:
        evaluation: what `evaluate(model, images, labels)` returned.
        labels: the labels that it was given, int [N].
        class_names: one name a class; the numbers of the classes by default.
        pairs: how many confusions to name; fewer when the network makes fewer.

    Raises:
        ValueError: labels or class names that do not belong to this evaluation.
    """
    matrix = np.asarray(evaluation.confusion).astype(np.int64)
    predictions, labels = np.asarray(evaluation.predictions), np.asarray(labels)
    classes = len(matrix)
    names = tuple(class_names) if class_names is not None else tuple(str(index) for index in range(classes))
    if len(names) != classes:
        raise ValueError(f"{len(names)} class names for {classes} classes")
    if labels.shape != predictions.shape:
        raise ValueError(
            f"{labels.size} labels for {predictions.size} predictions; give the labels that were evaluated"
        )
    if not np.array_equal(np.bincount(labels, minlength=classes), matrix.sum(axis=1)):
        raise ValueError("these labels are not the ones that were evaluated: their classes have other counts")
    wrong = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-wrong, axis=None, kind="stable")[: min(pairs, np.count_nonzero(wrong))]
    confused = [np.unravel_index(index, wrong.shape) for index in order]
    return Confusion(
        matrix,
        tuple(ConfusedPair(int(t), int(p), np.flatnonzero((labels == t) & (predictions == p))) for t, p in confused),
        names,
    )
