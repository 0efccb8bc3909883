"""The native engine agrees with NumPy on the boards' processors (emulated), and its memory accesses are clean.

The engine without Python, ``native_engine.h``, is compiled with the flags of setup.py into a program that checks it
against vectors written here.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import models
from pynq_ee import exits, remainder
from pynq_ee.network import fabric, spec
from pynq_ee.remainder.packing import packed_layers

ROOT = Path(__file__).parents[3]
SOURCE = Path(__file__).with_name("native_self_test.cpp")
ROWS = 31
#: As of :data:`pynq_ee.remainder.native.ENTROPY_TOLERANCE`, which needs the compiled engine.
ENTROPY_TOLERANCE = 1e-12

#: Compiler's prefix, emulator, processor, what its disassembly must show: four floats multiplied and added at once.
BOARDS = {
    "PYNQ-Z1 and Z2": ("arm-linux-gnueabihf", "qemu-arm", "cortex-a9", r"vmla\.f32\s+q"),
    "ZCU104 and KV260": ("aarch64-linux-gnu", "qemu-aarch64", "cortex-a53", r"fmla\s+v\d+\.4s"),
}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("native") / "vectors.bin"
    path.write_bytes(b"".join(write_vectors()))
    return path


@pytest.mark.parametrize("board", BOARDS)
def test_on_a_boards_processor_the_engine_agrees_with_numpy_and_uses_its_vectors(
    board: str, vectors: Path, tmp_path: Path
) -> None:
    prefix, emulator, processor, pattern = BOARDS[board]
    compiler = needed(f"{prefix}-g++", f"g++-{prefix}")
    runner = needed(emulator, "qemu-user")
    flags = setup_flags("NATIVE_FLAGS") + (setup_flags("NEON_FLAGS") if prefix.startswith("arm-") else [])
    program = compiled(compiler, [*flags, "-static"], tmp_path)
    assert run([runner, "-cpu", processor, str(program), str(vectors)]).startswith("NEON: ")
    assert re.search(pattern, run([f"{prefix}-objdump", "-d", "--no-show-raw-insn", str(program)]))


@pytest.mark.parametrize("sanitizers", ["", "address,undefined"])
def test_on_this_machine_every_instruction_set_agrees_with_numpy(
    sanitizers: str, vectors: Path, tmp_path: Path
) -> None:
    extra = [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-g", "-O1"] if sanitizers else []
    program = compiled(needed("g++", "g++"), [*setup_flags("NATIVE_FLAGS"), *extra], tmp_path)
    assert run([str(program), str(vectors)]).endswith("ok\n")


def test_a_wrong_logit_and_cut_vectors_are_noticed(vectors: Path, tmp_path: Path) -> None:
    program = compiled(needed("g++", "g++"), setup_flags("NATIVE_FLAGS"), tmp_path)
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
    yield integers(ROWS, spec.CLASSES)
    yield np.array([remainder.TOLERANCE, ENTROPY_TOLERANCE], "<f8").tobytes()
    yield integers(len(spec.NETWORKS), len(classes))
    for seed, network in enumerate(spec.NETWORKS):
        yield from network_vectors(seed, network)
    for count in classes:
        yield from decision_vectors(count)


def network_vectors(seed: int, network: str) -> Iterator[bytes]:
    model = models.random_model(seed, network=network)
    shape = (ROWS, *model.spec.feature_shape)
    features = np.random.default_rng(seed).integers(0, spec.ACTIVATION_MAX + 1, shape).astype(np.uint8)
    yield integers(int(np.prod(model.spec.feature_shape)))
    yield features.tobytes()
    yield fabric.pack_features(features).tobytes()
    built = packed_layers(model)
    yield integers(len(built))
    hidden = features
    for (layers, body), stage in zip(built, remainder.stages("numpy", model)):
        yield integers(body, len(layers))
        for kernel, channels, side, relu, weight, bias in layers:
            yield integers(kernel, channels, side, relu, *weight.shape)
            yield weight.astype("<f4").tobytes() + bias.astype("<f4").tobytes()
        hidden, logits = stage(hidden)
        yield logits.astype("<f4").tobytes()


def decision_vectors(classes: int) -> Iterator[bytes]:
    """Logits in records with four bytes after them, as the circuit returns them: random ones, extremes, ties."""
    scale, threshold = 2.0**-6, 0.5
    logits = np.random.default_rng(classes).integers(-300, 300, (ROWS, classes)).astype("<i2")
    logits[0], logits[1, :2], logits[2, -1] = 0, (-32768, 32767), 32767
    logits[3, 1:] = logits[3, 0]
    entropy = exits.entropy(logits * scale)
    yield np.array([scale, threshold], "<f8").tobytes()
    yield integers(classes, 2 * classes + 4)
    yield np.concatenate([logits, np.full((ROWS, 2), -1, "<i2")], axis=1).tobytes()
    yield entropy.astype("<f8").tobytes()
    yield logits.argmax(1).astype("<i8").tobytes()
    yield exits.leaves(entropy, threshold).tobytes()


def integers(*values: int) -> bytes:
    return np.array(values, "<i4").tobytes()


def damaged_bias(data: bytes) -> bytes:
    """Add 1 to the first bias of the first network's last layer, which moves a logit by 1."""
    model = models.random_model(0, network=next(iter(spec.NETWORKS)))
    bias = packed_layers(model)[0][0][-1][-1]
    changed = bias.copy()
    changed[0] += 1
    assert data.count(bias.tobytes()) == 1
    return data.replace(bias.tobytes(), changed.tobytes())


def setup_flags(name: str) -> list[str]:
    """A list of flags as setup.py has it."""
    for node in ast.parse((ROOT / "setup.py").read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"setup.py has no {name}")


def needed(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed (Debian's package {package})")
    return found


def compiled(compiler: str, flags: list[str], folder: Path) -> Path:
    program = folder / "native_self_test"
    include = ROOT / "pynq_ee" / "remainder"
    run([compiler, *flags, "-Wall", "-Wextra", "-Werror", f"-I{include}", str(SOURCE), "-o", str(program)])
    return program


def run(command: list[str]) -> str:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, f"{' '.join(command)}\n{finished.stdout}{finished.stderr}"
    return finished.stdout
