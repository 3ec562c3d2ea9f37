"""pyproject.toml, requirements.txt, environment.yml, the Makefile and CI name one and the same environment."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RANGES = [
    Requirement(text)
    for text in [
        *PROJECT["dependencies"],
        *PROJECT["optional-dependencies"]["test"],
        *PROJECT["optional-dependencies"]["mp4"],
    ]
]
LINES = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
PLATFORMS = [
    {
        "sys_platform": sys_platform,
        "os_name": os_name,
        "platform_machine": machine,
        "python_full_version": f"{python}.9",
    }
    | {"python_version": python, "platform_system": system}
    for sys_platform, os_name, machine, system in [
        ("linux", "posix", "x86_64", "Linux"),
        ("darwin", "posix", "arm64", "Darwin"),
        ("win32", "nt", "AMD64", "Windows"),
    ]
    for python in ("3.11", "3.13")
]


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda it: f"{it['sys_platform']}-{it['python_version']}")
@pytest.mark.parametrize("wanted", RANGES, ids=lambda wanted: wanted.name)
def test_every_range_is_met_by_one_pin_on_every_platform(wanted, platform):
    pins = [pin for pin in map(Requirement, LINES) if pin.name == wanted.name]
    (pin,) = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(platform)]
    (version,) = [spec.version for spec in pin.specifier if spec.operator == "=="]
    assert wanted.specifier.contains(version)


def test_pins_name_no_address_and_no_file():
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==[\w.+-]+( ; .+)?", line)] == []


def test_conda_installs_the_same_pins_and_the_package():
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    assert pip == {"pip": ["-r requirements.txt", "-e ."]}
    assert [name.partition("=")[0] for name in conda] == ["python", "pip"]


def test_python_is_the_same_everywhere():
    lowest = PROJECT["requires-python"].removeprefix(">=")
    python, *_ = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"].values()
    in_ci = [
        step["with"]["python-version"] for job in jobs for step in job["steps"] if "python" in step.get("uses", "")
    ]
    assert python == f"python={lowest}"
    assert re.findall(r"--python-version (\S+)", makefile) == [lowest]
    assert set(in_ci) == {lowest}
    assert f"({lowest.replace('.', ', ')})" in makefile
