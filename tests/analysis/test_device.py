import pytest
import torch

from cnnviz.analysis.device import as_device, hardware
from cnnviz.training import best_device, profile


def pretend(monkeypatch, cuda, mps):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(("cuda", "mps", "best"), [(1, 1, "cuda"), (1, 0, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_cuda_then_mps_then_cpu(monkeypatch, cuda, mps, best):
    pretend(monkeypatch, cuda, mps)
    assert best_device() == torch.device(best)


@pytest.mark.parametrize(("cuda", "expected"), [(True, "full"), (False, "quick")])
def test_profile_follows_the_hardware_unless_told(monkeypatch, cuda, expected):
    pretend(monkeypatch, cuda, mps=True)
    monkeypatch.delenv("CNNVIZ_PROFILE", raising=False)
    assert profile() == expected
    for name in ("quick", "full"):
        monkeypatch.setenv("CNNVIZ_PROFILE", name)
        assert profile() == name


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("CNNVIZ_PROFILE", "fast")
    with pytest.raises(ValueError, match=r"CNNVIZ_PROFILE \(='fast'\) must be one of quick, full"):
        profile()


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "xpu"])
def test_a_device_that_is_not_there_is_one_clear_error(name):
    with pytest.raises(ValueError, match=rf"device \(='{name}'\) does not exist here; the best there is") as caught:
        as_device(name)
    assert caught.value.__suppress_context__


def test_hardware_names_processor_and_threads():
    text = hardware(torch.device("cpu"))
    assert len(text.split(",")[0]) > 3
    assert f"{torch.get_num_threads()} thread" in text


@pytest.mark.gpu
def test_hardware_names_the_gpu():
    assert hardware(torch.device("cuda")) == torch.cuda.get_device_name()
