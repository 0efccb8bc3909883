"""What the doctor finds, and what it says to do about it."""

from __future__ import annotations

import importlib.machinery
import re
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from pynq_ee.commands import checks
from pynq_ee.commands.checks import Finding
from pynq_ee.driver import bit_header, bitfiles, requirements
from pynq_ee.errors import ToolError
from pynq_ee.generate import hwh
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import weights
from pynq_ee.network.spec import BOARDS
from pynq_ee.network.weights import Model
from pynq_ee.sim import bitfile, recorded_designs


@pytest.fixture(scope="module")
def shipped() -> Model:
    """The shipped model."""
    return weights.load(weights.DEFAULT)


@pytest.fixture
def no_overlays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder where overlays are looked for."""
    monkeypatch.setattr(bitfiles, "OVERLAY_FOLDERS", (tmp_path / "overlays",))
    (tmp_path / "overlays").mkdir()
    return tmp_path / "overlays"


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Let packages be not installed, as far as the doctor sees."""

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name in packages else importlib.machinery.ModuleSpec(name, None)

    monkeypatch.setattr(checks, "find_spec", find_spec)
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3")


def test_every_finding_that_is_not_ok_comes_with_a_remedy(shipped: Model) -> None:
    findings = checks.examine(shipped)
    assert {finding.state for finding in findings} <= {"ok", "warn", "fail"}
    assert [finding.check for finding in findings if finding.state != "ok" and not finding.remedy] == []


def test_without_any_bitstream_one_line_says_so(shipped: Model, no_overlays: Path) -> None:
    (finding,) = checks.check_overlays(shipped)
    assert (finding.check, finding.state) == ("overlay", "warn")


