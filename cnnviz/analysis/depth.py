"""How deep a network is: the layers with weights on the longest way from the image to the output."""

from torch import nn

from cnnviz.analysis.architecture import Part, architecture
from cnnviz.analysis.trace import InputSize


def depth(model: nn.Module, input_size: InputSize = None) -> int:
    """Return the number of convolutions and linear layers on the longest way through a network: ResNet-50 has 50.

    Args:
        model: any module of which every block takes one tensor; it is traced without numbers and stays as it was.
        input_size: as for `layer_table`; by default the model's own.

    Raises:
        ValueError: a block with layers takes several tensors: which of them its longest way begins at is not known.
    """
    return _depth(architecture(model, input_size).top)


def _depth(part: Part) -> int:
    if not part.parts:
        return int(part.mult_adds > 0)
    if len(part.input_shapes) > 1 and part.mult_adds:
        raise ValueError(f"{part.name} ({part.kind}) takes {len(part.input_shapes)} tensors; depth knows blocks of one")
    reached = {-1: 0}  # layers up to each inner part, itself included; -1 is the input
    for index, inner in enumerate(part.parts):
        before = [reached[edge.source] for edge in part.edges if edge.target == index]
        reached[index] = max(before, default=0) + _depth(inner)
    return max(reached[edge.source] for edge in part.edges if edge.target < 0)
