"""A netlist that nextpnr-xilinx' estimate does not cover is refused, rule by rule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pynq_ee.openflow import rules

CLOCK, RESET, CLEAR, OUT, FROM, DATA, MADE = range(2, 9)


def cell(kind: str, outputs: tuple[str, ...] = ("O", "Q"), **pins: int | list[int]) -> dict[str, Any]:
    """One of a netlist, as Yosys' write_json has it."""
    return {
        "type": kind,
        "port_directions": {pin: "output" if pin in outputs else "input" for pin in pins},
        "connections": {pin: nets if isinstance(nets, list) else [nets] for pin, nets in pins.items()},
    }


def circuit() -> dict[str, Any]:
    """A register behind the processor and one before it; one that synchronizes the reset."""
    outputs = ("FCLKCLK", "FCLKRESETN", "EMIOGPIOO")
    return {
        "processor": cell("PS7", outputs, FCLKCLK=OUT, FCLKRESETN=RESET, EMIOGPIOO=FROM, EMIOGPIOI=MADE),
        "buffer": cell("BUFG", I=OUT, O=CLOCK),
        "inverter": cell("INV", I=RESET, O=CLEAR),
        "released": cell("FDCE", C=CLOCK, CLR=CLEAR, D=DATA, Q=9),
        "behind": cell("FDRE", C=CLOCK, D=FROM, Q=DATA),
        "before": cell("FDRE", C=CLOCK, D=DATA, Q=MADE),
        "scope": cell("$scopeinfo"),
    }


def write(cells: dict[str, Any], folder: Path) -> Path:
    path = folder / "netlist.json"
    module = {"attributes": {"top": "1"}, "cells": cells, "netnames": {}}
    path.write_text(json.dumps({"modules": {"zynq7_top": module}}))
    return path


def test_a_circuit_that_keeps_the_rules_breaks_none(tmp_path: Path) -> None:
    assert list(rules.broken(write(circuit(), tmp_path))) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"before": cell("LUT2", I0=DATA, I1=9, O=MADE)}, "gates, not a register, are beside PS7"),
        ({"behind": cell("LUT2", I0=FROM, I1=9, O=DATA)}, "gates, not a register, are beside PS7"),
        ({"buffer2": cell("BUFG", I=OUT, O=30), "last": cell("FDRE", C=30, D=DATA, Q=31)}, "there are 2 clocks"),
        ({"buffer2": cell("BUFG", I=OUT, O=30)}, "there are 2 global clock buffers"),
        ({"latch": cell("LDCE", G=CLOCK, D=DATA, Q=31)}, "is a LDCE: a latch"),
        ({"cleared": cell("FDCE", C=CLOCK, CLR=DATA, D=DATA, Q=31)}, "is reset without the clock"),
    ],
    ids=["gate before", "gate behind", "two clocks", "two buffers", "latch", "asynchronous reset"],
)
def test_each_broken_rule_is_told(changed: dict[str, Any], told: str, tmp_path: Path) -> None:
    found = list(rules.broken(write({**circuit(), **changed}, tmp_path)))
    assert any(told in text for text in found), found


def test_a_handshake_of_the_processor_may_meet_two_gates_and_no_more(tmp_path: Path) -> None:
    cells = circuit()
    port = {"port_directions": {"MAXIGP0WVALID": "output"}, "connections": {"MAXIGP0WVALID": [40]}}
    for name, content in port.items():
        cells["processor"][name] |= content
    cells |= {f"gate{n}": cell("LUT2", I0=40 + n, I1=DATA, O=41 + n) for n in range(rules.HANDSHAKE_LEVELS)}
    cells["last"] = cell("FDRE", C=CLOCK, D=40 + rules.HANDSHAKE_LEVELS, Q=60)
    assert list(rules.broken(write(cells, tmp_path))) == []
    cells["more"] = cell("LUT1", I0=40 + rules.HANDSHAKE_LEVELS, O=50)
    cells["last"]["connections"]["D"] = [50]
    assert list(rules.broken(write(cells, tmp_path))) == [
        "3 levels of gates are behind the processor's MAXIGP0WVALID: at most 2"
    ]


def test_more_carries_than_can_be_placed_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules.depth, "PLACEABLE_CARRIES", 0)
    cells = {**circuit(), "sum": cell("CARRY4", S=[DATA] * 4, O=[31, 32, 33, 34])}
    assert any("chains of carries" in text for text in rules.broken(write(cells, tmp_path)))


def test_what_nextpnr_refuses_is_taken_out_and_nothing_else(tmp_path: Path) -> None:
    before = json.loads(write(circuit(), tmp_path).read_text())
    rules.write_placeable(tmp_path / "netlist.json", tmp_path / "placeable.json")
    after = json.loads((tmp_path / "placeable.json").read_text())
    del before["modules"]["zynq7_top"]["cells"]["scope"]
    assert after == before


def test_clock_nets_are_those_of_registers_and_memories() -> None:
    text = """
  BUFG A_BUFFER (.I(PS7_FCLKCLK0), .O(A));
  FDRE #(.INIT(1'b0)) X_FF (.C(A), .CE(1'b1), .R(1'b0), .D(B), .Q(X));
  RAM32X1D #(.INIT(32'h0)) Y_RAM (.A0(C), .WCLK(A), .WE(B), .DPO(Y));
  LUT2 Z (.I0(C), .I1(B), .O(Z));
"""
    assert rules.clock_nets(text) == {"A"}
    assert rules.clock_nets(text + "  RAMB18E1 #(.DOA_REG(0)) M (.CLKARDCLK(A), .CLKBWRCLK(E));\n") == {"A", "E"}
    assert rules.clock_nets(text + "  RAMB18E1 #(.DOA_REG(0)) M (.CLKARDCLK(A), .CLKBWRCLK(1'b0));\n") == {"A"}
