from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnviz.analysis.confusion import confusion


def evaluation(labels, predictions, classes):
    matrix = np.zeros((classes, classes), np.int64)
    np.add.at(matrix, (labels, predictions), 1)
    return SimpleNamespace(confusion=matrix, predictions=np.array(predictions))


LABELS, PREDICTIONS = [0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 2, 0]


def test_the_most_frequent_confusion_comes_first_with_its_images():
    found = confusion(evaluation(LABELS, PREDICTIONS, 3), torch.tensor(LABELS), ("bag", "coat", "shoe"))
    assert [(pair.true, pair.predicted, list(pair.indices)) for pair in found.pairs] == [
        (0, 1, [1, 2]),
        (1, 2, [4]),
        (2, 0, [5]),
    ]
    assert found.name(found.pairs[0]) == "bag taken for coat"
    assert found.describe() == (
        "4 of 6 images are wrong (66.7%); most often: bag taken for coat (2), coat taken for shoe (1), "
        "shoe taken for bag (1)."
    )


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_pairs_hold_every_wrong_image_once(cases):
    labels, predictions = (np.array(column) for column in zip(*cases, strict=True))
    found = confusion(evaluation(labels, predictions, 4), labels, pairs=100)
    indices = [index for pair in found.pairs for index in pair.indices]
    assert sorted(indices) == list(np.flatnonzero(labels != predictions))
    assert all(found.matrix[pair.true, pair.predicted] == pair.count for pair in found.pairs)
    assert [pair.count for pair in found.pairs] == sorted((pair.count for pair in found.pairs), reverse=True)


def test_a_perfect_network_confuses_nothing():
    found = confusion(evaluation([0, 1], [0, 1], 2), [0, 1])
    assert found.pairs == ()
    assert found.describe() == "0 of 2 images are wrong (0.0%)."


def test_labels_of_another_set_are_refused():
    result = evaluation(LABELS, PREDICTIONS, 3)
    with pytest.raises(ValueError, match="2 labels for 6 predictions"):
        confusion(result, [0, 1])
    with pytest.raises(ValueError, match="their classes have other counts"):
        confusion(result, [0, 0, 0, 0, 0, 0])
    with pytest.raises(ValueError, match="2 class names for 3 classes"):
        confusion(result, LABELS, ("a", "b"))
