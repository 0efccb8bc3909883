"""The kernel's C++, built by hw/Makefile for whatever model a test asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pynq_ee.generate import constants
from pynq_ee.network import weights
from pynq_ee.network.weights import Model

HARDWARE = Path(__file__).resolve().parents[2] / "hw"

Make = Callable[..., "subprocess.CompletedProcess[str]"]
Build = Callable[..., Path]


@pytest.fixture(scope="session")
def make() -> Make:
    """Run hw/Makefile: ``make(*targets, environment, **variables)``; standard error is part of its output."""

    def run(*targets: str, environment: dict[str, str] | None = None, **variables: object) -> object:
        # The flags of a make that runs the tests are not those of the one that it starts.
        inherited = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
        settings = {"PYTHON": sys.executable} | variables
        return subprocess.run(
            ["make", "-j2", "-C", str(HARDWARE), *targets, *(f"{name}={value}" for name, value in settings.items())],
            env=inherited | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    return run


@pytest.fixture(scope="session")
def build(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Build targets for a model: ``build(model, *targets, **variables)``, the folder that holds what was built.

    ``generated/`` and ``model.npz`` are in the folder too. A model's folder is kept for the session.
    """
    folders: dict[int, Path] = {}

    def run(model: Model, *targets: str, **variables: object) -> Path:
        if model.build_id not in folders:
            folder = folders[model.build_id] = tmp_path_factory.mktemp(f"kernel-{model.build_id:08x}")
            constants.generate(model, folder / "generated")
            weights.save(model, folder / "model.npz")
        folder = folders[model.build_id]
        result = make(*targets, **variables_of(folder), **variables)
        assert result.returncode == 0, result.stdout
        return folder

    return run


def variables_of(folder: Path) -> dict[str, object]:
    """The variables of hw/Makefile that name a folder of :func:`build`."""
    return {"BUILD": folder, "GENERATED": folder / "generated", "MODEL": folder / "model.npz"}
