"""The circuit's table: clocks by the cycle model, resources only of what a tool has built or estimated."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pynq_ee.bench.circuit import hardware
from pynq_ee.driver import bitfiles
from pynq_ee.errors import OverlayError
from pynq_ee.network import spec, weights
from pynq_ee.network.weights import Model
from pynq_ee.sim import dataflow


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The shipped model."""
    return weights.load(weights.DEFAULT)


@pytest.fixture
def no_bitstream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine to which none has been copied."""
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", [tmp_path])

    def nothing(board: spec.Board, build_id: int) -> Path:
        raise OverlayError("none")

    monkeypatch.setattr(bitfiles, "find_for", nothing)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[int, hardware.Figures]]:
    """Puts a manifest, as hw/vivado/manifest.tcl writes it, beside a bitstream; the PYNQ-Z2's rows by pixels a beat."""

    def put(model: Model, build_id: int, **changed: Any) -> dict[int, hardware.Figures]:
        content = {
            "build_id": f"{build_id:08x}",
            "clock_mhz": 80,
            "pixels_per_beat": 8,
            "tools": {"vivado": "2023.2", "hls": "2023.2"},
            "slack_ns": {"setup": 0.318, "hold": 0.021, "pulse_width": 0},
            "utilization": {"LUT": {"used": 21345, "available": 53200}, "DSP": {"used": 0, "available": 220}},
            **changed,
        }
        (tmp_path / "manifest.json").write_text(json.dumps(content))
        monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", [])
        monkeypatch.setattr(bitfiles, "find_for", lambda board, build_id: tmp_path / "first_exit.bit")
        part = spec.BOARDS["pynq-z2"].part
        return {row.pixels_per_beat: row for row in hardware.figures(model) if row.part == part}

    return put


@pytest.mark.usefixtures("no_bitstream")
def test_every_part_and_both_widths_keep_the_rate_rule(shipped: Model) -> None:
    rows = hardware.figures(shipped)
    parts = {board.part for board in spec.BOARDS.values()} | {hardware.PAPER_PART}
    assert {(row.part, row.pixels_per_beat) for row in rows} == {(part, pixels) for part in parts for pixels in (4, 8)}
    for row in rows:
        beats = spec.IMAGE_PIXELS // row.pixels_per_beat
        assert beats * hardware.BATCH < row.clocks_batch <= beats * hardware.BATCH + spec.FILL_CLOCKS
        assert beats < row.clocks_one <= beats + spec.FILL_CLOCKS


@pytest.mark.usefixtures("no_bitstream")
def test_without_a_bitstream_the_resources_are_not_made_up(shipped: Model) -> None:
    assert {row.resources for row in hardware.figures(shipped)} == {hardware.UNKNOWN}


@pytest.mark.usefixtures("no_bitstream")
def test_an_estimate_counts_for_its_own_circuit_and_family_and_is_named_modelled(shipped: Model) -> None:
    estimate = {"build_id": f"{shipped.build_id:08x}", "resources": {"LUT": 24502.0, "BRAM": 0.5}}
    told = {
        (row.part, row.pixels_per_beat)
        for row in hardware.figures(shipped, [estimate])
        if row.resources == f"{hardware.UNKNOWN}; overlay in RTL: LUT 24,502, BRAM 0.5, *counted*, Yosys"
    }
    assert told == {(spec.BOARDS["pynq-z2"].part, 8), (hardware.PAPER_PART, 8)}


def test_a_bitstream_of_this_circuit_gives_its_resources_its_slack_and_its_clock(
    shipped: Model, built: Callable[..., dict[int, hardware.Figures]]
) -> None:
    rows = built(shipped, shipped.build_id)
    assert rows[8].resources == "LUT 21,345 (40 %), DSP 0 (0 %), slack 0.318 ns; *measured*, Vivado 2023.2"
    assert rows[8].clock_mhz == 80 and rows[8].latency_micros == rows[8].clocks_one / 80
    assert rows[4].resources == hardware.UNKNOWN and rows[4].clock_mhz == 100
    told = built(shipped, shipped.build_id, kernel="rtl")[8].resources
    assert told.endswith("*measured*, Vivado 2023.2, RTL kernel")


def test_a_bitstream_of_another_model_and_a_manifest_without_figures_tell_nothing(
    shipped: Model, built: Callable[..., dict[int, hardware.Figures]]
) -> None:
    other = replace(shipped, spec=replace(shipped.spec, pixels_per_beat=4)).build_id
    assert built(shipped, other)[8].resources == hardware.UNKNOWN
    assert built(shipped, shipped.build_id, utilization={"LUT": 12345})[8].resources == hardware.UNKNOWN
    assert built(shipped, shipped.build_id, slack_ns=None)[8].resources == hardware.UNKNOWN


@pytest.mark.parametrize("pixels", [4, 8])
@pytest.mark.usefixtures("no_bitstream")
def test_an_overlay_of_open_tools_has_a_row_of_its_own_with_what_its_manifest_says(
    pixels: int, shipped: Model, tmp_path: Path
) -> None:
    ordinary = hardware.figures(shipped)
    made = replace(shipped, spec=replace(shipped.spec, pixels_per_beat=pixels))
    folder = tmp_path / bitfiles.OPEN / "pynq-z2"
    folder.mkdir(parents=True)
    (folder / "first_exit.bit.gz").touch()

    def rows(build_id: int, **changed: Any) -> list[hardware.Figures]:
        content = {
            "build_id": f"{build_id:08x}",
            "clock_mhz": 62.5,
            "pixels_per_beat": pixels,
            "timing": {"estimate_mhz": 97.08},
            "utilization": {"LUT": {"used": 58400, "available": 106400}},
            "tried_on_board": False,
            **changed,
        }
        (folder / "manifest.json").write_text(json.dumps(content))
        return [row for row in hardware.figures(shipped) if row not in ordinary]

    (row,) = rows(made.build_id)
    assert (row.part, row.pixels_per_beat, row.clock_mhz) == ("xc7z020clg400-1, open tools", pixels, 62.5)
    assert row.clocks_batch in [each.clocks_batch for each in ordinary if each.pixels_per_beat == pixels]
    assert row.resources == (
        "LUT 58,400 (55 %), *counted*; clock estimated at 97.08 MHz; RTL kernel, experimental, tried on no board"
    )
    assert rows(made.build_id, timing=None)[0].resources == hardware.UNKNOWN
    assert rows(made.build_id ^ 1) == []


def test_the_table_marks_what_is_modelled(shipped: Model) -> None:
    table = hardware.markdown(hardware.figures(shipped)).splitlines()
    assert table[2].count("*modelled*") == 5 and len({line.count("|") for line in table}) == 1


def test_the_readme_tells_what_an_image_alone_takes_without_features(shipped: Model) -> None:
    clocks = [dataflow.batch_clocks(replace(shipped.spec, pixels_per_beat=pixels), 1, False) for pixels in (8, 4)]
    told = " ".join((Path(hardware.__file__).parents[3] / "README.md").read_text().split())
    assert "takes {} clocks at 8 pixels a beat and {} at 4".format(*clocks) in told
