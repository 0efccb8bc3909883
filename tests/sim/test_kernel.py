"""The two kernels agree bit for bit, and the compiled one is built when it is needed, once, or says why not."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pynq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import patience
from pynq_ee.errors import ToolError
from pynq_ee.network import spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model
from pynq_ee.sim import SimulatedDevice, hardware_make, kernel_library
from pynq_ee.sim.kernel import Kernel, Run, hls_kernel, numpy_kernel


@pytest.fixture(scope="module", params=[8, 4], ids=["64 bit", "32 bit"])
def wide_model(request: pytest.FixtureRequest, random_model: Callable[..., Model]) -> Model:
    return random_model(seed=0, model_spec=spec.Spec(pixels_per_beat=request.param))


@pytest.fixture(scope="module")
def kernels(wide_model: Model) -> tuple[Kernel, Kernel]:
    return hls_kernel(wide_model), numpy_kernel(wide_model)


def assert_equal_runs(first: Run | None, second: Run | None) -> None:
    if first is None or second is None:
        assert first is second
        return
    assert first.consumed == second.consumed
    assert first.registers == second.registers
    np.testing.assert_array_equal(first.output, second.output)
    np.testing.assert_array_equal(first.output_last, second.output_last)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_compiled_kernel_is_the_numpy_one_on_any_input(
    kernels: tuple[Kernel, Kernel], wide_model: Model, data: st.DataObject
) -> None:
    image_beats = wide_model.spec.image_beats
    images = data.draw(st.integers(0, 3), "images")
    beats = data.draw(
        st.one_of(st.just(images * image_beats), st.integers(0, 4 * image_beats)),
        "beats",
    )
    last = np.zeros(beats, np.uint8)
    for position in data.draw(st.lists(st.integers(0, max(beats - 1, 0)), max_size=2), "TLAST"):
        last[position : position + 1] = 1
    mode = data.draw(st.sampled_from([0, spec.MODE_FEATURES]), "mode")
    margin = data.draw(
        st.one_of(st.sampled_from([0, 1, 65534, 65535]), st.integers(0, 65535), st.integers(0, 300)), "m"
    )
    generator = np.random.default_rng(data.draw(st.integers(0, 1000), "seed"))
    words = generator.integers(0, 256, (beats, wide_model.spec.beat_bytes)).astype(np.uint8)
    compiled, readable = kernels
    assert_equal_runs(compiled(words, last, images, mode, margin), readable(words, last, images, mode, margin))


@pytest.mark.parametrize("features", [False, True], ids=["logits", "features"])
def test_a_full_batch_ends_with_one_tlast(kernels: tuple[Kernel, Kernel], wide_model: Model, features: bool) -> None:
    beats = 2 * wide_model.spec.image_beats
    last = np.zeros(beats, np.uint8)
    last[-1] = 1
    words = np.random.default_rng(1).integers(0, 256, (beats, wide_model.spec.beat_bytes)).astype(np.uint8)
    for kernel in kernels:
        run = kernel(words, last, 2, int(features), spec.FEATURES_ALWAYS)
        assert run is not None
        assert np.flatnonzero(run.output_last).tolist() == [2 * wide_model.spec.output_beats(features) - 1]
        assert len(run.output) == len(run.output_last)


def test_both_kernels_bring_the_same_through_the_simulated_board(
    model: Model, images: Callable[[int], npt.NDArray[np.uint8]]
) -> None:
    sent, results = images(20), []
    for kernel in ("numpy", "hls"):
        with SimulatedDevice(model, kernel=kernel) as device:
            overlay = pynq.Overlay(device.bitfile, device=device)
            buffer = device.allocate(sent.shape, np.uint8)
            received = device.allocate((len(sent), model.spec.output_bytes(True)), np.uint8)
            buffer[:] = sent
            overlay.axi_dma.recvchannel.transfer(received)
            overlay.first_exit.write(REGISTER_OFFSET["num_images"], len(sent))
            overlay.first_exit.write(REGISTER_OFFSET["mode"], spec.MODE_FEATURES)
            overlay.first_exit.write(REGISTER_OFFSET["feature_margin"], spec.FEATURES_ALWAYS)
            overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
            overlay.axi_dma.sendchannel.transfer(buffer)
            overlay.axi_dma.recvchannel.wait()
            assert overlay.first_exit.read(REGISTER_OFFSET["build_id"]) == model.build_id
            assert kernel in device.name
            results.append(bytes(received))
    assert results[0] == results[1]


def test_a_kernel_of_ones_own_is_taken_and_named(model: Model) -> None:
    def broken(_: Model) -> Kernel:
        return lambda beats, last, images, mode, margin: None

    with SimulatedDevice(model, kernel=broken) as device:
        overlay = pynq.Overlay(device.bitfile, device=device)
        overlay.first_exit.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
        assert overlay.first_exit.read(0) == spec.CTRL_START
        assert device.name == "simulated pynq-z2 (broken kernel)"


# Building ------------------------------------------------------------------------------------------------------------


MAKEFILE = """\
lib:
	mkdir -p $(BUILD)
	echo built >> "$$COUNT"
	grep -q build_id $(GENERATED)/first_exit_spec.h
	$(or $(CXX),g++) -shared -fPIC -o $(BUILD)/libfirst_exit.so hls/kernel.cpp
