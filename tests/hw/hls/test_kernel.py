"""The HLS C++, compiled by g++, gives the bits of the NumPy model; a batch that is cut wrong hangs nothing."""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pynq_ee.data.datasets import Digits
from pynq_ee.generate import constants
from pynq_ee.network import fabric, spec, weights
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import LayerWeights, Model
from pynq_ee.sim import kernel_library, vectors
from pynq_ee.sim.kernel import numpy_kernel

HARDWARE = Path(__file__).resolve().parents[3] / "hw"

MODES = [0, spec.MODE_FEATURES]

Build = Callable[..., Path]
Make = Callable[..., object]


@pytest.fixture(scope="module", params=[4, 8], ids=["32 bit", "64 bit"])
def model(request: pytest.FixtureRequest, random_model: Callable[..., Model]) -> Model:
    return random_model(11, Spec(pixels_per_beat=request.param))


@pytest.fixture(scope="module")
def kernel(model: Model, build: Build) -> kernel_library.Function:
    return load(model, build)


def load(model: Model, build: Build, **variables: object) -> kernel_library.Function:
    return kernel_library.load(build(model, "lib", **variables) / "libfirst_exit.so", model.spec.beat_bytes)


def run(
    kernel: kernel_library.Function,
    model: Model,
    beats: np.ndarray,
    last: np.ndarray,
    images: int,
    mode: int,
    margin: int = spec.FEATURES_ALWAYS,
) -> tuple | None:
    """What a kernel gives: consumed beats, output, TLAST, registers; None if it waits for more."""
    capacity = images * model.spec.output_beats(bool(mode))
    output = np.full((capacity, model.spec.beat_bytes), 0xA5, np.uint8)
    output_last = np.full(capacity, 0xA5, np.uint8)
    result = kernel(beats, last, images, mode, margin, output, output_last)
    if result is None:
        return None
    consumed, produced, registers = result
    return consumed, output[:produced].tolist(), output_last[:produced].tolist(), registers


def expected(
    model: Model, beats: np.ndarray, last: np.ndarray, images: int, mode: int, margin: int = spec.FEATURES_ALWAYS
) -> tuple | None:
    """The same by the NumPy model."""
    result = numpy_kernel(model)(beats, last, images, mode, margin)
    if result is None:
        return None
    return result.consumed, result.output.tolist(), result.output_last.tolist(), result.registers


def batch(images: npt.NDArray[np.uint8], model: Model) -> tuple[np.ndarray, np.ndarray]:
    beats = vectors.image_beats(images, model.spec)
    last = np.zeros(len(beats), np.uint8)
    last[-1] = 1
    return beats, last


def assert_exact(kernel: kernel_library.Function, model: Model, images: npt.NDArray[np.uint8]) -> None:
    for mode in MODES:
        arguments = (*batch(images, model), len(images), mode)
        assert run(kernel, model, *arguments) == expected(model, *arguments)
    ordered = np.sort(fabric.first_exit(images, model)[1].astype(int), axis=1)
    differences = ordered[:, -1] - ordered[:, -2]
    for margin in (0, 1, *np.quantile(differences, [0.1, 0.5]).astype(int), int(differences.max())):
        arguments = (*batch(images, model), len(images), spec.MODE_FEATURES, int(margin))
        assert run(kernel, model, *arguments) == expected(model, *arguments)


# The arithmetic ------------------------------------------------------------------------------------------------------


def test_every_bit_is_that_of_the_numpy_model(
    kernel: kernel_library.Function, model: Model, noise: npt.NDArray[np.uint8]
) -> None:
    images = np.concatenate([noise, np.random.default_rng(1).integers(0, 256, (200, 28, 28)).astype(np.uint8)])
    features, logits = fabric.first_exit(images, model)
    assert len(np.unique(features)) == 16
    assert len(np.unique(logits)) > 100  # else little would be compared
    assert_exact(kernel, model, images)


def test_an_image_gives_the_same_wherever_in_a_batch_it_stands(
    kernel: kernel_library.Function, model: Model, noise: npt.NDArray[np.uint8]
) -> None:
    together = np.array(run(kernel, model, *batch(noise, model), len(noise), 1)[1], np.uint8)
    for index, rows in enumerate(together.reshape(len(noise), -1, model.spec.beat_bytes)):
        alone = np.array(run(kernel, model, *batch(noise[index : index + 1], model), 1, 1)[1], np.uint8)
        sequence = 2 * spec.CLASSES
        assert (
            np.delete(rows.ravel(), [sequence, sequence + 1]).tolist()
            == np.delete(alone.ravel(), [sequence, sequence + 1]).tolist()
        )


