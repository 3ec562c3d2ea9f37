"""The lectures' statements in words: each verdict comes from a network, and turns with the network."""

import pytest
from torch import nn

from cnnviz.analysis import lecture_statements, statements
from cnnviz.models import create_model
from cnnviz.models.googlenet import Inception


@pytest.fixture(scope="module")
def table():
    return lecture_statements().set_index("statement")


def explanation(table, words):
    [found] = [text for statement, text in table.explanation.items() if words in statement]
    return found


def test_every_statement_has_a_verdict_and_a_reason(table):
    assert table.verdict.value_counts().to_dict() == {"does not hold": 5, "not counted here": 1}
    assert (table.explanation.str.len() > 40).all()


def test_branches_lie_side_by_side(table):
    assert "inception3a ends in cat: 64 + 128 + 32 + 32 = 256 channels" in explanation(table, "summed")


def test_the_pooling_branch_pools(table):
    found = explanation(table, "pooling branch")
    assert "MaxPool2d of 3 x 3: 0 parameters, 0 mult-adds" in found
    assert "Conv2d of 1 x 1 with 6,176 parameters" in found  # 192 * 32 + 32


@pytest.mark.parametrize(
    ("layers", "words"), [(151, "50 blocks of 3 layers"), (51, "16 blocks of 3 layers"), (51, "16.33")]
)
def test_resnets_have_three_layers_a_block_and_two(table, layers, words):
    assert words in explanation(table, f"ResNet-{layers}")


def test_the_ratio_is_neither(table):
    assert "Printed are 12 and 10; counted are 62,378,344 / 6,998,552 = 8.9." in explanation(table, "12 times")


@pytest.mark.parametrize("layers", [50, 101, 152, 164])
def test_depths_that_bottlenecks_can_have_hold(layers):
    assert statements.a_resnet_has(layers, "resnet50")[0] == "holds"


def test_a_module_that_sums_its_branches_would_hold(monkeypatch):
    class Summed(Inception):
        def forward(self, x):
            return self.branch1x1(x) + self.branch1x1(x)

    class Net(nn.Sequential):
        in_channels, image_size = 192, 28

    def create(name):
        model = Net()
        model.add_module("inception3a", Summed(192, 8, 8, 8, 8, 8, 8))
        return model

    monkeypatch.setattr(statements, "create_model", create)
    verdict, because = statements.branches_are_summed()
    assert verdict == "holds"
    assert "ends in add" in because


def test_a_branch_of_convolutions_would_hold(monkeypatch):
    def create(name):
        model = create_model(name)
        model.inception3a.branch_pool[0] = nn.Conv2d(192, 192, 3, padding=1)
        return model

    monkeypatch.setattr(statements, "create_model", create)
    assert statements.pooling_branch_is_a_convolution()[0] == "holds"


def test_verdicts_come_from_models(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a model was asked")

    monkeypatch.setattr(statements, "create_model", refuse)
    for statement, check in statements.STATEMENTS.items():
        if "number" in statement:  # of images: no model can tell
            assert check()[0] == "not counted here"
        else:
            with pytest.raises(AssertionError, match="a model was asked"):
                check()
