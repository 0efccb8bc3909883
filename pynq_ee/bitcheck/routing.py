"""The wires as they are switched: from a wire back to the pin of a site that drives it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from pynq_ee.bitcheck.database import Database, TileType
from pynq_ee.bitcheck.features import Decoded
from pynq_ee.bitcheck.nodes import Nodes, Wire

#: A site whose pins are those of two others in the same tile.
_TWICE = {"RAMBFIFO36E1"}


class Pin(NamedTuple):
    """A pin of a site: the tile, the site's index in the type of tile, and the pin's name."""

    tile: str
    site: int
    pin: str


class Routing:
    """The switches that are on, permanent connections, and the pins that drive.

    Parameters
    ----------
    database, decoded, nodes
        The device, what its bits say, and which wires are one.

    Attributes
    ----------
    switches
        By tile, each driven wire with the wires that drive it: those that are on by a set bit.
    fights
        Nodes with more than one driver, in words.
    """

    def __init__(self, database: Database, decoded: Decoded, nodes: Nodes) -> None:
        self._database, self._decoded, self._nodes = database, decoded, nodes
        self.switches: dict[str, dict[str, list[str]]] = {}
        self.fights: list[str] = []
        self._origins: dict[Wire, Pin | None] = {}
        self._unset: dict[str, dict[str, list[str]]] = {}
        for tile, features in decoded.features.items():
            pairs = [pair for feature in features if (pair := _pair(feature)) in self._type(tile).switches]
            if pairs:
                self.switches[tile] = _by_driven(pairs)

    def check(self) -> Iterator[tuple[Wire, Pin | None]]:
        """Every wire that a switch drives, with the pin that it comes from."""
        for tile, switches in self.switches.items():
            for driven in switches:
                yield (tile, driven), self.origin((tile, driven))

    def origin(self, wire: Wire) -> Pin | None:
        """The pin that drives a wire in the end; None where nothing does."""
        members = self._nodes(wire)
        key = members[0]
        if key not in self._origins:
            self._origins[key] = None  # what comes back to itself by permanent connections is not driven
            self._origins[key] = self._find(members)
        return self._origins[key]

    def _find(self, members: list[Wire]) -> Pin | None:
        switched = [(tile, driver) for tile, wire in members for driver in self.switches.get(tile, {}).get(wire, ())]
        pins = [
            Pin(tile, site, pin)
            for tile, wire in members
            for site, pin in self._type(tile).outputs.get(wire, ())
            if self._type(tile).sites[site].type not in _TWICE
        ]
        fixed = [(tile, driver) for tile, wire in members for driver in self._type(tile).always.get(wire, ())]
        if not switched:
            fixed += [(tile, driver) for tile, wire in members for driver in self._by_unset_bits(tile, wire)]
        live = {origin: driver for driver in fixed if (origin := self.origin(driver)) is not None}
        if len(switched) + len(pins) + len(live) > 1:
            drivers = [f"the switch from {driver}" for _, driver in switched]
            drivers += [f"the pin {pin.pin}" for pin in pins] + [f"the wire {driver}" for _, driver in live.values()]
            self.fights.append(f"{'/'.join(members[0])} is driven by {' and '.join(drivers)}")
        if pins:
            return pins[0]
        if switched:
            return self.origin(switched[0])
        if live:
            return next(iter(live))
        for tile, wire in members:
            if (driver := self._type(tile).default.get(wire)) is not None:
                return self.origin((tile, driver))
        return None

    def _by_unset_bits(self, tile: str, wire: str) -> list[str]:
        """Wires that drive one by a switch that is on while its bits are not set."""
        name = self._database.grid[tile]["type"]
        if name not in self._unset:
            patterns = self._database.patterns(name, "CLB_IO_CLK")
            pairs = [pair for p in patterns if not p.ones and (pair := _pair(p.feature)) in self._type(tile).switches]
            self._unset[name] = _by_driven(pairs)
        broken = self._decoded.broken.get(tile, ())
        return [driver for driver in self._unset[name].get(wire, ()) if f"{wire}.{driver}" not in broken]

    def _type(self, tile: str) -> TileType:
        return self._database.tile_type(self._database.grid[tile]["type"])


def is_switch(database: Database, tile: str, feature: str) -> bool:
    """Whether a feature of a tile is a switch."""
    return _pair(feature) in database.tile_type(database.grid[tile]["type"]).switches


def _pair(feature: str) -> tuple[str, str]:
    driven, _, driver = feature.partition(".")
    return driven, driver


def _by_driven(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for driven, driver in pairs:
        found[driven].append(driver)
    return dict(found)
