"""What stands between two registers of the synthesized overlay: as much of its timing as is known before it is placed.

    python -m pynq_ee.bench.circuit.depth hw/build/open/netlist/netlist.json
    python -m pynq_ee.bench.circuit.depth --json hw/build/open/netlist/netlist.json
    python -m pynq_ee.bench.circuit.depth --bars hw/build/open/netlist/netlist.json    1 if a bar is not held

The file is what Yosys' ``write_json`` writes of the flattened top behind ``synth_xilinx``; ``make -C hw depth`` makes
and reads it. Everything is *counted*: with one release of Yosys it is the same on every machine. It is not a clock: of
that nine tenths are wires, which are as long as the place of their ends. But a path of many levels has many wires, and
a net of many ends has long ones. Open placers do not time what touches a memory or the processor (nextpnr-xilinx gives
those cells no times at all), so a register has to stand beside each.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pynq_ee.bench import programs
from pynq_ee.bench.arguments import whole
from pynq_ee.errors import DataError, status
from pynq_ee.files import read_json

COMMAND = "python -m pynq_ee.bench.circuit.depth"

#: Carry chains of four bits that nextpnr-xilinx can place in an xc7z020: of 13,300 a half, of a tile's two slices one.
PLACEABLE_CARRIES = 6_650

#: What may at most be. Longest paths and widest nets are control, and so they are the same for all models and widths.
BARS = {"levels": 6, "fan_out": 300, "carries": PLACEABLE_CARRIES, "domains": 1, "unregistered": 0}

_LOGIC = re.compile(r"LUT[1-6]|INV|MUXF[78]|CARRY4")
_REGISTER = re.compile(r"FD[CPRS]E(_1)?|LD[CP]E")
_MEMORY = re.compile(r"RAMB(18|36)E1|RAM\d+(X1)?[SDM]|SRL16E|SRLC(16|32)E|PS7|DSP48E1")
#: Inputs that are clocks, of registers, distributed and block memory, and the processor.
_CLOCK = re.compile(r"C|CLK|G|WCLK|(CLK|REGCLK)(ARDCLK|BWRCLK|ARD|BWR)?[LU]?|CLK(ARD|BWR)CLK[LU]?|\w+ACLK")
#: Where a gate has to be: what comes with a handshake moves with it, or another register would not know.
_HANDSHAKE = re.compile(r"PS7\.\w+(VALID|READY)")
_BUFFER = re.compile(r"BUFG(CTRL|P)?|BUFH")

Report = dict[str, Any]


@dataclass(frozen=True)
class Pin:
    """A bit of a cell's port."""

    cell: str
    kind: str
    port: str
    bit: int


@dataclass(frozen=True)
class Netlist:
    """Cells of a flattened circuit.

    ``driver`` is the output of a net, ``ends`` are the inputs; ``names`` has the shortest name that a net was given in
    the source, which a net within an expression has none of.
    """

    kinds: Mapping[str, str]
    inputs: Mapping[str, Sequence[tuple[Pin, int]]]
    outputs: Mapping[str, Sequence[tuple[Pin, int]]]
    driver: Mapping[int, Pin]
    ends: Mapping[int, Sequence[Pin]]
    names: Mapping[int, str]

    def name(self, cell: str) -> str:
        """What a cell drives; its kind as well where it is no register."""
        found = sorted({re.sub(r"\[\d+\]$", "", self.names[net]) for _, net in self.outputs[cell] if net in self.names})
        kind = self.kinds[cell]
        if _REGISTER.fullmatch(kind):
            return found[0] if found else cell
        return f"{kind} {found[0]}" if found and len(found) < 9 else kind


