"""The block design of an overlay, read from its .hwh and drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from pynq_ee.bench import plots
from pynq_ee.driver import hardware_description
from pynq_ee.network import spec

#: The ends of a bus interface; newer releases of Vivado use the second word.
_SOURCES, _TARGETS = ("MASTER", "INITIATOR"), ("SLAVE", "TARGET")

_STREAM, _MEMORY_MAPPED, _INTERRUPT = "AXI4-Stream", "AXI4", "interrupt"
_STYLES: dict[str, dict[str, Any]] = {
    _STREAM: {"color": plots.COLOURS[1], "linewidth": 2.2},
    _MEMORY_MAPPED: {"color": plots.COLOURS[0], "linewidth": 1.2},
    _INTERRUPT: {"color": "dimgrey", "linewidth": 1.0, "linestyle": "dashed"},
}
_PROCESSORS = ("processing_system7", "zynq_ultra_ps_e")
_INTERCONNECTS = ("smartconnect", "axi_interconnect")
_CONCATENATIONS = ("xlconcat", "ilconcat")

#: Column and row of a cell in the drawing, by its IP; whatever is not here stands at the right.
_PLACES = {
    **dict.fromkeys(_PROCESSORS, (0, 1)),
    "axi_intc": (1, 0),
    **dict.fromkeys(_CONCATENATIONS, (2, 0)),
    "axi_dma": (2, 1),
}
_MEMORY_PLACE, _CONTROL_PLACE, _OTHER_PLACE = (1, 1), (1, 2), (3, 1)
_MIDDLE_ROW = 1
_HALF_WIDTH, _HALF_HEIGHT = 0.37, 0.22


@dataclass(frozen=True)
class Cell:
    """One IP of the design. ``address`` is where the processor sees its registers, or None."""

    name: str
    ip: str
    version: str
    address: int | None


@dataclass(frozen=True)
class Link:
    """A connection between two cells, named by the pins at its source."""

    source: str
    target: str
    kind: str
    pins: tuple[str, ...]


@dataclass(frozen=True)
class Design:
    """Cells by their names, and what joins them: buses and interrupts. Clocks and resets are left out."""

    name: str
    cells: dict[str, Cell]
    links: tuple[Link, ...]


def read(hwh: str | os.PathLike[str]) -> Design:
    """Read a block design.

    Raises
    ------
    OverlayError
        No such file, or one that is damaged.
    """
    root = hardware_description.read(Path(hwh))
    modules = {module.get("INSTANCE", ""): module for module in root.iter("MODULE")}
    addresses = {
        entry.get("INSTANCE", ""): int(entry.get("BASEVALUE", "0"), 16)
        for module in modules.values()
        if _ip(module) in _PROCESSORS
        for entry in module.iter("MEMRANGE")
    }
    links: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for *ends, pin in (*_buses(modules), *_interrupts(modules)):
        key = (ends[0], ends[1], ends[2])
        links[key] = (*links.get(key, ()), pin)
    cells = {
        name: Cell(name, _ip(module), module.get("VLNV", "").split(":")[-1], addresses.get(name))
        for name, module in modules.items()
    }
    info = root.find("SYSTEMINFO")
    return Design(
        Path(hwh).stem if info is None else info.get("NAME", Path(hwh).stem),
        cells,
        tuple(Link(*key, pins) for key, pins in links.items()),
    )


def _ip(module: Element) -> str:
    return (module.get("VLNV", "").split(":") + [""] * 3)[2]


def _buses(modules: dict[str, Element]) -> Iterator[tuple[str, str, str, str]]:
    """(source, target, kind, source's pin) of every bus; both ends name the same net."""
    targets = {
        interface.get("BUSNAME"): name
        for name, module in modules.items()
        for interface in module.iter("BUSINTERFACE")
        if interface.get("TYPE") in _TARGETS
    }
    for name, module in modules.items():
        for interface in module.iter("BUSINTERFACE"):
            target = targets.get(interface.get("BUSNAME"))
            if interface.get("TYPE") in _SOURCES and target is not None and interface.get("BUSNAME") != "__NOC__":
                kind = _STREAM if ":axis:" in interface.get("VLNV", "") else _MEMORY_MAPPED
                yield name, target, kind, interface.get("NAME", "")


def _interrupts(modules: dict[str, Element]) -> Iterator[tuple[str, str, str, str]]:
    """The same of every interrupt, and of what a concatenation passes on."""
    for name, module in modules.items():
        for port in module.iterfind("PORTS/PORT"):
            carries = port.get("SIGIS") == "INTERRUPT" or _ip(module) in _CONCATENATIONS
            if port.get("DIR") == "O" and carries:
                for end in port.iter("CONNECTION"):
                    if end.get("INSTANCE") in modules:
                        yield name, end.get("INSTANCE", ""), _INTERRUPT, port.get("NAME", "")


def draw(design: Design, path: str | os.PathLike[str]) -> Path:
    """Draw a block design: what the processor has on the left, the accelerator on the right.

    Returns
    -------
    The path of the picture.
    """
    places = _places(design)
    with plots.figure(path, size=(9, 4.2)) as axes:
        axes.set_axis_off()
        axes.set(xlim=(-0.5, max(x for x, _ in places.values()) + 0.5), ylim=(-0.3, 2.5))
        for link in design.links:
            _draw_link(axes, link, design, places)
        for name, (x, y) in places.items():
            cell = design.cells[name]
            at = "" if cell.address is None else f"\nregisters at 0x{cell.address:08X}"
            axes.bar(x, 2 * _HALF_HEIGHT, 2 * _HALF_WIDTH, y - _HALF_HEIGHT, facecolor=_ground(cell), edgecolor="black")
            axes.text(x, y, f"{name}\n{cell.ip} {cell.version}{at}", ha="center", va="center", fontsize=8)
        for kind, style in _STYLES.items():
            axes.plot([], [], label=kind, **style)
        axes.legend(loc="upper right", fontsize=8)
        axes.set_title(f"{design.name}, as its .hwh describes it (clocks and resets are not drawn)", fontsize=9)
    return Path(path)


def _ground(cell: Cell) -> str:
    return "#fde3c4" if cell.ip in _PROCESSORS else "#cfe3f7" if cell.ip == spec.KERNEL_NAME else "#f2f2f2"


def _places(design: Design) -> dict[str, tuple[int, int]]:
    """Column and row of every cell that something is joined to; a place that is taken gives the next one above."""
    linked = {end for link in design.links for end in (link.source, link.target)}
    controlled = {link.target for link in design.links if design.cells[link.source].ip in _PROCESSORS}
    places: dict[str, tuple[int, int]] = {}
    for name in sorted(linked):
        column, row = _PLACES.get(design.cells[name].ip, _OTHER_PLACE)
        if design.cells[name].ip in _INTERCONNECTS:
            column, row = _CONTROL_PLACE if name in controlled else _MEMORY_PLACE
        while (column, row) in places.values():
            row += 1
        places[name] = (column, row)
    return places


def _draw_link(axes: Any, link: Link, design: Design, places: dict[str, tuple[int, int]]) -> None:
    both = any((other.source, other.target) == (link.target, link.source) for other in design.links)
    source, target = places[link.source], places[link.target]
    passing = source[0] == target[0] and abs(source[1] - target[1]) > 1  # another cell stands between the two
    start, end = _edge(source, target, passing), _edge(target, source, passing)
    lift = 0.1 * (1 if target[0] > source[0] else -1) if both else 0.0
    axes.annotate(
        "",
        xy=(end[0], end[1] + lift),
        xytext=(start[0], start[1] + lift),
        arrowprops={
            "arrowstyle": "-|>",
            "connectionstyle": f"arc3,rad={-0.25 if passing else 0}",
            "shrinkA": 0,
            "shrinkB": 0,
            **_STYLES[link.kind],
        },
    )
    if link.kind == _STREAM:
        middle = (start[0] + end[0]) / 2, start[1] + lift + 0.03
        axes.text(*middle, ", ".join(link.pins).replace("M_AXIS_", ""), fontsize=7, ha="center", va="bottom")


def _edge(place: tuple[int, int], other: tuple[int, int], passing: bool) -> tuple[float, float]:
    """Where a link to ``other`` leaves a cell: at its side; above or below, in the middle row or in one column."""
    (x, y), (other_x, other_y) = place, other
    if passing:
        return x + _HALF_WIDTH, y
    if y != other_y and (y == _MIDDLE_ROW or x == other_x):
        return x, y + _HALF_HEIGHT * (1 if other_y > y else -1)
    return x + _HALF_WIDTH * (1 if other_x > x else -1), y
