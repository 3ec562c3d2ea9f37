"""Images a second that `fit` trains on: LeNet-5, where the data path dominates, beside a plain DataLoader loop with the
same augmentation, and the batches of both without any training; ResNet-20, where arithmetic dominates, beside the bare
forward, backward and step on ready images.
"""

import statistics
import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from benchmarks.row import Row
from cnnviz.datasets import ImageSet, load_dataset
from cnnviz.models import lenet5, resnet20
from cnnviz.training import RECIPES, Recipe, fit
from cnnviz.training.batches import Batches

TARGET = 2.5
ROUNDS = 5
IMAGES = 12_800  # a round of each; 100 batches
RECIPE = Recipe(epochs=ROUNDS, batch_size=128, lr=0.01, crop_padding=2)
RESNET = replace(RECIPES["he2015_cifar"], epochs=6, precision="bf16")
RESNET_IMAGES = 3_840  # thirty batches a round


class Pictures(Dataset):
    """A data set as torchvision's MNIST is one: an array, a PIL image and the transforms for each item."""

    def __init__(self, data: ImageSet):
        mean, std = data.mean.tolist(), data.std.tolist()
        crop = transforms.RandomCrop(data.image_shape[1:], padding=RECIPE.crop_padding)
        self.transform = transforms.Compose([crop, transforms.ToTensor(), transforms.Normalize(mean, std)])
        self.images, self.labels = data.x_train.numpy().transpose(0, 2, 3, 1), data.y_train.tolist()
        self.to_image = transforms.ToPILImage()

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(self.to_image(self.images[index])), self.labels[index]


def loader_seconds(model, optimizer, loader) -> float:
    """Return how long the loop that most tutorials show takes for one epoch."""
    start = time.perf_counter()
    model.train()
    for images, labels in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def walked(batches) -> float:
    """Return the images a second of an epoch's batches, taken and dropped."""
    start = time.perf_counter()
    return sum(len(labels) for _, labels in batches) / (time.perf_counter() - start)


def training_images() -> ImageSet:
    """Return Fashion-MNIST, or the embedded digits repeated to the same number of images."""
    try:
        return load_dataset("fashion_mnist").subset(train=IMAGES, test=100)
    except OSError:
        data = load_dataset("digits")
        chosen = torch.arange(IMAGES) % len(data.x_train)
        return replace(data, x_train=data.x_train[chosen], y_train=data.y_train[chosen]).subset(test=100)


def bare_rate(model, optimizer, images, labels, bf16: bool) -> float:
    """Return the images a second of forward, backward and step alone, for batches that are ready."""
    start = time.perf_counter()
    for batch, answers in zip(images.split(RESNET.batch_size), labels.split(RESNET.batch_size), strict=True):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = model(batch)
        F.cross_entropy(logits.float(), answers).backward()
        optimizer.step()
        optimizer.zero_grad()
    return len(images) / (time.perf_counter() - start)


def measure() -> list[Row]:
    """Run an epoch of each in turn, on the processor, so that a busy moment meets both."""
    return [_lenet(), _data_path(), _resnet()]


def _lenet() -> Row:
    """The best epochs of both."""
    data = training_images()
    model = lenet5()
    optimizer = torch.optim.SGD(model.parameters(), lr=RECIPE.lr, momentum=RECIPE.momentum)
    loader = DataLoader(Pictures(data), batch_size=RECIPE.batch_size, shuffle=True, num_workers=0)
    run = fit(lenet5(), data, RECIPE, device="cpu")
    next(run)  # the record before training
    rates = [(record.images_per_second, IMAGES / loader_seconds(model, optimizer, loader)) for record in run]
    ours, plain = (max(column) for column in zip(*rates, strict=True))
    what = f"LeNet-5 on {data.name}, beside a DataLoader loop"
    return Row(what, ours, plain, "images/s", ours / plain, f"at least {TARGET} times", ours / plain >= TARGET)


def _data_path() -> Row:
    """The best epochs of both: what is left of LeNet's training when nothing is learned from the batches."""
    data = training_images()
    batches = Batches(data, RECIPE, torch.device("cpu"))
    loader = DataLoader(Pictures(data), batch_size=RECIPE.batch_size, shuffle=True, num_workers=0)
    rates = [(walked(batches.epoch(seed)), walked(loader)) for seed in range(ROUNDS)]
    ours, plain = (max(column) for column in zip(*rates, strict=True))
    what = "its batches alone, beside the DataLoader's"
    return Row(what, ours, plain, "images/s", ours / plain, "at least 10 times", ours / plain >= 10)


def _resnet() -> Row:
    """The medians of both; He's recipe with crops and reflections, bf16 where the processor has it."""
    data = load_dataset("shapes").subset(train=RESNET_IMAGES, test=100)
    run = fit(resnet20(), data, RESNET, device="cpu", signals=False, keep_filters=())
    next(run)
    model = resnet20().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=RESNET.lr, momentum=RESNET.momentum, weight_decay=1e-4)
    images = data.normalise(data.x_train).contiguous(memory_format=torch.channels_last)
    ready = model, optimizer, images, data.y_train, run.precision == "bf16"
    bare_rate(*ready)  # the first round of either is slower
    rates = [(record.images_per_second, bare_rate(*ready)) for record in run][1:]
    ours, bare = (statistics.median(column) for column in zip(*rates, strict=True))
    what = f"ResNet-20 in {run.precision}, beside the bare step"
    return Row(what, ours, bare, "images/s", ours / bare, "at least 0.95 times", ours / bare >= 0.95)
