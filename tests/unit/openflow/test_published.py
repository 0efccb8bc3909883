"""The open overlay in the repository is of the circuit, the model and the generators that are there today.

Where one of these tests fails, something that decides the circuit has changed since the overlay was made. Make it
again, ``make -C hw overlay FLOW=open`` (docs/open-flow.md), or take ``overlay/open`` out of the repository: a bitstream
of another circuit than the sources must not be in it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pynq_ee import EarlyExitInference, ExperimentalOverlayWarning
from pynq_ee.driver import bit_header, bitfiles
from pynq_ee.generate import hwh, rtl_design
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model
from pynq_ee.openflow import manifest
from pynq_ee.openflow.build import MARGIN

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "overlay" / bitfiles.OPEN
AGAIN = "the overlay in {} is stale ({}): run `make -C hw overlay FLOW=open`, or remove it"

OVERLAYS = sorted(path.parent for path in FOLDER.glob("*/manifest.json"))


@pytest.fixture(params=OVERLAYS, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an overlay, looked for in the repository alone, and unpacked for this test."""
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", (ROOT / "overlay",))
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path))
    found: Path = request.param
    return found


@pytest.fixture
def model(folder: Path) -> Model:
    """The shipped model, at the width of the overlay."""
    return bitfiles.as_in_open(weights.load(weights.DEFAULT), spec.BOARDS[folder.name])


def test_one_is_there() -> None:
    assert [folder.name for folder in OVERLAYS] == [spec.DEFAULT_BOARD.name]


def test_it_was_made_of_the_sources_that_are_here(folder: Path, model: Model) -> None:
    told, now = bitfiles.manifest(folder / "x")["source_sha256"], manifest.sources(model, ROOT / "hw/rtl")
    changed = sorted(name for name in told.keys() | now.keys() if told.get(name) != now.get(name))
    assert not changed, AGAIN.format(folder, f"changed since: {', '.join(changed)}")


def test_it_is_the_file_of_its_manifest_and_the_models_by_its_header(folder: Path, model: Model) -> None:
    bit = bitfiles.find_open(spec.BOARDS[folder.name], model.build_id)
    told = bitfiles.manifest(folder / "x")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (bit, bit.with_suffix(".hwh"))}
    assert files == told["sha256"]
    header = bit_header.read(bit).user_id
    assert header == told["build_id"] == model.build_id, AGAIN.format(folder, "of another model")
    assert told["interface_version"] == spec.INTERFACE_VERSION, AGAIN.format(folder, "of another interface")


def test_its_description_is_the_one_that_is_written_today(folder: Path, model: Model, tmp_path: Path) -> None:
    clock_mhz = bitfiles.manifest(folder / "x")["clock_mhz"]
    design = rtl_design.describe(spec.BOARDS[folder.name], model.spec.beat_bits, clock_mhz)
    now = hwh.write(design, tmp_path / "first_exit.hwh")
    assert (folder / "first_exit.hwh").read_text() == now.read_text(), AGAIN.format(folder, "another description")


def test_it_says_what_was_proved_and_that_no_board_has_run_it(folder: Path) -> None:
    told = bitfiles.manifest(folder / "x")
    proved, rungs = (
        " ".join(told["passed"]),
        ("registers", "synthesized netlist", "routed", "read back", "bitstream sim"),
    )
    assert [rung for rung in rungs if rung not in proved] == []
    assert told["tried_on_board"] is False
    assert told["timing"]["estimate_mhz"] >= (1 + MARGIN) * told["clock_mhz"]
    assert told["timing"]["not_covered"]


def test_it_is_small_and_no_plain_bitstream_lies_beside_it(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
    assert {path.name for path in folder.iterdir()} == {"first_exit.bit.gz", "first_exit.hwh", "manifest.json"}


def test_a_simulated_board_takes_it_at_its_own_width_and_gives_the_same_answers(folder: Path, model: Model) -> None:
    images = np.random.default_rng(5).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    with pytest.warns(ExperimentalOverlayWarning):
        network = EarlyExitInference(device="sim-numpy", bitfile="open", remainder="numpy")
    with network, EarlyExitInference(device="sim-numpy", remainder="numpy") as ordinary:
        assert network.model.build_id == model.build_id
        np.testing.assert_array_equal(network.classify(images).logits, ordinary.classify(images).logits)


def test_its_two_files_alone_run_at_the_clock_that_it_was_made_for(folder: Path, model: Model, tmp_path: Path) -> None:
    """As pynq's users copy an overlay: without the manifest."""
    bit = bitfiles.find_open(spec.BOARDS[folder.name], model.build_id)
    told = bitfiles.manifest(bit)["clock_mhz"]
    bit.with_name("manifest.json").unlink()
    with EarlyExitInference(model, device="sim-numpy", bitfile=bit, remainder="numpy") as network:
        assert network.clock_mhz == pytest.approx(told, rel=1e-3)
