"""On a PYNQ-Z1 or Z2, whose processor few wheels are compiled for, the runtime needs nothing that has to be compiled.

pip resolves the package's requirements as for Python 3.10 on armv7l: from what the image carries, and from the registry
only where that is not enough.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from installations import image

pytestmark = pytest.mark.skipif(
    tuple(map(int, importlib.metadata.version("pip").split(".")[:2])) < (22, 2), reason="needs pip 22.2: its --dry-run"
)

PLATFORM = [
    *("--python-version", "3.10", "--implementation", "cp", "--abi", "cp310", "--abi", "abi3", "--abi", "none"),
    *("--platform", "linux_armv7l", "--platform", "manylinux2014_armv7l", "--platform", "manylinux_2_35_armv7l"),
]


def requirements() -> list[str]:
    """What the runtime requires: extras are for other machines."""
    listed = importlib.metadata.requires("pynq_ee") or []
    return [entry for entry in listed if "extra ==" not in entry]


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty wheel in the place of each package of the image."""
    folder = tmp_path_factory.mktemp("image")
    for name, version in image().items():
        stem = f"{name.replace('-', '_')}-{version}"
        with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
            description = f"{stem}.dist-info"
            wheel.writestr(f"{description}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
            wheel.writestr(f"{description}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{description}/RECORD", "")
    (folder / "constraints.txt").write_text("".join(f"{name}=={version}\n" for name, version in image().items()))
    return folder


def resolve(carried: Path, *wanted: str, registry: bool) -> subprocess.CompletedProcess[str]:
    """Let pip say what it would install on the board."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--dry-run"),
            *("--ignore-installed", "--target", str(carried / "target"), "--only-binary=:all:", *PLATFORM),
            *("--find-links", str(carried), "--constraint", str(carried / "constraints.txt"), "--report", "-"),
            *([] if registry else ["--no-index"]),
            *wanted,
        ],
        env={**os.environ, **({} if registry else {"PIP_CONFIG_FILE": os.devnull})},  # it may name other folders
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_runtime_needs_nothing_that_has_to_be_compiled(carried: Path) -> None:
    done = resolve(carried, *requirements(), registry=False)
    if done.returncode:  # more than the image carries is needed: is all of that pure Python?
        done = resolve(carried, *requirements(), registry=True)
    if done.returncode and not registry_answers(carried):
        pytest.skip(f"more than the image carries is needed, and the registry cannot be reached: {done.stderr[-300:]}")
    assert done.returncode == 0, f"no wheel for Python 3.10 on armv7l: {done.stderr}"
    installed = json.loads(done.stdout)["install"]
    assert {entry["metadata"]["name"] for entry in installed} >= {"pynq", "numpy", "pillow"}
    compiled = [url for entry in installed if not (url := entry["download_info"]["url"]).endswith("-none-any.whl")]
    assert not compiled


def test_a_package_that_the_image_does_not_carry_is_noticed(carried: Path) -> None:
    """The test above would pass if pip took this machine's packages."""
    done = resolve(carried, "pytest", registry=False)
    assert done.returncode != 0 and "pytest" in done.stderr


def test_a_package_without_a_wheel_for_the_board_is_noticed(carried: Path) -> None:
    if not registry_answers(carried):
        pytest.skip("the registry cannot be reached")
    done = resolve(carried, "onnxruntime", registry=True)
    assert done.returncode != 0 and "onnxruntime" in done.stderr


def registry_answers(folder: Path) -> bool:
    """Whether pip can reach a registry; it is asked for a package that every one has."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--retries", "0", "--timeout", "10"),
            *("--dest", str(folder / "answers"), "wheel"),
        ],
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0
