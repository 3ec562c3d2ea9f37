import numpy as np
import pytest

from cnnviz.analysis.confusion import ConfusedPair, Confusion
from cnnviz.figures.confusion import plot_confused_images, plot_confusion

MATRIX = np.array([[7, 2, 0], [1, 9, 0], [0, 0, 0]])
CONFUSION = Confusion(
    MATRIX, (ConfusedPair(0, 1, np.array([3, 5])), ConfusedPair(1, 0, np.array([12]))), ("0", "1", "2")
)
IMAGES = np.arange(19, dtype=np.uint8)[:, None, None, None] * np.ones((1, 1, 4, 4), np.uint8)


def test_counts_are_written_and_colours_are_shares_of_the_true_class():
    (heat,) = plot_confusion(CONFUSION).data
    assert heat.text.tolist() == [["7", "2", ""], ["1", "9", ""], ["", "", ""]]
    np.testing.assert_allclose(np.square(heat.z), [[7 / 9, 2 / 9, 0], [0.1, 0.9, 0], [0, 0, 0]])


def test_digits_are_names_of_classes_not_numbers_on_an_axis():
    figure = plot_confusion(CONFUSION)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    assert figure.layout.yaxis.autorange == "reversed"  # row 0 on top, as the matrix is written


def test_each_row_shows_the_images_of_its_pair():
    figure = plot_confused_images(CONFUSION, IMAGES)
    sheet = np.asarray(figure.data[0].z)
    assert sheet.shape == (10, 10, 3)
    assert [sheet[0, 0, 0], sheet[0, 6, 0], sheet[6, 0, 0], sheet[6, 6, 0]] == [3, 5, 12, 255]
    assert list(figure.layout.yaxis.ticktext) == ["0 taken for 1 (2)", "1 taken for 0 (1)"]
    assert list(figure.layout.yaxis.tickvals) == [2, 8]  # the middle of each row


def test_no_more_images_than_asked_for():
    assert np.asarray(plot_confused_images(CONFUSION, IMAGES, most=1).data[0].z).shape == (10, 4, 3)


def test_the_description_is_that_of_the_numbers():
    for figure in (plot_confusion(CONFUSION), plot_confused_images(CONFUSION, IMAGES)):
        assert figure.layout.meta == CONFUSION.describe()


def test_other_images_and_nothing_to_show_are_refused():
    with pytest.raises(ValueError, match=r"images must be the 19 evaluated ones .* got uint8 \[2, 1, 4, 4\]"):
        plot_confused_images(CONFUSION, IMAGES[:2])
    with pytest.raises(ValueError, match="no image was confused"):
        plot_confused_images(Confusion(np.diag([10, 9]), (), ("a", "b")), IMAGES)
