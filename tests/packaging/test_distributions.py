"""What the source distribution and the wheel hold, and that they are the same whoever builds them."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

import pytest

import pynq_ee
from installations import ROOT, Distributions, build

#: Written into every source distribution by setuptools.
GENERATED = {"PKG-INFO", "setup.cfg"}


@pytest.fixture(scope="module")
def source_files(distributions: Distributions) -> set[str]:
    """Files of the source distribution, relative to its own folder."""
    with tarfile.open(distributions.sdist) as archive:
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


@pytest.fixture(scope="module")
def wheel_files(distributions: Distributions) -> set[str]:
    """Files of the wheel."""
    with zipfile.ZipFile(distributions.wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(distributions: Distributions) -> Message:
    """The wheel's METADATA."""
    with zipfile.ZipFile(distributions.wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return HeaderParser().parsestr(archive.read(name).decode())


def below(names: set[str], folder: str) -> set[str]:
    """Names of the files in a folder, relative to it."""
    return {name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")}


def test_the_source_distribution_is_the_repository(source_files: set[str], repository: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone: what belongs to the repository is not known")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    copies = {name: repository / name for name in listed if not name.startswith(".")}
    kept = {name for name, path in copies.items() if path.is_file() and not path.is_symlink()}
    added = {name for name in source_files if name in GENERATED or name.startswith("pynq_ee.egg-info/")}
    overlays = {name for name in source_files if Path(name).match("overlay/*.[bh]??") or "/zcu104/" in name}
    assert source_files - added - overlays == kept - overlays


def test_the_wheel_carries_hardware_overlays_notebooks_and_models(
    wheel_files: set[str], source_files: set[str]
) -> None:
    assert below(wheel_files, "pynq_ee/hw") == below(source_files, "hw")
    assert below(wheel_files, "pynq_ee/notebook_files") == below(source_files, "notebooks")
    assert below(wheel_files, "pynq_ee/overlay_files") == below(source_files, "overlay") - {"README.md"}
    overlays = {"first_exit.bit", "first_exit.hwh", "zcu104/first_exit.bit"}
    overlays |= {f"open/pynq-z2/{name}" for name in ("first_exit.bit.gz", "first_exit.hwh", "manifest.json")}
    assert overlays <= below(wheel_files, "pynq_ee/overlay_files")
    assert below(wheel_files, "pynq_ee/models") == below(source_files, "pynq_ee/models")
    assert any(name.endswith(".ipynb") for name in wheel_files)


def test_the_wheel_is_for_every_machine_and_holds_nothing_but_the_package(
    distributions: Distributions, wheel_files: set[str]
) -> None:
    assert distributions.wheel.name == f"pynq_ee-{pynq_ee.__version__}-py3-none-any.whl"
    assert {name.partition("/")[0] for name in wheel_files} == {
        "pynq_ee",
        f"pynq_ee-{pynq_ee.__version__}.dist-info",
    }
    assert any(name.endswith("LICENSE") for name in wheel_files)


def test_the_version_is_that_of_the_package(distributions: Distributions, metadata: Message) -> None:
    assert metadata["Version"] == pynq_ee.__version__
    assert distributions.sdist.name == f"pynq_ee-{pynq_ee.__version__}.tar.gz"


def test_the_metadata_names_licence_pythons_and_a_description_in_markdown(metadata: Message, repository: Path) -> None:
    assert "BSD-3-Clause" in (metadata["License"] or metadata["License-Expression"])
    assert set(metadata["Requires-Python"].split(",")) == {">=3.10", "<3.13"}
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip() == (repository / "README.md").read_text().strip()


def test_a_second_build_elsewhere_and_later_gives_the_same_bytes(distributions: Distributions, tmp_path: Path) -> None:
    """From what the source distribution unpacks to, with file modes and times of its own."""
    with tarfile.open(distributions.sdist) as archive:
        archive.extractall(tmp_path)
    (repository,) = tmp_path.iterdir()
    for path in repository.rglob("*"):
        path.touch()
        path.chmod(path.stat().st_mode & 0o700)  # what can be run stays so: it tells what the file is
    again = build(repository, tmp_path / "dist", TZ="Asia/Tokyo")
    assert again.sdist.read_bytes() == distributions.sdist.read_bytes()
    assert again.wheel.read_bytes() == distributions.wheel.read_bytes()
