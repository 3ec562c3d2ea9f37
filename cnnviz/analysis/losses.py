"""Loss functions of classifiers: logits and labels in, one number for each image out."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def loss_function(
    name: str = "cross_entropy", *, label_smoothing: float = 0.0, groups: Sequence[Sequence[int]] = ()
) -> Loss:
    """Return a function of logits [N, C] and labels [N] that gives the loss of each image, [N].

    Args:
        name: one of LOSSES. With s the logits, y the label and t its one-hot vector:
            cross_entropy: -log softmax(s)[y], in nats.
            bce: the sum over the classes of the binary cross-entropy of sigmoid(s) and t, in nats: C yes-or-no answers.
            hinge: the sum over the wrong classes j of max(0, s[j] - s[y] + 1) (Weston and Watkins, 1999).
            l1, l2: the sum over the classes of |s - t|, and of (s - t)^2: classes as if they were measured values.
            two_level: -log p(group of y) - log p(y | group), in nats; p(group) is the softmax over the groups' mean
                logits, p(y | group) the softmax over the logits of the group.
        label_smoothing: fraction of the target that is spread over all classes; not for hinge and two_level.
        groups: of classes, for two_level: each class stands in one group.

    Raises:
        ValueError: no such loss, groups that do not hold each class once, or an option that the loss does not have.
    """
    if name not in LOSSES:
        raise ValueError(f"loss (={name!r}) must be one of {', '.join(LOSSES)}")
    if label_smoothing and name in ("hinge", "two_level"):
        raise ValueError(f"label_smoothing (={label_smoothing}) has no meaning for the loss {name}; set it to 0")
    if bool(groups) != (name == "two_level"):
        raise ValueError(f"loss (={name!r}) and groups (={groups!r}) do not fit: two_level, and only it, needs groups")
    if name == "two_level":
        return partial(_two_level, groups=_checked(groups))
    return LOSSES[name] if name == "hinge" else partial(LOSSES[name], label_smoothing=label_smoothing)


def _cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    return F.cross_entropy(logits, labels, label_smoothing=label_smoothing, reduction="none")


def _bce(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    target = _target(logits, labels, label_smoothing)
    return F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1)


def _hinge(logits: Tensor, labels: Tensor) -> Tensor:
    right = logits.gather(1, labels[:, None])
    return (logits - right + 1).clamp(min=0).sum(1) - 1  # the right class itself adds 1


def _l1(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    return (logits - _target(logits, labels, label_smoothing)).abs().sum(1)


def _l2(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    return (logits - _target(logits, labels, label_smoothing)).square().sum(1)


def _two_level(logits: Tensor, labels: Tensor, groups: Sequence[Sequence[int]]) -> Tensor:
    classes = sum(map(len, groups))
    if logits.shape[1] != classes:
        raise ValueError(f"groups hold {classes} classes, the model has {logits.shape[1]} logits")
    means = torch.stack([logits[:, list(group)].mean(1) for group in groups], 1)  # N, groups
    inside = torch.empty_like(logits)  # N, C: log p(class | its group)
    of_group = torch.empty_like(logits)  # N, C: log p(group of the class)
    for number, group in enumerate(groups):
        inside[:, list(group)] = logits[:, list(group)].log_softmax(1)
        of_group[:, list(group)] = means.log_softmax(1)[:, [number]]
    return -(inside + of_group).gather(1, labels[:, None])[:, 0]


LOSSES = {
    "cross_entropy": _cross_entropy,
    "bce": _bce,
    "hinge": _hinge,
    "l1": _l1,
    "l2": _l2,
    "two_level": _two_level,
}


def _target(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Return one-hot vectors [N, C], part of them spread over all classes."""
    target = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    return target * (1 - label_smoothing) + label_smoothing / logits.shape[1] if label_smoothing else target


def _checked(groups: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    groups = tuple(map(tuple, groups))
    classes = sorted(number for group in groups for number in group)
    if classes != list(range(len(classes))) or not all(groups):
        raise ValueError(f"groups (={groups}) must hold each class from 0 on once, and no group may be empty")
    return groups
