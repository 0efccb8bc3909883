"""A netlist as Verilog."""

from __future__ import annotations

from pynq_ee.bitcheck import verilog
from pynq_ee.bitcheck.netlist import Cell, Netlist

NETLIST = Netlist(
    cells=[
        Cell("LUT2", "first_LUT", {"INIT": "4'h6"}, {"I0": "PS7_A", "I1": "other", "O": "first"}),
        Cell("PS7", "processor", {}, {"EMIOGPIOI": "{first, 1'b0}", "EMIOGPIOO": "{PS7_A}"}),
    ],
    assigned={"other": "PS7_A && !first"},
)


def test_every_signal_is_declared_once_and_no_constant_is() -> None:
    lines = verilog.write(NETLIST, "tiny.bit").splitlines()
    assert lines == [
        "// The circuit that tiny.bit makes, read back by `python -m pynq_ee.bitcheck`.",
        "module zynq7_top ();",
        "  wire other;",
        "  wire PS7_A;",
        "  wire first;",
        "  assign other = PS7_A && !first;",
        "  LUT2 #(.INIT(4'h6)) first_LUT (.I0(PS7_A), .I1(other), .O(first));",
        "  PS7 processor (.EMIOGPIOI({first, 1'b0}), .EMIOGPIOO({PS7_A}));",
        "endmodule",
    ]