@pytest.mark.parametrize(
    "fabric_spec",
    [Spec(4, 7, 2, 4, 2), Spec(8, 1, 2, 4, 2), Spec(8, 15, 4, 4, 4)],
    ids=lambda one: "-".join(map(str, dataclasses.astuple(one))),
)
def test_any_spec_is_exact_at_the_ends_of_its_accumulators_and_of_its_logits(
    fabric_spec: Spec, random_model: Callable[..., Model], build: Build, noise: npt.NDArray[np.uint8]
) -> None:
    model = extreme(random_model(3, fabric_spec))
    logits = fabric.first_exit(noise, model)[1]
    assert (logits.min(), logits.max()) == (spec.LOGIT_MIN, spec.LOGIT_MAX)
    assert_exact(load(model, build, CXXFLAGS="-O1"), model, noise)


def extreme(model: Model) -> Model:
    """The model with its even channels' weights at most, its odd ones' at least; its logits saturate."""
    layers = {}
    for layer in model.spec.layers:
        signs = np.where(np.arange(layer.out_channels) % 2, -1, 1).reshape(-1, *[1] * (len(layer.weight_shape) - 1))
        weight = np.broadcast_to(signs * layer.weight_max, layer.weight_shape).astype(np.int8)
        bias, shift = np.where(np.arange(layer.out_channels) % 4 < 2, 3000, -3000), model.fabric[layer.name].shift
        if layer.name == "classifier":
            bias, shift = 12 * bias, 0 * shift
        layers[layer.name] = LayerWeights(np.ascontiguousarray(weight), bias.astype(np.int32), shift)
    return dataclasses.replace(model, fabric=layers)


@pytest.mark.slow
def test_digits_are_exact_on_the_model_that_is_shipped(digits: Digits, random_model: Callable[..., Model]) -> None:
    shipped = spec.DEFAULT_NETWORK in weights.shipped_models()
    model = weights.load() if shipped else random_model(12)
    kernel = kernel_library.function(model)
    assert_exact(kernel, model, digits.images[:1000])
    for start in range(1000, len(digits.images), 3000):  # the others: every bit of features and logits, once
        images = digits.images[start : start + 3000]
        arguments = (*batch(images, model), len(images), spec.MODE_FEATURES)
        assert run(kernel, model, *arguments) == expected(model, *arguments)


# A batch and its end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("images", "ends_at"),
    [
        pytest.param(3, 1.5, id="early-inside-an-image"),
        pytest.param(3, 2, id="early-between-images"),
        pytest.param(2, 0, id="early-in-the-first-beat"),
        pytest.param(1, 1, id="in-time"),
        pytest.param(1, 1.1, id="late"),
        pytest.param(1, 3, id="late-by-images"),
    ],
)
def test_a_batch_that_ends_early_or_late_gives_every_record_and_says_so(
    kernel: kernel_library.Function,
    model: Model,
    noise: npt.NDArray[np.uint8],
    images: int,
    ends_at: float,
    mode: int,
) -> None:
    beats = vectors.image_beats(noise[2:6], model.spec)
    last = np.zeros(len(beats), np.uint8)
    end = max(int(ends_at * model.spec.image_beats), 1)
    last[[end - 1, -1]] = 1
    consumed, output, output_last, registers = run(kernel, model, beats, last, images, mode)
    assert (consumed, output, output_last, registers) == expected(model, beats, last, images, mode)
    assert consumed == end
    assert output_last == [0] * (images * model.spec.output_beats(bool(mode)) - 1) + [1]
    assert registers["images_done"] == min(int(ends_at), images)
    late, early = ends_at > images, ends_at < images
    assert registers["error_flags"] == spec.ERROR_LONG_BATCH * late + spec.ERROR_SHORT_BATCH * early


def test_no_images_publish_the_identity_and_touch_no_stream(kernel: kernel_library.Function, model: Model) -> None:
    identity = {"magic": spec.MAGIC, "version": spec.INTERFACE_VERSION, "build_id": model.build_id}
    for count in (0, 3):
        beats, last = np.ones((count, model.spec.beat_bytes), np.uint8), np.ones(count, np.uint8)
        for mode in MODES:
            assert run(kernel, model, beats, last, 0, mode) == (
                0, [], [], identity | {"images_done": 0, "error_flags": 0, "images_crc": 0, "results_crc": 0},
            )  # fmt: skip


def test_without_an_end_the_kernel_waits(kernel: kernel_library.Function, model: Model) -> None:
    for images in (1, 2, 3):
        beats = np.zeros((2 * model.spec.image_beats, model.spec.beat_bytes), np.uint8)
        assert run(kernel, model, beats, np.zeros(len(beats), np.uint8), images, 0) is None


def test_output_that_does_not_fit_is_refused(kernel: kernel_library.Function, model: Model) -> None:
    beats, last = batch(np.zeros((2, 28, 28), np.uint8), model)
    room = 2 * model.spec.result_beats - 1
    output, output_last = np.zeros((room, model.spec.beat_bytes), np.uint8), np.zeros(room, np.uint8)
    with pytest.raises(Exception, match="returned 2 for 2 images"):
        kernel(beats, last, 2, 0, 0, output, output_last)
    assert not output.any()


