"""Data sets that are files: found, refused, downloaded, kept, replaced by a fallback."""

import math
import socket
import traceback
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision.datasets

from cnnviz.datasets import DATASETS, DatasetNotFoundError, folders, load_dataset, stored
from cnnviz.datasets.stored import read_npz


def arrays(**changes):
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "y_train": np.arange(20) % 10,
        "x_test": rng.integers(0, 256, (10, 28, 28), dtype=np.uint8),
        "y_test": np.arange(10),
        "class_names": np.array([f"class {k}" for k in range(10)]),
    } | changes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty data folder, and an empty data/ of the checkout."""
    monkeypatch.setenv("CNNVIZ_DATA", str(tmp_path / "chosen"))
    monkeypatch.setattr(folders, "DATA", tmp_path / "checkout")
    (tmp_path / "chosen").mkdir()
    return tmp_path / "chosen"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


@pytest.fixture
def downloads(monkeypatch):
    """Stand in for torchvision's downloads; the list holds the folders that were downloaded into."""
    seen = []

    def fake(root, *, train, download):
        assert download
        seen.append(root)
        (root / "raw").write_bytes(b"half of it")
        part = arrays()
        name = "train" if train else "test"
        images, labels = torch.tensor(part[f"x_{name}"]), torch.tensor(part[f"y_{name}"])
        return SimpleNamespace(data=images, targets=labels)

    monkeypatch.setattr(torchvision.datasets, "MNIST", fake)
    return seen


def test_a_file_in_the_chosen_folder_is_read(folder):
    np.savez(folder / "mnist.npz", **arrays())
    data = load_dataset("mnist")
    assert data.name == "mnist"
    assert data.image_shape == (1, 28, 28)
    assert np.array_equal(data.x_train[:, 0].numpy(), arrays()["x_train"])
    assert data.y_test.tolist() == list(range(10))
    assert data.class_names[3] == "class 3"
    assert data.note == ""


def test_the_chosen_folder_comes_before_data_of_the_checkout(folder):
    checkout = folder.parent / "checkout"
    checkout.mkdir()
    np.savez(checkout / "mnist.npz", **arrays(x_train=np.zeros((20, 28, 28), np.uint8)))
    assert load_dataset("mnist").x_train.max() == 0
    np.savez(folder / "mnist.npz", **arrays())
    assert load_dataset("mnist").x_train.max() > 0


def test_colour_images_get_their_channels_first(folder):
    x = np.random.default_rng(1).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "cifar10.npz", **arrays(x_train=x, x_test=x[:10]))
    assert np.array_equal(load_dataset("cifar10").x_train.numpy(), x.transpose(0, 3, 1, 2))


def without(key):
    return {name: array for name, array in arrays().items() if name != key}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "No data left in file"),
        (b"<html>404</html>", "pickled"),
        (b"PK\x03\x04 not a zip", "not a zip"),
        (without("y_test"), "it has no y_test"),
        (arrays(x_train=np.zeros((20, 28, 28))), "x_train has the type float64, not uint8"),
        (arrays(x_test=np.zeros((10, 784), np.uint8)), r"x_test has the shape \(10, 784\), not \[N, H, W\]"),
        (arrays(x_train=np.zeros((20, 28, 28, 4), np.uint8)), r"x_train has the shape \(20, 28, 28, 4\)"),
        (arrays(y_train=np.zeros(20)), "y_train has the type float64, not an integer"),
        (arrays(y_train=np.arange(20)), "y_train holds labels from 0 to 19; 10 classes allow 0 to 9"),
        (arrays(y_test=np.arange(9)), "y_test must hold one label for each of 10 images"),
        (arrays(class_names=np.array("abc")), "iteration over a 0-d array"),
        (arrays(class_names=np.array([object()])), "Object arrays cannot be loaded"),
    ],
)
def test_a_damaged_file_is_one_clear_error_also_with_a_fallback(folder, content, problem):
    path = folder / "mnist.npz"
    path.write_bytes(content) if isinstance(content, bytes) else np.savez(path, **content)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"mnist.npz is not a data set: .*{problem}.* Delete or replace it") as caught:
        load_dataset("mnist", fallback="digits")
    assert_short(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_file_is_one_clear_error(folder, share):
    path = folder / "mnist.npz"
    np.savez(path, **arrays())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ValueError, match="is not a data set"):
        read_npz(path)