def read(path: Path) -> Netlist:
    """Read what ``write_json`` wrote of a flattened circuit.

    Raises
    ------
    DataError
        No such file, no JSON of Yosys, or no circuit of the cells of 7 series in it.
    """
    try:
        modules = read_json(path)["modules"]
        top = next(module for module in modules.values() if int(module["attributes"].get("top", "0"), 2))
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise DataError(
            f"{path} is no netlist ({type(error).__name__}: {error}); `make -C hw depth` writes one"
        ) from error
    kinds: dict[str, str] = {}
    inputs: dict[str, list[tuple[Pin, int]]] = {}
    outputs: dict[str, list[tuple[Pin, int]]] = {}
    driver: dict[int, Pin] = {}
    ends: dict[int, list[Pin]] = defaultdict(list)
    for cell, content in top["cells"].items():
        kind = content["type"]
        if kind.startswith("$"):
            continue
        if not any(known.fullmatch(kind) for known in (_LOGIC, _REGISTER, _MEMORY, _BUFFER)):
            raise DataError(f"{path} has a cell of the kind {kind}, of which nothing is known here")
        kinds[cell], inputs[cell], outputs[cell] = kind, [], []
        for port, nets in content["connections"].items():
            for bit, net in enumerate(nets):
                if not isinstance(net, int):
                    continue
                pin = Pin(cell, kind, port, bit)
                if content["port_directions"][port] == "output":
                    outputs[cell].append((pin, net))
                    driver[net] = pin
                else:
                    inputs[cell].append((pin, net))
                    ends[net].append(pin)
    names: dict[int, str] = {}
    for name, content in top["netnames"].items():
        if content.get("hide_name"):
            continue
        for bit, net in enumerate(content["bits"]):
            text = f"{name}[{bit}]" if len(content["bits"]) > 1 else name
            if isinstance(net, int) and len(text) < len(names.get(net, "x" * 999)):
                names[net] = text
    return Netlist(kinds, inputs, outputs, driver, ends, names)


def report(netlist: Netlist, count: int = 10) -> Report:
    """Everything that is counted, in JSON's types, with ``count`` of the longest paths and of the widest nets."""
    paths = sorted(_paths(netlist), key=lambda path: (-path["levels"], -path["carries"], path["from"], path["to"]))
    fan_out = sorted(_fan_out(netlist), key=lambda net: (-net["ends"], net["net"]))
    kinds = Counter(netlist.kinds.values())
    clocks = sorted(_clocks(netlist))
    untimed = sorted(_untimed(netlist), key=lambda touch: (-touch["levels"], touch["pins"], touch["other"]))
    return {
        "levels": paths[0]["levels"] if paths else 0,
        "fan_out": fan_out[0]["ends"] if fan_out else 0,
        "carries": kinds["CARRY4"],
        "placeable_carries": PLACEABLE_CARRIES,
        "clocks": clocks,
        "domains": len(clocks),
        "cells": dict(sorted(kinds.items())),
        "histogram": dict(sorted(Counter(path["levels"] for path in paths).items())),
        "paths": paths[:count],
        "nets": fan_out[:count],
        "untimed": untimed,
        "unregistered": sum(not (_HANDSHAKE.fullmatch(one["pins"]) and one["levels"] == 1) for one in untimed),
    }


# Paths ---------------------------------------------------------------------------------------------------------------


def _level(pin: Pin, before: Pin) -> int:
    """Levels that a gate adds to a path: one, but within a chain of carries none."""
    return 0 if pin.kind == "CARRY4" and before.kind == "CARRY4" and pin.port in ("CI", "CYINIT") else 1


def _arrivals(netlist: Netlist) -> dict[str, tuple[int, int, tuple[Pin, Pin] | None]]:
    """For each gate levels and carries of the longest path that ends behind it, and its last wire: output, input."""
    order = _topological(netlist)
    found: dict[str, tuple[int, int, tuple[Pin, Pin] | None]] = {}
    for cell in order:
        best: tuple[int, int, tuple[Pin, Pin] | None] = (1, int(netlist.kinds[cell] == "CARRY4"), None)
        for pin, net in netlist.inputs[cell]:
            before = netlist.driver.get(net)
            if before is None:
                continue
            levels, carries, _ = found.get(before.cell, (0, 0, None))
            candidate = (levels + _level(pin, before), carries + (pin.kind == "CARRY4"), (before, pin))
            if best[2] is None or candidate[:2] > best[:2]:
                best = candidate
        found[cell] = best
    return found


