"""What a netlist of the overlay takes of the fabric: in all, and part by part.

    python -m pynq_ee.bench.circuit.utilization NETLIST.json
    python -m pynq_ee.bench.circuit.utilization NETLIST.json --bars hw/rtl/area.json --model lenet5-2exit
    python -m pynq_ee.bench.circuit.utilization NETLIST.json --bars hw/rtl/area.json --model lenet5-2exit --accept

The netlist is what ``synth_xilinx -flatten`` of Yosys made of ``zynq7_top``, in Yosys' JSON; ``make -C hw area`` makes
it, simulates it, and counts it then. Counts are as a data sheet has them. A flip-flop or a memory belongs to the part
that the name of its output tells. A look-up table or a carry has no name after the synthesis: it belongs to the part of
the nearest register behind it. So the sums are *counted*, and their division follows this rule.

With ``--bars`` the counts are compared with those that were accepted for the shipped model's width. Exit status 1: more
than 3 % have been added, or there are none for that width.
"""

from __future__ import annotations

import collections
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pynq_ee.bench import programs
from pynq_ee.errors import DataError, status
from pynq_ee.files import read_json, write_atomically
from pynq_ee.network import weights

COMMAND = "python -m pynq_ee.bench.circuit.utilization"

#: What may be added to each count that was accepted.
GROWTH = 0.03

#: What an xc7z020 has: of 36 Kbit, in the case of the block RAMs.
CAPACITY = {"LUT": 53_200, "FF": 106_400, "DSP": 220, "BRAM": 140}

#: What each cell takes. An inverter that Yosys has left is a look-up table: a slice has no other.
COSTS: dict[str, tuple[str, float]] = {
    **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV"), ("LUT", 1.0)),
    **dict.fromkeys(("SRL16E", "SRLC16E", "SRLC32E", "RAM32X1S", "RAM64X1S"), ("LUT", 1.0)),
    **dict.fromkeys(("RAM32X1D", "RAM64X1D", "RAM128X1S"), ("LUT", 2.0)),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM128X1D"), ("LUT", 4.0)),
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1"), ("FF", 1.0)),
    "DSP48E1": ("DSP", 1.0),
    "RAMB18E1": ("BRAM", 0.5),
    "RAMB36E1": ("BRAM", 1.0),
    "CARRY4": ("CARRY4", 1.0),
}

#: Cells that take nothing of what is counted: multiplexers behind look-up tables, the processor, the clock's buffer.
_FREE = {"MUXF7", "MUXF8", "PS7", "BUFG", "$scopeinfo", "GND", "VCC"}

#: Modules whose parts are told one by one; all others are told as wholes.
_OPENED = ("overlay", "overlay.kernel", "overlay.kernel.core")

Counts = dict[str, float]


def count(netlist: Mapping[str, Any]) -> tuple[Counts, dict[str, Counts]]:
    """Count a netlist of ``zynq7_top``.

    Parameters
    ----------
    netlist
        Yosys' JSON.

    Returns
    -------
    In all, and by part: how many LUT, FF, DSP, BRAM (36 Kbit) and CARRY4.

    Raises
    ------
    DataError
        It has no such module, or a cell that is not known here.
    """
    try:
        cells, names = (netlist["modules"]["zynq7_top"][key] for key in ("cells", "netnames"))
        kinds = collections.Counter(cell["type"] for cell in cells.values())
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"no netlist of zynq7_top ({error}); `make -C hw netlist` makes one") from error
    if unknown := sorted(kinds.keys() - COSTS.keys() - _FREE):
        raise DataError(f"cells of the netlist that nobody has counted yet: {', '.join(unknown)}; add them to COSTS")
    owners = _owners(cells, names)
    total: Counts = dict.fromkeys(("LUT", "FF", "DSP", "BRAM", "CARRY4"), 0.0)
    parts: dict[str, Counts] = {}
    for name, cell in cells.items():
        if cell["type"] in COSTS:
            resource, cost = COSTS[cell["type"]]
            part = parts.setdefault(owners.get(name, "overlay"), dict.fromkeys(total, 0.0))
            part[resource] += cost
            total[resource] += cost
    return total, parts


