"""The circuit's table: clocks by the cycle model, resources only of what a tool has built."""

from __future__ import annotations

import json

import pytest

from pynq_ee import bitfiles, spec
from pynq_ee.bench import hardware
from pynq_ee.errors import OverlayError


def test_every_part_and_both_widths_keep_the_rate_rule() -> None:
    rows = hardware.figures(spec.DEFAULT)
    parts = {board.part for board in spec.BOARDS.values()} | {hardware.PAPER_PART}
    assert {(row.part, row.pixels_per_beat) for row in rows} == {(part, pixels) for part in parts for pixels in (4, 8)}
    for row in rows:
        beats = spec.IMAGE_PIXELS // row.pixels_per_beat
        assert beats * hardware.BATCH < row.clocks_batch <= beats * hardware.BATCH + spec.FILL_CLOCKS
        assert beats < row.clocks_one <= beats + spec.FILL_CLOCKS


def test_without_a_bitstream_the_resources_are_not_made_up(monkeypatch) -> None:
    def nothing(board):
        raise OverlayError("none")

    monkeypatch.setattr(bitfiles, "find_for", nothing)
    assert {row.resources for row in hardware.figures(spec.DEFAULT)} == {hardware.UNKNOWN}


def test_a_manifest_beside_a_bitstream_gives_its_resources_to_its_own_width_only(monkeypatch, tmp_path) -> None:
    content = {"build_id": "00000001", "clock_mhz": 100, "pixels_per_beat": 8, "utilization": {"LUT": 12345}}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    monkeypatch.setattr(bitfiles, "find_for", lambda board: tmp_path / "first_exit.bit")
    rows = [row for row in hardware.figures(spec.DEFAULT) if row.part == spec.BOARDS["pynq-z2"].part]
    assert {row.pixels_per_beat: row.resources for row in rows} == {4: hardware.UNKNOWN, 8: "LUT 12345"}


@pytest.mark.parametrize("column", ["modelled", "measured with Vivado", "not built"])
def test_the_table_says_where_its_figures_come_from(column: str) -> None:
    assert column in hardware.markdown(hardware.figures(spec.DEFAULT))
