"""hw/build.tcl --kernel rtl under tclsh, with Vivado and its IP packager recorded."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import BOARDS, Spec

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "recorder"))

import design_rules
import recording
from recording import Checkout

pytestmark = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh; install the package tcl")

RTL = ("--kernel", "rtl")
PACKAGER = "vivado/rtl_kernel.tcl"
KERNEL = "rtl/first_exit.sv"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A checkout without an HLS tool that the tests of this module leave as it is."""
    return Checkout(tmp_path_factory.mktemp("checkout"), tools=(), rtl=True)


@pytest.fixture
def checkout(tmp_path):
    """A checkout of one test's own, to be edited."""
    return Checkout(tmp_path, tools=(), rtl=True)


def packaged(checkout: Checkout, board: str = "pynq-z2") -> Path:
    return checkout.root / "hw" / "build" / board / "rtl" / "ip"


# The design ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", recording.PIXELS_PER_BEAT)
@pytest.mark.parametrize("board", BOARDS)
def test_the_design_is_the_one_with_the_hls_kernel_but_for_the_kernels_name(tmp_path, board, pixels):
    spec = Spec(pixels_per_beat=pixels)
    run = Checkout(tmp_path, spec, tools=(), rtl=True).build(*RTL, "--board", board, "--stage", "design", compare=False)
    assert run.status == 0, run.errors
    assert design_rules.violations(run.design, spec, BOARDS[board]) == []
    run.design.pop("details")
    text = json.dumps(run.design, indent=1) + "\n"
    assert text.count(_spec.KERNEL_VLNVS["rtl"]) == 1
    recorded = recording.REPOSITORY / "pynq_ee" / "sim" / "designs" / recording.description_name(board, pixels)
    assert text.replace(_spec.KERNEL_VLNVS["rtl"], _spec.KERNEL_VLNVS["hls"]) == recorded.read_text()


@pytest.mark.parametrize(
    ("file", "old", "new", "violation"),
    [
        (KERNEL, "input wire ap_rst_n,", "input wire ap_rst_n, input wire more,", "pin first_exit/more is connected 0"),
        (KERNEL, "input wire results_TREADY)",
         "input wire results_TREADY, output wire more_TDATA, output wire more_TVALID, input wire more_TREADY)",
         "interface first_exit/more is connected 0"),
        (PACKAGER, "ASSOCIATED_BUSIF s_axi_control:images:results", "ASSOCIATED_BUSIF s_axi_control:images",
         "interface first_exit/results has no clock pin"),
        ("build/rtl-reference/first_exit_model.sv", "localparam BEAT_BITS = 64;", "localparam BEAT_BITS = 32;",
         "axi_dma/M_AXIS_MM2S is 64 bit wide, first_exit/images is 32"),
    ],
)  # fmt: skip
def test_a_wrong_kernel_breaks_a_rule_of_the_design(checkout, file, old, new, violation):
    checkout.edit(file, old, new)
    run = checkout.build(*RTL, "--board", "pynq-z2", "--stage", "design", compare=False)
    assert run.status == 0, run.errors
    found = design_rules.violations(run.design, checkout.spec, BOARDS["pynq-z2"])
    assert any(violation in sentence for sentence in found), found


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (KERNEL, "output wire images_TREADY,", "output wire images_ready,",
         "found no interface images among the ports"),
        (KERNEL, "output wire [1:0] s_axi_control_BRESP,", "output wire [1:0] s_axi_control_BRES,",
         "found no interface s_axi_control among the ports"),
        (KERNEL, "output wire interrupt,", "output wire irq,", "found no interface interrupt among the ports"),
        (KERNEL, "input wire ap_clk,", "input logic ap_clk,", "'input logic ap_clk'"),
        (KERNEL, "input wire [31:0] s_axi_control_WDATA", "input wire [spec::WORD-1:0] s_axi_control_WDATA",
         "first_exit_model.sv has no WORD; it is of another version: run `make -C hw rtl`"),
        (PACKAGER, "    set_property range [spec::get kernel_range] $block\n", "", "is 256 bytes, not 65536"),
        (PACKAGER, "    ipx::update_checksums $core\n", "", "checksums are not those of its files"),
        (PACKAGER, "    set_property version $version $core\n", "",
         "no pynq_ee:rtl:first_exit:2.0 (pynq_ee:rtl:first_exit:1.0 instead); that is the kernel of --kernel rtl"),
        (PACKAGER, "-import_files", "-import_file", "ipx::package_project has no option -import_file"),
        (PACKAGER, "ipx::save_core", "ipx::save", 'invalid command name "ipx::save"'),
        (PACKAGER, "[top].v]", "[top].sv]", "is SystemVerilog"),
        (PACKAGER, "    close_design\n", "", "a design is open"),
        ("build.tcl", "    close_project\n", "", "a project is open already"),
    ],
)  # fmt: skip
def test_what_the_packager_does_not_take_is_refused(checkout, file, old, new, message):
    checkout.edit(file, old, new)
    run = checkout.build(*RTL, "--stage", "design", compare=False)
    assert message in run.error
    assert run.design is None


