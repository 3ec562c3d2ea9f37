"""The exercises of chapter 07: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
from torch import nn

from cnnviz.exercises import ch07
from cnnviz.models import alexnet_two_groups
from cnnviz.models.alexnet import local_response

from .solutions import rewritten

FIRST, SECOND = "maps[:, :4]", "maps[:, 4:]"
JOINED = "torch.cat([self.first(maps[:, :4]), self.second(maps[:, 4:])], dim=1)"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("alexnet_parameters", "bias forgotten", " + 1)", ")"),
    ("alexnet_parameters", "one tower", "256 * (48", "256 * (96", "(192", "(384"),
    ("alexnet_parameters", "groups everywhere", "(256 * 3 * 3", "(128 * 3 * 3", "(256 * 6", "(128 * 6"),
    ("alexnet_parameters", "groups everywhere", "(256 * 3 * 3", "(128 * 3 * 3"),
    ("alexnet_parameters", "one GPU only",
     "96 * (3 *", "48 * (3 *", "256 * (48", "128 * (48", "384 * (", "192 * (", "256 * (192", "128 * (192"),
    ("alexnet_parameters", "pooling forgotten", "256 * 6 * 6", "256 * 13 * 13"),
    ("alexnet_parameters", "grey images", "(3 * 11", "(1 * 11"),
    ("response_norm", "torch's alpha", "alpha * sums", "alpha / size * sums"),
    ("response_norm", "pixels for maps", "sums = (neighbours**2).sum(1)",
     "sums = size**2 * nn.functional.avg_pool2d(maps[:, i : i + 1] ** 2, size, 1, size // 2)[:, 0]"),
    ("response_norm", "squares forgotten", "(neighbours**2)", "neighbours"),
    ("response_norm", "beta forgotten", " ** beta", ""),
    ("response_norm", "multiplied", "/ (k", "* (k"),
    ("response_norm", "itself left out", ".sum(1)", ".sum(1) - maps[:, i] ** 2"),
    ("response_norm", "size on each side", "size // 2", "size"),
    ("response_norm", "maps in a circle", "maps[:, max(0, i - size // 2) : i + size // 2 + 1]",
     "maps[:, [(i + j) % maps.shape[1] for j in range(-(size // 2), size // 2 + 1)]]"),
    ("response_norm", "k forgotten", "k + ", ""),
    ("two_towers", "same half twice", SECOND, FIRST),
    ("two_towers", "same half twice", FIRST, SECOND),
    ("two_towers", "halves exchanged", FIRST, "maps[:, 4 :]", SECOND, FIRST),
    ("two_towers", "every other map", FIRST, "maps[:, ::2]", SECOND, "maps[:, 1::2]"),
    ("two_towers", "outputs exchanged",
     JOINED, "torch.cat([self.second(maps[:, 4:]), self.first(maps[:, :4])], dim=1)"),
    ("two_towers", "outputs added", JOINED, "self.first(maps[:, :4]) + self.second(maps[:, 4:])"),
    ("two_towers", "padding forgotten", ", padding=2", ""),
    ("two_towers", "activation added", "dim=1)", "dim=1).relu()"),
    ("two_towers", "bias forgotten", "padding=2", "padding=2, bias=False"),
    ("two_towers", "layer first is wrong", "nn.Conv2d(4", "nn.Conv2d(8"),
    ("two_towers", "layer second is missing", "self.second = nn.Conv2d(4, 6, kernel_size=5, padding=2)",
     "self.second = self.first"),
    ("top_k_error", "accuracy for error", "1 - ", ""),
    ("top_k_error", "percent", "1 - found.float().mean()", "100 * (1 - found.float().mean())"),
    ("top_k_error", "number of errors", "1 - found.float().mean()", "(~found).sum()"),
    ("top_k_error", "top-1 only", "topk(k", "topk(1"),
    ("top_k_error", "smallest logits", "dim=1).indices", "dim=1, largest=False).indices"),
    ("top_k_error", "the k-th only", "(best == labels[:, None]).any(dim=1)", "best[:, -1] == labels"),
    ("top_k_error", "one too many", "topk(k", "topk(min(k + 1, logits.shape[1])"),
    ("top_k_error", "divided by k", ".any(dim=1)", ""),
    ("ensemble_error", "logits averaged", ".softmax(dim=2)", ""),
    ("ensemble_error", "votes counted", "logits.softmax(dim=2).mean(dim=0)",
     "nn.functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0)"),
    ("ensemble_error", "errors averaged", "return (probabilities.argmax(dim=1) != labels)",
     "return (logits.argmax(dim=2) != labels)"),
    ("ensemble_error", "best network", "return (probabilities.argmax(dim=1) != labels).float().mean()",
     "return (logits.argmax(dim=2) != labels).float().mean(1).min()"),
    ("ensemble_error", "first network only", ".mean(dim=0)", "[0]"),
    ("ensemble_error", "softmax over networks", "softmax(dim=2)", "softmax(dim=0)"),
    ("ensemble_error", "softmax over images", "softmax(dim=2)", "softmax(dim=1)"),
    ("ensemble_error", "accuracy for error", "!=", "=="),
    ("ensemble_error", "percent", ".float().mean()", ".float().mean() * 100"),
    ("ensemble_error", "number of errors", ".float().mean()", ".sum()"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch07, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


class Parts(nn.Module):
    """Two towers with the split of torch, and the layers in a list."""

    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleList(nn.Conv2d(4, 6, 5, padding="same") for _ in range(2))

    def forward(self, maps):
        return torch.cat([tower(half) for tower, half in zip(self.towers, maps.chunk(2, 1), strict=True)], 1)


def by_torch(maps, size, alpha, beta, k):
    return nn.LocalResponseNorm(size, alpha * size, beta, k)(maps)


def counted():
    layers = alexnet_two_groups().named_children()
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in layers}
    return {name: count for name, count in counts.items() if count}


RIGHT = {
    "alexnet_parameters counted in the package's network": lambda: ch07.check_alexnet_parameters(counted()),
    "response_norm by torch": lambda: ch07.check_response_norm(by_torch),
    "two_towers with chunk": lambda: ch07.check_two_towers(Parts()),
    "top_k_error by sorting": lambda: ch07.check_top_k_error(
        lambda logits, labels, k: sum(
            label.item() not in row.argsort(descending=True)[:k].tolist()
            for row, label in zip(logits, labels, strict=True)
        )
        / len(labels)
    ),
    "ensemble_error with sums": lambda: ch07.check_ensemble_error(
        lambda logits, labels: float(
            (logits.exp() / logits.exp().sum(2, True)).sum(0).argmax(1).ne(labels).double().mean()
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_the_exercise_is_the_normalisation_of_the_package():
    maps = 50 * torch.randn(2, 9, 3, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(by_torch(maps, 5, 1e-4, 0.75, 2), local_response()(maps))


def test_a_grouped_convolution_is_told_that_a_layer_is_missing():
    assert ch07.check_two_towers(nn.Conv2d(8, 12, 5, padding=2, groups=2)).mistake == "layer first is wrong"
