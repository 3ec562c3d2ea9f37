"""What models of images share: the check of the input, the rounding of scaled channel numbers, He's first weights."""

from torch import Tensor, nn


def check_image(x: Tensor, name: str, in_channels: int, smallest: int, largest: int | None = None) -> None:
    """Raise ValueError unless x is N x in_channels x H x W with H and W from `smallest` to `largest` pixels.

    Args:
        x: what the model was given.
        name: of the model, for the message.
        in_channels: channels that its first layer takes.
        smallest: least height and width in pixels.
        largest: greatest height and width in pixels; None where the network ends in global pooling.
    """
    given = " x ".join(map(str, x.shape)) or "a single number"
    exact = largest == smallest
    height = f"{smallest} x {smallest}" if exact else "H x W"
    fits = x.ndim == 4 and x.shape[1] == in_channels
    if fits and all(smallest <= size and (largest is None or size <= largest) for size in x.shape[2:]):
        return
    limit = "" if exact else f" with H and W at least {smallest} pixels" + (f", at most {largest}" if largest else "")
    raise ValueError(
        f"{name} takes images of shape N x {in_channels} x {height}{limit}, not {given}; "
        "resize the images, or build the network with other in_channels or for another image size"
    )


def scaled(channels: int, width: float, divisor: int = 8) -> int:
    """Return channels * width, rounded to the nearest multiple of `divisor`, at least one; width 1 changes nothing.

    Raises:
        ValueError: width is not above 0.
    """
    if not width > 0:
        raise ValueError(f"width (={width}) must be above 0")
    return channels if width == 1 else max(divisor, round(channels * width / divisor) * divisor)


def he_normal(
    model: nn.Module, *, mode: str = "fan_in", kinds: tuple[type[nn.Module], ...] = (nn.Conv2d, nn.Linear)
) -> None:
    """Draw the weights of all layers of these kinds from a normal distribution with variance 2 / fan; biases are 0.

    K. He, X. Zhang, S. Ren and J. Sun, Delving deep into rectifiers, ICCV 2015, equations 10 (fan_in) and 14 (fan_out).
    """
    for layer in model.modules():
        if isinstance(layer, kinds):
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
