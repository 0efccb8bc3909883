"""``pynq-ee`` on the board, as its owner calls it: no device is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from board.box.machine import Machine
from board.box.plugin import BOARD
from pynq_ee.commands import cli
from pynq_ee.data.datasets import Digits
from pynq_ee.driver import bitfiles
from pynq_ee.errors import ExperimentalOverlayWarning
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model


@pytest.fixture
def model() -> Model:
    """The model that the commands take."""
    return weights.load()


def test_the_doctor_finds_the_board_well(board: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    assert f"{BOARD}, part {spec.BOARDS[BOARD].part}" in capsys.readouterr().out


def test_the_demo_runs(board: Machine, digits: Digits, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--json", "--images", "100", "--no-picture"]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == "edge"


def test_a_board_is_brought_up(board: Machine, digits: Digits, tmp_path: Path) -> None:
    record, log = tmp_path / "record.json", tmp_path / "log"
    options = ["--images", "200", "--sample", "200", "--output", str(record), "--log", str(log)]
    assert cli.main(["bringup", *options]) == 0
    found = json.loads(record.read_text())
    assert (found["failed"], found["board"], found["simulated"]) == (None, BOARD, False)
    assert found["completion"] == "interrupt"


@pytest.mark.skipif(spec.BOARDS[BOARD].processor != "zynq7", reason="open tools make an overlay for the Zynq-7000")
@pytest.mark.parametrize("model", [bitfiles.as_in_open(weights.load(), spec.BOARDS[BOARD])], ids=["shipped"])
def test_a_board_is_brought_up_with_the_overlay_of_open_tools(
    board: Machine, digits: Digits, published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board.knows(published)
    assert cli.main(["doctor", "--json"]) == 1  # a bitstream of Vivado's is what a board needs
    told = {each["check"]: each for each in json.loads(capsys.readouterr().out)}
    assert "experimental" in told[f"overlay {BOARD}, open"]["found"]
    record, log = tmp_path / "record.json", tmp_path / "log"
    options = ["--images", "200", "--sample", "200", "--output", str(record), "--log", str(log)]
    with pytest.warns(ExperimentalOverlayWarning, match="No board has run it"):
        assert cli.main(["bringup", "--overlay", "open", *options]) == 0
    found, built = json.loads(record.read_text()), bitfiles.manifest(published)
    assert (found["failed"], found["board"], found["simulated"]) == (None, BOARD, False)
    assert (found["build_id"], found["pixels_per_beat"]) == (f"{built['build_id']:08x}", built["pixels_per_beat"])
    assert found["completion"] == "interrupt" and found["long_run"]["wrong"] == 0