def test_a_run_leaves_nothing_to_the_next_one_and_prints_nothing(
    kernel: kernel_library.Function, model: Model, noise: npt.NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    beats, last = batch(noise[:3], model)
    alone = run(kernel, model, beats, last, 3, 1)
    early = np.zeros_like(last)
    early[model.spec.image_beats + 1] = 1
    run(kernel, model, beats, early, 3, 0)
    run(kernel, model, beats, last, 1, 1)
    assert run(kernel, model, beats, last, 3, 1) == alone
    assert capfd.readouterr() == ("", "")


def test_threads_may_share_the_library(
    kernel: kernel_library.Function, model: Model, noise: npt.NDArray[np.uint8]
) -> None:
    parts = [noise[start : start + 10] for start in range(0, 40, 10)]
    found: dict[int, object] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: run(kernel, model, *batch(parts[n], model), 10, 1)}))
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: expected(model, *batch(parts[n], model), 10, 1) for n in range(4)}


# The testbench and the Makefile --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(model: Model, build: Build) -> Path:
    """A folder with a testbench and vectors that agree."""
    return build(model, "lib", "csim")


def csim(make: Make, folder: Path, **variables: object) -> object:
    built = {"BUILD": folder, "GENERATED": folder / "generated", "MODEL": folder / "model.npz"}
    return make("-s", "csim", **built | variables)


def test_the_testbench_agrees_with_the_vectors(make: Make, folder: Path) -> None:
    result = csim(make, folder)
    assert (result.returncode, "24 of 24 cases agree" in result.stdout) == (0, True), result.stdout


