import pytest
import torch
from torch import nn

from cnnviz.analysis.comparison import provenance
from cnnviz.datasets import ImageSet
from cnnviz.training import Recipe, fit
from cnnviz.training.summary import summary


@pytest.fixture
def run():
    images, labels = torch.randint(0, 256, (20, 1, 4, 4), dtype=torch.uint8), torch.arange(20) % 2
    data = ImageSet("noise", images, labels, images, labels, ("a", "b"))
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    return fit(model, data, Recipe(epochs=3, batch_size=10), device="cpu", seed=7)


def test_a_run_reads_like_a_measured_cell(run, monkeypatch):
    monkeypatch.setenv("CNNVIZ_PROFILE", "quick")
    records = list(run)
    cell = summary(run, "tiny")
    assert cell["final"]["test_error"] == records[-1].test_error
    assert [record["epoch"] for record in cell["records"]] == [0, 1, 2, 3]
    assert "filters" not in cell["records"][0]
    assert (cell["train_images"], cell["recipe"]["epochs"]) == (20, 3)
    assert provenance([cell]).startswith("tiny on noise, quick, ")
    assert ", seed 7, 20" in provenance([cell])


def test_a_stopped_run_counts_the_passes_it_made(run):
    next(run), next(run)
    assert summary(run, "tiny")["recipe"]["epochs"] == 1


def test_a_run_without_an_epoch_is_refused(run):
    with pytest.raises(ValueError, match="the run has 0 whole epochs; train first"):
        summary(run, "tiny")
