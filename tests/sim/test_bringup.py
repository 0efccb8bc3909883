"""A board is tried step by step; what is wrong with it ends the steps, and stands in the record."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pynq_ee.bench import bringup
from pynq_ee.bench.board import modelled
from pynq_ee.bench.paper import report
from pynq_ee.commands import bringup as command
from pynq_ee.commands import cli
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice
from pynq_ee.sim.kernel import Kernel, Run, numpy_kernel


@pytest.fixture
def digits(images: Callable[[int], np.ndarray]) -> Digits:
    return Digits(images(150), np.zeros(150, np.int64), "noise")


@pytest.fixture(autouse=True)
def briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringup, "RATE_SECONDS", 0.01)
    monkeypatch.setattr(bringup, "CALLS", 3)
    monkeypatch.setattr(bringup, "BATCHES", (1, 64))


def tried(device: SimulatedDevice, model: Model, digits: Digits, lines: list[str]) -> bringup.Record:
    return bringup.Bringup(lambda: EarlyExitInference(model, device=device), digits, 400, lines.append).run()


def test_every_step_is_told_before_it_is_done_and_a_right_board_passes_them_all(
    device: SimulatedDevice, model: Model, digits: Digits
) -> None:
    lines: list[str] = []
    record = tried(device, model, digits, lines)
    assert record["failed"] is None
    names = [bringup.OPENING, *(name for name, _ in bringup.STEPS)]
    assert [each["step"] for each in record["steps"]] == names == [line for line in lines if line in names]
    opening = lines[: lines.index("one image")]
    told = ("description", "programming the fabric", "setting the fabric's clock", "resetting", "empty batch")
    found = [next(number for number, line in enumerate(opening) if part in line) for part in told]
    assert found == sorted(found)
    assert record["simulated"] and record["build_id"] == f"{model.build_id:08x}" and record["compared"] == 150
    assert record["long_run"]["images"] == 400 and record["long_run"]["wrong"] == 0
    assert [rate["batch"] for rate in record["rates"]] == [1, 64]
    for rate in record["rates"]:
        assert rate["images_a_second"] * rate["microseconds_an_image"] == pytest.approx(1e6)
    assert len(bringup.table(record)) == 2 and len(bringup.table(record)[0]) == len(bringup.header(record))


def test_a_circuit_that_computes_something_else_is_found_at_the_first_image(
    model: Model, digits: Digits, random_model: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = random_model(seed=5)
    monkeypatch.setattr(type(other), "build_id", model.build_id)  # it says that it is the model's
    with SimulatedDevice(other, kernel="numpy") as board:
        record = tried(board, model, digits, [])
    assert record["failed"]["step"] == "one image"
    assert "logits of image 0" in record["failed"]["error"] and "NumPy computes" in record["failed"]["error"]
    assert [each["step"] for each in record["steps"]] == [bringup.OPENING]


@pytest.mark.parametrize(
    ("fault", "batch", "failing"),
    [
        ("registers: dead", 1, "one image"),
        ("kernel: hung", 2, "a hundred images"),
        ("result: flipped bit in a logit", 3, "the whole sample, bit for bit against NumPy"),
        ("result: flipped bit in a feature", 1, "one image"),
    ],
)
def test_a_fault_ends_the_steps_where_it_comes(
    fault: str, batch: int, failing: str, device: SimulatedDevice, model: Model, digits: Digits
) -> None:
    def opened() -> EarlyExitInference:
        network = EarlyExitInference(model, device=device, deadline_seconds=0.1, retries=0)
        device.inject(fault, batch=batch, times=None)
        return network

    lines: list[str] = []
    record = bringup.Bringup(opened, digits, 10, lines.append).run()
    assert record["failed"]["step"] == failing == [line for line in lines if not line.startswith("  ")][-1]
    assert failing not in [each["step"] for each in record["steps"]]


def test_the_features_of_every_image_are_compared_also_of_those_that_leave(model: Model, digits: Digits) -> None:
    def spoiling(model: Model) -> Kernel:
        healthy = numpy_kernel(model)

        def kernel(beats: np.ndarray, last: np.ndarray, images: int, mode: int, margin: int) -> Run | None:
            run = healthy(beats, last, images, mode, margin)
            if images != 100 or run is None:
                return run
            run.output.reshape(images, -1)[99, spec.RESULT_BYTES] ^= 1  # under a checksum that is right
            return run._replace(registers={**run.registers, "results_crc": zlib.crc32(run.output.data)})

        return kernel

    with SimulatedDevice(model, kernel=spoiling) as board:
        record = bringup.Bringup(
            lambda: EarlyExitInference(model, device=board, threshold=3.0), digits, 400, lambda line: None
        ).run()
    assert record["failed"]["step"] == "a hundred images"
    assert "features of image 99 are" in record["failed"]["error"]


def test_without_a_board_the_record_says_so(digits: Digits, model: Model) -> None:
    record = bringup.Bringup(lambda: EarlyExitInference(model), digits, 10, lambda line: None).run()
    assert record["steps"] == [] and record["failed"]["step"] == bringup.OPENING
    assert "DeviceError" in record["failed"]["error"]
    assert "FAILED at" in command.shared(record)


def test_the_command_writes_record_and_lines_and_a_report_shows_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, log = tmp_path / "z2.json", tmp_path / "z2.log"
    common = ["bringup", "--device", "sim-numpy", "--images", "200", "--sample", "120"]
    assert cli.main([*common, "--output", str(path), "--log", str(log)]) == 0
    printed = capsys.readouterr().out
    assert log.read_text().splitlines() == printed.splitlines()[: len(log.read_text().splitlines())]
    assert "times of a simulation, not of a board" in printed
    assert cli.main(["bringup", "--share", str(path)]) == 0
    shared = capsys.readouterr().out
    assert f"build_id: {weights.load().build_id:08x}" in shared and str(tmp_path) not in shared
    record = json.loads((Path(weights.__file__).parents[2] / "docs" / "results.json").read_text())
    text = report.markdown(record, None, [command.read(path)])
    assert "## Tried on pynq-z2" in text and "120 images of" in text
    rates = text.split("## Tried on pynq-z2")[1].split("## Energy")[0]
    assert rates.count("modelled, us an image") == 1
    for batch in (1, 64):
        assert f" | {modelled.beside('pynq-z2', batch)} |" in rates


def test_the_lines_may_go_nowhere_and_what_cannot_be_written_is_found_out_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["bringup", "--device", "sim-numpy", "--images", "10", "--sample", "10", "--log", "/dev/null"]
    assert cli.main([*common, "--output", str(tmp_path / "new" / "z2.json")]) == 0
    capsys.readouterr()
    assert cli.main([*common, "--output", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and f"--output is {tmp_path}" in printed.err


def test_another_file_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="no record of `pynq-ee bringup`"):
        command.read(tmp_path / "other.json")
