"""The order of the rungs, what each program is told, and that the driver takes what comes out.

The programs here are stand-ins: small scripts that note their arguments and write files of the right form. They show
nothing of the real ones; docs/open-flow.md tells which of those were run, and when.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pynq_ee.driver import bit_header, bitfiles, hardware_description, packed_overlay
from pynq_ee.errors import DataError, ToolError
from pynq_ee.network import spec, weights
from pynq_ee.openflow import manifest, rules, tools
from pynq_ee.openflow.build import STEPS, Job, build, headed
from pynq_ee.openflow.tools import Tools

BOARD = spec.BOARDS["pynq-z2"]
DATA = bytes(range(64)) * 4

_STAND_IN = """#!{python}
import json, sys
from pathlib import Path
name, arguments = {name!r}, sys.argv[1:]
with open({calls!r}, "a") as file:
    file.write(json.dumps([name, arguments]) + "\\n")
def after(option):
    return Path(arguments[arguments.index(option) + 1])
if "--version" in arguments:
    print('"nextpnr-xilinx" -- Next Generation Place and Route (Version 0.8.2-25-ge22bcf69)')
elif name == {failing!r}:
    print("no such thing")
    sys.exit(1)
elif name == "nextpnr-xilinx":
    after("--fasm").write_text("A.B\\n")
    print("Info:           CARRY4:     4/13300     0%")
    print("Info: Critical path report for clock 'clock'\\nInfo: path\\n")
    print("Info: Max frequency for clock 'clock': {mhz} MHz (PASS at 1.00 MHz)")
elif name == "fasm2frames":
    Path(arguments[-1]).write_text("0x0 0x0\\n")
elif name == "xc7frames2bit":
    after("--output_file").write_bytes({bit!r})
elif name == "pynq_ee.bitcheck":
    line = "  FDRE #(.INIT(1'b0)) X (.C(CLOCK), .Q(X));\\n"
    after("--verilog").write_text(line.replace("CLOCK", "A") + line.replace("CLOCK", {clock!r}))