@pytest.mark.parametrize(("on_board", "state"), [(True, "fail"), (False, "warn")])
def test_what_only_a_board_needs_fails_on_a_board(
    on_board: bool, state: str, shipped: Model, no_overlays: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_FPGA_MANAGER", tmp_path if on_board else tmp_path / "none")
    monkeypatch.setattr(checks.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(checks.Path, "read_text", lambda path: "MemTotal: 8 kB")
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    several = (checks.check_overlays, checks.check_permissions, checks.check_memory)
    assert {check(shipped)[0].state for check in several} == {state}
    (no_overlays / "first_exit.bit").write_bytes(b"no bitstream")
    assert checks.check_overlays(shipped)[0].state == state


def test_a_bitstream_is_judged_by_the_build_id_in_its_header(
    shipped: Model, no_overlays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    for build_id, state in ((shipped.build_id, "ok"), (shipped.build_id ^ 1, "fail"), (bit_header.NO_USER_ID, "warn")):
        hwh.write(recorded_designs.load("pynq-z2", shipped.spec.beat_bits), no_overlays / "first_exit.hwh")
        bitfile.write(no_overlays / "first_exit.bit", "first_exit", BOARDS["pynq-z2"].part, b"bits", build_id)
        (finding,) = checks.check_overlays(shipped)
        assert finding.state == state, finding


def test_an_experimental_overlay_is_told_beside_the_others_and_never_counts_as_one(
    shipped: Model, no_overlays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOARD", "Pynq-Z2")
    folder = no_overlays / "open" / "pynq-z2"
    folder.mkdir(parents=True)
    hwh.write(recorded_designs.load("pynq-z2", shipped.spec.beat_bits), folder / "first_exit.hwh")
    for build_id, found in ((shipped.build_id, "experimental"), (shipped.build_id ^ 1, "cannot be used")):
        bitfile.write(folder / "first_exit.bit", "first_exit", BOARDS["pynq-z2"].part, b"bits", build_id)
        first, second = checks.check_overlays(shipped)
        assert (first.check, first.found) == ("overlay", "no bitstream of Vivado is installed")
        assert (second.check, second.state) == ("overlay pynq-z2, open", "warn") and found in second.found
    bitfile.write(no_overlays / "first_exit.bit", "first_exit", BOARDS["pynq-z2"].part, b"bits", shipped.build_id)
    hwh.write(recorded_designs.load("pynq-z2", shipped.spec.beat_bits), no_overlays / "first_exit.hwh")
    assert [finding.state for finding in checks.check_overlays(shipped)] == ["ok", "warn"]


def test_on_a_board_only_its_own_overlay_is_looked_at(
    shipped: Model, no_overlays: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (no_overlays / "first_exit.bit").write_bytes(b"no bitstream")
    monkeypatch.setenv("BOARD", "ZCU104")
    assert [finding.check for finding in checks.check_overlays(shipped)] == ["overlay zcu104"]
    monkeypatch.delenv("BOARD")
    assert len(checks.check_overlays(shipped)) == len(bitfiles.BOARDS)


@pytest.mark.parametrize("package", ["hls4ml", "mlxtend", "matplotlib"])
def test_what_the_demo_needs_is_named_where_it_is_missing(
    shipped: Model, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide(monkeypatch, package)
    states = {finding.check: finding for finding in checks.check_simulation(shipped)}
    remedy = states.pop(package).remedy
    assert re.search(rf"pip install .*{package}", remedy)
    assert ("--no-deps" in remedy) == (package != "matplotlib")  # else a board's NumPy would be replaced
    assert {finding.found for finding in states.values()} == {"1.2.3"}


def test_verilator_is_named_with_what_needs_it_where_it_is_missing(
    shipped: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (finding,) = checks.check_verilator(shipped)
    assert finding.state == "warn" and "sim-rtl" in finding.remedy and "apt install verilator" in finding.remedy
    (tmp_path / "verilator").touch(mode=0o755)
    assert checks.check_verilator(shipped)[0].state == "ok"


@pytest.mark.parametrize(
    ("image", "state", "remedy"), [(True, "fail", "sudo -i"), (False, "warn", "software needs none")]
)
def test_a_python_without_pynq_beside_that_of_the_image_is_told_apart(
    shipped: Model, image: bool, state: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    monkeypatch.setattr(checks, "_PYNQ_PYTHON", tmp_path / "python3")
    if image:
        (tmp_path / "python3").touch()
    (finding,) = checks.check_pynq(shipped)
    assert finding.state == state and remedy in finding.remedy


@pytest.mark.parametrize(
    ("engines", "state"), [(["numpy", "native"], "ok"), (["numpy"], "warn"), (["numpy", "torch"], "warn")]
)
def test_a_missing_native_engine_is_a_warning(
    shipped: Model, engines: list[str], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.remainder, "available", lambda: engines)
    finding, software = checks.check_engines(shipped)
    assert finding.state == state
    assert software.check == "device software" and ("native" in software.found) == ("native" in engines)


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_no_check_needs_a_board(check: Callable[[Model], list[Finding]], shipped: Model) -> None:
    assert all(isinstance(finding, Finding) for finding in check(shipped))


def test_the_packages_that_pynq_limits_are_checked_and_setup_asks_for_the_same(
    shipped: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {finding.state for finding in checks.check_packages(shipped)} == {"ok"}
    releases = {"numpy": "2.2.6", "pillow": "9.0.0", "pycparser": "3.0"}
    monkeypatch.setattr(metadata, "version", releases.__getitem__)
    found = {finding.check: finding for finding in checks.check_packages(shipped)}
    assert {name: finding.found for name, finding in found.items()} == releases
    assert {finding.state for finding in found.values()} == {"fail"}
    assert "pynq's buffers" in found["numpy"].remedy and "pip install 'numpy>=1.21,<2'" in found["numpy"].remedy
    assert "pip install 'pycparser<3'" in found["pycparser"].remedy
    setup = (Path(checks.__file__).parents[2] / "setup.py").read_text()
    assert all(f'"{required.asked}"' in setup for required in requirements.REQUIREMENTS)


def test_with_a_numpy_that_pynq_cannot_use_no_device_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements.np, "__version__", "2.2.6")
    with pytest.raises(ToolError, match=r"NumPy 2\.2\.6 is installed, .*pip install 'numpy>=1\.21,<2'"):
        EarlyExitInference(device="sim-numpy")


def test_a_later_python_is_told_why_it_is_none(shipped: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.sys, "version_info", (3, 13, 0))
    (finding,) = checks.check_python(shipped)
    assert finding.state == "warn" and "no wheels for a later Python" in finding.remedy