"""
SOURCE = 'extern "C" unsigned first_exit_beat_bytes() { return 8; }\nextern "C" int first_exit_run() { return 7; }\n'


@pytest.fixture
def hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small hw/ in place of the real one, and a cache of its own."""
    directory = tmp_path / "hw"
    (directory / "hls").mkdir(parents=True)
    (directory / "Makefile").write_text(MAKEFILE)
    (directory / "hls" / "kernel.cpp").write_text(SOURCE)
    for module in (kernel_library, hardware_make):
        monkeypatch.setattr(module, "hardware_folder", lambda: directory)
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AP_TYPES", str(tmp_path))  # these sources need no headers
    return directory


def builds(hardware: Path) -> int:
    return len((hardware.parent / "count").read_text().splitlines())


def test_a_library_is_built_once_and_named_by_its_build_id(hardware: Path, model: Model) -> None:
    path = kernel_library.library(model)
    assert path == kernel_library.library(model)
    assert builds(hardware) == 1
    assert f"{model.build_id:08x}" in path.name
    assert [entry.name for entry in path.parent.iterdir()] == [path.name], "nothing else is left"


def test_a_changed_source_or_another_model_is_another_library(
    hardware: Path, model: Model, random_model: Callable[..., Model]
) -> None:
    paths = {kernel_library.library(model), kernel_library.library(random_model(seed=1))}
    (hardware / "hls" / "kernel.cpp").write_text(SOURCE + "// changed\n")
    paths.add(kernel_library.library(model))
    (hardware / "hls" / "tb").mkdir()
    (hardware / "hls" / "tb" / "new.h").write_text("")
    paths.add(kernel_library.library(model))
    assert len(paths) == builds(hardware) == 4


def test_several_that_build_at_once_all_get_a_whole_library(hardware: Path, model: Model) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(kernel_library.library(model))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 4
    kernel_library.load(found[0], 8)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PYNQ_EE_CACHE": "{}/chosen", "XDG_CACHE_HOME": "{}/xdg"}, "chosen"),
        ({"PYNQ_EE_CACHE": "", "XDG_CACHE_HOME": "{}/xdg"}, "xdg/pynq_ee"),
        ({"PYNQ_EE_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "{}/home"}, "home/.cache/pynq_ee"),
    ],
)
def test_the_cache_is_where_the_user_says(
    hardware: Path,
    model: Model,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    variables: dict[str, str],
    expected: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp_path))
    assert kernel_library.library(model).parent == tmp_path / expected


def test_a_failed_compilation_shows_what_the_compiler_said(hardware: Path, model: Model) -> None:
    (hardware / "hls" / "kernel.cpp").write_text("int kernel( { return nonsense; }\n")
    with pytest.raises(ToolError, match=r"(?s)cannot be compiled.*kernel=\"numpy\".*kernel\.cpp:1"):
        kernel_library.library(model)
    assert not list((hardware.parent / "cache").iterdir()), "nothing is left of the attempt"