@pytest.mark.parametrize("place", [8, 10])
def test_an_encrypted_file_or_one_compressed_otherwise_is_one_clear_error(folder, place):
    """Bytes 8 and 10 of an entry of a zip's directory are its flags and its method."""
    path = folder / "mnist.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + place] = 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a data set: .*(encrypted|compression)"):
        load_dataset("mnist")


def test_a_home_that_does_not_exist_is_one_clear_error(monkeypatch):
    monkeypatch.setenv("CNNVIZ_DATA", "~nouser/data")
    with pytest.raises(ValueError, match=r"CNNVIZ_DATA \(='~nouser/data'\) names no folder"):
        load_dataset("mnist")


def test_a_flipped_byte_is_found(folder):
    path = folder / "mnist.npz"
    np.savez(path, **arrays())
    content = bytearray(path.read_bytes())
    content[5000] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is not a data set: Bad CRC-32"):
        read_npz(path)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_without_file_and_network_the_error_says_where_to_put_what(folder, no_network, name):
    with pytest.raises(
        DatasetNotFoundError, match=rf"{name} is not on this machine.*no network.*Put {name}\.npz"
    ) as caught:
        load_dataset(name)
    assert str(folder) in str(caught.value)
    assert "CNNVIZ_DATA" in str(caught.value)
    assert_short(caught.value)
    assert list(folder.iterdir()) == []


def assert_short(error):
    """No chained exception, and no frame below load_dataset."""
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:] == ["load_dataset"]


@pytest.mark.parametrize("fallback", ["digits", "shapes"])
def test_the_fallback_says_loudly_what_it_is(folder, no_network, capsys, fallback):
    data = load_dataset("cifar10", fallback=fallback)
    assert data.name == fallback
    assert data.note.endswith("instead of cifar10: no file and no network")
    assert "NOTE: this is not cifar10" in capsys.readouterr().out


def test_the_fallback_is_not_taken_where_the_file_is_there(folder, capsys):
    np.savez(folder / "mnist.npz", **arrays())
    assert load_dataset("mnist", fallback="digits").name == "mnist"
    assert capsys.readouterr().out == ""


def test_a_download_is_kept_as_a_whole_file_and_its_folder_is_removed(folder, downloads, capsys):
    data = load_dataset("mnist")
    assert [path.name for path in folder.iterdir()] == ["mnist.npz"]
    assert not any(root.exists() for root in downloads)
    assert "Downloading mnist (12 MB)" in capsys.readouterr().out
    downloads.clear()
    again = load_dataset("mnist")
    assert downloads == []
    assert torch.equal(again.x_train, data.x_train)
    assert again.class_names == tuple("0123456789")


def test_a_data_folder_is_made_where_there_is_none(folder, downloads):
    folder.rmdir()
    load_dataset("mnist")
    assert (folder / "mnist.npz").exists()


def test_a_folder_without_permission_leaves_the_data_in_memory_and_says_so(folder, downloads, monkeypatch, capsys):
    def refuse(path, *args, **options):  # root may write everywhere, so the permissions of a real folder say nothing
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    assert load_dataset("mnist").x_train.shape == (20, 1, 28, 28)
    assert "downloaded again next time: cannot write mnist.npz into" in capsys.readouterr().out
    assert list(folder.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_leaves_the_data_in_memory_and_says_so(folder, downloads, capsys):
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    assert load_dataset("mnist").x_train.shape == (20, 1, 28, 28)
    assert "mnist is used from memory and will be downloaded again" in capsys.readouterr().out
    assert folder.read_text() == "a file where the folder should be"
    assert not any(root.exists() for root in downloads)


@pytest.mark.parametrize(
    "error", [RuntimeError("File not found or corrupted."), ConnectionResetError("reset"), KeyboardInterrupt]
)
def test_a_broken_download_leaves_nothing_behind(folder, monkeypatch, error):
    seen = []

    def broken(root, **options):
        seen.append(root)
        (root / "half").write_bytes(b"half")
        raise error

    monkeypatch.setattr(torchvision.datasets, "MNIST", broken)
    with pytest.raises((DatasetNotFoundError, KeyboardInterrupt)):
        load_dataset("mnist")
    assert list(folder.iterdir()) == []
    assert not any(root.exists() for root in seen)
    assert socket.getdefaulttimeout() is None


@pytest.fixture
def packets_dropped(monkeypatch):
    """A network that never answers: 8 addresses a name, and a clock that waiting moves on. Returns the attempts."""
    clock, attempts = [1e6], []

    def connect(address, timeout, **options):
        attempts.append(address)
        clock[0] += timeout
        raise TimeoutError("timed out")

    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"192.0.2.{k}", 443)) for k in range(8)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: places)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(stored, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stored._Connections, "failed_at", -math.inf)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
    return clock, attempts


