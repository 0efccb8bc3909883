"""A netlist as Verilog: one module without ports, whose only way out is the processor."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pynq_ee.bitcheck.netlist import Netlist

#: The top of the overlay, as simulations of it expect it.
TOP = "zynq7_top"

_NAME = re.compile(r"(?<!')\b[A-Za-z_]\w*")


def write(netlist: Netlist, source: str) -> str:
    """Verilog of a netlist of cells of the 7 series.

    Parameters
    ----------
    netlist
        The cells.
    source
        What it has been read from, for the comment at its head.
    """
    return "\n".join(_lines(netlist, source)) + "\n"


def _lines(netlist: Netlist, source: str) -> Iterator[str]:
    yield f"// The circuit that {source} makes, read back by `python -m pynq_ee.bitcheck`."
    yield f"module {TOP} ();"
    names = dict.fromkeys(netlist.assigned)
    for cell in netlist.cells:
        for expression in cell.ports.values():
            names |= dict.fromkeys(_NAME.findall(expression))
    yield from (f"  wire {name};" for name in names)
    yield from (f"  assign {name} = {expression};" for name, expression in netlist.assigned.items())
    for cell in netlist.cells:
        parameters = ", ".join(f".{name}({value})" for name, value in cell.parameters.items())
        ports = ", ".join(f".{name}({value})" for name, value in cell.ports.items())
        yield f"  {cell.type} {f'#({parameters}) ' if parameters else ''}{cell.name} ({ports});"
    yield "endmodule"