def last_match(text: str, case: str, offset: int) -> int:
    """Line number of a case's line of output, ``offset`` from its last one."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"case {case} "))
    words = lines[start].split()
    counts = dict(zip(words[2::2], words[3::2]))
    return start + 1 + int(counts["input"]) + int(counts["output"]) - offset


@pytest.mark.parametrize(
    ("offset_bytes", "bits", "message"),
    [
        pytest.param(6 * 98 - 1, 4, "image 1, feature of channel 5, row 13, column 13", id="feature"),
        pytest.param(0, 0, "image 1, feature of channel 0, row 0, column 0", id="first-feature"),
        pytest.param(2 * 3 + 1, 1, "image 1, logit of class 3", id="logit"),
        pytest.param(2 * 10, 0, "image 1, sequence number", id="sequence"),
        pytest.param(2 * 11 + 1, 7, "image 1, flags", id="flags"),
    ],
)
def test_a_wrong_bit_is_named_by_image_and_value(
    make: Make, folder: Path, model: Model, tmp_path: Path, offset_bytes: int, bits: int, message: str
) -> None:
    fabric_spec = model.spec
    if "feature" in message:
        offset_bytes += spec.RESULT_BYTES
    beat, byte = divmod(offset_bytes, fabric_spec.beat_bytes)
    copy = shutil.copytree(folder / "vectors", tmp_path / "vectors")
    file = copy / "mode1.vectors"
    lines = file.read_text().splitlines()
    number = last_match(file.read_text(), "beats_behind_the_end", fabric_spec.output_beats(True) - 1) + beat
    word, end = lines[number].split()
    lines[number] = f"{int(word, 16) ^ 1 << 8 * byte + bits:x} {end}"
    file.write_text("\n".join(lines))
    result = csim(make, folder, VECTORS=copy)
    assert result.returncode != 0
    assert f"beats_behind_the_end: {message}," in result.stdout
    assert "23 of 24 cases agree" in result.stdout


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda text: text[: len(text) // 2], "it ends too early", id="short"),
        pytest.param(lambda text: text.replace("\nend\n", "\n"), "it ends too early", id="no-end"),
        pytest.param(lambda text: text.replace("vectors 2", "vectors 3", 1), "another format version", id="format"),
        pytest.param(lambda text: text.replace("build_id ", "build_id 1", 1), "build_id is", id="build"),
        pytest.param(lambda text: text.replace("case no_images", "case"), "stands where", id="lost-word"),
        pytest.param(lambda text: "", "it ends too early", id="empty"),
    ],
)
def test_damaged_vectors_fail_and_say_how(
    make: Make, folder: Path, tmp_path: Path, damage: Callable[[str], str], message: str
) -> None:
    copy = shutil.copytree(folder / "vectors", tmp_path / "vectors")
    (copy / "mode0.vectors").write_text(damage((copy / "mode0.vectors").read_text()))
    result = csim(make, folder, VECTORS=copy)
    assert result.returncode != 0
    assert message in result.stdout


def test_vectors_of_an_earlier_version_are_written_again(make: Make, folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "build")
    for path in (copy / "vectors").iterdir():
        path.write_text("first_exit_vectors 1\n")
        os.utime(path, (0, 0))
    result = csim(make, copy, GENERATED=folder / "generated")  # of another folder all would be compiled anew
    assert (result.returncode, "24 of 24 cases agree" in result.stdout) == (0, True), result.stdout


def test_vectors_of_a_model_that_is_not_there_fail(make: Make, folder: Path, tmp_path: Path) -> None:
    result = csim(make, folder, VECTORS=tmp_path, MODEL=tmp_path / "none.npz")
    assert result.returncode != 0
    assert "no model file" in result.stdout


def test_the_sanitizers_find_nothing(build: Build, random_model: Callable[..., Model], make: Make) -> None:
    folder = build(random_model(11, Spec(pixels_per_beat=8)), "csim-sanitize")
    result = make("-s", "csim-sanitize", BUILD=folder, GENERATED=folder / "generated", MODEL=folder / "model.npz")
    assert (result.returncode, "24 of 24 cases agree" in result.stdout) == (0, True), result.stdout


@pytest.mark.parametrize(
    ("target", "variables", "message"),
    [
        ("lib", {"AP_TYPES": "/nowhere"}, 'no ap_int.h in "/nowhere": `'),
        ("lib", {"GENERATED": "/nowhere"}, "`pynq-ee export` writes it"),
        ("lib", {"CXX": "no-compiler"}, 'no C++ compiler "no-compiler": install g++, or set CXX='),
    ],
)
def test_the_makefile_says_what_is_missing(
    make: Make, folder: Path, tmp_path: Path, target: str, variables: dict[str, str], message: str
) -> None:
    result = make("-s", target, **{"BUILD": tmp_path, "GENERATED": folder / "generated"} | variables)
    assert result.returncode != 0
    assert message in result.stdout


@pytest.mark.parametrize(("target", "tool"), [("cosim", "VERILATOR"), ("area", "SYNTHESIZER")])
def test_a_tool_that_reads_the_verilog_is_named_when_it_is_missing(
    make: Make, folder: Path, tmp_path: Path, target: str, tool: str
) -> None:
    result = make(
        "-s", target, BUILD=tmp_path, GENERATED=folder / "generated", MODEL=folder / "model.npz", **{tool: "no-tool"}
    )
    assert result.returncode != 0
    assert "no no-tool on the PATH: install" in result.stdout


def test_another_compiler_option_or_other_generated_files_compile_anew_and_the_same_ones_do_not(
    make: Make, random_model: Callable[..., Model], tmp_path: Path
) -> None:
    for name in ("one", "two"):
        for file in constants.generate(random_model(1), tmp_path / name):
            os.utime(file, (1, 1))  # older than whatever is compiled of them
    made = []
    for options, generated in (("-O0", "one"), ("-O0", "one"), ("-O1", "one"), ("-O1", "two")):
        variables = {"BUILD": tmp_path / "build", "GENERATED": tmp_path / generated, "CXXFLAGS": options}
        result = make(str(tmp_path / "build" / "hls" / "output.o"), **variables)
        assert result.returncode == 0, result.stdout
        made.append("output.cpp" in result.stdout)
    assert made == [True, False, True, True]


def test_folders_may_be_named_relative_to_that_of_the_makefile(
    make: Make, random_model: Callable[..., Model], tmp_path: Path
) -> None:
    model = random_model(11, Spec(pixels_per_beat=8))
    constants.generate(model, tmp_path / "generated")
    weights.save(model, tmp_path / "model.npz")
    relative = {
        name: os.path.relpath(tmp_path / part, HARDWARE) for name, part in (("BUILD", ""), ("GENERATED", "generated"))
    }
    result = make("-s", "csim", "rtl", **relative, MODEL=tmp_path / "model.npz", CXXFLAGS="-O0")
    assert (result.returncode, "24 of 24 cases agree" in result.stdout) == (0, True), result.stdout


def test_help_names_every_target_and_every_variable(make: Make) -> None:
    result = make("-s", "help")
    assert result.returncode == 0
    text = (HARDWARE / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):(?!=)", text, re.MULTILINE)) - {"help", "ap_types"}
    assert targets == {
        "lib",
        "csim",
        "csim-sanitize",
        "vectors",
        "trace",
        "rtl",
        "cosim",
        "overlay-library",
        "netlist",
        "area",
        "clean",
        "prove",
        "mutations",
        "depth",
        "overlay",
        "bitcheck",
    }
    assert [target for target in targets if f"make {target} " not in result.stdout] == []
    variables = re.findall(r"^(\w+) \?=", text, re.MULTILINE)
    assert [name for name in variables if not re.search(rf"^  {name}\b", result.stdout, re.MULTILINE)] == []
