"""What nextpnr-xilinx does not judge, asked of the netlist that goes in and of the one that its bitstream makes.

It gives no times to the processor, block RAM and distributed RAM, and knows no hold. So a register has to stand beside
each of them; only the handshakes of the processor's ports meet a gate or two before theirs. And every register has to
be on the net of one global clock buffer, whose branches differ by less than the shortest wire between two registers
takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pynq_ee.bench.circuit import depth

#: Registers that are set or cleared without a clock.
_ASYNCHRONOUS = {"FDCE": "CLR", "FDPE": "PRE", "FDCE_1": "CLR", "FDPE_1": "PRE"}
#: Outputs of the processor that a protocol has answered in the clock in which they come, and the gates that may follow.
_HANDSHAKE = re.compile(r"PS7\b.*\.\w+(VALID|READY)")
HANDSHAKE_LEVELS = 2

_GATE = re.compile(r"LUT[1-6]|INV|MUXF[78]|CARRY4")
_CLOCKED = re.compile(r"^ *(FD\w+|RAM\w+|SRL\w+) .*$", re.MULTILINE)
_CLOCK_PORT = re.compile(r"\.(C|CLK|WCLK|CLKARDCLK|CLKBWRCLK)\(([^)]*)\)")


def broken(netlist: Path) -> Iterator[str]:
    """Rules that a netlist of Yosys breaks, in words.

    Parameters
    ----------
    netlist
        What ``write_json`` wrote of the flattened top.
    """
    circuit = depth.read(netlist)
    report = depth.report(circuit, 0)
    for touch in report["untimed"]:
        if touch["pins"].endswith(".FCLKRESETN"):  # comes at any time, and is asked for below
            continue
        if _HANDSHAKE.fullmatch(touch["pins"]) and touch["other"] == "to gates":  # asked for below
            continue
        yield f"gates, not a register, are beside {touch['pins']}: {touch['levels']} levels {touch['other']}"
    if len(report["clocks"]) != 1:
        yield f"there are {len(report['clocks'])} clocks ({', '.join(report['clocks'])}); it must be 1"
    if (buffers := report["cells"].get("BUFG", 0)) != 1:
        yield f"there are {buffers} global clock buffers; it must be 1"
    if report["carries"] > report["placeable_carries"]:
        yield f"there are {report['carries']} chains of carries; nextpnr-xilinx places {report['placeable_carries']}"
    behind: dict[int, int] = {}
    for cell, kind in circuit.kinds.items():
        for pin, net in circuit.outputs[cell] if kind == "PS7" else ():
            if pin.port.endswith(("VALID", "READY")) and (levels := _levels(circuit, net, behind)) > HANDSHAKE_LEVELS:
                yield f"{levels} levels of gates are behind the processor's {pin.port}: at most {HANDSHAKE_LEVELS}"
        if kind.startswith(("LD", "FDRE_1", "FDSE_1")):
            yield f"{circuit.name(cell)} is a {kind}: a latch, or a register of the other edge"
        for pin, net in circuit.inputs[cell] if kind in _ASYNCHRONOUS else ():
            if pin.port == _ASYNCHRONOUS[kind] and not _by_processor(circuit, net):
                yield f"{circuit.name(cell)} is reset without the clock, and not by the processor"


def _levels(circuit: depth.Netlist, net: int, known: dict[int, int]) -> int:
    """Gates between a net and the farthest register or memory behind it; ``known`` keeps what was found."""
    if net not in known:
        gates = {pin.cell for pin in circuit.ends.get(net, ()) if _GATE.fullmatch(pin.kind)}
        outputs = [behind for gate in gates for _, behind in circuit.outputs[gate]]
        known[net] = max((1 + _levels(circuit, behind, known) for behind in outputs), default=0)
    return known[net]


def _by_processor(circuit: depth.Netlist, net: int) -> bool:
    """Whether the processor's reset drives a net, inverted or not: what synchronizes that reset is reset by it."""
    driver = circuit.driver.get(net)
    while driver is not None and driver.kind in ("INV", "LUT1"):
        driver = circuit.driver.get(circuit.inputs[driver.cell][0][1])
    return driver is not None and driver.kind == "PS7" and driver.port == "FCLKRESETN"


def clock_nets(verilog: str) -> set[str]:
    """The nets that clock the registers and memories of a netlist that :mod:`pynq_ee.bitcheck` wrote.

    A port that is not used is tied, and clocks nothing.
    """
    nets = {net for cell in _CLOCKED.finditer(verilog) for _, net in _CLOCK_PORT.findall(cell[0])}
    return {net for net in nets if "'" not in net}


def placeable(netlist: dict[str, Any]) -> dict[str, Any]:
    """A netlist without what nextpnr-xilinx refuses: cells of Yosys that only tell scopes."""
    for module in netlist["modules"].values():
        module["cells"] = {name: cell for name, cell in module["cells"].items() if cell["type"] != "$scopeinfo"}
    return netlist


def write_placeable(netlist: Path, target: Path) -> None:
    """Write :func:`placeable` of a file."""
    target.write_text(json.dumps(placeable(json.loads(netlist.read_text()))))
