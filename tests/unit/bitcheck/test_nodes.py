"""Wires that are one, from either of the two files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import tiny_device
from pynq_ee.bitcheck import nodes
from pynq_ee.bitcheck.database import Database
from pynq_ee.errors import DataError


def all_wires(database: Database) -> list[nodes.Wire]:
    rules = json.loads((database.device / "tileconn.json").read_text())
    of_type: dict[str, set[str]] = {}
    for rule in rules:
        for side, type_ in enumerate(rule["tile_types"]):
            of_type.setdefault(type_, set()).update(pair[side] for pair in rule["wire_pairs"])
    return [(tile, wire) for tile, data in database.grid.items() for wire in sorted(of_type[data["type"]])]


def as_segments(database: Database) -> dict:
    """The same nodes, as the other file has them: each of its own pattern, at one anchor."""
    node, wires = nodes.load(database), all_wires(database)
    types = sorted({data["type"] for data in database.grid.values()})
    names = [sorted({wire for tile, wire in wires if database.grid[tile]["type"] == type_}) for type_ in types]
    tiles = [[tile, types.index(data["type"])] for tile, data in database.grid.items()]
    number = {tile: index for index, (tile, _) in enumerate(tiles)}
    segments = []
    for members in {tuple(node(wire)) for wire in wires}:
        anchor = number[members[0][0]]
        places = [[names[tiles[number[tile]][1]].index(wire), number[tile] - anchor] for tile, wire in members]
        segments.append([places, [anchor]])
    return {"tile_types": types, "wires": names, "tiles": tiles, "segments": segments}


@pytest.fixture()
def copy(database: Database, tmp_path: Path) -> Database:
    return Database(Path(shutil.copytree(database.folder, tmp_path / "tiny")), tiny_device.IDCODE)


def test_a_wire_is_followed_through_every_tile_that_it_crosses(database: Database) -> None:
    node = nodes.load(database)
    below, above = "SWITCHES_X2Y0", "SWITCHES_X2Y1"
    clock = [("CLOCKS_X1Y0", "ROW"), (below, "CLOCK"), (above, "CLOCK")]
    assert all(node(wire) == clock for wire in clock)
    assert node((below, "TO_BETWEEN0")) == [(below, "TO_BETWEEN0"), (above, "FROM_BETWEEN0")]
    assert node((above, "TO_BETWEEN0")) == [(above, "TO_BETWEEN0")]  # there is nothing above it
    assert node((below, "GND_WIRE")) == [(below, "GND_WIRE")]


def test_both_files_tell_the_same(database: Database, copy: Database) -> None:
    (copy.device / "segments.json").write_text(json.dumps(as_segments(database)))
    (copy.device / "tileconn.json").unlink()
    by_rules, by_segments = nodes.load(database), nodes.load(copy)
    for wire in [*all_wires(database), ("LOGIC_X3Y0", "of no node")]:
        assert sorted(by_segments(wire)) == by_rules(wire)


def test_a_device_without_either_is_refused(copy: Database) -> None:
    (copy.device / "tileconn.json").unlink()
    with pytest.raises(DataError, match=r"has no tileconn.json, which joins the wires"):
        nodes.load(copy)


def test_segments_of_another_device_are_refused(copy: Database) -> None:
    segments = as_segments(copy)
    segments["tiles"].pop()
    (copy.device / "segments.json").write_text(json.dumps(segments))
    (copy.device / "tileconn.json").unlink()
    with pytest.raises(DataError, match="does not know the tile MEMORY_X4Y0"):
        nodes.load(copy)