"""

Prepared = Callable[..., tuple[Job, Tools]]


@pytest.fixture()
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """A job with stand-ins for every program, those of this package too; what fails can be chosen."""

    def prepare(failing: str = "", mhz: float = 81.25, clock: str = "A") -> tuple[Job, Tools]:
        raw = bit_header.compose("top.frames", "part", 1, "raw", len(DATA)) + DATA
        values = {"calls": str(tmp_path / "calls"), "failing": failing, "mhz": mhz, "bit": raw, "clock": clock}
        for name in [*tools.PROGRAMS, "pynq_ee.bitcheck", "pynq_ee.bench.circuit.netlist"]:
            (tmp_path / name).write_text(_STAND_IN.format(python=sys.executable, name=name, **values))
            (tmp_path / name).chmod(0o755)
        monkeypatch.setattr(tools, "python", lambda module, *rest: [str(tmp_path / module), *rest])
        monkeypatch.setattr(rules, "broken", lambda netlist: iter(()))
        monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", [tmp_path / "overlay"])
        monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
        (tmp_path / "netlist.json").write_text('{"modules": {"zynq7_top": {"cells": {}}}}')
        (tmp_path / "rtl").mkdir(exist_ok=True)
        (tmp_path / "rtl" / "one.sv").write_text("module one; endmodule\n")
        found = Tools({name: str(tmp_path / name) for name in tools.PROGRAMS}, tmp_path / "db", tmp_path / "chip.bin")
        job = Job(
            model=weights.load(),
            model_name=weights.DEFAULT,
            netlist=tmp_path / "netlist.json",
            simulated=tmp_path / "netlist.v",
            rtl=tmp_path / "rtl",
            board=BOARD,
            clock_mhz=62.5,
            lowest_mhz=62.5,
            seed=7,
            minutes=1,
            work=tmp_path / "work",
            target=tmp_path / "overlay" / bitfiles.OPEN / BOARD.name,
        )
        return job, found

    return prepare


def calls(job: Job) -> list[tuple[str, Sequence[str]]]:
    return [tuple(json.loads(line)) for line in (job.netlist.parent / "calls").read_text().splitlines()]


def test_each_program_is_told_what_it_needs_in_the_order_of_the_rungs(prepared: Prepared) -> None:
    job, found = prepared()
    steps: list[str] = []
    build(job, found, "Yosys 0", steps.append)
    assert len(steps) == STEPS
    work, part = job.work, BOARD.part
    bit = str(work / "first_exit.bit")
    simulator = "pynq_ee.bench.circuit.netlist"
    placed = ["--chipdb", str(found.chip_database), "--json", str(work / "placeable.json")]
    placed += ["--fasm", str(work / "overlay.fasm"), "--seed", "7", "--freq", "81.25", "--timing-allow-fail"]
    packed = ["--part_file", str(found.database / part / "part.yaml"), "--part_name", part]
    packed += ["--frm_file", str(work / "overlay.frames"), "--output_file", str(work / "raw.bit")]
    assert calls(job) == [
        (simulator, [str(job.simulated), "--model", weights.DEFAULT]),
        ("nextpnr-xilinx", placed),
        (
            "fasm2frames",
            [
                "--db-root",
                str(found.database),
                "--part",
                part,
                *(str(work / f"overlay.{s}") for s in ("fasm", "frames")),
            ],
        ),
        ("xc7frames2bit", packed),
        ("pynq_ee.bitcheck", [bit, "--database", str(found.database), "--verilog", str(work / "decoded.v")]),
        (simulator, [str(work / "decoded.v"), "--model", weights.DEFAULT]),
        ("nextpnr-xilinx", ["--version"]),
    ]


def test_the_driver_takes_the_files_and_reads_what_was_proved(prepared: Prepared) -> None:
    job, found = prepared()
    bit = packed_overlay.unpack(build(job, found, "Yosys 0"))
    assert bitfiles.check(bit, BOARD, job.model.build_id) == bit
    header = bit_header.read(bit)
    assert (header.part, header.user_id) == ("7z020clg400", job.model.build_id)
    assert bit.read_bytes().endswith(DATA)
    assert bitfiles.open_bitfile(BOARD) == job.target / "first_exit.bit.gz"
    design = hardware_description.read(bit.with_suffix(".hwh"))
    clock = design.find(".//PARAMETER[@NAME='PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ']")
    assert clock is not None and float(clock.get("VALUE", "")) == 62.5
    standing = bitfiles.standing(bit)
    assert standing.startswith("Passed: registers beside all that is not timed") and "No board has run it" in standing
    told = bitfiles.manifest(bit)
    assert (told["flow"], told["seed"], told["clock_mhz"], told["tried_on_board"]) == ("open", 7, 62.5, False)
    assert told["tools"] == {"yosys": "Yosys 0", "nextpnr-xilinx": "0.8.2-25-ge22bcf69"}
    assert told["timing"]["estimate_mhz"] == 81.25 and told["timing"]["margin_percent"] == 30.0
    assert told["utilization"]["CARRY4"] == {"used": 4, "available": 13300}


def test_the_digests_of_the_sources_tell_another_model_and_another_file(prepared: Prepared) -> None:
    job, found = prepared()
    told = bitfiles.manifest(build(job, found, "Yosys 0"))["source_sha256"]
    assert told == manifest.sources(job.model, job.rtl)
    other = replace(job.model, spec=replace(job.model.spec, pixels_per_beat=12 - job.model.spec.pixels_per_beat))
    assert told[manifest.GENERATED] != manifest.sources(other, job.rtl)[manifest.GENERATED]
    (job.rtl / "one.sv").write_text("module one; wire a; endmodule\n")
    assert told["one.sv"] != manifest.sources(job.model, job.rtl)["one.sv"]


@pytest.mark.parametrize("failing", [*tools.PROGRAMS, "pynq_ee.bitcheck", "pynq_ee.bench.circuit.netlist"])
def test_nothing_is_published_when_a_rung_breaks(failing: str, prepared: Prepared) -> None:
    job, found = prepared(failing)
    with pytest.raises(ToolError, match=f"(?s){failing} ended with status 1; .*no such thing"):
        build(job, found, "Yosys 0")
    assert not job.target.exists()


def test_a_plain_bitstream_of_an_earlier_build_is_not_left_in_the_way(prepared: Prepared) -> None:
    job, found = prepared()
    job.target.mkdir(parents=True)
    (job.target / "first_exit.bit").write_bytes(b"earlier")
    packed = build(job, found, "Yosys 0")
    assert bitfiles.find_open(BOARD, job.model.build_id).read_bytes() == packed_overlay.unpack(packed).read_bytes()


def test_an_estimate_too_near_to_the_clock_is_refused(prepared: Prepared) -> None:
    job, found = prepared(mhz=81.0)
    with pytest.raises(DataError, match=r"the estimate is 81 MHz; a clock of 62\.5 MHz .* needs 81\.25"):
        build(job, found, "Yosys 0")
    assert not job.target.exists() and (job.work / "critical-path.txt").read_text().endswith("path\n")


def test_where_a_lower_clock_will_do_the_highest_one_with_the_margin_is_taken(prepared: Prepared) -> None:
    job, found = prepared(mhz=72.0)
    bit = packed_overlay.unpack(build(replace(job, lowest_mhz=50.0), found, "Yosys 0"))
    clock = hardware_description.read(bit.with_suffix(".hwh")).find(
        ".//PARAMETER[@NAME='PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ']"
    )
    assert clock is not None and float(clock.get("VALUE", "")) == pytest.approx(1000 / 19, abs=1e-5)
    told = bitfiles.manifest(bit)
    assert told["clock_mhz"] == pytest.approx(1000 / 19, abs=1e-5) and told["timing"]["margin_percent"] >= 30
    with pytest.raises(DataError, match=r"a clock of 60 MHz .* needs 78\. .*--at-least 52\.632"):
        build(replace(job, lowest_mhz=60.0), found, "Yosys 0")


def test_a_bitstream_with_two_clock_nets_is_refused(prepared: Prepared) -> None:
    job, found = prepared(clock="B")
    with pytest.raises(DataError, match=r"clocks its registers by 2 nets \(A, B\); it must be 1"):
        build(job, found, "Yosys 0")
    assert not job.target.exists()


def test_a_clock_that_the_processor_does_not_give_is_refused(prepared: Prepared) -> None:
    job, found = prepared()
    with pytest.raises(DataError, match=r"no clock of 70 MHz; the next below is 66\.667"):
        build(replace(job, clock_mhz=70.0), found, "Yosys 0")
    assert not (job.netlist.parent / "calls").exists()


def test_a_netlist_that_breaks_a_rule_is_refused_before_anything_runs(
    prepared: Prepared, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, found = prepared()
    monkeypatch.setattr(rules, "broken", lambda netlist: iter(["there are 2 clocks"]))
    with pytest.raises(DataError, match="there are 2 clocks"):
        build(job, found, "Yosys 0")
    assert not (job.netlist.parent / "calls").exists()


def test_a_file_that_is_no_whole_bit_gets_no_header() -> None:
    whole = bit_header.compose("x", "part", 1, "raw", len(DATA)) + DATA
    assert headed(whole, BOARD.part, 5).endswith(DATA)
    for broken in (whole[:-1], whole[1:], b"", whole[:20]):
        with pytest.raises(ToolError, match="no whole"):
            headed(broken, BOARD.part, 5)