@pytest.mark.parametrize("present", [(), ("make",), ("g++",)], ids=["neither", "no compiler", "no make"])
def test_missing_tools_are_named_with_the_command_that_installs_them(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, present: tuple[str, ...]
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in present:
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("CXX", raising=False)
    missing = " and ".join(tool for tool in ("make", "g\\+\\+") if tool.replace("\\", "") not in present)
    with pytest.raises(ToolError, match=rf"needs {missing}, not found.*apt install make g\+\+.*kernel=\"numpy\""):
        kernel_library.library(model)


def test_missing_headers_are_named_with_the_package_that_has_them(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware_make.importlib.util, "find_spec", lambda name: None)
    monkeypatch.delenv("AP_TYPES", raising=False)
    with pytest.raises(ToolError, match=r"hls4ml ships; pip install 'pynq_ee\[sim\]'.*kernel=\"numpy\""):
        kernel_library.library(model)


def test_the_makefile_finds_the_same_headers_when_it_is_called_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AP_TYPES", "")
    environment = {name: value for name, value in os.environ.items() if name not in ("AP_TYPES", "MAKEFLAGS")}
    said = subprocess.run(
        ["make", "-pn", "-C", str(hardware_make.hardware_folder()), "ap_types", f"PYTHON={sys.executable}"],
        env=environment,
        capture_output=True,
        text=True,
    ).stdout
    assert f"-isystem '{hardware_make.headers()}'" in said or f"test -f '{hardware_make.headers()}/ap_int.h'" in said


def test_a_cache_that_cannot_be_written_is_named(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ToolError, match="set PYNQ_EE_CACHE to a writable directory"):
        kernel_library.library(model)


def test_a_damaged_library_is_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged.so"
    path.write_bytes(b"\x7fELF")
    with pytest.raises(ToolError, match=r"damaged.so cannot be loaded .*built for another system"):
        kernel_library.load(path, 8)


def test_a_library_for_another_width_is_refused(hardware: Path, model: Model) -> None:
    with pytest.raises(ToolError, match="beats of 8 bytes, the model's have 4"):
        kernel_library.load(kernel_library.library(model), 4)


# The cache -----------------------------------------------------------------------------------------------------------


def whole(path: Path, model: Model) -> bool:
    """Whether a library of the small hw/ answers."""
    return kernel_library.load(path, model.spec.beat_bytes) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "character", [" ", "$(x)", "#", "%", ":", "'", '"', "\n", "ü", "\udcff", "-", "\\", "*", ";"], ids=ascii
)
@pytest.mark.parametrize("what", ["cache", "checkout", "TMPDIR", "headers"])
def test_any_path_will_do(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str, character: str
) -> None:
    odd = tmp_path / f"{character}odd{character}"
    odd.mkdir()
    if what == "cache":
        monkeypatch.setenv("PYNQ_EE_CACHE", str(odd / "cache"))
    elif what == "checkout":
        moved = hardware.rename(odd / "hw")
        for module in (kernel_library, hardware_make):
            monkeypatch.setattr(module, "hardware_folder", lambda: moved)
    elif what == "TMPDIR":
        monkeypatch.setenv("TMPDIR", str(odd))
    else:
        (odd / "ap_int.h").write_text("constexpr int width = 8;\n")
        (hardware / "hls" / "kernel.cpp").write_text(
            "#include <ap_int.h>\n" + SOURCE.replace("return 8", "return width")
        )
        (hardware / "Makefile").write_text(MAKEFILE.replace("-shared", "-I$(AP_TYPES) -shared"))
        monkeypatch.setenv("AP_TYPES", str(odd))
    path = kernel_library.library(model)
    # In another process: what is loaded stays loaded, and threadpoolctl cannot read the names of loaded libraries then.
    loads = multiprocessing.get_context("fork").Process(target=kernel_library.load, args=(path, model.spec.beat_bytes))
    loads.start()
    loads.join(patience.seconds(60))
    assert loads.exitcode == 0


@pytest.mark.parametrize("name", ["cache", "./cache", "../{}/cache", "-cache"])
def test_a_relative_cache_is_one_of_the_folder_that_it_was_named_in(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYNQ_EE_CACHE", name.format(tmp_path.name))
    path = kernel_library.library(model)
    assert path.is_absolute() and path.parent.resolve().parent == tmp_path and whole(path, model)


@pytest.mark.parametrize("compiler", [None, "", " ", "g++", "g++ -g", "clang++", "ccache g++", "'{}/my tools/g++'"])
def test_the_compiler_is_what_the_shell_makes_of_CXX(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, compiler: str | None
) -> None:
    for tool in ("clang++", "ccache"):
        if compiler and tool in compiler and not shutil.which(tool):
            pytest.skip(f"no {tool} here: apt install {tool.rstrip('+')}")
    (tmp_path / "my tools").mkdir()
    (tmp_path / "my tools" / "g++").symlink_to(shutil.which("g++"))
    if compiler is None:
        monkeypatch.delenv("CXX", raising=False)
    else:
        monkeypatch.setenv("CXX", compiler.format(tmp_path))
    monkeypatch.setenv("CCACHE_DIR", str(tmp_path / "ccache"))
    (hardware / "Makefile").write_text("ifeq ($(strip $(CXX)),)\noverride CXX := g++\nendif\n" + MAKEFILE)
    assert whole(kernel_library.library(model), model)


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        ("no-such++ -O2", r"needs no-such\+\+, not found on the PATH \(the variable CXX names it\)"),
        ("'g++", "no shell can"),
    ],
)
def test_a_compiler_that_is_none_is_named(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, compiler: str, message: str
) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(ToolError, match=message):
        kernel_library.library(model)


