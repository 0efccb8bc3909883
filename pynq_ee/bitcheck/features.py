"""From the bits of all frames to the features of each tile, and the bits that no feature explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pynq_ee.bitcheck import frames
from pynq_ee.bitcheck.database import Block, Database
from pynq_ee.bitcheck.frames import Bits


@dataclass
class Decoded:
    """What the bits say.

    Attributes
    ----------
    features
        Those that are set in each tile, without the tile's name: ``SLICEM_X0.ALUT.INIT[07]``.
    broken
        Features by unset bits alone that do not hold, by tile; all others of that kind hold.
    bits
        How many bits are set, those of the error-correcting codes not counted.
    unknown
        Of them, those that belong to no feature: address of the frame, word, bit.
    """

    features: dict[str, set[str]] = field(default_factory=dict)
    broken: dict[str, set[str]] = field(default_factory=dict)
    bits: int = 0
    unknown: list[tuple[int, int, int]] = field(default_factory=list)


def decode(database: Database, order: Sequence[int], bits: Bits) -> Decoded:
    """Features of all tiles.

    Parameters
    ----------
    database
        Of the device.
    order, bits
        Addresses of the frames, and their bits: :func:`pynq_ee.bitcheck.frames.addresses` and ``arrange``.
    """
    at_address = {address: index for index, address in enumerate(order)}
    known = np.zeros_like(bits)
    known[:, frames.CODE] = 1
    decoded = Decoded()
    groups: dict[tuple[str, str, int, int], list[tuple[str, Block]]] = defaultdict(list)
    for tile in database.grid:
        for block in database.blocks(tile):
            groups[block.patterns_of, block.bus, block.first, block.words].append((tile, block))
    for (patterns_of, bus, first, words), tiles in groups.items():
        patterns = database.patterns(patterns_of, bus)
        inside = range(32 * first, 32 * (first + words))
        patterns = [p for p in patterns if all(bit in inside for _, bit in (*p.ones, *p.zeros))]
        places = sorted({place for p in patterns for place in (*p.ones, *p.zeros)})
        if not places:
            continue
        names = [tile for tile, _ in tiles]
        rows = np.array([at_address[block.base_address] for _, block in tiles])
        columns = np.array([32 * block.offset for _, block in tiles])
        minor, bit = np.array(places).T
        values = bits[rows + minor[:, None], columns + bit[:, None]].astype(bool)  # (places, tiles)
        used = np.flatnonzero(values.any(axis=0))
        rows, columns, values = rows[used], columns[used], np.ascontiguousarray(values[:, used])
        index = {place: number for number, place in enumerate(places)}
        for pattern in patterns:
            ones, zeros = ([index[place] for place in side] for side in (pattern.ones, pattern.zeros))
            holds = values[ones].all(axis=0) & ~values[zeros].any(axis=0)
            kept = decoded.features if ones else decoded.broken
            found = np.flatnonzero(holds if ones else ~holds)
            for place in pattern.ones:
                known[rows[found] + place[0], columns[found] + place[1]] = 1
            for number in used[found]:
                kept.setdefault(names[number], set()).add(pattern.feature)
    set_bits = bits.copy()
    set_bits[:, frames.CODE] = 0
    decoded.bits = int(np.count_nonzero(set_bits))
    decoded.unknown = [
        (order[row], int(column) // 32, int(column) % 32) for row, column in zip(*np.nonzero(set_bits & ~known & 1))
    ]
    return decoded
