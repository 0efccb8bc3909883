"""hw/build.tcl under tclsh, with Vivado and the HLS tool recorded: the design that it makes, and how it fails."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest

from pynq_ee.driver import bit_header
from pynq_ee.generate import constants
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import BOARDS, Spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recorder"))

import design_rules
import recording
from recording import Checkout

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh; install the package tcl")

PUBLISHED = ["first_exit.bit", "first_exit.hwh", "first_exit.tcl", "manifest.json"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A checkout that the tests of this module leave as it is."""
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def checkout(tmp_path):
    """A checkout of one test's own, to be edited."""
    return Checkout(tmp_path)


def published(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# The design ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", recording.PIXELS_PER_BEAT)
@pytest.mark.parametrize("board", BOARDS)
def test_the_design_of_every_board_and_width_breaks_no_rule(tmp_path, board, pixels):
    spec = Spec(pixels_per_beat=pixels)
    run = Checkout(tmp_path, spec).build("--board", board, "--stage", "design", compare=False)
    assert run.status == 0, run.errors
    assert design_rules.violations(run.design, spec, BOARDS[board]) == []


@pytest.mark.parametrize("pixels", recording.PIXELS_PER_BEAT)
@pytest.mark.parametrize("board", BOARDS)
def test_the_simulated_board_is_made_of_the_recorded_design(board, pixels):
    path = recording.REPOSITORY / "pynq_ee" / "sim" / "designs" / recording.description_name(board, pixels)
    assert path.read_text() == recording.description_text(board, pixels), (
        f"{path.name} is not what hw/build.tcl makes; run `python tests/hw/recorder/recording.py {path.parent}`"
    )


DESIGN = "vivado/block_design.tcl"
PROCESSOR = "vivado/processing_system.tcl"


@pytest.mark.parametrize(
    ("file", "old", "new", "violation"),
    [
        (DESIGN, "    connect $kernel/$results $dma/S_AXIS_S2MM\n", "", "interface first_exit/results is connected 0"),
        (DESIGN, "    connect $dma/M_AXI_S2MM memory_interconnect/S01_AXI\n", "", "axi_dma/M_AXI_S2MM does not reach"),
        (DESIGN, "CONFIG.NUM_MI 3", "CONFIG.NUM_MI 4", "interface control_interconnect/M03_AXI is connected 0"),
        (DESIGN, "        $kernel/ap_clk \\\n", "", "pin first_exit/ap_clk is connected 0"),
        (DESIGN, "        memory_interconnect/aclk \\\n", "", "pin memory_interconnect/aclk is connected 0"),
        (DESIGN, "drive $dma/mm2s_prmry_reset_out_n $kernel/ap_rst_n", "", "pin first_exit/ap_rst_n is connected 0"),
        (DESIGN, "drive $dma/mm2s_prmry_reset_out_n $kernel/ap_rst_n",
         "drive reset_control/interconnect_aresetn $kernel/ap_rst_n", "not from axi_dma"),
        (DESIGN, "drive reset_control/interconnect_aresetn",
         "drive processing_system/[dict get $family reset]", "not from reset_control"),
        (DESIGN, "CONFIG.c_m_axis_mm2s_tdata_width $stream_bits", "CONFIG.c_m_axis_mm2s_tdata_width 32",
         "axi_dma/M_AXIS_MM2S is 32 bit wide, first_exit/images is 64"),
        (DESIGN, "CONFIG.c_s_axis_s2mm_tdata_width $stream_bits", "CONFIG.c_s_axis_s2mm_tdata_width 32",
         "stream axi_dma/S_AXIS_S2MM is 32 bit wide, a beat has 64"),
        (DESIGN, "CONFIG.c_m_axi_s2mm_data_width $memory_bits", "CONFIG.c_m_axi_s2mm_data_width 32",
         "axi_dma/M_AXI_S2MM is 32 bit wide, the memory port"),
        (PROCESSOR, "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64", "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 32", "the memory port"),
        (DESIGN, "CONFIG.c_sg_length_width [spec::get dma_length_bits]", "CONFIG.c_sg_length_width 14",
         "c_sg_length_width of the DMA is 14, not 26"),
        (DESIGN, "CONFIG.c_include_sg 0", "CONFIG.c_include_sg 1", "interface axi_dma/M_AXI_SG is connected 0"),
        (DESIGN, "    drive $kernel/interrupt interrupt_concat/In2\n", "", "the interrupts are"),
        (DESIGN, "interrupt_concat 3", "interrupt_concat 4", "pin interrupt_concat/In3 is connected 0"),
        (DESIGN, "    drive interrupt_controller/irq processing_system/[dict get $family interrupt]\n", "",
         "the processor's interrupts"),
        (DESIGN, "$dma/S_AXI_LITE [dict get $addresses dma_address]",
         "$dma/S_AXI_LITE [dict get $addresses kernel_address]",
         "axi_dma/S_AXI_LITE/Reg and first_exit/s_axi_control/Reg overlap"),
        (DESIGN, "    place_memory $dma/M_AXI_MM2S $family $memory\n", "", "not through both ports of the DMA"),
        (DESIGN, "[spec::get kernel_range]", "0x8000", "addresses are"),
        ("build.tcl", "[fresh_folder $work vivado] -part $part", "[fresh_folder $work vivado] -part xc7z010clg400-1",
         "the part is xc7z010clg400-1, the board has xc7z020"),
        (DESIGN, "    validate_bd_design\n", "", "the design is not validated"),
        (DESIGN, "    save_bd_design\n", "", "the design is not saved"),
        (DESIGN, "    validate_bd_design\n    save_bd_design\n",
         "    validate_bd_design\n    set_property CONFIG.NUM_MI 3 [get_bd_cells control_interconnect]\n", "not saved"),
    ],
)  # fmt: skip
def test_a_wrong_design_breaks_a_rule(checkout, file, old, new, violation):
    checkout.edit(file, old, new)
    run = checkout.build("--board", "pynq-z2", "--stage", "design", compare=False)
    assert run.status == 0, run.errors
    found = design_rules.violations(run.design, checkout.spec, BOARDS["pynq-z2"])
    assert any(violation in sentence for sentence in found), found


def test_a_port_of_the_larger_processor_that_stays_on_breaks_a_rule(checkout):
    checkout.edit(PROCESSOR, "CONFIG.PSU__USE__M_AXI_GP1 0", "CONFIG.PSU__USE__M_AXI_GP1 1")
    run = checkout.build("--board", "zcu104", "--stage", "design", compare=False)
    found = design_rules.violations(run.design, checkout.spec, BOARDS["zcu104"])
    assert "interface processing_system/M_AXI_HPM1_FPD is connected 0 times" in found


@pytest.mark.parametrize(
    ("old", "new", "violation"),
    [
        ("            exclude_bd_addr_seg -target_address_space $space $segment\n", "",
         "processing_system/SAXIGP2/HP0_QSPI is neither assigned in axi_dma/Data_S2MM nor excluded from it"),
        ("    place_memory $dma/M_AXI_MM2S $family $memory\n", "",
         "processing_system/SAXIGP2/HP0_DDR_LOW is neither assigned in axi_dma/Data_MM2S nor excluded from it"),
        ("    place_registers $kernel/$registers [dict get $addresses kernel_address] [spec::get kernel_range]\n", "",
         "first_exit/s_axi_control/Reg is neither assigned in processing_system/Data nor excluded from it"),
        ("        if {$segment ne $memory} {\n", "        if {1} {\n",
         "processing_system/SAXIGP2/HP0_DDR_LOW is assigned in axi_dma/Data_MM2S and excluded from it"),
    ],
)  # fmt: skip
def test_a_segment_that_is_not_either_assigned_or_excluded_breaks_a_rule(checkout, old, new, violation):
    checkout.edit(DESIGN, old, new)
    run = checkout.build("--board", "zcu104", "--stage", "design", compare=False)
    assert run.status == 0, run.errors
    assert violation in design_rules.violations(run.design, checkout.spec, BOARDS["zcu104"])


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (DESIGN, "CONFIG.c_micro_dma", "CONFIG.c_mikro_dma", "axi_dma has no parameter CONFIG.c_mikro_dma"),
        (DESIGN, "[spec::get dma_length_bits]", "27", "CONFIG.c_sg_length_width of axi_dma cannot be '27'"),
        (DESIGN, "$kernel/ap_clk", "$kernel/clk", "the block design has no pin first_exit/clk"),
        (DESIGN, "connect $dma/M_AXIS_MM2S", "connect $dma/M_AXIS", "the block design has no interface axi_dma/M_AXIS"),
        (DESIGN, "variable images images", "variable images s_axi_control", "are of two protocols: axis aximm"),
        (DESIGN, "memory_interconnect/S01_AXI", "memory_interconnect/S00_AXI", "is connected already"),
        (DESIGN, "drive $dma/s2mm_introut interrupt_concat/In1", "drive $dma/s2mm_introut interrupt_concat/In0",
         "two drivers on one net"),
        (DESIGN, "save_bd_design", "regenerate_bd_layout", 'invalid command name "regenerate_bd_layout"'),
        (DESIGN, "save_bd_design", "try {save_bd_design}", 'invalid command name "try"'),
        (DESIGN, "-offset $address", "-offset 0x20000000", "is outside of processing_system/Data"),
        (DESIGN, "-offset $address", "-base $address", "assign_bd_address has no option -base"),
        ("build.tcl", "[spec::get overlay_name]_design", "[spec::get overlay_name]",
         "the design first_exit and the IP pynq_ee:hls:first_exit are two modules of one name"),
        (DESIGN, "xilinx.com:ip:proc_sys_reset", "xilinx.com:ip:sys_reset",
         "this Vivado has no IP xilinx.com:ip:sys_reset"),
        (PROCESSOR, "CONFIG.PCW_USE_S_AXI_HP0 1", "CONFIG.PCW_USE_S_AXI_HP0 0",
         "no interface processing_system/S_AXI_HP0"),
        (PROCESSOR, "CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {16 Bit}", "CONFIG.PCW_UIPARAM_DDR_BUS_WIDTH {64 Bit}",
         "cannot be '64 Bit'"),
        ("generated/first_exit_spec.tcl", "zynq7 0x20000000", "zynq7 0x80000000", "is 536870912 bytes, not 2147483648"),
    ],
)  # fmt: skip
def test_what_vivado_does_not_have_is_refused(checkout, file, old, new, message):
    checkout.edit(file, old, new)
    run = checkout.build("--board", "pynq-z2", "--stage", "design", compare=False)
    assert message in run.error
    assert run.design is None


