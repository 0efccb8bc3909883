"""A database of a device in prjxray's format: https://f4pga.readthedocs.io/projects/prjxray, "Database".

A folder for a family, such as ``zynq7``, with the types of tiles and their bits, a folder within for each device (its
tiles, and how their wires are joined), and one for each part (its frames). Files are read when they are asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pynq_ee.errors import DataError, InputError

#: A bit within a tile: the frame, counted from the tile's first, and the bit, counted from the tile's first word.
Bit = tuple[int, int]


class Pattern(NamedTuple):
    """A feature, by the bits that are set and those that are not."""

    feature: str
    ones: tuple[Bit, ...]
    zeros: tuple[Bit, ...]


class Block(NamedTuple):
    """Where the bits of a tile lie: on which bus, from which frame and word on, and whose patterns they follow."""

    bus: str
    base_address: int
    offset: int  # of the first word that the patterns count from; below that of the tile where it is only a part
    first: int  # of the words that are the tile's, counted from there
    words: int
    patterns_of: str


class Site(NamedTuple):
    """A site of a type of tile: what it is, where it stands within the tile, and the wires at its pins."""

    type: str
    x: int
    y: int
    wires: dict[str, str]


@dataclass
class TileType:
    """What is the same in all tiles of a type; wires and pins by name.

    Attributes
    ----------
    switches
        Pairs of wires, the driven one first.
    always
        The wires that drive a wire whatever is configured, not through a site.
    default
        The wire that drives one when no switch does.
    outputs
        The pins of sites that drive a wire: index of the site, and pin.
    """

    name: str
    sites: list[Site] = field(default_factory=list)
    switches: set[tuple[str, str]] = field(default_factory=set)
    always: dict[str, list[str]] = field(default_factory=dict)
    default: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


class Database:
    """One device in a family's folder.

    Parameters
    ----------
    folder
        Of the family, such as ``prjxray-db/zynq7``.
    idcode
        Of the device, as a bitstream writes it; its highest four bits, the silicon's revision, do not matter.
    part
        As a bitstream's header names it, ``xc`` and speed grade or not; empty for any part of the device.

    Raises
    ------
    DataError
        The folder is no such database.
    InputError
        It has no such part or device.
    """

    def __init__(self, folder: Path, idcode: int, part: str = "") -> None:
        self.folder = folder
        parts = {path.parent.name: _json(path) for path in sorted(folder.glob("*/part.json"))}
        if not parts:
            raise DataError(f"{folder} has no */part.json; name the folder of a family, such as prjxray-db/zynq7")
        known = {name: part["idcode"] & 0x0FFFFFFF for name, part in parts.items()}
        found = [name for name, code in known.items() if code == idcode & 0x0FFFFFFF]
        wanted = part.lower() if part.lower().startswith("xc") or not part else "xc" + part.lower()
        found = [name for name in found if name.startswith(wanted)]
        if not found:
            raise InputError(
                f"the bitstream is for {wanted or 'a part'} with the IDCODE 0x{idcode:08x}; {folder} knows "
                + ", ".join(f"{name} (0x{code:07x})" for name, code in known.items())
            )
        self.part, self.part_data = found[0], parts[found[0]]
        devices = [path.parent for path in folder.glob("*/tilegrid.json") if self.part.startswith(path.parent.name)]
        if not devices:
            raise DataError(f"{folder} has no tilegrid.json of a device that {self.part} is a part of")
        self.device = max(devices, key=lambda path: len(path.name))
        self._type = cache(self._read_type)
        self._patterns = cache(self._read_patterns)
        self._directions = cache(self._read_directions)

    @cached_property
    def grid(self) -> dict[str, dict[str, Any]]:
        """The tiles by name, as ``tilegrid.json`` has them."""
        grid: dict[str, dict[str, Any]] = _json(self.device / "tilegrid.json")
        return grid

    def blocks(self, tile: str) -> list[Block]:
        """Where the bits of a tile lie."""
        found = []
        for bus, bits in self.grid[tile]["bits"].items():
            alias = bits.get("alias") or {}
            first = alias.get("start_offset", 0)
            patterns_of = alias.get("type", self.grid[tile]["type"])
            base = int(bits["baseaddr"], 16)
            found.append(Block(bus, base, bits["offset"] - first, first, bits["words"], patterns_of))
        return found

    def patterns(self, tile_type: str, bus: str) -> list[Pattern]:
        """The features of a type of tile with bits on a bus."""
        return self._patterns(tile_type, bus)

    def tile_type(self, name: str) -> TileType:
        """A type of tile."""
        return self._type(name)

    def _read_patterns(self, tile_type: str, bus: str) -> list[Pattern]:
        infix = "" if bus == "CLB_IO_CLK" else f".{bus.lower()}"
        path = self.folder / f"segbits_{tile_type.lower()}{infix}.db"
        if not path.exists():  # a type of which nothing is known
            return []
        patterns = []
        for line in path.read_text().splitlines():
            feature, *bits = line.split()
            ones: list[Bit] = []
            zeros: list[Bit] = []
            for bit in bits:
                frame, position = bit.lstrip("!").split("_")
                (zeros if bit.startswith("!") else ones).append((int(frame), int(position)))
            patterns.append(Pattern(feature.partition(".")[2], tuple(ones), tuple(zeros)))
        return patterns

    def _read_type(self, name: str) -> TileType:
        data = _json(self.folder / f"tile_type_{name}.json")
        made = TileType(name)
        for pip in data["pips"].values():
            made.switches.add((pip["dst_wire"], pip["src_wire"]))
            if pip["is_directional"] == "0":
                made.switches.add((pip["src_wire"], pip["dst_wire"]))
        for index, site in enumerate(data["sites"]):
            pins = {pin: _wire(at) for pin, at in site["site_pins"].items() if at}
            made.sites.append(Site(site["type"], site["x_coord"], site["y_coord"], pins))
            for pin, wire in pins.items():
                if self._directions(site["type"])[pin] == "OUT":
                    made.outputs.setdefault(wire, []).append((index, pin))
        path = self.folder / f"ppips_{name.lower()}.db"
        for line in path.read_text().splitlines() if path.exists() else ():
            feature, kind = line.split()
            driven, driver = feature.partition(".")[2].split(".")
            through = {site for site, _ in made.outputs.get(driven, ()) if driver in made.sites[site].wires.values()}
            if kind == "always" and not through:  # a site that passes on what it gets is what the site says
                made.always.setdefault(driven, []).append(driver)
            elif kind == "default":
                made.default[driven] = driver
        return made

    def pins(self, tile_type: str, site: int, direction: str) -> list[str]:
        """The pins of a site that are ``IN``, ``OUT`` or ``INOUT``."""
        made = self.tile_type(tile_type).sites[site]
        directions = self._directions(made.type)
        return [pin for pin in made.wires if directions[pin] == direction]

    def _read_directions(self, site_type: str) -> dict[str, str]:
        return {
            pin: data["direction"]
            for pin, data in _json(self.folder / f"site_type_{site_type}.json")["site_pins"].items()
        }


def _wire(pin: dict[str, Any] | str) -> str:
    """The wire at a site's pin; older databases have nothing but its name."""
    return pin if isinstance(pin, str) else str(pin["wire"])


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"the database has no {path}; take a whole one, as openXC7 installs it") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON ({error}); copy the database again") from error