def test_a_network_that_drops_packets_is_given_up_in_seconds_and_left_alone_for_a_while(folder, packets_dropped):
    clock, attempts = packets_dropped
    connect = socket.create_connection
    with pytest.raises(DatasetNotFoundError, match=r"timed out|does not answer"):
        load_dataset("mnist")
    assert clock[0] - 1e6 <= 10
    assert attempts
    before = len(attempts), clock[0]
    with pytest.raises(DatasetNotFoundError, match="there was no network a moment ago"):
        load_dataset("fashion_mnist")
    assert (len(attempts), clock[0]) == before
    clock[0] += 61
    with pytest.raises(DatasetNotFoundError, match=r"timed out|does not answer"):
        load_dataset("mnist")
    assert len(attempts) > before[0]
    assert socket.create_connection is connect


def test_a_second_address_that_answers_is_used(packets_dropped):
    left, right = socket.socketpair()

    def connect(address, timeout, **options):
        if address[0] != "192.0.2.1":
            raise ConnectionRefusedError("refused")
        return left

    with left, right:
        assert stored._Connections(connect)(("somewhere", 443)) is left
        assert left.gettimeout() == stored.SILENCE


def test_without_download_only_files_are_looked_for(folder, downloads, capsys):
    with pytest.raises(DatasetNotFoundError, match=r"mnist is not on this machine .*download=False") as caught:
        load_dataset("mnist", download=False)
    assert_short(caught.value)
    assert load_dataset("mnist", fallback="digits", download=False).note.endswith("of mnist: no file and no download")
    assert downloads == []
    np.savez(folder / "mnist.npz", **arrays())
    assert load_dataset("mnist", download=False).name == "mnist"
    assert load_dataset("digits", download=False).name == "digits"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match="no data set 'imagenet'; choose from digits, shapes, mnist, fashion_mnist, cifar10"
    ):
        load_dataset("imagenet")


def test_a_fallback_that_needs_a_download_is_refused():
    with pytest.raises(ValueError, match=r"fallback \(='cifar10'\) must be one of digits, shapes"):
        load_dataset("mnist", fallback="cifar10")


@pytest.mark.parametrize(
    ("name", "sizes", "mean"),
    [
        ("mnist", (60_000, 10_000), [0.1307]),
        ("fashion_mnist", (60_000, 10_000), [0.2860]),
        ("cifar10", (50_000, 10_000), [0.4914, 0.4822, 0.4465]),
    ],
)
def test_the_real_sets_have_the_published_sizes_and_means(name, sizes, mean):
    if not any((folder / f"{name}.npz").exists() for folder in folders.data_folders()):
        pytest.skip(f"{name}.npz is in no data folder; set CNNVIZ_DATA to one that has it")
    data = load_dataset(name)
    assert (len(data.x_train), len(data.x_test)) == sizes
    assert data.mean.tolist() == pytest.approx(mean, abs=1e-4)
    assert data.y_test.bincount().tolist() == pytest.approx([1000] * 10, abs=140)


def test_the_registry_names_functions():
    assert {name: load.__name__ for name, load in DATASETS.items()} == {name: name for name in DATASETS}