def test_a_script_of_the_hls_tool_is_held_to_its_commands(checkout):
    checkout.edit("vivado/hls.tcl", "csynth_design", "csynth")
    assert 'HLS failed: invalid command name "csynth"' in checkout.build("--stage", "hls", compare=False).error


# A build that succeeds -----------------------------------------------------------------------------------------------


def test_one_command_publishes_an_overlay_and_its_manifest(checkout):
    before = datetime.now(timezone.utc).replace(microsecond=0)
    run = checkout.build("--board", "pynq-z2", "--jobs", "3")
    assert run.status == 0, run.errors
    assert run.errors == ""
    assert published(checkout.overlay) == PUBLISHED
    header = bit_header.read(checkout.overlay / "first_exit.bit")
    assert (header.user_id, header.part) == (checkout.model.build_id, "7z020clg400")
    times = {name: (checkout.overlay / name).stat().st_mtime for name in PUBLISHED}
    assert times["first_exit.hwh"] >= times["first_exit.bit"]
    manifest = json.loads((checkout.overlay / "manifest.json").read_text())
    date = datetime.strptime(manifest.pop("date"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= date <= datetime.now(timezone.utc)
    assert manifest.pop("sha256") == {
        name: hashlib.sha256((checkout.overlay / name).read_bytes()).hexdigest() for name in PUBLISHED[:2]
    }
    assert manifest == {
        "name": "first_exit",
        "build_id": f"{checkout.model.build_id:08x}",
        "interface_version": _spec.INTERFACE_VERSION,
        "boards": ["pynq-z2", "pynq-z1"],
        "part": "xc7z020clg400-1",
        "clock_mhz": 100.0,
        "pixels_per_beat": 8,
        "compared_with_weights": True,
        "kernel": "hls",
        "kernel_sha256": {},
        "rate_missed": [],
        "tools": {"vivado": "2022.1", "hls": "2022.1"},
        "slack_ns": {"setup": 1.234, "hold": 0.045, "pulse_width": 0.0},
        "utilization": {
            "LUT": {"used": 21345, "available": 53200},
            "FF": {"used": 30210, "available": 106400},
            "DSP": {"used": 0, "available": 220},
            "BRAM": {"used": 2.5, "available": 140},
        },
        "revision": "unknown",
    }


def test_without_a_program_for_digests_the_manifest_goes_without_them(checkout):
    (checkout.root / "bin" / "sha256sum").unlink()
    run = checkout.build(compare=False)
    assert run.status == 0
    assert run.errors.count("warning: no digest of first_exit.") == 2
    assert json.loads((checkout.overlay / "manifest.json").read_text())["sha256"] == {}


def test_boards_of_one_part_share_their_files_and_others_do_not_touch_them(checkout):
    for board in ("pynq-z1", "zcu104", "kv260"):
        assert checkout.build("--board", board, compare=False).status == 0
    assert published(checkout.overlay) == [*PUBLISHED[:3], "kv260", PUBLISHED[3], "zcu104"]
    boards = {
        folder: json.loads((checkout.overlay / folder / "manifest.json").read_text())["boards"]
        for folder in (".", "zcu104", "kv260")
    }
    assert boards == {".": ["pynq-z2", "pynq-z1"], "zcu104": ["zcu104"], "kv260": ["kv260"]}


def test_the_files_go_where_out_says(shared, tmp_path):
    assert shared.build("--out", str(tmp_path / "elsewhere"), compare=False).status == 0
    assert published(tmp_path / "elsewhere") == PUBLISHED


def test_a_second_run_replaces_the_first_and_a_failed_one_leaves_it(checkout):
    assert checkout.build("--clock", "50", compare=False).status == 0
    assert checkout.build("--clock", "100", compare=False).status == 0
    manifest = (checkout.overlay / "manifest.json").read_text()
    assert json.loads(manifest)["clock_mhz"] == 100.0
    assert checkout.build("--clock", "50", compare=False, vivado={"setup": "-0.5"}).status == 1
    assert published(checkout.overlay) == PUBLISHED
    assert (checkout.overlay / "manifest.json").read_text() == manifest


def test_leftovers_of_a_killed_run_are_removed(checkout):
    leftover = checkout.overlay / ".build.tmp" / "first_exit.bit"
    leftover.parent.mkdir(parents=True)
    leftover.write_text("half of one")
    assert checkout.build(compare=False).status == 0
    assert published(checkout.overlay) == PUBLISHED


def test_hls_gets_the_part_the_period_and_the_identity_of_its_ip(checkout):
    assert checkout.build("--board", "zcu104", "--clock", "50", "--stage", "hls", compare=False).status == 0
    settings = (checkout.root / "hw" / "build" / "zcu104" / "hls" / "run.tcl").read_text()
    for item in ("part xczu7ev-ffvc1156-2-e", "period 20.000", "vendor pynq_ee", "version 2.0", "kernel first_exit"):
        assert item in settings
    assert published(checkout.overlay) == []


def test_a_stage_ends_the_build_before_the_next(checkout):
    assert checkout.build("--stage", "hls", compare=False).design is None
    assert checkout.build("--stage", "design", compare=False).design is not None
    assert published(checkout.overlay) == []
    assert not list((checkout.root / "hw" / "build" / "pynq-z2" / "vivado").glob("*.runs"))


def test_hls_alone_needs_no_vivado(shared):
    assert shared.build("--stage", "hls", compare=False, recorded=False).status == 0


def test_vitis_run_serves_where_vitis_hls_is_gone(tmp_path):
    assert Checkout(tmp_path, tools=("vitis-run",)).build("--stage", "design", compare=False).status == 0


@pytest.mark.parametrize(
    ("vivado", "hls", "warning"),
    [
        ("2024.2", "2022.1", "warning: Vivado is version 2024.2; this flow was written for 2022.1"),
        ("2022.1", "2023.1", "warning: the HLS tool is version 2023.1; this flow was written for 2022.1"),
    ],
)
def test_another_version_is_a_warning_with_both_numbers(shared, tmp_path, vivado, hls, warning):
    run = shared.build("--out", str(tmp_path), vivado={"version": vivado}, hls={"version": hls})
    assert run.status == 0
    assert run.errors.splitlines() == [warning]
    assert json.loads((tmp_path / "manifest.json").read_text())["tools"] == {"vivado": vivado, "hls": hls}


def test_the_revision_says_whether_tracked_files_were_changed(checkout):
    if shutil.which("git") is None:
        pytest.skip("no git")

    def git(*arguments):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        command = ["git", "-C", str(checkout.root), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def revision():
        assert checkout.build(compare=False).status == 0
        return json.loads((checkout.overlay / "manifest.json").read_text())["revision"]

    git("init")
    git("add", "hw")
    git("commit", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert revision() == head
    git("add", "-f", "overlay")
    git("commit", "-m", "overlay")
    head = git("rev-parse", "HEAD")
    assert revision() == head, "the overlay's own files do not make a revision dirty"
    checkout.edit("vivado/options.tcl", "# The command line of build.tcl.", "# The command line.")
    assert revision() == f"{head}-dirty"


def test_help_lists_the_options_and_builds_nothing(shared):
    run = shared.build("--help", recorded=False, compare=False)
    assert run.status == 0
    for word in ("--board", "--clock", "--jobs", "--stage", "--out", "--model", *BOARDS, "hls, design, bitstream"):
        assert word in run.output


# A build that fails --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "pynq-z3"], "unknown board 'pynq-z3'; known are pynq-z2, pynq-z1, zcu104, kv260"),
        (["--stage", "place"], "unknown stage 'place'; known are hls, design, bitstream"),
        (["--bord", "pynq-z2"], "unknown option '--bord'; --help lists them"),
        (["pynq-z2"], "unknown option 'pynq-z2'; --help lists them"),
        (["--clock", "fast"], "--clock is 'fast'; it must be a frequency in MHz"),
        (["--clock", "0"], "--clock is '0'; it must be a frequency in MHz"),
        (["--clock", "NaN"], "--clock is 'NaN'; it must be a frequency in MHz"),
        (["--jobs", "1.5"], "--jobs is '1.5'; it must be a whole number"),
        (["--jobs", "0"], "--jobs is '0'; it must be a whole number"),
    ],
)
def test_a_wrong_argument_is_named(shared, arguments, message):
    assert message in shared.build(*arguments, compare=False).error


def test_an_option_without_a_value_is_named(shared):
    result = subprocess.run(
        ["tclsh", str(shared.root / "hw" / "build.tcl"), "--board"], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stderr) == (1, "error: --board needs a value; --help says which\n")


def test_a_clock_that_the_processor_cannot_make_is_refused_with_one_that_it_can(shared):
    error = shared.build("--clock", "137", "--stage", "design", compare=False).error
    assert "cannot make a clock of 137 MHz; the next that it makes is 142.857" in error


def test_without_an_hls_tool_nothing_starts(tmp_path):
    checkout = Checkout(tmp_path, tools=())
    assert "neither vitis_hls nor vitis-run is on the PATH" in checkout.build(compare=False).error
    assert not (tmp_path / "hw" / "build").exists()


def test_without_vivado_nothing_starts(checkout):
    assert "this is not Vivado" in checkout.build(compare=False, recorded=False).error
    assert not (checkout.root / "hw" / "build").exists()


def test_another_dma_than_pynq_knows_is_refused(shared):
    error = shared.build("--stage", "design", compare=False, vivado={"versions.axi_dma": "8.0"}).error
    assert "no xilinx.com:ip:axi_dma:7.1 (xilinx.com:ip:axi_dma:8.0 instead); pynq's DMA driver" in error


def test_newer_versions_of_the_other_ips_are_taken(shared):
    newer = {"versions.smartconnect": "1.0 1.1", "versions.axi_intc": "4.10 4.9"}
    run = shared.build("--board", "pynq-z2", "--stage", "design", compare=False, vivado=newer)
    assert run.design["cells"]["memory_interconnect"]["vlnv"] == "xilinx.com:ip:smartconnect:1.1"
    assert run.design["cells"]["interrupt_controller"]["vlnv"] == "xilinx.com:ip:axi_intc:4.10"


def test_an_ip_that_the_catalogue_hides_is_taken_all_the_same(shared):
    run = shared.build("--board", "pynq-z2", "--stage", "design", compare=False, vivado={"hidden.xlconcat": "1"})
    assert (run.status, run.errors.splitlines()[1:]) == (0, [])
    assert run.design["cells"]["interrupt_concat"]["vlnv"] == "xilinx.com:ip:xlconcat:2.1"


@pytest.mark.parametrize("retired", [{"versions.xlconcat": ""}, {"hidden.xlconcat": "1", "locked.xlconcat": "1"}])
def test_a_retired_concat_gives_way_to_its_successor(shared, retired):
    run = shared.build(
        "--board", "pynq-z2", "--stage", "design", compare=False, vivado=retired | {"versions.ilconcat": "1.0"}
    )
    assert run.status == 0
    assert "warning: this Vivado has no xlconcat any more; pynq does not find the interrupts" in run.errors
    assert run.design["cells"]["interrupt_concat"]["vlnv"] == "xilinx.com:inline_hdl:ilconcat:1.0"
    assert design_rules.violations(run.design, Spec(), BOARDS["pynq-z2"]) == []


def test_without_any_concat_the_build_says_which(shared):
    error = shared.build("--stage", "design", compare=False, vivado={"versions.xlconcat": ""}).error
    assert "no IP xilinx.com:ip:xlconcat, and no ilconcat in its place" in error


def test_a_failed_hls_run_names_its_log(shared):
    error = shared.build("--stage", "hls", compare=False, hls={"fail": "1"}).error
    log = re.search(r"HLS failed: .*the recorded failure \(log: (.*)\)", error)
    assert log and "the recorded failure" in Path(log[1]).read_text()


@pytest.mark.parametrize(
    ("offset", "message"),
    [
        ("0x1c", "register mode: the specification has it at 0x18, HLS put it at 0x1c"),
        ("none", "register mode: the specification has it at 0x18, HLS made none"),
    ],
)
def test_a_register_elsewhere_than_specified_is_named(shared, offset, message):
    assert message in shared.build("--stage", "hls", compare=False, hls={"offset.mode": offset}).error


def pipelined_loops() -> set[str]:
    """The labels of the kernel's pipelined loops."""
    sources = (recording.REPOSITORY / "hw" / "hls").glob("*.cpp")
    pattern = re.compile(r"^\s*(\w+):\n.*\n.*pipeline II=1", re.MULTILINE)
    return {label for source in sources for label in pattern.findall(source.read_text())}


#: Runs only after a batch whose end comes too late.
DRAIN = "drain"


@pytest.mark.parametrize(("interval", "message"), [("2", "runs every 2 clocks"), ("none", "runs unpipelined")])
@pytest.mark.parametrize("loop", sorted(pipelined_loops() - {DRAIN}))
def test_a_loop_that_misses_its_rate_is_named(shared, loop, interval, message):
    error = shared.build("--stage", "hls", compare=False, hls={f"interval.{loop}": interval}).error
    assert re.search(rf"loop {loop} of \w+ \(\w+\.cpp\) {message} \(\w+_csynth\.xml\)", error)


#: Two loops of two files, one of them in an anonymous namespace, that miss the rate.
MISSED = {"interval.unframe.each_beat": "2", "interval.branch.each_step": "4"}
SENTENCES = [
    "loop each_step of branch (branch.cpp) runs every 4 clocks (branch_Pipeline_each_step_csynth.xml)",
    "loop each_beat of unframe (first_exit.cpp) runs every 2 clocks"
    " (p_anonymous_namespace_unframe_Pipeline_each_beat_csynth.xml)",
]


def test_all_loops_that_miss_their_rate_are_named_at_once(shared):
    error = shared.build("--stage", "hls", compare=False, hls=MISSED).error
    assert f"and 2 of 8 loops miss it: {'; '.join(SENTENCES)}. --allow-rate builds all the same" in error


def test_an_overlay_that_misses_its_rate_by_wish_says_so(shared, tmp_path):
    run = shared.build("--allow-rate", "--out", str(tmp_path), compare=False, hls=MISSED)
    assert run.status == 0
    warnings = [f"warning: {one}: the circuit is slower than specified (--allow-rate)" for one in SENTENCES]
    assert run.errors.splitlines()[1:] == warnings
    assert json.loads((tmp_path / "manifest.json").read_text())["rate_missed"] == SENTENCES


@pytest.mark.parametrize(
    ("area", "message"),
    [
        (
            {"area.LUT": "60000"},
            "HLS estimates 60000 LUT, the part has 53200: `pynq-ee export MODEL --pixels-per-beat 4",
        ),
        ({"area.DSP": "300"}, "HLS estimates 300 DSP, the part has 220"),
        ({"area.BRAM_18K": "281"}, "HLS estimates 281 BRAM_18K, the part has 280"),
    ],
)
def test_a_circuit_that_does_not_fit_ends_the_build_before_vivado(checkout, area, message):
    error = checkout.build(compare=False, hls=area).error
    assert message in error and "--allow-area goes on to Vivado all the same" in error
    assert not (checkout.root / "hw" / "build" / "pynq-z2" / "vivado").exists()
    run = checkout.build("--allow-area", "--stage", "hls", compare=False, hls=area)
    assert run.status == 0 and "(--allow-area)" in run.errors


def test_the_narrow_circuit_that_does_not_fit_is_not_told_to_become_narrow(tmp_path):
    run = Checkout(tmp_path, Spec(pixels_per_beat=4)).build("--stage", "hls", compare=False, hls={"area.LUT": "60000"})
    assert "fewer channels or narrower weights" in run.error and "pixels-per-beat" not in run.error


@pytest.mark.parametrize(
    ("hls", "warning"),
    [
        (
            {"area.LUT": "50000"},
            "warning: HLS estimates 50000 of 53200 LUT: timing will be hard to meet; `pynq-ee export",
        ),
        ({"area.DSP": "3"}, "warning: HLS makes 3 DSPs of products that are bound to look-up tables"),
        ({"clock": "11.2"}, "warning: HLS estimates a clock of 11.2 ns, 10.000 ns are asked for"),
        ({"area.LUT": "?"}, "warning: the reports tell no area"),
    ],
)
def test_what_c_synthesis_estimates_badly_is_a_warning(shared, hls, warning):
    run = shared.build("--stage", "hls", compare=False, hls=hls)
    assert run.status == 0
    (line,) = run.errors.splitlines()[1:]
    assert line.startswith(warning)


def test_a_pragma_that_the_hls_tool_does_not_know_is_noticed(checkout):
    checkout.edit("hls/arithmetic.h", "impl=fabric", "impl=fabrics")
    error = checkout.build("--stage", "hls", compare=False).error
    assert "unknown pragma 'bind_op variable=result op=mul impl=fabrics' in arithmetic.h" in error


@pytest.mark.parametrize(("interval", "message"), [("2", "runs every 2 clocks"), ("none", "runs unpipelined")])
def test_a_loop_that_runs_behind_the_images_only_warns_of_its_interval(shared, interval, message):
    assert DRAIN in pipelined_loops()
    run = shared.build("--stage", "hls", compare=False, hls={f"interval.{DRAIN}": interval})
    (warning,) = run.errors.splitlines()[1:]
    assert run.status == 0
    assert warning.startswith(f"warning: loop {DRAIN} {message}")


@pytest.mark.parametrize("process", _spec.PIPELINE_DEPTHS)
def test_a_pipeline_deeper_than_the_cycle_model_has_it_is_a_warning_with_both_numbers(shared, process):
    modelled = _spec.PIPELINE_DEPTHS[process]
    as_deep = shared.build("--stage", "hls", compare=False, hls={f"depth.{process}": str(modelled)})
    assert (as_deep.status, as_deep.errors.splitlines()[1:]) == (0, [])
    deeper = shared.build("--stage", "hls", compare=False, hls={f"depth.{process}": str(modelled + 1)})
    (warning,) = deeper.errors.splitlines()[1:]
    assert deeper.status == 0
    assert f"the pipeline of {process} is {modelled + 1} clocks deep, the cycle model has {modelled}" in warning


def test_a_pipeline_whose_depth_the_reports_do_not_tell_is_a_warning(shared):
    run = shared.build("--stage", "hls", compare=False, hls={"depth.trunk": "-"})
    assert run.status == 0
    assert "warning: the reports tell no depth of the pipeline of trunk; the cycle model has 24" in run.errors


@pytest.mark.parametrize(
    ("vivado", "message"),
    [
        ({"setup": "-0.123"}, "timing is not met: the setup slack is -0.123 ns"),
        ({"hold": "-0.001"}, "timing is not met: the hold slack is -0.001 ns"),
        ({"pulse_width": "-0.2"}, "timing is not met: the pulse width slack is -0.2 ns"),
        ({"setup": "-0.1", "status.impl_1": "route_design Complete, Failed Timing!"}, "the setup slack is -0.1 ns"),
        ({"setup": "none"}, "no setup slack was reported; is the clock constrained?"),
        ({"status.synth_1": "synth_design ERROR"}, "synth_1 ended with 'synth_design ERROR' (log: "),
        ({"status.impl_1": "place_design ERROR"}, "impl_1 ended with 'place_design ERROR' (log: "),
        ({"hwh": "0"}, "Vivado left no first_exit_design.hwh"),
        ({"bitstream": "0"}, "Vivado wrote no first_exit.bit"),
    ],
)
def test_a_failed_implementation_publishes_nothing(shared, tmp_path, vivado, message):
    assert message in shared.build("--out", str(tmp_path / "out"), compare=False, vivado=vivado).error
    assert published(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("vivado", "warning", "lost"),
    [
        ({"utilization": "| Site Type | Used | Available |"},
         "warning: the manifest goes without the utilization: the utilization report has no row for LUT", None),
        ({"bd_tcl": "0"}, "warning: the overlay goes without first_exit.tcl: ", "first_exit.tcl"),
    ],
)  # fmt: skip
def test_what_only_tells_more_of_an_overlay_is_a_warning_where_it_fails(checkout, vivado, warning, lost):
    assert checkout.build(compare=False).status == 0
    run = checkout.build(compare=False, vivado=vivado)
    assert run.status == 0
    (line,) = run.errors.splitlines()[1:]
    assert line.startswith(warning)
    assert published(checkout.overlay) == [name for name in PUBLISHED if name != lost]
    manifest = json.loads((checkout.overlay / "manifest.json").read_text())
    digest = hashlib.sha256((checkout.overlay / "first_exit.bit").read_bytes()).hexdigest()
    assert (manifest["sha256"]["first_exit.bit"], bool(manifest["utilization"])) == (digest, bool(lost))


@pytest.mark.parametrize(("run", "step"), [("synth_1", "synth_design"), ("impl_1", "place_design")])
def test_a_failed_run_names_its_log_where_vivado_raises_too(shared, tmp_path, run, step):
    vivado = {f"status.{run}": f"{step} ERROR", "wait_raises": "1"}
    error = shared.build("--out", str(tmp_path / "out"), compare=False, vivado=vivado).error
    found = re.search(rf"{run} ended with '{step} ERROR', .*Run '{run}' failed. \(log: (.*)/runme\.log\)", error)
    assert found and found[1].endswith(f".runs/{run}")
    assert published(tmp_path / "out") == []


def test_a_run_that_misses_timing_is_judged_by_its_slack_where_vivado_raises_too(shared, tmp_path):
    vivado = {"setup": "-0.1", "status.impl_1": "route_design Complete, Failed Timing!", "wait_raises": "1"}
    assert "the setup slack is -0.1 ns" in shared.build("--out", str(tmp_path), compare=False, vivado=vivado).error


def test_an_error_that_no_check_foresaw_is_one_line_with_its_trace_in_a_file(checkout):
    checkout.edit(DESIGN, "    validate_bd_design\n", "    error first\\nsecond\n")
    error = checkout.build("--stage", "design", compare=False).error
    found = re.fullmatch(r"error: block design failed: first \(trace: (.*)\)", error)
    assert found and "second" in Path(found[1]).read_text()


# Stale files ---------------------------------------------------------------------------------------------------------


def test_generated_files_of_other_weights_are_stale(checkout):
    other = recording.some_model(checkout.spec, seed=1)
    constants.generate(other, checkout.root / "hw" / "generated")
    error = checkout.build("--stage", "hls").error
    assert "hw/generated/ is stale" in error and "run `pynq-ee export`" in error
    assert f"0x{other.build_id:08x}" in error and f"0x{checkout.model.build_id:08x}" in error


def test_an_edited_generated_file_is_stale(checkout):
    header = checkout.root / "hw" / "generated" / constants.WEIGHTS_HEADER
    header.write_text(header.read_text() + "\n")
    assert f"hw/generated/ is stale: {constants.WEIGHTS_HEADER}" in checkout.build("--stage", "hls").error


def a_python(version: str) -> str | None:
    """An interpreter of a version that runs, if there is one here."""
    for path in [*Path.home().glob(f".pyenv/versions/*/bin/python{version}"), shutil.which(f"python{version}")]:
        if path and subprocess.run([path, "-c", ""], capture_output=True, timeout=60).returncode == 0:
            return str(path)
    return None


@pytest.mark.parametrize("version", ["3.6", "3.8", "this one"])
def test_an_old_python_with_nothing_installed_compares_the_generated_files(checkout, version):
    python = sys.executable if version == "this one" else a_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here, which is the system's where Vivado may run")
    alone = checkout.root / "bin" / "alone"
    alone.write_text(f'#!/bin/sh\nexec {python} -I -S "$@"\n')
    alone.chmod(0o755)
    assert checkout.build("--stage", "hls", python=str(alone)).status == 0
    header = checkout.root / "hw" / "generated" / constants.SPEC_HEADER
    header.write_text(header.read_text() + "\n")
    assert f"stale: {constants.SPEC_HEADER} is not" in checkout.build("--stage", "hls", python=str(alone)).error
    recording.weights.save(recording.some_model(checkout.spec, seed=1), checkout.root / recording.MODEL_FILE)
    assert "is stale: it has build_id" in checkout.build("--stage", "hls", python=str(alone)).error


def test_the_comparison_is_written_for_the_oldest_python_that_is_promised():
    text = (recording.REPOSITORY / "hw" / "vivado" / "compare_generated.py").read_text()
    tree = ast.parse(text, feature_version=(3, 6))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"ast", "hashlib", "json", "sys", "zipfile", "pathlib"}  # all of them are in 3.6


def test_a_shipped_model_is_found_by_its_name(checkout):
    script = checkout.root / "hw" / "vivado" / "compare_generated.py"
    shutil.copytree(recording.REPOSITORY / "hw" / "generated", checkout.root / "committed")
    command = [sys.executable, "-I", str(script), _spec.DEFAULT_NETWORK, str(checkout.root / "committed")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed == f"compared: 0x{recording.weights.load().build_id:08x}\n"


def test_a_damaged_model_file_is_said_to_be_damaged(checkout):
    path = checkout.root / recording.MODEL_FILE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    assert "cannot compare hw/generated/ with the weights" in checkout.build("--stage", "hls").error


def test_without_python_only_an_explicit_wish_builds(shared):
    error = shared.build("--stage", "hls", python="/nowhere/python3").error
    assert "cannot compare hw/generated/ with the weights" in error and "--trust-generated" in error
    run = shared.build("--stage", "hls", python="/nowhere/python3", compare=False)
    assert run.status == 0 and run.errors.startswith("warning: hw/generated/ was not compared")


def test_a_missing_or_damaged_specification_is_named(checkout):
    path = checkout.root / "hw" / "generated" / constants.SPEC_TCL
    path.write_text(path.read_text().replace("variable beat_bits", "variable beats"))
    assert "has no beat_bits" in checkout.build("--stage", "design", compare=False).error
    path.write_text("namespace eval spec {")
    assert "is damaged" in checkout.build("--stage", "hls", compare=False).error
    path.unlink()
    assert f"{constants.SPEC_TCL}; `pynq-ee export` writes it" in checkout.build("--stage", "hls", compare=False).error


# Reports of the tools ------------------------------------------------------------------------------------------------


def tcl(part: str, script: str, **variables: str) -> str:
    """The output of a script that has one part of hw/vivado/ loaded."""
    folder = recording.REPOSITORY / "hw" / "vivado"
    lines = [f"source {{{folder / name}}}" for name in ("failure.tcl", part)]
    lines += [f"set {name} {{{value}}}" for name, value in variables.items()]
    lines.append(f"if {{[catch {{puts [{script}]}} message]}} {{puts $message}}")
    result = subprocess.run(["tclsh"], input="\n".join(lines), capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.strip()


def test_loops_are_read_from_both_forms_of_report():
    tagged = (
        "<profile><ModuleLoop><PipelineII>7</PipelineII></ModuleLoop><SummaryOfLoopLatency>"
        "<steps><TripCount><range><min>1</min></range></TripCount><PipelineII>1</PipelineII>"
        "<PipelineDepth>12</PipelineDepth><inner><TripCount>9</TripCount></inner></steps>"
        "<drain><TripCount>3</TripCount><PipelineII>2</PipelineII></drain></SummaryOfLoopLatency></profile>"
    )
    assert tcl("hls_reports.tcl", "hls_reports::loops $xml", xml=tagged) == "steps 1 12 inner {} {} drain 2 {}"
    named = (
        "<SummaryOfLoopLatency><Loop><Name>- steps </Name><TripCount>9</TripCount><PipelineII>1</PipelineII></Loop>"
        "<Loop><Name>drain</Name><TripCount>9</TripCount><PipelineII>3</PipelineII><PipelineDepth> 4 </PipelineDepth>"
        "<Empty/></Loop></SummaryOfLoopLatency>"
    )
    assert tcl("hls_reports.tcl", "hls_reports::loops $xml", xml=named) == "steps 1 {} drain 3 4"


@pytest.mark.parametrize(
    ("module", "process"),
    [
        ("trunk", "trunk"),
        ("trunk_Pipeline_each_beat", "trunk"),
        ("trunk_1_Pipeline_each_beat", "trunk"),
        ("fabric_trunk_s", "trunk"),
        ("unframe_Pipeline_drain", "unframe"),
        ("frame", "frame"),
        ("p_anonymous_namespace_frame_Pipeline_each_beat", "frame"),
        ("p_anonymous_namespace_unframe", "unframe"),
        ("p_anonymous_namespace_unframe_Pipeline_drain", "unframe"),
        ("p_anonymous_namespace_other_frame", "{}"),
        ("trunk_helper", "{}"),
        ("other", "{}"),
    ],
)
def test_a_module_is_known_as_part_of_its_process(module, process):
    names = " ".join(_spec.PIPELINE_DEPTHS)
    found = tcl("hls_reports.tcl", "list [hls_reports::process_of $module $names]", module=module, names=names)
    assert found == process


def test_registers_are_read_from_a_driver_header():
    header = (
        "#define XFIRST_EXIT_CONTROL_ADDR_AP_CTRL          0x00\n"
        "#define XFIRST_EXIT_CONTROL_ADDR_BUILD_ID_DATA    0x4C\n"
        "#define XFIRST_EXIT_CONTROL_BITS_BUILD_ID_DATA    32\n"
    )
    offsets = tcl("hls_reports.tcl", "hls_reports::header_offsets $text first_exit", text=header)
    assert offsets == "AP_CTRL 0 BUILD_ID_DATA 76"


@pytest.mark.parametrize(
    ("columns", "lut", "gap"),
    [
        ("Site Type | Used | Fixed | Available | Util%", "Slice LUTs*", ""),
        ("Site Type | Used | Fixed | Prohibited | Available | Util%", "CLB LUTs", " 0 |"),
    ],
)
def test_utilization_is_read_whatever_columns_the_release_has(columns, lut, gap):
    kind = lut.split()[0]
    rows = [(lut, "12"), (f"{kind} Registers", "34"), ("Block RAM Tile", "1.5"), ("DSPs", "7")]
    report = "\n".join([f"| {columns} |", *(f"| {name} | {used} | 0 |{gap} 99 | 1.0 |" for name, used in rows)])
    found = tcl("implement.tcl", "implement::utilization $report", report=report)
    counts = {"LUT": "12", "FF": "34", "BRAM": "1.5", "DSP": "7"}
    assert found == " ".join(f"{resource} {{used {used} available 99}}" for resource, used in counts.items())