def _topological(netlist: Netlist) -> list[str]:
    """Gates, each behind those that drive it."""
    gates = [cell for cell, kind in netlist.kinds.items() if _LOGIC.fullmatch(kind)]
    waits = {
        cell: sum(1 for _, net in netlist.inputs[cell] if net in netlist.driver and _is_gate(netlist.driver[net].kind))
        for cell in gates
    }
    ready = [cell for cell in gates if not waits[cell]]
    order = []
    while ready:
        cell = ready.pop()
        order.append(cell)
        for _, net in netlist.outputs[cell]:
            for pin in netlist.ends.get(net, ()):
                if _is_gate(pin.kind):
                    waits[pin.cell] -= 1
                    if not waits[pin.cell]:
                        ready.append(pin.cell)
    if len(order) < len(gates):
        loops = sorted(set(gates) - set(order))[:3]
        raise DataError(f"the circuit has a loop of gates, through {', '.join(map(netlist.name, loops))}")
    return order


def _is_gate(kind: str) -> bool:
    return _LOGIC.fullmatch(kind) is not None


def _paths(netlist: Netlist) -> Iterator[Report]:
    """For each pair of registers, named without their bits, the longest path from the one to the other that is the
    longest one to any bit of the other."""
    arrivals = _arrivals(netlist)
    best: dict[tuple[str, str], Report] = {}
    for cell, kind in netlist.kinds.items():
        if not _REGISTER.fullmatch(kind) and not _MEMORY.fullmatch(kind):
            continue
        for pin, net in netlist.inputs[cell]:
            before = netlist.driver.get(net)
            if before is None or _CLOCK.fullmatch(pin.port) or _BUFFER.fullmatch(before.kind):
                continue
            levels, carries, _ = arrivals.get(before.cell, (0, 0, None))
            start, through = _trace(netlist, arrivals, before)
            key = (netlist.name(start.cell), f"{netlist.name(cell)}.{pin.port}")
            if key not in best or (levels, carries) > (best[key]["levels"], best[key]["carries"]):
                best[key] = {
                    "levels": levels,
                    "carries": carries,
                    "from": key[0],
                    "to": key[1],
                    "through": through,
                }
    yield from best.values()


def _trace(netlist: Netlist, arrivals: Mapping[str, Any], pin: Pin) -> tuple[Pin, list[str]]:
    """Where the longest path to an output begins, and the gates that it goes through with the ends of their nets."""
    through: list[str] = []
    while pin.cell in arrivals:
        net = next(net for output, net in netlist.outputs[pin.cell] if output == pin)
        name = netlist.names.get(net, "")
        through.append(f"{pin.kind}{' ' + name if name else ''} ({len(netlist.ends[net])})")
        wire = arrivals[pin.cell][2]
        if wire is None:
            break
        pin = wire[0]
    return pin, through[::-1]


# Nets, clocks, and what is not timed ---------------------------------------------------------------------------------


def _fan_out(netlist: Netlist) -> Iterator[Report]:
    """Each net but clocks: its ends, by what they are."""
    for net, pins in netlist.ends.items():
        driver = netlist.driver.get(net)
        if driver is None or _BUFFER.fullmatch(driver.kind):
            continue
        ends = Counter(pin.port if _REGISTER.fullmatch(pin.kind) else re.sub(r"\d+$", "", pin.kind) for pin in pins)
        yield {"net": netlist.names.get(net, driver.cell), "ends": len(pins), "to": dict(sorted(ends.items()))}


def _clocks(netlist: Netlist) -> set[str]:
    """Nets that clock something."""
    found = set()
    for cell, kind in netlist.kinds.items():
        if _REGISTER.fullmatch(kind) or _MEMORY.fullmatch(kind):
            for pin, net in netlist.inputs[cell]:
                if _CLOCK.fullmatch(pin.port):
                    found.add(netlist.names.get(net, str(net)))
    return found


