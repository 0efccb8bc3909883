"""What a board's owner does first works on the board's processor, with a compiler in the image and without."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from arm import emulation
from arm.board import HOME, Board
from pynq_ee.data import datasets

IMAGES = 200


def test_the_board_is_the_architecture_that_is_meant(board: Board, architecture: str) -> None:
    assert board.info["machine"] == emulation.ARCHITECTURES[architecture].machine
    assert board.info["pynq"] == "3.0.1"


def test_the_engine_is_compiled_with_vector_instructions(compiled: Board) -> None:
    assert compiled.info["remainder engines"] == ["numpy", "native"]
    program = "from pynq_ee.remainder import _native; print(_native.__file__)"
    library = compiled.run("python3", "-P", "-c", program).stdout.strip()
    listing = compiled.run("objdump", "-d", "--no-show-raw-insn", library).stdout
    pattern = {"armhf": r"vmla\.i16\s+q", "arm64": r"mla\s+v\d+\.8h"}[compiled.architecture]
    assert re.search(pattern, listing)


def test_without_a_compiler_numpy_does_the_work(without_compiler: Board) -> None:
    assert without_compiler.info["remainder engines"] == ["numpy"]


def test_doctor_finds_nothing_that_fails(board: Board) -> None:
    findings = {entry["check"]: entry for entry in board.json("pynq-ee", "doctor")}
    assert not [entry for entry in findings.values() if entry["state"] == "fail"]
    assert findings["pynq"]["state"] == findings["model"]["state"] == "ok"
    # Without a compiler the engine is NumPy's, and doctor says so.
    assert findings["engines"]["state"] == findings["g++"]["state"]
    assert (findings["engines"]["state"] == "ok") == ("native" in findings["engines"]["found"])


def test_the_demo_runs_on_the_numpy_kernel(board: Board) -> None:
    demo(board, "sim-numpy", "simulated pynq-z2 (numpy kernel)")


def test_the_demo_runs_on_the_kernel_compiled_there(compiled: Board) -> None:
    demo(compiled, "sim", "simulated pynq-z2 (hls kernel)")


def demo(board: Board, device: str, name: str) -> None:
    record = board.json("pynq-ee", "demo", "--device", device, "--images", str(IMAGES), "--no-picture")
    assert record["device"] == name and record["images"] == IMAGES
    assert record["accuracy"] > 0.97


def test_pictures_are_classified(board: Board) -> None:
    digits = datasets.available()
    for number in range(3):
        Image.fromarray(digits.images[number]).save(board.folder / f"{number}.png")
    files = [f"{HOME}/{number}.png" for number in range(3)]
    answer = board.json("pynq-ee", "classify", "--device", "sim-numpy", *files)
    np.testing.assert_array_equal([image["label"] for image in answer["images"]], digits.labels[:3])
