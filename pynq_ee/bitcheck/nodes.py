"""Wires of different tiles that are one piece of metal: a node. Two loaders, for the two files that tell it.

``tileconn.json`` is prjxray's: which wires of which types of tiles are one where two tiles lie so far from each other.
``segments.json`` has the nodes themselves, as patterns: wires at offsets from an anchor, and the anchors.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from pynq_ee.bitcheck.database import Database
from pynq_ee.errors import DataError

#: A wire: its tile, and its name there.
Wire = tuple[str, str]

#: From a wire to all wires of its node, that one among them.
Nodes = Callable[[Wire], list[Wire]]


def load(database: Database) -> Nodes:
    """The nodes of a device, from whichever of the two files is there.

    Raises
    ------
    DataError
        Neither is.
    """
    for name, loader in (("tileconn.json", _from_connections), ("segments.json", _from_segments)):
        path = database.device / name
        if path.exists():
            return loader(database, json.loads(path.read_bytes()))
    raise DataError(f"{database.device} has no tileconn.json, which joins the wires; take a whole database")


def _from_connections(database: Database, connections: list[dict[str, Any]]) -> Nodes:
    steps: dict[Wire, list[tuple[int, int, str, str]]] = defaultdict(list)
    for rule in connections:
        (dx, dy), (here, there) = rule["grid_deltas"], rule["tile_types"]
        for wire, other in rule["wire_pairs"]:
            steps[here, wire].append((dx, dy, there, other))
            steps[there, other].append((-dx, -dy, here, wire))
    place = {(data["grid_x"], data["grid_y"]): (tile, data["type"]) for tile, data in database.grid.items()}

    def wires(wire: Wire) -> list[Wire]:
        found, left = {wire}, [wire]
        while left:
            tile, name = left.pop()
            data = database.grid[tile]
            for dx, dy, tile_type, other in steps.get((data["type"], name), ()):
                neighbour, its_type = place.get((data["grid_x"] + dx, data["grid_y"] + dy), ("", ""))
                if its_type == tile_type and (neighbour, other) not in found:
                    found.add((neighbour, other))
                    left.append((neighbour, other))
        return sorted(found)

    return wires


def _from_segments(database: Database, data: dict[str, Any]) -> Nodes:
    tiles, types, wires = data["tiles"], data["tile_types"], data["wires"]
    index_of_tile = {tile: index for index, (tile, _) in enumerate(tiles)}
    index_of_wire = [{wire: index for index, wire in enumerate(names)} for names in wires]
    type_of_tile = [tile_type for _, tile_type in tiles]
    missing = database.grid.keys() - index_of_tile.keys()
    if missing:
        raise DataError(f"segments.json does not know the tile {min(missing)}; it belongs to another tilegrid.json")
    # A number for each wire of the device, and for each the pattern and the anchor of its node.
    stride = max(len(names) for names in wires)
    patterns = [np.array(pattern, np.int64).reshape(-1, 2) for pattern, _ in data["segments"]]
    anchors = [np.array(places, np.int64) for _, places in data["segments"]]
    numbers = np.concatenate([((a[:, None] + p[:, 1]) * stride + p[:, 0]).ravel() for p, a in zip(patterns, anchors)])
    owners = np.concatenate(
        [np.full(len(p) * len(a), index, np.int32) for index, (p, a) in enumerate(zip(patterns, anchors))]
    )
    places = np.concatenate([np.repeat(a, len(p)).astype(np.int32) for p, a in zip(patterns, anchors)])
    order = np.argsort(numbers)
    numbers, owners, places = numbers[order], owners[order], places[order]

    def node(wire: Wire) -> list[Wire]:
        tile = index_of_tile[wire[0]]
        local = index_of_wire[type_of_tile[tile]].get(wire[1])
        if local is None:
            return [wire]
        number = tile * stride + local
        at = int(np.searchsorted(numbers, number))
        if at == len(numbers) or numbers[at] != number:
            return [wire]
        anchor = int(places[at])
        members = ((anchor + offset, local) for local, offset in patterns[owners[at]].tolist())
        return [(tiles[tile][0], wires[type_of_tile[tile]][local]) for tile, local in members]

    assert len(types) == len(wires)
    return node
