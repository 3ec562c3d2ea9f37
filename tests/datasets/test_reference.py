import json

import pytest

from cnnviz.datasets import measured, published, reference


def test_every_row_has_a_unit_and_a_place():
    rows = published()
    assert len(rows) > 15
    assert all(row.unit and row.where and row.paper for row in rows)
    assert len({(row.model, row.quantity) for row in rows}) == len(rows)


def test_a_number_says_its_source():
    [row] = published(model="lenet5_1998", quantity="test error, mnist")
    assert row.describe() == (
        "lenet5_1998, test error, mnist: 0.95 percent (LeCun et al. 1998, section III.B and figure 9)"
    )


def test_an_unknown_model_or_quantity_lists_what_there_is():
    with pytest.raises(ValueError, match="no published number of 'resnet'; there are some of lenet5_1998"):
        published(model="resnet")
    with pytest.raises(ValueError, match="no published 'speed' of lenet5_1998; there is: input height"):
        published(model="lenet5_1998", quantity="speed")


def test_measured_chooses_by_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "RESULTS", tmp_path)
    rows = [{"model": "a", "seed": 0}, {"model": "a", "seed": 1}, {"model": "b", "seed": 0}]
    (tmp_path / "lenet-full.json").write_text(json.dumps({"cells_planned": 4, "seeds_planned": 2, "cells": rows}))
    cells = [row | {"cells_planned": 4, "seeds_planned": 2} for row in rows]
    assert measured("lenet") == cells
    assert measured("lenet", model="a", seed=1) == [cells[1]]
    assert measured("lenet", scale="reduced") == []
