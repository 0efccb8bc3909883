"""What stands between two registers is counted right, on netlists small enough to be counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pynq_ee.bench.circuit import depth
from pynq_ee.errors import DataError

CLOCK = 2

Cells = dict[str, tuple[str, dict[str, list[Any]], dict[str, list[Any]]]]


def netlist(folder: Path, cells: Cells, names: dict[str, list[int]]) -> depth.Netlist:
    """What Yosys would write of cells, each with its kind, inputs and outputs, and of the names of nets."""
    content = {
        "attributes": {"top": "1"},
        "cells": {
            name: {
                "type": kind,
                "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
                "connections": inputs | outputs,
            }
            for name, (kind, inputs, outputs) in cells.items()
        },
        "netnames": {name: {"hide_name": 0, "bits": bits} for name, bits in names.items()},
    }
    path = folder / "top.json"
    path.write_text(json.dumps({"modules": {"top": content}}))
    return depth.read(path)


def register(data: int | str, output: int, enable: int | str = "1") -> tuple[str, dict[str, Any], dict[str, Any]]:
    return "FDRE", {"C": [CLOCK], "D": [data], "CE": [enable], "R": ["0"]}, {"Q": [output]}


def gate(output: int, *inputs: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    return f"LUT{len(inputs)}", {f"I{index}": [net] for index, net in enumerate(inputs)}, {"O": [output]}


def carry(select: int, carry_in: int | str, out: int, carry_out: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    inputs = {"S": [select, "0", "0", "0"], "DI": ["0"] * 4, "CI": [carry_in], "CYINIT": ["0"]}
    return "CARRY4", inputs, {"O": [out, "x", "x", "x"], "CO": ["x", "x", "x", carry_out]}


#: Two gates and two links of one chain from `count` to `sum`, one gate from `count` to the enable of `flag`.
ADDER: Cells = {
    "a": register(10, 10),
    "g1": gate(11, 10),
    "c1": carry(11, "0", 12, 13),
    "c2": carry(10, 13, 14, 15),
    "g2": gate(16, 14, 12),
    "b": register(16, 17),
    "g3": gate(18, 10, 17),
    "f": register(17, 19, 18),
}
NAMES = {"clock": [CLOCK], "count": [10], "sum": [17], "flag": [19]}


def test_levels_are_gates_and_chains_whose_links_are_none(tmp_path: Path) -> None:
    found = depth.report(netlist(tmp_path, ADDER, NAMES))
    assert found["levels"] == 3 and found["carries"] == 2
    longest = found["paths"][0]
    assert (longest["from"], longest["to"], longest["carries"]) == ("count", "sum.D", 2)
    assert [name.split()[0] for name in longest["through"]] == ["LUT1", "CARRY4", "CARRY4", "LUT2"]
    assert {(path["from"], path["to"]): path["levels"] for path in found["paths"]} == {
        ("count", "count.D"): 0,
        ("count", "sum.D"): 3,
        ("sum", "flag.D"): 0,
        ("count", "flag.CE"): 1,
    }


def test_a_nets_ends_are_all_that_it_goes_to_and_a_clock_is_none(tmp_path: Path) -> None:
    found = depth.report(netlist(tmp_path, ADDER, NAMES))
    assert found["nets"][0] == {"net": "count", "ends": 4, "to": {"CARRY": 1, "D": 1, "LUT": 2}}
    assert found["fan_out"] == 4
    assert found["clocks"] == ["clock"]


def test_two_clocks_are_told(tmp_path: Path) -> None:
    other = register(10, 20)
    other[1]["C"] = [3]
    found = depth.report(netlist(tmp_path, {**ADDER, "o": other}, {**NAMES, "other": [3]}))
    assert found["clocks"] == ["clock", "other"]


def memory(address: int, written: int, given: int) -> tuple[str, dict[str, Any], dict[str, Any]]:
    inputs = {"CLKARDCLK": [CLOCK], "ADDRARDADDR": [address], "DIADI": [written]}
    return "RAMB36E1", inputs, {"DOADO": [given]}


def test_a_memory_with_registers_beside_it_is_not_told(tmp_path: Path) -> None:
    cells = {"a": register(10, 10), "m": memory(10, 10, 20), "b": register(20, 21)}
    assert depth.report(netlist(tmp_path, cells, NAMES))["untimed"] == []


def test_gates_between_registers_and_a_memory_are_told_on_both_sides(tmp_path: Path) -> None:
    cells = {
        **{"a": register(10, 10), "g1": gate(11, 10), "g2": gate(12, 11), "m": memory(11, 12, 20)},
        **{"g3": gate(21, 20), "b": register(21, 22)},
    }
    found = depth.report(netlist(tmp_path, cells, {**NAMES, "word": [20]}))["untimed"]
    assert [(one["pins"], one["other"], one["levels"], one["count"]) for one in found] == [
        ("RAMB36E1 word.DIADI", "from count", 2, 1),
        ("RAMB36E1 word.ADDRARDADDR", "from count", 1, 1),
        ("RAMB36E1 word.DOADO", "to gates", 1, 1),
    ]


def test_one_gate_may_be_at_a_handshake_of_the_processor_and_nowhere_else(tmp_path: Path) -> None:
    inputs = {"MAXIGP0ACLK": [CLOCK], "MAXIGP0RDATA": [11]}
    outputs = {"MAXIGP0ARVALID": [20], "MAXIGP0ARADDR": [21]}
    cells = {"a": register(10, 10), "g1": gate(11, 10), "p": ("PS7", inputs, outputs)}
    cells |= {"g2": gate(22, 20), "b": register(22, 23), "g3": gate(24, 21), "c": register(24, 25)}
    found = depth.report(netlist(tmp_path, cells, NAMES))
    assert [(one["pins"], one["other"]) for one in found["untimed"]] == [
        ("PS7.MAXIGP0ARADDR", "to gates"),
        ("PS7.MAXIGP0ARVALID", "to gates"),
        ("PS7.MAXIGP0RDATA", "from count"),
    ]
    assert found["unregistered"] == 2


def test_two_memories_without_a_register_between_them_are_told(tmp_path: Path) -> None:
    cells = {"a": register(10, 10), "m": memory(10, 10, 20), "n": memory(10, 20, 21), "b": register(21, 22)}
    found = depth.report(netlist(tmp_path, cells, {**NAMES, "word": [20], "next": [21]}))["untimed"]
    assert {(one["pins"], one["other"]) for one in found} == {
        ("RAMB36E1 word.DOADO", "to RAMB36E1 next"),
        ("RAMB36E1 next.DIADI", "from RAMB36E1 word"),
    }


def test_a_bar_that_is_not_held_is_named(tmp_path: Path) -> None:
    found = depth.report(netlist(tmp_path, ADDER, NAMES))
    assert depth.failures(found, {"levels": 3, "fan_out": 4, "carries": 2}) == []
    assert depth.failures(found, {"levels": 2, "fan_out": 4}) == ["levels: 3, at most 2"]


def test_a_loop_of_gates_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="loop of gates"):
        depth.report(netlist(tmp_path, {"g1": gate(10, 11), "g2": gate(11, 10)}, {}))


def test_a_cell_of_another_family_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="SB_LUT4"):
        netlist(tmp_path, {"g": ("SB_LUT4", {"I0": [3]}, {"O": [4]})}, {})


def test_a_file_that_is_no_netlist_is_an_error_that_says_how_one_is_made(tmp_path: Path) -> None:
    path = tmp_path / "top.json"
    path.write_text("{}")
    with pytest.raises(DataError, match="make -C hw depth"):
        depth.main([str(path)])


def test_the_command_prints_text_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    netlist(tmp_path, ADDER, NAMES)
    assert depth.main([str(tmp_path / "top.json")]) == 0
    assert "count -> sum.D" in capsys.readouterr().out
    assert depth.main(["--json", "--count", "1", str(tmp_path / "top.json")]) == 0
    assert len(json.loads(capsys.readouterr().out)["paths"]) == 1
