"""pynq_ee on an ARM board's root filesystem, installed as README tells the board's owner."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

from arm import userland
from installations import ROOT
from pynq_ee.data import datasets

#: How much longer everything may take under the emulator than on an idle machine.
PATIENCE = 20

#: Where an installation's folder is seen in the root filesystem, and where MNIST.
HOME, MNIST = "/home/xilinx", "/home/mnist"


class Board:
    """One installation: PYNQ's way, a virtual environment that sees the image's packages, and the checkout beside it.

    Attributes
    ----------
    architecture
        As Debian names it.
    folder
        This machine's path of what is :data:`HOME` on the board.
    """

    def __init__(self, architecture: str, folder: Path, sdist: Path, path: str) -> None:
        self.architecture, self.folder = architecture, folder
        self._path = f"{HOME}/venv/bin:{path}"
        with tarfile.open(sdist) as archive:
            archive.extractall(folder, filter="data")
        (unpacked,) = folder.iterdir()
        unpacked.rename(folder / "checkout")
        self.run("/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages", f"{HOME}/venv")
        self.shell(install_command(), directory=f"{HOME}/checkout")

    def run(
        self, *words: str, check: bool = True, timeout: float = 1800, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the board."""
        binds = {self.folder: HOME}
        if folder := datasets.mnist_folder():
            binds[folder] = MNIST
            variables["PYNQ_EE_MNIST"] = MNIST
        settings = {"PATH": self._path, "PYNQ_EE_CACHE": f"{HOME}/cache", "PYNQ_EE_TEST_PATIENCE": str(PATIENCE)}
        done = userland.run(self.architecture, *words, binds=binds, timeout=timeout, **settings, **variables)
        assert not check or done.returncode == 0, f"{words}: {done.stdout[-6000:]}{done.stderr[-6000:]}"
        return done

    def shell(self, line: str, directory: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a line of a shell in one of the board's folders."""
        return self.run("/bin/sh", "-c", f"cd {directory} && {line}", **options)

    @functools.cached_property
    def info(self) -> dict:
        """What ``pynq-ee info`` says."""
        return self.json("pynq-ee", "info")

    def json(self, *words: str) -> dict:
        """What a command prints as JSON."""
        return json.loads(self.run(*words, "--json").stdout)


def install_command() -> str:
    """The line of README that installs the checkout on a board."""
    line = re.search(
        r"^python3 -m pip install --no-build-isolation --no-deps \.(?= )", (ROOT / "README.md").read_text(), re.M
    )
    assert line, "README does not say how a board's owner installs the checkout"
    return line.group()
