"""Distributions of the repository and the environments that they are installed in, for the tests of the packaging."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

#: Where commands are on every Linux machine; a compiler may be among them.
SYSTEM = "/usr/local/bin:/usr/bin:/bin"

#: A board whose overlay is beside that of the PYNQ-Z1 and Z2 in the distributions of these tests.
OTHER_BOARD = "zcu104"

#: The time that the files of the tests' archives bear: 1 January 2026, UTC.
EPOCH = 1767225600


#: What a copy of the repository goes without.
NOT_COPIED = (".*", "*.egg-info", "build", "dist", "__pycache__")


class Distributions(NamedTuple):
    """A source distribution and a wheel."""

    sdist: Path
    wheel: Path


class Environment(NamedTuple):
    """A virtual environment with pynq_ee in it, and the folder that its commands run in."""

    folder: Path
    path: str

    def run(self, *command: str | Path, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run one of the environment's commands, with as few of the tests' own variables as it can do with."""
        kept = ("HOME", "PYNQ_EE_MNIST", "PYNQ_EE_CACHE", "PYTHONDONTWRITEBYTECODE")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        program = shutil.which(str(command[0]), path=str(self.folder / "bin")) or command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.folder,
            env={**environment, "PATH": f"{self.folder / 'bin'}:{self.path}", **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done

    def python(self, program: str, **variables: str) -> str:
        """Standard output of a Python program."""
        return self.run("python", "-c", program, **variables).stdout.strip()

    @property
    def package(self) -> Path:
        """The folder of the installed package."""
        (folder,) = self.folder.glob("lib/python*/site-packages/pynq_ee")
        return folder

    def json(self, *command: str, **variables: str) -> dict:
        """What a command prints as JSON."""
        return json.loads(self.run(*command, "--json", **variables).stdout)


def image() -> dict[str, str]:
    """Name and version of what the image carries, as the Makefile says."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    listed = re.search(r"^IMAGE := (.+)$", text, re.MULTILINE)
    assert listed
    return {"pynq": "3.0.1", **dict(entry.split("==") for entry in listed.group(1).split())}


def build(repository: Path, output: Path, **variables: str) -> Distributions:
    """Build both distributions, the wheel out of the source distribution."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(repository)],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "PYNQ_EE_PURE": "1", **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (sdist,), (wheel,) = output.glob("*.tar.gz"), output.glob("*.whl")
    return Distributions(sdist, wheel)
