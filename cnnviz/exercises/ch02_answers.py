"""Answers to the exercises of chapter 02: torch's, and formulas in which one part can be exchanged for a wrong one."""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor


def reach(kernel_size, dilation):
    """Pixels from the first to the last that a dilated kernel touches."""
    return dilation * (kernel_size - 1) + 1


REACHES_OFF_BY_ONE = (lambda k, d: d * k, lambda k, d: d * (k - 1))


def size(n, k, s, p, d, *, sides=2, reach=reach, first=1, ceil=False, fractions=False):
    """The output size by formula."""
    room = n + sides * p - reach(k, d)
    return (room / s if fractions else -(-room // s) if ceil else room // s) + first


def rest(n, k, s, p, d, *, sides=2, reach=reach):
    """The leftover pixels by formula."""
    return (n + sides * p - reach(k, d)) % s


def grown(n, k, s, p, o, d, *, sides=2, reach=reach, steps=-1, extra=1):
    """The size of a transposed convolution by formula."""
    return (n + steps) * s - sides * p + reach(k, d) + extra * o


def same_pair(total: int) -> tuple[int, int]:
    """A number of pixels shared between both ends, an odd one after."""
    return total // 2, total - total // 2


def weights(c, n, f, k, p, shared, *, bias=0, power=2, area=2):
    """Weights of a layer by formula."""
    each = c * k**power + bias
    return int(f * each if shared else f * each * (n + 2 * p - k + 1) ** area)


def output_size(n, k, s, p, d) -> int:
    """The shape that torch's convolution returns."""
    row, kernel = torch.zeros(1, 1, n), torch.zeros(1, 1, k)
    return F.conv1d(row, kernel, None, s, p, d).shape[-1]


def leftover(n, k, s, p, d) -> int:
    """How many pixels the padded row can lose while torch's output keeps its size."""
    full = n + 2 * p
    shrunk = [output_size(m, k, s, 0, d) for m in range(full, max(reach(k, d), full - s + 1) - 1, -1)]
    return shrunk.count(shrunk[0]) - 1


def transposed_size(n, k, s, p, o, d) -> int:
    """The shape that torch's transposed convolution returns."""
    row, kernel = torch.zeros(1, 1, n), torch.zeros(1, 1, k)
    return F.conv_transpose1d(row, kernel, None, s, p, o, 1, d).shape[-1]


def same_padding(k, d) -> tuple[int, int]:
    """Where torch's "same" leaves a one: a kernel that is 1 at its first pixel only shifts the row by the padding."""
    row, kernel = torch.ones(1, 1, 40), torch.zeros(1, 1, k)
    kernel[..., 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that an even kernel costs a copy
        shifted = F.conv1d(row, kernel, padding="same", dilation=d)
    before = int((shifted == 0).sum())
    return before, d * (k - 1) - before


def number_of_weights(c, n, f, k, p, shared) -> int:
    """The size of torch's weight, once a filter, or once an output pixel where nothing is shared."""
    filters = torch.zeros(f, c, k, k)
    outputs = F.conv2d(torch.zeros(c, n, n), filters, padding=p)
    return filters.numel() if shared else outputs.numel() * filters[0].numel()


def padded(row: Tensor, padding: int, mode: str, **other: str) -> Tensor:
    """torch's padding of a row, in another mode where ``other`` names one."""
    mode = other.get(mode, mode)
    return F.pad(row[None, None], (padding, padding), "constant" if mode == "zeros" else mode)[0, 0]


def pad_row_symmetric(row: Tensor, padding: int, mode: str) -> Tensor:
    """reflect: 1234 -> 21|1234|43, mirrored behind the edge pixel instead of at it."""
    ends = row[:padding].flip(0), row[-padding:].flip(0)
    return torch.cat([ends[0], row, ends[1]]) if mode == "reflect" else padded(row, padding, mode)


def pad_row_unmirrored(row: Tensor, padding: int, mode: str) -> Tensor:
    """reflect: 1234 -> 23|1234|23."""
    ends = row[1 : padding + 1], row[-padding - 1 : -1]
    return torch.cat([ends[0], row, ends[1]]) if mode == "reflect" else padded(row, padding, mode)


def pad_row_own_ends(row: Tensor, padding: int, mode: str) -> Tensor:
    """circular: 1234 -> 12|1234|34."""
    return torch.cat([row[:padding], row, row[-padding:]]) if mode == "circular" else padded(row, padding, mode)


def conv(image: Tensor, kernel: Tensor, stride=1, padding=0) -> Tensor:
    """torch's convolution of one channel."""
    return F.conv2d(image[None, None], kernel[None, None], None, stride, padding)[0, 0]


def conv_small_steps(image: Tensor, kernel: Tensor, stride, padding) -> Tensor:
    """As many outputs as the stride asks for, but read from neighbouring windows."""
    height, width = conv(image, kernel, stride, padding).shape
    return conv(image, kernel, 1, padding)[:height, :width]


def pool(image: Tensor, kernel_size, stride, padding=0, *, ceil=False) -> Tensor:
    """torch's max pooling of one channel."""
    return F.max_pool2d(image[None], kernel_size, stride, padding, ceil_mode=ceil)[0]


def pool_padded_before(image: Tensor, kernel_size, stride, padding) -> Tensor:
    """Minus infinity above and left only."""
    return pool(F.pad(image, (padding, 0, padding, 0), value=-torch.inf), kernel_size, stride, 0)


def mean_pool(image: Tensor, kernel_size, stride, padding, **options) -> Tensor:
    """torch's average pooling of one channel."""
    return F.avg_pool2d(image[None], kernel_size, stride, padding, **options)[0]


def spread(image: Tensor, kernel: Tensor, stride, padding=0) -> Tensor:
    """torch's transposed convolution of one channel."""
    return F.conv_transpose2d(image[None, None], kernel[None, None], None, stride, padding)[0, 0]


def spread_overwriting(image: Tensor, kernel: Tensor, stride, padding) -> Tensor:
    """The last kernel written stays where kernels overlap."""
    full = torch.zeros_like(spread(image, kernel, stride, 0))
    for row, column in torch.cartesian_prod(*map(torch.arange, image.shape)).tolist():
        top, left = row * stride, column * stride
        full[top : top + len(kernel), left : left + len(kernel)] = image[row, column] * kernel
    return full[padding : len(full) - padding, padding : full.shape[1] - padding]


def spread_cut_before(image: Tensor, kernel: Tensor, stride, padding) -> Tensor:
    """Padding cut off above and left only."""
    return spread(image, kernel, stride)[padding:, padding:]


def spread_cut_after(image: Tensor, kernel: Tensor, stride, padding) -> Tensor:
    """Padding cut off below and right only."""
    full = spread(image, kernel, stride)
    return full[: len(full) - padding, : full.shape[1] - padding]