def _untimed(netlist: Netlist) -> Iterator[Report]:
    """What is between a register and a port of a memory or the processor, where it is more than a wire.

    ``levels`` are the gates that end at the port, or 1 where some begin there; 0 where memories meet.
    """
    arrivals = _arrivals(netlist)
    found: dict[tuple[str, str], tuple[int, int]] = {}

    def note(pin: Pin, other: str, levels: int) -> None:
        key = f"{netlist.name(pin.cell)}.{pin.port}", other
        most, pins = found.get(key, (0, 0))
        found[key] = max(most, levels), pins + 1

    for cell, kind in netlist.kinds.items():
        if not _MEMORY.fullmatch(kind):
            continue
        for pin, net in netlist.inputs[cell]:
            driver = netlist.driver.get(net)
            if driver is None or _CLOCK.fullmatch(pin.port) or _BUFFER.fullmatch(driver.kind):
                continue
            if not _REGISTER.fullmatch(driver.kind):
                start, _ = _trace(netlist, arrivals, driver)
                note(pin, f"from {netlist.name(start.cell)}", arrivals.get(driver.cell, (0, 0, None))[0])
        for pin, net in netlist.outputs[cell]:
            for end in netlist.ends.get(net, ()):
                if _BUFFER.fullmatch(end.kind) or _REGISTER.fullmatch(end.kind):
                    continue
                gate = _is_gate(end.kind)
                note(pin, "to gates" if gate else f"to {netlist.name(end.cell)}", int(gate))
    for (pins, other), (levels, count) in found.items():
        yield {"pins": pins, "other": other, "levels": levels, "count": count}


# What is told --------------------------------------------------------------------------------------------------------


def failures(found: Report, bars: Mapping[str, int]) -> list[str]:
    """What is more than it may be."""
    return [f"{name}: {found[name]}, at most {bar}" for name, bar in bars.items() if found[name] > bar]


def text(found: Report) -> str:
    """The report for people."""
    share = 100 * found["carries"] / found["placeable_carries"]
    lines = [
        f"levels of logic between two registers, at most: {found['levels']}",
        f"chains of carries: {found['carries']:,} of {found['placeable_carries']:,} that can be placed ({share:.0f} %)",
        f"ends of a net, at most: {found['fan_out']}",
        f"clocks: {', '.join(found['clocks'])}",
        "pairs of registers by levels: " + ", ".join(f"{n}: {count:,}" for n, count in found["histogram"].items()),
        "",
        "the longest paths (levels, of these chains of carries; ends of each net in brackets):",
    ]
    for path in found["paths"]:
        lines.append(f"  {path['levels']:2d} {path['carries']:2d}  {path['from']} -> {path['to']}")
        lines.append(f"         {' > '.join(path['through'])}")
    lines += ["", "the widest nets:"]
    for net in found["nets"]:
        lines.append(f"  {net['ends']:5d}  {net['net']}: {_listed(net['to'])}")
    lines += [
        "",
        f"gates beside memories and the processor, not timed; {found['unregistered']} are more than a handshake's:",
    ]
    lines += [
        f"  {one['levels']:2d} levels, {one['count']:3d} wires  {one['pins']} {one['other']}"
        for one in found["untimed"]
    ]
    return "\n".join(lines if found["untimed"] else [*lines, "  none"])


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Read, count, print; 1 where a bar is not held."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("netlist", type=Path, help="what Yosys' write_json wrote of a flattened circuit")
    parser.add_argument(
        "--count", type=whole(), default=10, help="of the longest paths and the widest nets (default 10)"
    )
    parser.add_argument("--bars", action="store_true", help="1 if more is found than may be")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the text")
    options = parser.parse_args(arguments)
    found = report(read(options.netlist), options.count)
    print(json.dumps(found, indent=1) if options.json else text(found))
    missed: Iterable[str] = failures(found, BARS) if options.bars else ()
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