def test_the_ip_has_the_registers_of_the_specification(shared):
    assert shared.build(*RTL, "--stage", "rtl", compare=False).status == 0
    lines = (packaged(shared) / "recorded_registers.txt").read_text().splitlines()
    assert [line.split() for line in lines] == [[one.name, f"0x{one.offset:02x}", "32"] for one in _spec.REGISTERS]


@pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
@pytest.mark.parametrize("pixels", recording.PIXELS_PER_BEAT)
def test_the_packaged_files_are_a_whole_circuit_and_no_more(tmp_path, pixels):
    checkout = Checkout(tmp_path, Spec(pixels, 1, 2, 2, 2), tools=(), rtl=True)  # narrow: it is read many times
    assert checkout.build(*RTL, "--stage", "rtl", compare=False).status == 0
    folder = packaged(checkout) / "src"
    sources = re.search(r"variable sources \{(.*?)\}", (checkout.root / "hw" / PACKAGER).read_text(), re.DOTALL)
    files = ["first_exit_model.sv", *(f"{name}.sv" for name in sources[1].split()), "first_exit_ip.v"]
    assert sorted(files) == sorted(path.name for path in folder.iterdir())

    # Not in their folder, in which Verilator would look for a module that is not given.
    def lint(names: list[str]) -> subprocess.CompletedProcess:
        options = ["--lint-only", "-Wno-fatal", "--top-module", "first_exit_ip"]
        return subprocess.run(
            ["verilator", *options, *(folder / name for name in names)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    whole = lint(files)
    assert whole.returncode == 0, whole.stderr
    # The wrapper joins every port, in its width.
    assert not re.search(r"%Warning-(PINMISSING|WIDTH\w*): \S*first_exit_ip", whole.stderr), whole.stderr
    for name in files[:-1]:
        assert lint([one for one in files if one != name]).returncode, f"{name} is not needed"


# A build -------------------------------------------------------------------------------------------------------------


def test_without_an_hls_tool_an_overlay_is_published_whose_manifest_tells_its_kernel(checkout):
    run = checkout.build(*RTL, "--board", "pynq-z2")
    assert (run.status, run.errors) == (0, "")
    assert "Vivado counts: 23456 of 53200 LUT" in run.output
    manifest = json.loads((checkout.overlay / "manifest.json").read_text())
    assert (manifest["kernel"], manifest["tools"], manifest["rate_missed"]) == ("rtl", {"vivado": "2022.1"}, [])
    assert manifest["compared_with_weights"] is True
    files = [path for path in (packaged(checkout) / "src").iterdir() if path.suffix == ".sv"]
    assert manifest["kernel_sha256"] == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_stage_of_the_rtl_ends_with_its_ip(shared):
    run = shared.build(*RTL, "--stage", "rtl", compare=False)
    assert run.status == 0 and f"IP: {packaged(shared)}" in run.output and run.design is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kernel", "vhdl"], "unknown kernel 'vhdl'; known are hls, rtl"),
        ([*RTL, "--stage", "hls"], "unknown stage 'hls'; known are rtl, design, bitstream"),
        (["--stage", "rtl"], "unknown stage 'rtl'; known are hls, design, bitstream"),
        ([*RTL, "--allow-rate"], "--allow-rate is for loops that HLS schedules; --kernel rtl has none"),
    ],
)
def test_a_wrong_argument_is_named(shared, arguments, message):
    assert message in shared.build(*arguments, compare=False).error


