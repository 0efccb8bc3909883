"""``hw/rtl/zynq7_top.sv`` against the ports of the processor's primitive, as Yosys' library of cells has them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pynq_ee.generate import verilog
from pynq_ee.network import weights

RTL = Path(__file__).resolve().parents[3] / "hw" / "rtl"

pytestmark = pytest.mark.skipif(shutil.which("yosys") is None, reason="no yosys; install the package yosys")


@pytest.fixture(scope="module")
def elaborated(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """The modules as Yosys elaborates them, and Verilog of the empty ones."""
    folder = tmp_path_factory.mktemp("top")
    (folder / "generated.v").write_text(verilog.generated(weights.load()))
    commands = [
        "read_verilog -lib +/xilinx/cells_xtra.v +/xilinx/cells_sim.v",
        "read_verilog -sv generated.v",
        f"read_verilog -sv -lib {RTL / 'overlay.sv'}",
        f"read_verilog -sv {RTL / 'zynq7_top.sv'}",
        "hierarchy -check -top zynq7_top",
        "proc",
        "check -assert",
        "write_json top.json",
        "delete zynq7_top",
        "write_verilog -blackboxes stubs.v",
    ]
    subprocess.run(["yosys", "-q", "-p", "; ".join(commands)], cwd=folder, check=True, timeout=120)
    return json.loads((folder / "top.json").read_text())["modules"], folder / "stubs.v"


def ports_of(module: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Direction and width of each port."""
    return {name: (port["direction"], len(port["bits"])) for name, port in module["ports"].items()}


def test_it_is_the_processor_a_clock_buffer_the_overlay_and_wires(elaborated: Any) -> None:
    modules, _ = elaborated
    top = modules["zynq7_top"]
    assert sorted(cell["type"] for cell in top["cells"].values()) == ["BUFG", "PS7", "overlay"]
    assert top["ports"] == {}


@pytest.mark.parametrize("kind", ["PS7", "overlay"])
def test_every_input_is_connected_in_its_width_to_what_drives_it(elaborated: Any, kind: str) -> None:
    modules, _ = elaborated
    cells = modules["zynq7_top"]["cells"].values()
    driven = {
        bit
        for cell in cells
        for name, bits in cell["connections"].items()
        if cell["port_directions"][name] == "output"
        for bit in bits
    } | {"0", "1"}
    cell = next(cell for cell in cells if cell["type"] == kind)
    for name, (direction, width) in ports_of(modules[kind]).items():
        if direction == "input":
            assert len(cell["connections"].get(name, [])) == width, f"{name} has {width} bits"
            assert set(cell["connections"][name]) <= driven, f"nothing drives all of {name}"


def test_every_output_of_the_overlay_goes_to_the_processor(elaborated: Any) -> None:
    modules, _ = elaborated
    cells = modules["zynq7_top"]["cells"].values()
    processor, overlay = (next(cell for cell in cells if cell["type"] == kind) for kind in ("PS7", "overlay"))
    taken = {bit for name, bits in processor["connections"].items() for bit in bits}
    for name, (direction, width) in ports_of(modules["overlay"]).items():
        if direction == "output":
            bits = overlay["connections"][name]
            assert len(bits) == width
            # a word has at most 8 bytes: the processor takes two bits of a size
            assert set(bits[:2] if name.endswith("size") else bits) <= taken, name


def test_the_clock_the_reset_and_the_interrupt_are_those_that_pynq_knows(elaborated: Any) -> None:
    modules, _ = elaborated
    cells = modules["zynq7_top"]["cells"].values()
    processor, overlay, buffer = (
        next(cell for cell in cells if cell["type"] == kind)["connections"] for kind in ("PS7", "overlay", "BUFG")
    )
    assert buffer["I"] == processor["FCLKCLK"][:1]
    assert buffer["O"] == overlay["clock"] == processor["MAXIGP0ACLK"] == processor["SAXIHP0ACLK"]
    assert overlay["resetn"] == processor["FCLKRESETN"][:1]
    assert processor["IRQF2P"] == [*overlay["interrupt"], *["0"] * 19]


@pytest.mark.parametrize("port", ["s_axi_gp0", "m_axi_hp0"])
def test_each_signal_of_a_port_is_joined_with_its_namesake(elaborated: Any, port: str) -> None:
    modules, _ = elaborated
    cells = modules["zynq7_top"]["cells"].values()
    processor, overlay = (next(c["connections"] for c in cells if c["type"] == kind) for kind in ("PS7", "overlay"))
    primitive = {"s_axi_gp0": "MAXIGP0", "m_axi_hp0": "SAXIHP0"}[port]
    joined = [name for name in overlay if name.startswith(port)]
    assert len(joined) >= 30
    for name in joined:
        theirs = processor[primitive + name.removeprefix(f"{port}_").upper()]
        assert overlay[name][: len(theirs)] == theirs, name


@pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator; install the package verilator")
def test_verilator_finds_nothing_in_it(elaborated: Any) -> None:
    _, stubs = elaborated
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "zynq7_top"]
    quiet = ["DECLFILENAME", "UNUSED", "UNDRIVEN", "PINCONNECTEMPTY", "PINMISSING"]  # stubs; outputs left open
    command += [f"-Wno-{name}" for name in quiet]
    done = subprocess.run(
        [*command, str(stubs), str(RTL / "zynq7_top.sv")], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
