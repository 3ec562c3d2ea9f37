"""A solution, a hint and a starter for every exercise, as the notebooks show them."""

import ast
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def grey(rgb):
    return 0.299 * rgb[..., 0] + 0.587 * rgb[..., 1] + 0.114 * rgb[..., 2]


def box_kernel(kernel_size):
    return np.ones((kernel_size, kernel_size)) / kernel_size**2


def filter_image(image, kernel):
    height, width = image.shape
    padded = np.zeros((height + 2, width + 2))
    padded[1:-1, 1:-1] = image
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            result[row, column] = (padded[row : row + 3, column : column + 3] * kernel).sum()
    return result


def edge_magnitude(across, down):
    return np.sqrt(across**2 + down**2)


def replicate_border(image, width):
    height, columns = image.shape
    result = np.zeros((height + 2 * width, columns + 2 * width))
    for row in range(len(result)):
        for column in range(result.shape[1]):
            nearest_row = min(max(row - width, 0), height - 1)
            nearest_column = min(max(column - width, 0), columns - 1)
            result[row, column] = image[nearest_row, nearest_column]
    return result


def output_size(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size + 2 * padding - reach) // stride + 1


def leftover(size, kernel_size, stride=1, padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size + 2 * padding - reach) % stride


def same_padding(kernel_size, dilation=1):
    total = dilation * (kernel_size - 1)
    return total // 2, total - total // 2


def pad_row(row, padding, mode):
    if mode == "zeros":
        before = after = torch.zeros(padding)
    elif mode == "replicate":
        before, after = row[:1].repeat(padding), row[-1:].repeat(padding)
    elif mode == "reflect":
        before, after = row[1 : padding + 1].flip(0), row[-padding - 1 : -1].flip(0)
    elif mode == "circular":
        before, after = row[-padding:], row[:padding]
    return torch.cat([before, row, after])