def test_flags_and_files_of_a_make_above_do_not_reach_the_build(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other.mk").write_text("$(error read)\n")
    for name, value in {
        "MAKEFLAGS": " -n --jobserver-auth=3,4 -- BUILD=/nowhere",
        "GNUMAKEFLAGS": "-n",
        "MAKEFILES": str(tmp_path / "other.mk"),
        "BUILD": "/nowhere",
        "GENERATED": "/nowhere",
    }.items():
        monkeypatch.setenv(name, value)
    assert whole(kernel_library.library(model), model)


@pytest.mark.parametrize(
    "damage", ["cut short", "empty", "altered", "another system's", "another user's", "unreadable"]
)
def test_a_library_that_cannot_be_trusted_is_built_again(hardware: Path, model: Model, damage: str) -> None:
    path = kernel_library.library(model)
    content = path.read_bytes()
    if damage == "cut short":
        path.write_bytes(content[:-100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "altered":
        path.write_bytes(content[:2000] + bytes([content[2000] ^ 1]) + content[2001:])
    elif damage == "another system's":  # whole, and of an ELF machine that does not exist
        foreign = content[:18] + b"\xff\xfe" + content[20:-32]
        path.write_bytes(foreign + hashlib.sha256(foreign).digest())
    elif damage == "another user's":
        if os.geteuid():
            pytest.skip("only root can give a file to another user")
        os.chown(path, 54321, 54321)
    else:
        path.unlink()
        path.symlink_to("/proc/self/mem")
    kernel_library.function(model)
    assert builds(hardware) == 2
    assert kernel_library.library(model) == path and builds(hardware) == 2 and whole(path, model)


def test_what_was_just_built_and_cannot_be_loaded_is_not_built_for_ever(hardware: Path, model: Model) -> None:
    undefined = SOURCE.replace("return 8", "return missing()").replace("extern", "unsigned missing();\nextern", 1)
    (hardware / "hls" / "kernel.cpp").write_text(undefined)
    (hardware / "Makefile").write_text(MAKEFILE.replace("-shared", "-Wl,-z,now -shared"))
    with pytest.raises(ToolError, match=r"cannot be loaded \(.*missing") as raised:
        kernel_library.function(model)
    assert "delete" not in str(raised.value) and builds(hardware) == 2


def test_a_cache_from_which_no_program_may_run_is_named_before_anything_is_compiled(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    noexec = type("Found", (), {"f_flag": os.ST_NOEXEC})
    monkeypatch.setattr(kernel_library.os, "statvfs", lambda path: noexec)
    with pytest.raises(ToolError, match=r"mounted noexec.*set PYNQ_EE_CACHE"):
        kernel_library.library(model)
    assert not (hardware.parent / "count").exists()


def test_a_user_without_a_home_has_a_cache_in_the_folder_of_temporary_files(
    hardware: Path, model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PYNQ_EE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setenv("HOME", "/proc/nonexistent")
    path = kernel_library.library(model)
    assert path.parent == tmp_path / "temporary" / f"pynq_ee-{os.geteuid()}" and whole(path, model)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_clang_compiles_the_real_kernel_in_a_folder_with_an_odd_name(
    model: Model, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not shutil.which("clang++"):
        pytest.skip("no clang++ here: apt install clang")
    monkeypatch.setenv("PYNQ_EE_CACHE", str(tmp_path / "my $(cache) #1 'x'"))
    monkeypatch.setenv("CXX", "clang++")
    monkeypatch.setenv("CXXFLAGS", "-O0")
    assert kernel_library.function(model) is not None


def test_the_kernels_sources_are_found_in_a_checkout() -> None:
    directory = kernel_library.hardware_folder()
    assert (directory / "hls" / "tb" / "library.h").is_file()
    assert os.access(directory / "Makefile", os.R_OK)
