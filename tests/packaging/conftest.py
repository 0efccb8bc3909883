"""The distributions, built once from a copy of the repository, and fresh environments that they are installed in.

An environment sees what is installed beside the tests (pynq, NumPy, pip, ..), so that nothing is downloaded, but not
the repository: an editable installation is not followed.
"""

from __future__ import annotations

import shutil
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from installations import NOT_COPIED, OTHER_BOARD, ROOT, SYSTEM, Distributions, Environment, build
from pynq_ee.data.datasets import Digits
from pynq_ee.network import spec, weights
from pynq_ee.sim import SimulatedDevice


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, with simulated boards' overlay files in it."""
    repository = tmp_path_factory.mktemp("copy") / "repository"
    shutil.copytree(ROOT, repository, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for board, folder in ((spec.DEFAULT_BOARD.name, "."), (OTHER_BOARD, OTHER_BOARD)):
        target = repository / "overlay" / folder
        target.mkdir(exist_ok=True)
        with SimulatedDevice(weights.load(weights.DEFAULT), kernel="numpy", board=board) as device:
            for suffix in (".bit", ".hwh"):
                shutil.copy(Path(device.bitfile).with_suffix(suffix), target)
    return repository


@pytest.fixture(scope="session")
def distributions(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """Both distributions of that copy."""
    return build(repository, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Environment]:
    """Install an archive in a fresh environment, as the documentation says for a board."""

    def make(archive: Path, path: str = SYSTEM) -> Environment:
        folder = tmp_path_factory.mktemp("environment")
        venv.create(folder, symlinks=True)
        site_packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (site_packages / "beside_the_tests.pth").write_text(sysconfig.get_path("purelib") + "\n")
        environment = Environment(folder, path)
        # An installation beside the tests would count as this one.
        options = ["--no-index", "--no-build-isolation", "--no-deps", "--ignore-installed"]
        environment.run("python", "-m", "pip", "install", *options, str(archive))
        return environment

    return make


@pytest.fixture(scope="session")
def from_wheel(install: Callable[..., Environment], distributions: Distributions) -> Environment:
    """An environment with the wheel in it, whose commands find no compiler."""
    return install(distributions.wheel, path="")


@pytest.fixture(scope="session")
def from_sdist(install: Callable[..., Environment], distributions: Distributions) -> Environment:
    """An environment with the source distribution in it."""
    return install(distributions.sdist)


@pytest.fixture(params=["from_wheel", "from_sdist"])
def installed(request: pytest.FixtureRequest, digits: Digits) -> Environment:
    """Each of the two, where there are digits to classify."""
    return request.getfixturevalue(request.param)
