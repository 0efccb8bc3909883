"""The native engine equals NumPy on the boards' processors (emulated), and its memory accesses are clean.

The engine without Python, ``engine.h`` and ``decision.h``, is compiled with the flags of setup.py into a program that
checks every set of kernels against vectors written here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee import exits
from pynq_ee.bench.host import instructions, stored
from pynq_ee.exits import softmax_entropy
from pynq_ee.network import spec
from pynq_ee.remainder import packing

ROOT = Path(__file__).parents[3]
SOURCE = Path(__file__).with_name("native_self_test.cpp")
ROWS = 31
#: Compiler's prefix, emulator, processor, the kernels that it must run, best first, and what their
#: disassembly must show.
BOARDS = {
    "PYNQ-Z1 and Z2": ("arm-linux-gnueabihf", "qemu-arm", "cortex-a9", "neon", r"vmla\.i16\s+q"),
    "ZCU104 and KV260": ("aarch64-linux-gnu", "qemu-aarch64", "cortex-a53", "neon", r"mla\s+v\d+\.8h"),
}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("native") / "vectors.bin"
    path.write_bytes(b"".join(write_vectors()))
    return path


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For this machine, with the flags of the installation."""
    return compiled(needed("g++", "g++"), instructions.flags(arm=False), tmp_path_factory.mktemp("program"))


@pytest.mark.slow
@pytest.mark.parametrize("board", BOARDS)
def test_on_a_boards_processor_the_engine_equals_numpy_and_uses_its_vectors(
    board: str, vectors: Path, tmp_path: Path
) -> None:
    prefix, emulator, processor, kernels, pattern = BOARDS[board]
    compiler = needed(f"{prefix}-g++", f"g++-{prefix}")
    runner = needed(emulator, "qemu-user")
    flags = instructions.flags(arm=prefix.startswith("arm-"))
    program = compiled(compiler, [*flags, "-static"], tmp_path)
    assert run([runner, "-cpu", processor, str(program), str(vectors)]).startswith(f"{kernels}: ")
    assert re.search(pattern, run([f"{prefix}-objdump", "-d", "--no-show-raw-insn", str(program)]))


def test_on_this_machine_every_instruction_set_equals_numpy(program: Path, vectors: Path) -> None:
    assert run([str(program), str(vectors)]).endswith("ok\n")


def test_its_accesses_of_memory_are_clean_and_its_arithmetic_is_defined(vectors: Path, tmp_path: Path) -> None:
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    program = compiled(needed("g++", "g++"), [*instructions.flags(arm=False), *sanitizers], tmp_path)
    assert run([str(program), str(vectors)]).endswith("ok\n")


def test_a_wrong_logit_and_cut_vectors_are_noticed(program: Path, vectors: Path, tmp_path: Path) -> None:
    damages = {"wrong": damaged_bias, "short": lambda data: data[:-1], "long": lambda data: data + b"0"}
    for name, damage in damages.items():
        path = tmp_path / name
        path.write_bytes(damage(vectors.read_bytes()))
        finished = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert finished.returncode == (1 if name == "wrong" else 2)
        assert name != "wrong" or "MISMATCH" in finished.stdout


def write_vectors() -> Iterator[bytes]:
    """The file that native_self_test.cpp reads, piece by piece, little-endian."""
    classes = (spec.CLASSES, 3)
    yield stored.integers(ROWS, spec.CLASSES, len(spec.NETWORKS), len(classes))
    for seed, network in enumerate(spec.NETWORKS):
        images = np.random.default_rng(seed).integers(0, 256, (ROWS, 28, 28)).astype(np.uint8)
        yield from stored.network(models.random_model(seed, network=network), images)
    tables = softmax_entropy.exponentials(), softmax_entropy.logarithms()
    yield stored.integers(*map(len, tables))
    yield b"".join(table.astype("<u4").tobytes() for table in tables)
    for count in classes:
        yield from decision_vectors(count)


def decision_vectors(classes: int) -> Iterator[bytes]:
    """Logits in records with four bytes after them, as the circuit returns them: random ones, extremes, ties."""
    exponent, threshold = -6, 0.5
    logits = np.random.default_rng(classes).integers(-300, 300, (ROWS, classes)).astype("<i2")
    logits[0], logits[1, :2], logits[2, -1] = 0, (-32768, 32767), 32767
    logits[3, 1:] = logits[3, 0]
    entropy = exits.entropy(logits * 2.0**exponent)
    yield np.array([threshold], "<f8").tobytes()
    yield stored.integers(exponent, classes, 2 * classes + 4)
    yield np.concatenate([logits, np.full((ROWS, 2), -1, "<i2")], axis=1).tobytes()
    yield entropy.astype("<f8").tobytes()
    yield logits.argmax(1).astype("<i8").tobytes()
    yield exits.leaves(entropy, threshold).tobytes()


def damaged_bias(data: bytes) -> bytes:
    """Add as much to the first bias of the first network's last layer as moves a logit by 1."""
    layer = packing.stages(models.random_model(0, network=next(iter(spec.NETWORKS))))[0].connections[-1]
    bias = layer.bias.copy()
    bias[0] += 1 << layer.shift[0]
    assert data.count(layer.bias.tobytes()) == 1
    return data.replace(layer.bias.tobytes(), bias.tobytes())


def needed(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed (Debian's package {package})")
    return found


def compiled(compiler: str, flags: list[str], folder: Path) -> Path:
    program = folder / "native_self_test"
    include = [f"-I{ROOT / 'pynq_ee' / folder}" for folder in ("remainder", "bench/host/counted")]
    run([compiler, *flags, "-Wall", "-Wextra", "-Werror", *include, str(SOURCE), "-o", str(program)])
    return program


def run(command: list[str]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"
    return finished.stdout
