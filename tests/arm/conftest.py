"""An ARM board's root filesystem, and pynq_ee in it, installed as README tells a board's owner: ``make test-arm``."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from arm import emulation, userland
from arm.board import Board
from installations import NOT_COPIED, ROOT, build


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--architecture``."""
    parser.addoption("--architecture", choices=emulation.ARCHITECTURES, help="the board's, by Debian's name")


@pytest.fixture(scope="session")
def architecture(request: pytest.FixtureRequest) -> str:
    """Debian's name of the board's architecture; its root filesystem is there."""
    name = request.config.getoption("--architecture", default=None)
    if name is None:  # a run of all tests must not make root filesystems, which takes a quarter of an hour
        pytest.skip("no board was asked for; `make test-arm` does")
    if os.geteuid() != 0:
        pytest.fail("the root filesystem of a board belongs to root: sudo make test-arm", pytrace=False)
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        userland.make(name)
    return name


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of the checkout."""
    copy = tmp_path_factory.mktemp("copy") / "repository"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
    return build(copy, tmp_path_factory.mktemp("dist")).sdist


@pytest.fixture(scope="session")
def compiled(architecture: str, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board whose image has a compiler."""
    return Board(architecture, tmp_path_factory.mktemp("compiled"), sdist, "/usr/bin:/bin")


@pytest.fixture(scope="session")
def without_compiler(architecture: str, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Board:
    """A board without one: nothing but its Python is found."""
    return Board(architecture, tmp_path_factory.mktemp("without_compiler"), sdist, "")


@pytest.fixture(scope="session", params=["compiled", "without_compiler"])
def board(request: pytest.FixtureRequest) -> Board:
    """Each of the two."""
    return request.getfixturevalue(request.param)