def test_help_names_both_kernels(shared):
    assert "--kernel KERNEL" in shared.build("--help", recorded=False, compare=False).output


def test_even_the_stage_of_the_rtl_needs_vivado(shared):
    assert "this is not Vivado" in shared.build(*RTL, "--stage", "rtl", compare=False, recorded=False).error


def test_a_kernel_that_does_not_fit_ends_the_build_before_the_design(checkout):
    run = checkout.build(*RTL, compare=False, vivado={"kernel.LUT": "60000"})
    assert "Vivado counts 60000 LUT, the part has 53200: `pynq-ee export MODEL --pixels-per-beat 4" in run.error
    assert "--clock" not in run.error and "--allow-area" in run.error
    run = checkout.build(*RTL, "--allow-area", "--stage", "rtl", compare=False, vivado={"kernel.LUT": "60000"})
    assert run.status == 0 and "(--allow-area)" in run.errors


def test_a_failed_synthesis_names_the_stage(shared):
    error = shared.build(*RTL, "--stage", "rtl", compare=False, vivado={"synth_design": "0"}).error
    assert "packaging the RTL failed" in error and "the recorded failure" in error


# Stale files ---------------------------------------------------------------------------------------------------------


def test_without_the_verilog_of_the_model_the_build_says_how_to_write_it(checkout):
    checkout.verilog.unlink()
    error = checkout.build(*RTL).error
    assert f"the Verilog of the model is missing: no {checkout.verilog}; run `make -C hw rtl MODEL=" in error


def test_the_verilog_of_another_model_is_stale(checkout):
    other = recording.some_model(checkout.spec, seed=1)
    checkout.verilog.write_text(recording.verilog.generated(other))
    error = checkout.build(*RTL, compare=False).error
    assert f"stale: {checkout.verilog} has build_id 0x{other.build_id:08x}, hw/generated/ has 0x" in error
    checkout.verilog.write_text("module spec;\n")
    assert "does not say its build_id" in checkout.build(*RTL, compare=False).error


def test_edited_verilog_is_stale(checkout):
    checkout.verilog.write_text(checkout.verilog.read_text().replace("IMAGE_BEATS = 98", "IMAGE_BEATS = 97"))
    error = checkout.build(*RTL).error
    assert "stale: " in error and "first_exit_model.sv is not what `make -C hw rtl MODEL=" in error
    assert checkout.build(*RTL, "--stage", "rtl", compare=False).status == 0  # --trust-generated


def test_make_writes_what_the_build_reads(tmp_path):
    if shutil.which("make") is None:
        pytest.skip("no make")
    checkout = Checkout(tmp_path, tools=())
    command = ["make", "-s", "-C", str(recording.REPOSITORY / "hw"), "rtl", f"BUILD={tmp_path / 'hw' / 'build'}"]
    model = f"MODEL={tmp_path / recording.MODEL_FILE}"
    subprocess.run([*command, model, f"PYTHON={sys.executable}"], check=True, timeout=120)
    assert checkout.verilog.read_text() == recording.verilog.generated(checkout.model)
    assert checkout.build(*RTL, "--stage", "rtl").status == 0