def convolve2d(image, kernel, stride=1, padding=0):
    height, width = image.shape
    padded = torch.zeros(height + 2 * padding, width + 2 * padding)
    padded[padding : padding + height, padding : padding + width] = image
    k = len(kernel)
    rows, columns = ((size - k) // stride + 1 for size in padded.shape)
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = padded[i * stride : i * stride + k, j * stride : j * stride + k]
            output[i, j] = (window * kernel).sum()
    return output


def convolve_volume(volume, filters, bias):
    _, height, width = volume.shape
    k = filters.shape[-1]
    output = torch.zeros(len(filters), height - k + 1, width - k + 1)
    for f in range(len(filters)):
        for i in range(height - k + 1):
            for j in range(width - k + 1):
                output[f, i, j] = (volume[:, i : i + k, j : j + k] * filters[f]).sum() + bias[f]
    return output


def max_pool2d(image, kernel_size, stride, padding=0):
    height, width = image.shape
    padded = torch.full((height + 2 * padding, width + 2 * padding), -math.inf)
    padded[padding : padding + height, padding : padding + width] = image
    rows, columns = ((size - kernel_size) // stride + 1 for size in padded.shape)
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            output[i, j] = padded[top : top + kernel_size, left : left + kernel_size].max()
    return output


def transposed_size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
    reach = dilation * (kernel_size - 1) + 1
    return (size - 1) * stride - 2 * padding + reach + output_padding


def conv_transpose2d(image, kernel, stride=1, padding=0):
    height, width = image.shape
    k = len(kernel)
    output = torch.zeros((height - 1) * stride + k, (width - 1) * stride + k)
    for i in range(height):
        for j in range(width):
            output[i * stride : i * stride + k, j * stride : j * stride + k] += image[i, j] * kernel
    rows, columns = output.shape
    return output[padding : rows - padding, padding : columns - padding]


def number_of_weights(in_channels, size, out_channels, kernel_size, padding, shared):
    one_filter = in_channels * kernel_size**2
    if shared:
        return out_channels * one_filter
    out = size + 2 * padding - kernel_size + 1
    return out_channels * out**2 * one_filter


def conv_parameters(in_channels, out_channels, kernel_size, groups=1, bias=True):
    one_filter = in_channels // groups * kernel_size**2
    return out_channels * (one_filter + bias)


def conv_mult_adds(in_channels, out_channels, kernel_size, size, stride=1, padding=0, groups=1):
    out = (size + 2 * padding - kernel_size) // stride + 1
    one_filter = in_channels // groups * kernel_size**2
    return out * out * out_channels * one_filter


def network_parameters(channels, image_size, num_classes):
    total, side = 0, image_size
    for layer in range(1, len(channels)):
        total += channels[layer] * (3 * 3 * channels[layer - 1] + 1)
        side //= 2
    return total + num_classes * (channels[-1] * side * side + 1)


def fullest_layer(channels, strides, size):
    numbers = []
    for maps, stride in zip(channels, strides, strict=True):
        size = (size + 2 - 3) // stride + 1
        numbers.append(maps * size * size)
    return numbers.index(max(numbers))


def largest_batch(parameters, activations, memory, optimizer_numbers):
    fixed = 4 * parameters * (2 + optimizer_numbers)
    return max(0, (memory - fixed) // (4 * activations))


def widest_bottleneck(in_channels, out_channels, kernel_size, size, budget):
    one_map = size * size * (in_channels + kernel_size**2 * out_channels)
    return budget // one_map


def separable_share(in_channels, out_channels, kernel_size):
    full = kernel_size**2 * in_channels * out_channels
    depthwise, pointwise = kernel_size**2 * in_channels, in_channels * out_channels
    return (depthwise + pointwise) / full


small_network = nn.Sequential(
    nn.Conv2d(3, 16, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1, groups=16),
    nn.Conv2d(16, 32, 1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(32, 32, 3, padding=1, groups=32),
    nn.Conv2d(32, 64, 1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(64, 64, 3, padding=1, groups=64),
    nn.Conv2d(64, 64, 1),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(64, 10),
)


def pooled_size(size, kernel_size, stride, padding, ceil_mode):
    room = size + 2 * padding - kernel_size
    if not ceil_mode:
        return room // stride + 1
    windows = math.ceil(room / stride) + 1
    if (windows - 1) * stride >= size + padding:
        windows = windows - 1
    return windows


def l2_pool2d(image, kernel_size, stride):
    height, width = image.shape
    rows, columns = ((size - kernel_size) // stride + 1 for size in (height, width))
    output = torch.zeros(rows, columns)
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            window = image[top : top + kernel_size, left : left + kernel_size]
            output[i, j] = (window**2).sum().sqrt()
    return output


def max_pool_backward(image, gradient, kernel_size, stride):
    result = torch.zeros_like(image)
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            top, left = i * stride, j * stride
            window = image[top : top + kernel_size, left : left + kernel_size]
            row, column = divmod(int(window.argmax()), kernel_size)
            result[top + row, left + column] += gradient[i, j]
    return result


def seen_pixels(layers, position):
    first = last = position
    for kernel_size, stride, padding, dilation in reversed(layers):
        first = first * stride - padding
        last = last * stride - padding + dilation * (kernel_size - 1)
    return first, last


def first_to_see(layers, size):
    field, jump = 1, 1
    for number, (kernel_size, stride) in enumerate(layers, 1):
        field += (kernel_size - 1) * jump
        jump *= stride
        if field >= size:
            return number
    return 0


def branch_field(layers):
    field, jump = 1, 1
    for layer in layers:
        branches = layer if isinstance(layer, list) else [[layer]]
        widest = 0
        for branch in branches:
            grown, step = 0, jump
            for kernel_size, stride in branch:
                grown += (kernel_size - 1) * step
                step *= stride
            widest = max(widest, grown)
        field, jump = field + widest, step
    return field


wide_stack = nn.Sequential(
    nn.Conv2d(1, 1, kernel_size=3, dilation=1),
    nn.Conv2d(1, 1, kernel_size=3, dilation=3),
    nn.Conv2d(1, 1, kernel_size=3, dilation=9),
    nn.Conv2d(1, 1, kernel_size=3, dilation=7),
)


layer_shapes = {
    "c1": (6, 28, 28),
    "s2": (6, 14, 14),
    "c3": (16, 10, 10),
    "s4": (16, 5, 5),
    "c5": (120,),
    "f6": (84,),
    "output": (10,),
}

layer_parameters = {
    "c1": 6 * (1 * 5 * 5 + 1),
    "s2": 6 * 2,
    "c3": 60 * 5 * 5 + 16,
    "s4": 16 * 2,
    "c5": 120 * (16 * 5 * 5 + 1),
    "f6": 84 * (120 + 1),
}

first_block = nn.Sequential(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.ReLU(), nn.MaxPool2d(2))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, images):
        return self.classifier(self.maps(images).flatten(1))


lenet = LeNet()


def error_rate(logits, labels):
    return (logits.argmax(dim=1) != labels).float().mean()


def full_weight(depthwise, pointwise):
    return pointwise * depthwise.transpose(0, 1)


def separable_loss(weight):
    kept = energy = 0
    for m in range(weight.shape[1]):
        values = torch.linalg.svdvals(weight[:, m].flatten(1))
        kept += values[0] ** 2
        energy += (values**2).sum()
    return 1 - kept / energy


def inverted_parameters(in_channels, out_channels, expansion):
    hidden = in_channels * expansion
    expand = 0 if expansion == 1 else in_channels * hidden
    channels = (0 if expansion == 1 else hidden) + hidden + out_channels
    return expand + 9 * hidden + hidden * out_channels + 2 * (channels)


class ThinWideThin(nn.Module):
    def __init__(self):
        super().__init__()
        self.expand = nn.Conv2d(8, 32, 1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.project = nn.Conv2d(32, 8, 1)

    def forward(self, images):
        hidden = F.relu6(self.expand(images))
        hidden = F.relu6(self.depthwise(hidden))
        return images + self.project(hidden)


inverted_residual = ThinWideThin()


def inception_parameters(in_channels, out1x1, reduce3x3, out3x3, reduce5x5, out5x5, pool_projection):
    from_input = out1x1 + reduce3x3 + reduce5x5 + pool_projection
    weights = in_channels * from_input + 9 * reduce3x3 * out3x3 + 25 * reduce5x5 * out5x5
    biases = from_input + out3x3 + out5x5
    return weights + biases


def naive_mult_adds(in_channels, out1x1, out3x3, out5x5, size, modules):
    total = 0
    for _ in range(modules):
        total += size * size * in_channels * (out1x1 + 9 * out3x3 + 25 * out5x5)
        in_channels += out1x1 + out3x3 + out5x5
    return total


class Inception3a(nn.Module):
    def __init__(self):
        super().__init__()
        self.out1x1 = nn.Conv2d(192, 64, 1)
        self.reduce3x3 = nn.Conv2d(192, 96, 1)
        self.out3x3 = nn.Conv2d(96, 128, 3, padding=1)
        self.reduce5x5 = nn.Conv2d(192, 16, 1)
        self.out5x5 = nn.Conv2d(16, 32, 5, padding=2)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.pool_projection = nn.Conv2d(192, 32, 1)

    def forward(self, maps):
        first = F.relu(self.out1x1(maps))
        second = F.relu(self.out3x3(F.relu(self.reduce3x3(maps))))
        third = F.relu(self.out5x5(F.relu(self.reduce5x5(maps))))
        fourth = F.relu(self.pool_projection(self.pool(maps)))
        return torch.cat([first, second, third, fourth], dim=1)


inception3a = Inception3a()


def loss_with_heads(logits, aux1, aux2, labels):
    heads = F.cross_entropy(aux1, labels) + F.cross_entropy(aux2, labels)
    return F.cross_entropy(logits, labels) + 0.3 * heads


def one_sided_share(in_channels, between, out_channels, n):
    small = n * in_channels * between + n * between * out_channels
    large = n * n * in_channels * out_channels
    return small / large


alexnet_parameters = {
    "conv1": 96 * (3 * 11 * 11 + 1),
    "conv2": 256 * (48 * 5 * 5 + 1),
    "conv3": 384 * (256 * 3 * 3 + 1),
    "conv4": 384 * (192 * 3 * 3 + 1),
    "conv5": 256 * (192 * 3 * 3 + 1),
    "fc6": 4096 * (256 * 6 * 6 + 1),
    "fc7": 4096 * (4096 + 1),
    "fc8": 1000 * (4096 + 1),
}


def response_norm(maps, size, alpha, beta, k):
    result = torch.zeros_like(maps)
    for i in range(maps.shape[1]):
        neighbours = maps[:, max(0, i - size // 2) : i + size // 2 + 1]
        sums = (neighbours**2).sum(1)
        result[:, i] = maps[:, i] / (k + alpha * sums) ** beta
    return result


class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 6, kernel_size=5, padding=2)
        self.second = nn.Conv2d(4, 6, kernel_size=5, padding=2)

    def forward(self, maps):
        return torch.cat([self.first(maps[:, :4]), self.second(maps[:, 4:])], dim=1)


two_towers = TwoTowers()


def top_k_error(logits, labels, k):
    best = logits.topk(k, dim=1).indices
    found = (best == labels[:, None]).any(dim=1)
    return 1 - found.float().mean()


def ensemble_error(logits, labels):
    probabilities = logits.softmax(dim=2).mean(dim=0)
    return (probabilities.argmax(dim=1) != labels).float().mean()


def path_weights(channels, cardinality, group_width):
    ends = 2 * channels * group_width
    middle = 3 * 3 * group_width * group_width
    return cardinality * (ends + middle)


def widest_path(channels, cardinality, budget):
    group_width = 0
    wider = 1
    while cardinality * (2 * channels * wider + 9 * wider**2) <= budget:
        group_width = wider
        wider += 1
    return group_width


class GroupedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.reduce = nn.Conv2d(16, 8, 1, bias=False)
        self.grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4, bias=False)
        self.expand = nn.Conv2d(8, 16, 1, bias=False)

    def forward(self, maps):
        inner = F.relu(self.reduce(maps))
        inner = F.relu(self.grouped(inner))
        return F.relu(maps + self.expand(inner))


grouped_block = GroupedBlock()


def dense_channels(depths, growth):
    channels, found = 2 * growth, []
    for depth in depths:
        channels += depth * growth
        found.append(channels)
        channels = channels // 2
    return tuple(found)


class OwnDenseLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(6)
        self.conv = nn.Conv2d(6, 4, 3, padding=1, bias=False)

    def forward(self, maps):
        new = self.conv(F.relu(self.bn(maps)))
        return torch.cat([maps, new], dim=1)


dense_layer = OwnDenseLayer()


def keras_count(model):
    trained = sum(p.numel() for p in model.parameters())
    stored = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    return trained + stored


def best_within(accuracy, mult_adds, budget):
    inside = [place for place, work in enumerate(mult_adds) if work <= budget]
    if not inside:
        return -1
    return max(inside, key=lambda place: accuracy[place])


def front(accuracy, mult_adds):
    marks = []
    for i in range(len(accuracy)):
        beaten = False
        for j in range(len(accuracy)):
            no_worse = accuracy[j] >= accuracy[i] and mult_adds[j] <= mult_adds[i]
            better = accuracy[j] > accuracy[i] or mult_adds[j] < mult_adds[i]
            beaten = beaten or (no_worse and better)
        marks.append(0 if beaten else 1)
    return torch.tensor(marks)


def deviations(error_a, error_b, images):
    variance_a = error_a * (1 - error_a) / images
    variance_b = error_b * (1 - error_b) / images
    return abs(error_a - error_b) / (variance_a + variance_b) ** 0.5


def mlpconv_parameters(in_channels, kernel_size, maps1, maps2, maps3):
    first = maps1 * (in_channels * kernel_size**2 + 1)
    second = maps2 * (maps1 + 1)
    third = maps3 * (maps2 + 1)
    return first + second + third


def pixel_mlp(maps, weight1, bias1, weight2, bias2):
    pixels = maps.movedim(1, -1)  # N, H, W, C
    hidden = (pixels @ weight1.T + bias1).relu()
    return (hidden @ weight2.T + bias2).relu().movedim(-1, 1)


class OneStage(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, kernel_size=5, padding=2)
        self.cccp1 = nn.Conv2d(8, 6, kernel_size=1)
        self.cccp2 = nn.Conv2d(6, 4, kernel_size=1)

    def forward(self, images):
        maps = F.relu(self.conv(images))
        maps = F.relu(self.cccp1(maps))
        return F.relu(self.cccp2(maps))


mlpconv = OneStage()


def heads(channels, size, num_classes):
    flatten = num_classes * (channels * size**2 + 1)
    average = num_classes * (channels + 1)
    return flatten, average


def class_map(maps, weight, bias, label):
    weighted = weight[label, :, None, None] * maps
    return weighted.sum(0) + bias[label]


def resnet_depth(depths, bottleneck):
    layers = 3 if bottleneck else 2
    return 1 + layers * sum(depths) + 1


def identity_weight(channels, kernel_size):
    weight = torch.zeros(channels, channels, kernel_size, kernel_size)
    middle = kernel_size // 2
    for i in range(channels):
        weight[i, i, middle, middle] = 1
    return weight


def padding_shortcut(maps, out_channels, stride):
    maps = maps[:, :, ::stride, ::stride]
    images, channels, height, width = maps.shape
    zeros = torch.zeros(images, out_channels - channels, height, width)
    return torch.cat([maps, zeros], dim=1)


def block_parameters(in_channels, channels, stride, shortcut):
    total = 9 * in_channels * channels + 2 * channels
    total += 9 * channels * channels + 2 * channels
    if shortcut == "B" and (stride != 1 or in_channels != channels):
        total += in_channels * channels + 2 * channels
    return total


class PreactivationBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1, bias=False)

    def forward(self, maps):
        inner = self.conv1(F.relu(self.bn1(maps)))
        return maps + self.conv2(F.relu(self.bn2(inner)))


preactivation_block = PreactivationBlock()


def below_level(loss, level):
    return (loss < level).mean()


def standard_error(losses):
    squares = (losses - losses.mean()) ** 2
    deviation = (squares.sum() / (len(losses) - 1)) ** 0.5
    return deviation / len(losses) ** 0.5


def filter_normalised(drawn, weight):
    result = torch.zeros_like(drawn)
    for j in range(len(drawn)):
        result[j] = drawn[j] * weight[j].norm() / drawn[j].norm()
    return result


def folded(weight, mean, var, gamma, beta, eps):
    scale = gamma / (var + eps) ** 0.5
    return weight * scale[:, None, None, None], beta - mean * scale


def local_minima(loss):
    found = 0
    for i in range(1, loss.shape[0] - 1):
        for j in range(1, loss.shape[1] - 1):
            window = loss[i - 1 : i + 2, j - 1 : j + 2]
            around = np.delete(window, 4)  # without the middle
            found += int((loss[i, j] < around).all())
    return found


def smallest_curvature(patch, step):
    aa = (patch[0, 1] - 2 * patch[1, 1] + patch[2, 1]) / step**2
    bb = (patch[1, 0] - 2 * patch[1, 1] + patch[1, 2]) / step**2
    ab = (patch[0, 0] - patch[0, 2] - patch[2, 0] + patch[2, 2]) / (4 * step**2)
    return np.linalg.eigvalsh([[aa, ab], [ab, bb]])[0]


def plane_coordinates(point, d1, d2):
    plane = torch.stack([d1, d2])
    return torch.linalg.solve(plane @ plane.T, plane @ point)


def paths_between(blocks, low, high):
    return sum(math.comb(blocks, length) for length in range(low, high + 1))


def mean_path_length(norms):
    lengths = np.arange(len(norms))
    return (lengths * norms).sum() / norms.sum()


def survival(blocks, last):
    number = np.arange(1, blocks + 1)
    return 1 - number / blocks * (1 - last)


def without_block(layers, x, gone):
    for i in range(len(layers)):
        if i != gone:
            x = x + layers[i](x)
    return x


def veit_product(norms):
    n = len(norms) - 1
    paths = np.array([math.comb(n, k) for k in range(n + 1)])
    product = paths * norms
    return product / product.sum()


def signed_shares(parts):
    g = parts.sum(dim=0)
    return parts @ g / (g @ g)


def gradient_by_length(slopes):
    parts = np.zeros(len(slopes) + 1)
    parts[0] = 1  # before the first block: one path, of length 0
    for slope in slopes:
        longer = slope * parts[:-1]
        parts[1:] += longer
    return parts


def normalise(images, mean, std):
    return (images / 255 - mean[:, None, None]) / std[:, None, None]


def hinge_loss(logits, labels):
    right = logits.gather(1, labels[:, None])
    terms = (logits - right + 1).clamp(min=0)
    return terms.sum(1) - 1


def first_deviation(shape):
    inputs = math.prod(shape[1:])
    return math.sqrt(2 / inputs)


def update_ratio(before, after):
    return (after - before).norm() / before.norm()


def dropout(x, p, random, training):
    if not training:
        return x
    return x * (random >= p) / (1 - p)


named = {
    "A": "learning rate too low",
    "B": "activations explode",
    "C": "nothing is wrong",
    "D": "dead ReLUs",
    "E": "test data leaked",
}


def stack_share(size):
    layers = (size - 1) // 2
    return layers * 3 * 3 / (size * size)


def joined_kernel(first, second):
    k, m = len(first), len(second)
    joined = torch.zeros(k + m - 1, k + m - 1)
    for i in range(m):
        for j in range(m):
            joined[i : i + k, j : j + k] += second[i, j] * first
    return joined


def vgg_parameters(convolutions, maps, size, units):
    total, before = 0, 3
    for number, after in zip(convolutions, maps, strict=True):
        for _ in range(number):
            total += after * (9 * before + 1)
            before = after
    total += units * (size * size * before + 1)
    total += units * (units + 1)
    return total + 1000 * (units + 1)


vgg_stage = nn.Sequential(
    nn.Conv2d(8, 16, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 16, kernel_size=3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
)


def signal_factor(fan_ins, deviation):
    factor = 1
    for fan_in in fan_ins:
        factor = factor * fan_in * deviation**2 / 2
    return factor


CHAPTERS = {
    "ch01": ["grey", "box_kernel", "filter_image", "edge_magnitude", "replicate_border"],
    "ch02": [
        "output_size",
        "leftover",
        "same_padding",
        "pad_row",
        "convolve2d",
        "convolve_volume",
        "max_pool2d",
        "transposed_size",
        "conv_transpose2d",
        "number_of_weights",
    ],
    "ch04": [
        "conv_parameters",
        "conv_mult_adds",
        "network_parameters",
        "fullest_layer",
        "largest_batch",
        "widest_bottleneck",
        "separable_share",
        "small_network",
    ],
    "ch03": [
        "pooled_size",
        "l2_pool2d",
        "max_pool_backward",
        "seen_pixels",
        "first_to_see",
        "branch_field",
        "wide_stack",
    ],
    "ch06": ["normalise", "hinge_loss", "first_deviation", "update_ratio", "dropout", "named"],
    "ch05": ["layer_shapes", "layer_parameters", "first_block", "lenet", "error_rate"],
    "ch15": ["full_weight", "separable_loss", "inverted_parameters", "inverted_residual"],
    "ch10": ["inception_parameters", "naive_mult_adds", "inception3a", "loss_with_heads", "one_sided_share"],
    "ch07": ["alexnet_parameters", "response_norm", "two_towers", "top_k_error", "ensemble_error"],
    "ch14": ["path_weights", "widest_path", "grouped_block", "dense_channels", "dense_layer"],
    "ch19": ["keras_count", "best_within", "front", "deviations"],
    "ch09": ["mlpconv_parameters", "pixel_mlp", "mlpconv", "heads", "class_map"],
    "ch11": ["resnet_depth", "identity_weight", "padding_shortcut", "block_parameters", "preactivation_block"],
    "ch12": [
        "below_level",
        "standard_error",
        "filter_normalised",
        "folded",
        "local_minima",
        "smallest_curvature",
        "plane_coordinates",
    ],
    "ch13": [
        "paths_between",
        "mean_path_length",
        "survival",
        "without_block",
        "veit_product",
        "signed_shares",
        "gradient_by_length",
    ],
    "ch08": ["stack_share", "joined_kernel", "vgg_parameters", "vgg_stage", "signal_factor"],
}

STARTERS = {
    "grey": "def grey(rgb):\n    return ...",
    "box_kernel": "def box_kernel(kernel_size):\n    return ...",
    "filter_image": "def filter_image(image, kernel):\n    return ...",
    "edge_magnitude": "def edge_magnitude(across, down):\n    return ...",
    "replicate_border": "def replicate_border(image, width):\n    return ...",
    "output_size": "def output_size(size, kernel_size, stride=1, padding=0, dilation=1):\n    return ...",
    "leftover": "def leftover(size, kernel_size, stride=1, padding=0, dilation=1):\n    return ...",
    "same_padding": "def same_padding(kernel_size, dilation=1):\n    return ...  # (before, after)",
    "pad_row": """def pad_row(row, padding, mode):
    if mode == "zeros":
        return ...
    if mode == "replicate":
        return ...
    if mode == "reflect":
        return ...
    if mode == "circular":
        return ...""",
    "convolve2d": "def convolve2d(image, kernel, stride=1, padding=0):\n    return ...",
    "convolve_volume": "def convolve_volume(volume, filters, bias):\n    return ...",
    "max_pool2d": "def max_pool2d(image, kernel_size, stride, padding=0):\n    return ...",
    "transposed_size": """def transposed_size(size, kernel_size, stride=1, padding=0, output_padding=0, dilation=1):
    return ...""",
    "conv_transpose2d": "def conv_transpose2d(image, kernel, stride=1, padding=0):\n    return ...",
    "number_of_weights": """def number_of_weights(in_channels, size, out_channels, kernel_size, padding, shared):
    return ...""",
    "conv_parameters": """def conv_parameters(in_channels, out_channels, kernel_size, groups=1, bias=True):
    return ...""",
    "conv_mult_adds": """def conv_mult_adds(
    in_channels, out_channels, kernel_size, size, stride=1, padding=0, groups=1
):
    return ...""",
    "network_parameters": "def network_parameters(channels, image_size, num_classes):\n    return ...",
    "fullest_layer": "def fullest_layer(channels, strides, size):\n    return ...",
    "largest_batch": "def largest_batch(parameters, activations, memory, optimizer_numbers):\n    return ...",
    "widest_bottleneck": """def widest_bottleneck(in_channels, out_channels, kernel_size, size, budget):
    return ...""",
    "separable_share": "def separable_share(in_channels, out_channels, kernel_size):\n    return ...",
    "small_network": "small_network = ...  # nn.Sequential",
    "pooled_size": "def pooled_size(size, kernel_size, stride, padding, ceil_mode):\n    return ...",
    "l2_pool2d": "def l2_pool2d(image, kernel_size, stride):\n    return ...",
    "max_pool_backward": "def max_pool_backward(image, gradient, kernel_size, stride):\n    return ...",
    "seen_pixels": "def seen_pixels(layers, position):\n    return ...  # (first, last)",
    "first_to_see": "def first_to_see(layers, size):\n    return ...",
    "branch_field": "def branch_field(layers):\n    return ...",
    "wide_stack": "wide_stack = ...  # nn.Sequential of nn.Conv2d with one channel in and one out",
    "layer_shapes": """layer_shapes = {
    "c1": (6, 28, 28),
    "s2": ...,
    "c3": ...,
    "s4": ...,
    "c5": ...,
    "f6": ...,
    "output": ...,
}""",
    "layer_parameters": """layer_parameters = {
    "c1": ...,
    "s2": ...,
    "c3": ...,
    "s4": ...,
    "c5": ...,
    "f6": ...,
}""",
    "first_block": "first_block = ...  # nn.Sequential of a convolution, an activation and a pooling",
    "lenet": """class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, images):
        return ...


lenet = LeNet()""",
    "error_rate": "def error_rate(logits, labels):\n    return ...",
    "normalise": "def normalise(images, mean, std):\n    return ...",
    "hinge_loss": "def hinge_loss(logits, labels):\n    return ...",
    "first_deviation": "def first_deviation(shape):\n    return ...",
    "update_ratio": "def update_ratio(before, after):\n    return ...",
    "dropout": "def dropout(x, p, random, training):\n    return ...",
    "named": """named = {
    "A": ...,
    "B": ...,
    "C": ...,
    "D": ...,
    "E": ...,
}""",
    "full_weight": "def full_weight(depthwise, pointwise):\n    return ...",
    "separable_loss": "def separable_loss(weight):\n    return ...",
    "inverted_parameters": "def inverted_parameters(in_channels, out_channels, expansion):\n    return ...",
    "inverted_residual": """class ThinWideThin(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, images):
        return ...


inverted_residual = ThinWideThin()""",
    "inception_parameters": """def inception_parameters(
    in_channels, out1x1, reduce3x3, out3x3, reduce5x5, out5x5, pool_projection
):
    return ...""",
    "naive_mult_adds": """def naive_mult_adds(in_channels, out1x1, out3x3, out5x5, size, modules):
    return ...""",
    "inception3a": """class Inception3a(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, maps):
        return ...


inception3a = Inception3a()""",
    "loss_with_heads": """def loss_with_heads(logits, aux1, aux2, labels):
    return ...""",
    "one_sided_share": """def one_sided_share(in_channels, between, out_channels, n):
    return ...""",
    "alexnet_parameters": """alexnet_parameters = {
    "conv1": 96 * (3 * 11 * 11 + 1),
    "conv2": ...,
    "conv3": ...,
    "conv4": ...,
    "conv5": ...,
    "fc6": ...,
    "fc7": ...,
    "fc8": ...,
}""",
    "response_norm": "def response_norm(maps, size, alpha, beta, k):\n    return ...",
    "two_towers": """class TwoTowers(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, maps):
        return ...


two_towers = TwoTowers()""",
    "top_k_error": "def top_k_error(logits, labels, k):\n    return ...",
    "ensemble_error": "def ensemble_error(logits, labels):\n    return ...",
    "path_weights": """def path_weights(channels, cardinality, group_width):
    return ...""",
    "widest_path": """def widest_path(channels, cardinality, budget):
    return ...""",
    "grouped_block": """class GroupedBlock(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, maps):
        return ...


grouped_block = GroupedBlock()""",
    "dense_channels": """def dense_channels(depths, growth):
    return ...""",
    "dense_layer": """class OwnDenseLayer(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, maps):
        return ...


dense_layer = OwnDenseLayer()""",
    "keras_count": "def keras_count(model):\n    return ...",
    "best_within": "def best_within(accuracy, mult_adds, budget):\n    return ...",
    "front": "def front(accuracy, mult_adds):\n    return ...",
    "deviations": "def deviations(error_a, error_b, images):\n    return ...",
    "mlpconv_parameters": """def mlpconv_parameters(in_channels, kernel_size, maps1, maps2, maps3):
    return ...""",
    "pixel_mlp": "def pixel_mlp(maps, weight1, bias1, weight2, bias2):\n    return ...",
    "mlpconv": """class OneStage(nn.Module):
    def __init__(self):
        super().__init__()
        ...

    def forward(self, images):
        return ...


mlpconv = OneStage()""",
    "heads": "def heads(channels, size, num_classes):\n    return ...  # (flatten, average)",
    "class_map": "def class_map(maps, weight, bias, label):\n    return ...",
    "resnet_depth": "def resnet_depth(depths, bottleneck):\n    return ...",
    "identity_weight": "def identity_weight(channels, kernel_size):\n    return ...",
    "padding_shortcut": "def padding_shortcut(maps, out_channels, stride):\n    return ...",
    "block_parameters": "def block_parameters(in_channels, channels, stride, shortcut):\n    return ...",
    "preactivation_block": """class PreactivationBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, padding=1, bias=False)

    def forward(self, maps):
        return ...


preactivation_block = PreactivationBlock()""",
    "below_level": "def below_level(loss, level):\n    return ...",
    "standard_error": "def standard_error(losses):\n    return ...",
    "filter_normalised": "def filter_normalised(drawn, weight):\n    return ...",
    "folded": "def folded(weight, mean, var, gamma, beta, eps):\n    return ...",
    "local_minima": "def local_minima(loss):\n    return ...",
    "smallest_curvature": "def smallest_curvature(patch, step):\n    return ...",
    "plane_coordinates": "def plane_coordinates(point, d1, d2):\n    return ...",
    "paths_between": "def paths_between(blocks, low, high):\n    return ...",
    "mean_path_length": "def mean_path_length(norms):\n    return ...",
    "survival": "def survival(blocks, last):\n    return ...",
    "without_block": "def without_block(layers, x, gone):\n    return ...",
    "veit_product": "def veit_product(norms):\n    return ...",
    "signed_shares": "def signed_shares(parts):\n    return ...",
    "gradient_by_length": "def gradient_by_length(slopes):\n    return ...",
    "stack_share": "def stack_share(size):\n    return ...",
    "joined_kernel": "def joined_kernel(first, second):\n    return ...",
    "vgg_parameters": "def vgg_parameters(convolutions, maps, size, units):\n    return ...",
    "vgg_stage": "vgg_stage = ...  # nn.Sequential",
    "signal_factor": "def signal_factor(fan_ins, deviation):\n    return ...",
}

HINTS = {
    "grey": "rgb[..., 0] is the red channel, an array H x W. A weight times a whole array needs no loop.",
    "box_kernel": "How many weights are there? Each is one divided by that number.",
    "filter_image": (
        "Make an array of zeros that is 2 rows and 2 columns larger and copy the image into its middle. "
        "Result [row, column] is then the sum of padded[row : row + 3, column : column + 3] * kernel."
    ),
    "edge_magnitude": "It is Pythagoras in every pixel. np.sqrt and ** work on whole arrays.",
    "replicate_border": "The row of the image nearest to a row of the result is min(max(row - width, 0), height - 1).",
    "output_size": (
        "How many pixels does the dilated kernel reach over? Subtract them from the padded size: what remains is the "
        "room for steps. Count whole steps, and the window before the first step."
    ),
    "leftover": "The same room as for output_size, divided by the stride: what is the remainder?",
    "same_padding": "By how much does the output shrink at stride 1? Add as many pixels, half of them before.",
    "pad_row": "row[1 : padding + 1].flip(0) is a mirrored piece, row[-padding:] an end; torch.cat joins pieces.",
    "convolve2d": (
        "Pad with zeros first. Output [i, j] belongs to the window that starts at [i * stride, j * stride]; multiply "
        "it by the kernel and add up."
    ),
    "convolve_volume": "A window of the volume is as large as a filter, [C, k, k]: one sum over all, plus bias[f].",
    "max_pool2d": "As convolve2d, with max in the place of the sum; torch.full(..., -math.inf) makes the padding.",
    "transposed_size": "size pixels make size - 1 steps. The last pixel writes a whole kernel. Then cut and add.",
    "conv_transpose2d": "Loop over the pixels of the input. Each adds (+=) itself times the kernel into the output.",
    "number_of_weights": "A filter has in_channels * kernel_size ** 2 weights. Unshared, every output has its own.",
    "conv_parameters": (
        "How many channels does one filter see when the input is split into groups? Count one filter with its bias, "
        "then all filters."
    ),
    "conv_mult_adds": "How many places has a filter, along one side and in all? At each, each weight works once.",
    "network_parameters": (
        "Go through the pairs channels[0] to channels[1], channels[1] to channels[2], ... and halve the side (//) each "
        "time. The linear layer sees channels[-1] * side * side numbers."
    ),
    "fullest_layer": "With padding 1 a side becomes (size - 1) // stride + 1. List channels * side * side.",
    "largest_batch": (
        "What is there once: 2 + optimizer_numbers numbers a parameter. What is there for each image: activations. "
        "Four bytes each."
    ),
    "widest_bottleneck": "What do both convolutions cost for one map in the middle? Everything else is a division.",
    "separable_share": "The depthwise step has in_channels filters of one slice. The other is a 1 x 1 convolution.",
    "small_network": (
        "Begin with stride 2: work falls with the area. Replace full 3 x 3 convolutions by groups=channels and a "
        "1 x 1 convolution. End with nn.AdaptiveAvgPool2d(1), so that the linear layer is small."
    ),
    "pooled_size": (
        "Without ceil_mode it is the formula of chapter 02. With it, round up; then ask where the last window begins: "
        "at (windows - 1) * stride in the padded row. Behind the image it does not count."
    ),
    "l2_pool2d": "window ** 2 squares every number of a window; .sum() and .sqrt() do the rest.",
    "max_pool_backward": (
        "Start with zeros. For every window find the place of its largest number, divmod(int(window.argmax()), "
        "kernel_size), and add the gradient of that window there."
    ),
    "seen_pixels": (
        "In the last layer first = last = position. Which number of the layer below does a window start with, and with "
        "which does it end?"
    ),
    "first_to_see": "Keep field and jump as in the chapter, and return as soon as the field is large enough.",
    "branch_field": (
        "For each branch count, from the present jump on, by how much it widens the field. Keep the largest. A branch "
        "without layers widens it by 0."
    ),
    "wide_stack": (
        "40 weights pay for four 3 x 3 layers; each adds 2 * dilation pixels, so the dilations add up to 20. Doubling "
        "them reaches 15. A layer of dilation 1 sees 3 pixels side by side: how far apart may the next one look?"
    ),
    "layer_shapes": "A 5 x 5 convolution takes 4 pixels off each side, 2 x 2 pooling halves it. c1 pads with 2.",
    "layer_parameters": (
        "A map of c1 has 5 * 5 weights and a bias. A map of s2 has a coefficient and a bias. c3 has 60 connections "
        "from a map to a map, 5 * 5 weights each, and 16 biases."
    ),
    "first_block": "nn.Conv2d(1, 6, kernel_size=5, padding=2), then nn.ReLU(), then nn.MaxPool2d(2), in nn.Sequential.",
    "lenet": (
        "Five layers have weights: convolutions 1 to 6 and 6 to 16 maps, then nn.Linear(400, 120), (120, 84) and "
        "(84, 10). flatten(1) stands between. No activation after the last."
    ),
    "error_rate": "logits.argmax(dim=1) is the network's answer. Which of them differ from labels? Take the mean.",
    "normalise": "Bring the pixels to 0 to 1 first. mean[:, None, None] has the shape [C, 1, 1] and fits [N, C, H, W].",
    "hinge_loss": (
        "logits.gather(1, labels[:, None]) is the logit of the right class, [N, 1]. Subtract it from all logits. The "
        "right class then adds 1 itself: take it off at the end."
    ),
    "first_deviation": "math.prod multiplies the numbers of a tuple. Which of the four does one unit add up over?",
    "update_ratio": "tensor.norm() is the root of the sum of all squares. Take it of a difference, and of a weight.",
    "dropout": "random >= p is True where a number is kept; True times 3 is 3. If training is False, return x.",
    "named": (
        "First the pixels and the leak, then the layers before training, then the updates, then the silent filters. "
        "At most one thing is wrong with each run, and with one of them nothing."
    ),
    "full_weight": (
        "Slice [n, m] is one number times one 3 x 3 filter. transpose(0, 1) brings depthwise to [1, M, K, K], and then "
        "torch repeats it for every n by itself."
    ),
    "separable_loss": (
        "For input channel m, weight[:, m].flatten(1) is a matrix N x K * K. torch.linalg.svdvals gives its singular "
        "values, the largest first. A matrix of rank 1 can keep the square of the first."
    ),
    "inverted_parameters": (
        "hidden = in_channels * expansion. Three convolutions, of which the middle one has 9 weights a channel; then "
        "two numbers for every channel that a normalisation sees."
    ),
    "inverted_residual": (
        "Three convolutions in __init__: 8 to 32 by 1 x 1, 32 to 32 by 3 x 3 with padding=1 and groups=32, 32 to 8 by "
        "1 x 1. F.relu6 after two of them."
    ),
    "inception_parameters": (
        "Four of the six convolutions are 1 x 1 and read the input: one product for all their weights. The other two "
        "read what the reductions leave. Then a bias for each filter."
    ),
    "naive_mult_adds": (
        "Work of one module: places times channels times (filters times their kernels). Then in_channels grows by all "
        "filters, because the pooling hands on what it read."
    ),
    "inception3a": (
        "Six nn.Conv2d in the order of the table, padding 0, 0, 1, 0, 2, 0, and one nn.MaxPool2d(3, stride=1, "
        "padding=1). torch.cat(..., dim=1) joins the branches."
    ),
    "loss_with_heads": ("Three times F.cross_entropy, of which two are multiplied."),
    "one_sided_share": (
        "A filter of 1 x n has n weights for each channel that it reads. Count both layers, then the n x n one."
    ),
    "alexnet_parameters": (
        "A filter of conv2 sees 48 of the 96 maps, those on its own GPU; so it is in conv4 and conv5. conv3 sees all. "
        "pool5 hands 256 maps of 6 x 6 to fc6."
    ),
    "response_norm": (
        "Loop over the maps. The neighbours of map i are maps[:, max(0, i - size // 2) : i + size // 2 + 1]; "
        "square them and add over dimension 1."
    ),
    "two_towers": "maps[:, :4] are the maps of the first GPU. torch.cat(..., dim=1) puts maps one behind the other.",
    "top_k_error": "logits.topk(k, dim=1).indices is [N, k]. Compare it with labels[:, None], then any(dim=1).",
    "ensemble_error": "logits.softmax(dim=2) are probabilities; mean(dim=0) averages over the networks.",
    "path_weights": (
        "Count one path: channels to group_width, group_width to group_width with 3 x 3, group_width to channels. No "
        "path sees the maps inside another."
    ),
    "widest_path": (
        "Try widths 1, 2, 3, ... with the count of the exercise before, and stop before the budget is passed."
    ),
    "grouped_block": (
        "Three nn.Conv2d with bias=False; the middle one has padding=1 and groups=4. F.relu three times, the last one "
        "around the sum."
    ),
    "dense_channels": (
        "Start with 2 * growth. Each dense layer adds growth maps. Note the channels before you halve them."
    ),
    "dense_layer": (
        "self.conv(F.relu(self.bn(maps))) are the new maps. torch.cat puts them behind maps, as it came in."
    ),
    "keras_count": (
        "model.parameters() are trained. model.named_buffers() gives pairs of a name and a tensor; the names of the "
        "statistics have running in them."
    ),
    "best_within": "List the places whose work fits. If there is one, take the place with the largest accuracy.",
    "front": (
        "Two loops: for every network i ask for every network j whether j beats i. j is no worse in both, and better "
        "in at least one; so no network beats itself."
    ),
    "deviations": "Two variances, error * (1 - error) / images. Add them, take the root, divide the difference by it.",
    "mlpconv_parameters": (
        "Three layers, one after the other. What does one filter of each read? Add its bias, then count the filters."
    ),
    "pixel_mlp": (
        "maps.movedim(1, -1) is [N, H, W, C]: a row of C numbers at each place; rows @ weight1.T + bias1 is a linear "
        "layer. In the end movedim(-1, 1)."
    ),
    "mlpconv": "Three nn.Conv2d in __init__: 3 to 8 by 5 x 5 with padding=2, then 8 to 6 and 6 to 4 by 1 x 1.",
    "heads": "How many numbers does one class read in each case? Add its bias, then take all classes.",
    "class_map": "weight[label] has a number for each map; weight[label, :, None, None] * maps weights all at once.",
    "resnet_depth": "Add three numbers: the stem, the blocks with two or three convolutions each, the linear layer.",
    "identity_weight": (
        "Start with zeros. Output map i reads input map i only, and of its window only the pixel in the middle: which "
        "index has that?"
    ),
    "padding_shortcut": "A slice with a step takes every stride-th pixel. torch.cat appends maps of zeros.",
    "block_parameters": (
        "The first convolution has 9 * in_channels * channels weights, its normalisation 2 * channels. Add the second "
        "pair, and the third where a projection is needed."
    ),
    "preactivation_block": "Keep maps as it came. inner goes through bn1, ReLU, conv1, bn2, ReLU, conv2; then add.",
    "below_level": "loss < level is an array of True and False. What is the mean of True, False, False, False?",
    "standard_error": (
        "Subtract the mean and square. The sum of the squares over N - 1 is the variance; its root is the deviation. "
        "Which number is left to divide by?"
    ),
    "filter_normalised": (
        "Loop over the filters. drawn[j].norm() is the length of a filter, whatever its shape. By what must you "
        "multiply drawn[j] so that its length becomes weight[j].norm()?"
    ),
    "folded": (
        "Write gamma * (maps - mean) / sqrt(var + eps) + beta as scale * maps + bias. A convolution whose filter j is "
        "multiplied by scale[j] returns scale[j] * maps; scale[:, None, None, None] fits its weight."
    ),
    "local_minima": (
        "Two loops over the inner points. loss[i - 1 : i + 2, j - 1 : j + 2] is the point with its eight neighbours; "
        "np.delete(window, 4) makes one row of it and takes the middle out."
    ),
    "smallest_curvature": (
        "Along a row or column: one neighbour minus twice the middle plus the other. Mixed: two opposite corners minus "
        "the other two, divided by 4. Everything over step ** 2; then np.linalg.eigvalsh."
    ),
    "plane_coordinates": (
        "What is left, point - alpha * d1 - beta * d2, must be perpendicular to d1 and to d2. That makes two equations "
        "for alpha and beta; torch.linalg.solve(matrix, side) solves them."
    ),
    "paths_between": (
        "math.comb(blocks, k) is the number of ways to choose the k blocks whose layers a path passes. range(low, "
        "high + 1) holds all lengths."
    ),
    "mean_path_length": (
        "np.arange(len(norms)) are the lengths. Each counts with its norm; the sum of the weights is what you divide "
        "by."
    ),
    "survival": (
        "np.arange(1, blocks + 1) are the numbers l of all blocks at once. Check both ends: block L survives with the "
        "probability last."
    ),
    "without_block": (
        "Loop over the numbers of the blocks. What does the shortcut make of x, if nothing is added to it?"
    ),
    "veit_product": (
        "How many blocks are there, if there is a norm for each length from 0 on? math.comb(n, k) of the paths have "
        "length k. Divide at the very end."
    ),
    "signed_shares": "g = parts.sum(dim=0). parts @ g are all inner products at once. What are their sum and g @ g?",
    "gradient_by_length": (
        "Start with one path, of length 0, and go through the blocks. Each path goes on in two ways: through the "
        "shortcut it keeps its length and its derivative; through the layers it is longer by 1, its derivative times "
        "the slope."
    ),
    "stack_share": "How many 3x3 layers see 7 pixels? Each after the first sees 2 more. Each has 9 weights.",
    "joined_kernel": (
        "Start with zeros, k + m - 1 high and wide. Each of the m * m weights of the second adds the whole first "
        "filter, times that weight, at its own place."
    ),
    "vgg_parameters": (
        "Keep the number of maps that the next layer reads. The first linear layer reads size * size * maps numbers, "
        "the second as many as there are units."
    ),
    "vgg_stage": "Five layers in nn.Sequential: a convolution that pads and a ReLU, twice, then the pooling.",
    "signal_factor": "A layer multiplies by fan-in * deviation squared, its ReLU by a half. Multiply over the layers.",
}


CLASSES = {
    "lenet": "LeNet",
    "inverted_residual": "ThinWideThin",
    "inception3a": "Inception3a",
    "two_towers": "TwoTowers",
    "grouped_block": "GroupedBlock",
    "dense_layer": "OwnDenseLayer",
    "mlpconv": "OneStage",
    "preactivation_block": "PreactivationBlock",
}  # of an exercise that is a module


@cache
def source(name):
    """The text of a solution, as a notebook shows it."""
    text = Path(__file__).read_text(encoding="utf-8")
    wanted = (CLASSES.get(name), name)
    parts = []
    for node in ast.parse(text).body:
        names = [target.id for target in node.targets] if isinstance(node, ast.Assign) else [getattr(node, "name", "")]
        if names[0] in wanted:
            parts.append(ast.get_source_segment(text, node))
    return "\n\n\n".join(parts)


def run(name, text):
    """What a text in a notebook's cell defines under this name."""
    cell = {"math": math, "np": np, "torch": torch, "nn": nn, "F": F}
    exec(text, cell)
    return cell[name]


def rewritten(name, *edits):
    """The solution after edits (old, new, old, new, ...) of its text, as a learner who is wrong may have written it."""
    text = source(name)
    for old, new in zip(edits[::2], edits[1::2], strict=True):
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return run(name, text)
