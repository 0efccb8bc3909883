"""On a board's processor the network answers as on the machine that runs this: to the bit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from arm import answers
from arm.board import HOME, Board

IMAGES = 2000
#: Images of the other model, of the board without a compiler, and of the kernel that the board compiles.
FEW = 200

TESTS = f"{HOME}/checkout/tests"


def answers_here(folder: Path, *options: str) -> dict[str, np.ndarray]:
    command = [sys.executable, answers.__file__, *options, "--remainder", "numpy", str(folder / "here.npz")]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(Path(answers.__file__).parents[1])}, check=True)
    return dict(np.load(folder / "here.npz"))


def answers_there(board: Board, *options: str) -> dict[str, np.ndarray]:
    board.run("python3", "-P", f"{TESTS}/arm/answers.py", *options, f"{HOME}/there.npz", PYTHONPATH=TESTS)
    return dict(np.load(board.folder / "there.npz"))


@pytest.mark.parametrize(
    ("installation", "model", "images"),
    [
        ("compiled", "lenet5-2exit", IMAGES),
        ("compiled", "lenet5-3exit", FEW),
        ("without_compiler", "lenet5-2exit", FEW),
    ],
)
def test_all_answers_are_those_of_this_machine(
    request: pytest.FixtureRequest, installation: str, model: str, images: int, tmp_path: Path
) -> None:
    options = ("--images", str(images), "--model", model)
    there = answers_there(request.getfixturevalue(installation), *options)
    compare(there, answers_here(tmp_path, *options), images)


def test_the_compiled_kernel_gives_them_too(compiled: Board, tmp_path: Path) -> None:
    options = ("--images", str(FEW))
    here, there = answers_here(tmp_path, *options), answers_there(compiled, *options, "--device", "sim")
    compare(there, here, FEW)


def compare(there: dict[str, np.ndarray], here: dict[str, np.ndarray], images: int) -> None:
    assert there["source"] == here["source"] and len(here["labels"]) == images
    for name in ("features", "first_logits", "labels", "exits", "logits", "entropy"):
        assert there[name].dtype == here[name].dtype
        np.testing.assert_array_equal(there[name], here[name], err_msg=name)
    assert 0 < (here["exits"] == 1).sum() < images
