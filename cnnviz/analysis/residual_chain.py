"""A residual network as a chain of blocks, each in four parts: post(shortcut(p) + residual(p)) with p = pre(x)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from cnnviz.analysis.hooks import check_module
from cnnviz.models.resnet import ResidualBlock


@dataclass(frozen=True)
class Parts:
    """What a residual block consists of. The modules are the block's own."""

    pre: nn.Module  # what both ways share
    shortcut: nn.Module | None  # the way past; None in a plain network
    residual: nn.Module  # the layers that learn
    post: nn.Module  # what follows the addition

    def without_residual(self, x: Tensor) -> Tensor:
        """Return what the block gives when its layers are deleted (Veit et al. 2016, section 4.1)."""
        return self.post(self.shortcut(self.pre(x)))


def residual_chain(net: nn.Module) -> dict[str, tuple[nn.Module, Parts]]:
    """Return the blocks of a network by name, in the order of its modules: the block and its parts.

    Blocks of cnnviz (`ResidualBlock`: ResNet in both forms, ResNeXt, Xception, the plain networks), and those of
    torchvision's ResNet.

    Raises:
        TypeError: it is no nn.Module.
        ValueError: there is no such block.
    """
    check_module(net)
    found = {name: (block, parts_of(block)) for name, block in net.named_modules()}
    found = {name: (block, parts) for name, (block, parts) in found.items() if parts}
    if not found:
        raise ValueError(
            f"{type(net).__name__} has no residual block; what is allowed: networks of blocks that are a "
            "cnnviz.models.resnet.ResidualBlock (resnet20, resnext50_32x4d, ...) or those of torchvision's ResNet"
        )
    return found


def parts_of(block: nn.Module) -> Parts | None:
    """Return the four parts of a residual block, None for any other module."""
    if type(block).forward is ResidualBlock.forward:
        return Parts(block.pre, block.shortcut, block.residual, block.post)
    from torchvision.models.resnet import BasicBlock, Bottleneck  # slow to import

    if type(block) in (BasicBlock, Bottleneck):
        pairs = ("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")
        layers = [nn.Sequential(*(getattr(block, name) for name in pair)) for pair in pairs if hasattr(block, pair[0])]
        between = [layer for pair in layers[:-1] for layer in (*pair, block.relu)]
        return Parts(nn.Identity(), block.downsample or nn.Identity(), nn.Sequential(*between, *layers[-1]), block.relu)
    return None


@contextmanager
def with_forward(forwards: Mapping[nn.Module, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Let modules compute something else for as long as the block runs; then their own again, also after an error."""
    before = {module: vars(module).get("forward") for module in forwards}
    try:
        for module, forward in forwards.items():
            module.forward = forward
        yield
    finally:
        for module, own in before.items():
            vars(module).pop("forward", None)
            if own is not None:
                module.forward = own