def _owners(cells: Mapping[str, Any], names: Mapping[str, Any]) -> dict[str, str]:
    """The part of each cell."""
    public = {bit: name for name, net in names.items() if not net.get("hide_name") for bit in net["bits"]}
    found: dict[str, str] = {}
    drivers: dict[int, str] = {}
    for name, cell in cells.items():
        registered = COSTS.get(cell["type"], ("", 0))[0] in ("FF", "BRAM", "DSP") or cell["type"].startswith(
            ("RAM", "SRL")
        )
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "output":
                drivers.update((bit, name) for bit in bits)
                if registered and name not in found and (named := [public[bit] for bit in bits if bit in public]):
                    found[name] = _part(named[0])
    # From the registers backwards, breadth first, so that what drives several belongs to the nearest.
    reached = list(found)
    for name in reached:
        cell = cells[name]
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] == "input":
                for driver in {drivers[bit]: None for bit in bits if bit in drivers}:
                    if driver not in found and cells[driver]["type"] not in ("PS7", "BUFG"):
                        found[driver] = found[name]
                        reached.append(driver)
    return found


def _part(path: str) -> str:
    """The part that something in the hierarchy belongs to."""
    opened = [module for module in _OPENED if path.startswith(f"{module}.")]
    if not opened:
        return "overlay"
    module = max(opened, key=len)
    inside, _, deeper = path.removeprefix(f"{module}.").partition(".")
    return f"{module}.{inside}" if deeper else module  # a register of the module itself has no more dots


def table(total: Counts, parts: Mapping[str, Counts]) -> str:
    """Counts as a Markdown table, the largest part first."""
    lines = ["| part | LUT | FF | BRAM | CARRY4 |", "| --- | ---: | ---: | ---: | ---: |"]
    rows = [*sorted(parts.items(), key=lambda item: -item[1]["LUT"]), ("in all", total)]
    for name, counts in rows:
        shown = (f"{counts[resource]:,g}" for resource in ("LUT", "FF", "BRAM", "CARRY4"))
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


def grown(total: Counts, accepted: Mapping[str, float]) -> list[str]:
    """What has grown by more than :data:`GROWTH`, in words."""
    return [
        f"{name}: {total[name]:,g}, and {before:,g} were accepted ({total[name] / before - 1:+.1%})"
        if before
        else f"{name}: {total[name]:,g}, and none were accepted"
        for name, before in accepted.items()
        if total[name] > before * (1 + GROWTH)
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except ValueError as error:
        raise DataError(f"{path} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise DataError(f"{path} is JSON of something else ({type(found).__name__}); it must be an object")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Count, print, compare; 1 where a count has grown too much."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("netlist", type=Path, help="Yosys' JSON of zynq7_top")
    parser.add_argument("--bars", type=Path, metavar="FILE", help="counts that were accepted, by pixels a beat")
    parser.add_argument("--model", help="whose overlay it is, for --bars: a shipped model's name, or a model file")
    parser.add_argument("--accept", action="store_true", help="take these counts as accepted from now on")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if (options.bars is None) != (options.model is None) or (options.accept and options.bars is None):
        parser.error("--bars and --model belong together, and --accept to them")
    total, parts = count(_read(options.netlist))
    bars = _read(options.bars) if options.bars and options.bars.is_file() else {}
    width = str(weights.load(options.model).spec.pixels_per_beat) if options.model else ""
    print(json.dumps({"total": total, "parts": parts}, indent=1) if options.json else table(total, parts))
    if options.accept:
        bars[width] = total
        write_atomically(options.bars, (json.dumps(bars, indent=1, sort_keys=True) + "\n").encode())
    elif width and (more := grown(total, bars[width]) if width in bars else ["none were accepted"]):
        print(f"with {width} pixels a beat it takes more of the fabric than {options.bars} has:", file=sys.stderr)
        print("\n".join(more), file=sys.stderr)
        print("where that is worth it, accept it: make -C hw area ACCEPT=1, and commit the file", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
