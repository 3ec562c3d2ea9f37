"""Which device trains, and how much: found from the hardware."""

import os
import platform

import torch

PROFILES = ("quick", "full")


def best_device() -> torch.device:
    """Return cuda where there is one, else mps (Apple), else cpu."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def as_device(device: str | torch.device | None) -> torch.device:
    """Return a torch.device; None is the best there is.

    Raises:
        ValueError: there is no such device here.
    """
    if device is None:
        return best_device()
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):  # torch raises the second where it was built without CUDA
        raise ValueError(f"device (={str(device)!r}) does not exist here; the best there is: {best_device()}") from None
    return torch.device(device)


def has_bf16(device: torch.device) -> bool:
    """Return whether the device multiplies bf16 numbers itself; where it does not, they are slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    found = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def profile() -> str:
    """Return "quick" or "full": $CNNVIZ_PROFILE where it is set, else full with a CUDA device and quick without.

    Raises:
        ValueError: $CNNVIZ_PROFILE is something else.
    """
    chosen = os.environ.get("CNNVIZ_PROFILE") or ("full" if best_device().type == "cuda" else "quick")
    if chosen not in PROFILES:
        raise ValueError(f"CNNVIZ_PROFILE (={chosen!r}) must be one of {', '.join(PROFILES)}, or not set")
    return chosen


def hardware(device: torch.device) -> str:
    """Return the name of the processor or GPU behind `device`, with the threads that torch uses on a processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}" + (", mps" if device.type == "mps" else "")


def _processor() -> str:
    """Return the processor's name as the system gives it."""
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
