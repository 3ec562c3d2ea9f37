"""What the lectures say in words and networks say otherwise; each statement judged by a network of the zoo.

The statements are in our words: the lectures' numbers stand in data/reference/lectures.csv, their sentences do not.
"""

from collections.abc import Callable

import pandas as pd
import torch

from cnnviz.analysis.layer_table import LayerTable, layer_table
from cnnviz.analysis.lectures import printed_numbers
from cnnviz.models import create_model
from cnnviz.models.resnet import residual_blocks

HOLDS, DOES_NOT, NOT_COUNTED = "holds", "does not hold", "not counted here"
MODULE = "inception3a"  # of GoogLeNet; all nine are built alike

Found = tuple[str, str]  # verdict, explanation


def lecture_statements() -> pd.DataFrame:
    """Return one row for each statement in words that the course found wanting, with what the package finds.

    Columns: statement, verdict, explanation. Verdicts: "holds"; "does not hold"; "not counted here": nothing in the
    package can tell.
    """
    rows = [(statement, *check()) for statement, check in STATEMENTS.items()]
    return pd.DataFrame(rows, columns=["statement", "verdict", "explanation"])


def branches_are_summed() -> Found:
    """Say how the outputs of the branches of an Inception module come together."""
    table = _table("googlenet")
    joints = [row for row in table.rows if row.name.startswith(f"{MODULE}.") and len(row.input_shapes) > 1]
    [joint] = joints
    channels = [shape[1] for shape in joint.input_shapes]
    verdict = HOLDS if joint.kind == "add" else DOES_NOT
    because = f"{MODULE} ends in {joint.kind}: {' + '.join(map(str, channels))} = {joint.output_shape[1]} channels"
    if len(set(channels)) > 1:
        because += ", laid side by side; branches with different numbers of channels have no sum"
    return verdict, f"{because}. Sums are what ResNet's shortcuts make."


def pooling_branch_is_a_convolution() -> Found:
    """Say what the pooling of an Inception module is."""
    rows = [row for row in _table("googlenet").rows if row.name.startswith(f"{MODULE}.branch_pool")]
    pool, projection = rows[:2]
    verdict = HOLDS if "Conv" in pool.kind else DOES_NOT
    size = " x ".join(map(str, pool.kernel_size))
    return verdict, (
        f"It is a {pool.kind} of {size}: {pool.parameters} parameters, {pool.mult_adds} mult-adds, the maximum of each "
        f"window. Behind it comes a {projection.kind} of 1 x 1 with {projection.parameters:,} parameters."
    )


def a_resnet_has(layers: int, nearest: str) -> Found:
    """Say whether a ResNet of bottlenecks can have so many layers, and how many the nearest one has."""
    with torch.device("meta"):
        model = create_model(nearest)
    table = layer_table(model)
    depth = sum(row.mult_adds > 0 and ".shortcut" not in row.name for row in table.rows)
    blocks = len(residual_blocks(model))
    each = (depth - 2) / blocks
    verdict = HOLDS if depth == layers or (layers - 2) % each == 0 else DOES_NOT
    return verdict, (
        f"{nearest} has {blocks} blocks of {each:g} layers, one layer before them and one behind: {depth}. "
        f"({layers} - 2) / {each:g} = {(layers - 2) / each:.2f} is no number of blocks."
    )


def one_ratio_in_two_ways() -> Found:
    """Say what the package counts for a ratio that the lectures print twice, with two values."""
    ratio = "AlexNet parameters divided by GoogLeNet parameters"
    values = {row["printed"] for row in printed_numbers() if row["statement"] == ratio}
    large, small = _table("alexnet").parameters, _table("googlenet", aux_logits=False).parameters
    ours = large / small
    verdict = HOLDS if {f"{ours:.0f}"} == values else DOES_NOT
    said = " and ".join(sorted(values, key=float, reverse=True))
    return verdict, f"Printed are {said}; counted are {large:,} / {small:,} = {ours:.1f}."


def one_image_count_in_two_ways() -> Found:
    """Say why nothing can be said: the images of that data set are not here."""
    return NOT_COUNTED, (
        "At most one of two different counts is right. Which one, the course cannot say: it does not have these images "
        "to count, and neither number is among those of lectures.csv."
    )


def _table(name: str, **options) -> LayerTable:
    with torch.device("meta"):
        return layer_table(create_model(name, **options))


STATEMENTS: dict[str, Callable[[], Found]] = {
    "The outputs of an Inception module's branches are summed.": branches_are_summed,
    "The pooling branch of an Inception module is a convolution.": pooling_branch_is_a_convolution,
    "There is a ResNet-151.": lambda: a_resnet_has(151, "resnet152"),
    "There is a ResNet-51.": lambda: a_resnet_has(51, "resnet50"),
    "AlexNet has 12 times as many parameters as GoogLeNet, and 10 times as many.": one_ratio_in_two_ways,
    "One data set has two different numbers of images.": one_image_count_in_two_ways,
}
