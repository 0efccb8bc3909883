"""The native engine: every instruction set equals NumPy, and no array can make it read or write out of bounds."""

from __future__ import annotations

import dataclasses
import gc
import importlib.util
import shutil
import sys
import sysconfig
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import forks
import models
from pynq_ee import exits, remainder
from pynq_ee.errors import InputError, ToolError
from pynq_ee.exits import softmax_entropy
from pynq_ee.network import fabric, spec
from pynq_ee.network.spec import NETWORKS
from pynq_ee.network.weights import LayerWeights, Model
from pynq_ee.remainder import packing

if importlib.util.find_spec("pynq_ee.remainder._native") is None:
    if shutil.which("g++") and (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise RuntimeError("there is a compiler, but the native remainder was not built: install pynq_ee again")
    pytest.skip("the native remainder needs a C++ compiler and Python's headers", allow_module_level=True)

from pynq_ee.remainder import _native, native

#: Around the four and eight lanes of a vector, the rows of a tile, the 24 images of a chunk.
BATCHES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 23, 24, 25, 30, 47, 48, 49)


def random_images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28)).astype(np.uint8)


def random_features(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 16, (count, 6, 14, 14)).astype(np.uint8)


def pack(features: np.ndarray) -> np.ndarray:
    return fabric.pack_features(features) if len(features) else np.empty((0, 588), np.uint8)


def all_logits(stages: list, inputs: np.ndarray) -> list[np.ndarray]:
    outputs = []
    for stage in stages:
        inputs, logits = stage(inputs)
        outputs.append(logits)
    return outputs


def assert_equal(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.shape == other.shape and one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


# The first exit -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
@pytest.mark.parametrize("chosen", models.SPECS[::3], ids=str)
def test_the_first_exit_of_every_fabric_equals_numpy(instruction_set: str, chosen: spec.Spec) -> None:
    model = models.random_model(2, chosen)
    images = random_images(27)
    images[0], images[1] = 0, 255
    features, logits = fabric.first_exit(images, model)
    assert_equal(list(native.first_exit(model, instruction_set)(images)), [fabric.pack_features(features), logits])


@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_the_first_exit_takes_every_batch_size_on_any_number_of_threads(instruction_set: str) -> None:
    model = models.random_model(3)
    run = {threads: native.first_exit(model, instruction_set, threads) for threads in (1, 2, 5)}
    images = random_images(max(BATCHES))
    features, logits = run[1](images)
    for count in BATCHES:
        for threads in run:
            assert_equal(list(run[threads](images[:count])), [features[:count], logits[:count]])


@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_the_largest_sums_of_every_layer_are_exact(instruction_set: str) -> None:
    """White and black images and all features at their ends, on weights at their ends, one sign or the other."""
    for sign in (1, -1):
        model = extreme_model(sign)
        images = np.stack([np.zeros((28, 28), np.uint8), np.full((28, 28), 255, np.uint8), *random_images(3)])
        features, logits = fabric.first_exit(images, model)
        assert_equal(list(native.first_exit(model, instruction_set)(images)), [fabric.pack_features(features), logits])
        ends = np.stack([np.full((6, 14, 14), value, np.uint8) for value in (0, 15)])
        found, expected = native.stages(model, instruction_set), remainder.stages("numpy", model)
        assert_equal(all_logits(found, ends), all_logits(expected, ends))


def extreme_model(sign: int) -> Model:
    """Weights of the largest magnitude that each layer may have: of one sign, but for every other output."""
    model = models.random_model(0)

    def extreme(layer: LayerWeights, largest: int) -> LayerWeights:
        weight = np.full_like(layer.weight, sign * largest)
        weight[::2] *= -1
        return dataclasses.replace(layer, weight=weight, bias=np.zeros_like(layer.bias))

    fabric_layers = {layer.name: extreme(model.fabric[layer.name], layer.weight_max) for layer in model.spec.layers}
    software = {name: extreme(layer, 29 if name == "conv" else 127) for name, layer in model.remainder.items()}
    return dataclasses.replace(model, fabric=fabric_layers, remainder=software)


@pytest.mark.parametrize(
    "images",
    [np.zeros((2, 28, 27), np.uint8), np.zeros((28, 28), np.uint8), np.zeros((2, 28, 28), np.int8), "images"],
    ids=["narrow", "no batch", "signed", "text"],
)
def test_wrong_images_are_refused(images: object) -> None:
    with pytest.raises(InputError, match=r"they must be uint8 \(n, 28, 28\)"):
        native.first_exit(models.random_model())(images)


# The remainder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_every_batch_size_on_every_instruction_set_equals_numpy(instruction_set: str, network: str) -> None:
    model = models.random_model(5, network=network)
    stages, reference = native.stages(model, instruction_set), remainder.stages("numpy", model)
    for count in BATCHES:
        features = random_features(count, count)
        assert_equal(all_logits(stages, features), all_logits(reference, features))


@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(sorted(NETWORKS)), st.integers(0, 30))
def test_packed_features_give_the_very_logits_of_unpacked_ones(
    instruction_set: str, seed: int, network: str, count: int
) -> None:
    stages = native.stages(models.random_model(seed, network=network), instruction_set)
    features = random_features(count, seed)
    for packed, unpacked in zip(all_logits(stages, pack(features)), all_logits(stages, features)):
        assert np.array_equal(packed, unpacked)


def test_an_image_has_the_same_logits_alone_and_in_any_batch() -> None:
    """One row and several at once are different code."""
    [stage] = native.stages(models.random_model(4))
    features = random_features(49)
    _, together = stage(features)
    assert_equal([np.concatenate([stage(features[row : row + 1])[1] for row in range(49)])], [together])


def test_the_extremes_of_features_agree_with_numpy() -> None:
    model = models.random_model(8)
    features = np.stack([np.full((6, 14, 14), value, np.uint8) for value in (0, 7, 15)])
    assert_equal(all_logits(native.stages(model), features), all_logits(remainder.stages("numpy", model), features))


def test_every_weight_is_in_the_layers_once() -> None:
    for network in NETWORKS:
        model = models.random_model(1, network=network)
        for packed, stage in zip(packing.stages(model), NETWORKS[network], strict=True):
            layers = [*([packed.convolution] if packed.convolution else []), *packed.connections]
            for layer, name in zip(layers, stage.layers, strict=True):
                assert np.array_equal(np.sort(layer.weight, None), np.sort(model.remainder[name].weight, None))
                assert layer.weight.shape[1] == len(layer.bias) == len(layer.shift)


WRONG = {
    "float features": np.zeros((2, 6, 14, 14), np.float32),
    "signed features": np.zeros((2, 6, 14, 14), np.int8),
    "big-endian halves": np.zeros((2, 6, 14, 7), ">u2"),
    "an image too small": np.zeros((2, 6, 13, 14), np.uint8),
    "other channels": np.zeros((2, 7, 14, 14), np.uint8),
    "channels last": np.zeros((2, 14, 14, 6), np.uint8),
    "one image without a batch": np.zeros((6, 14, 14), np.uint8),
    "packed rows too short": np.zeros((2, 587), np.uint8),
    "packed rows with their record": np.zeros((2, 616), np.uint8),
    "one dimension": np.zeros(588, np.uint8),
    "five dimensions": np.zeros((1, 2, 6, 14, 14), np.uint8),
    "no dimension": np.uint8(3),
    "objects": np.full((2, 588), None),
    "text": "features",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_features_are_refused(name: str) -> None:
    [stage] = native.stages(models.random_model())
    with pytest.raises(InputError, match=r"they must be uint8 \(n, 6, 14, 14\) or \(n, 588\) packed"):
        stage(WRONG[name])


@pytest.mark.parametrize(
    "hidden",
    [np.zeros((2, 399), np.uint8), np.zeros((2, 400)), np.zeros(400, np.uint8), np.zeros((2, 400), np.int8)],
    ids=["too short", "float64", "no batch", "signed"],
)
def test_a_wrong_hidden_state_is_refused(hidden: np.ndarray) -> None:
    second = native.stages(models.random_model(network="lenet5-3exit"))[1]
    with pytest.raises(InputError, match=r"they must be uint8 \(n, 400\), the hidden state of the stage before"):
        second(hidden)


def test_any_memory_layout_is_taken() -> None:
    [stage] = native.stages(models.random_model())
    features = random_features(10)
    _, expected = stage(features)
    locked = features.copy()
    locked.setflags(write=False)
    for other in (np.asfortranarray(features), np.repeat(features, 2, axis=0)[::2], features[::-1][::-1], locked):
        assert np.array_equal(stage(other)[1], expected)


def test_threads_that_the_system_refuses_are_done_without() -> None:
    """Their part of the work is their caller's: a process at its limit must not end."""
    model = models.random_model(3)
    images, features = random_images(24 * 40), pack(random_features(24 * 40))
    first_exit, [stage, *_] = native.first_exit(model, threads=40), native.stages(model, threads=40)
    expected = [*native.first_exit(model)(images), *native.stages(model)[0](features)]

    def computed() -> bool:
        forks.allow_more(48)
        return all(map(np.array_equal, [*first_exit(images), *stage(features)], expected))

    assert forks.holds(computed)


def test_the_compiled_code_takes_the_threads_that_the_package_allows_and_no_more() -> None:
    _native.workers(remainder.MOST_THREADS)
    with pytest.raises(ValueError, match=f"1 to {remainder.MOST_THREADS}"):
        _native.workers(remainder.MOST_THREADS + 1)


def test_threads_may_share_a_stage() -> None:
    [stage] = native.stages(models.random_model())
    batches = [random_features(count, count) for count in (1, 17, 40, 64)]
    expected = [stage(features)[1] for features in batches]
    wrong = []

    def work(number: int) -> None:
        for _ in range(50):
            if not np.array_equal(stage(batches[number])[1], expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_batch_releases_the_interpreters_lock() -> None:
    """With a switch interval without end, a thread that kept the lock would have ended before this one goes on."""
    images = random_images(20_000)
    interval = sys.getswitchinterval()
    begun, ended = threading.Event(), []

    def work() -> None:
        run = native.first_exit(models.random_model())
        begun.set()
        run(images)
        ended.append(True)

    sys.setswitchinterval(1000)
    try:
        for _ in range(5):  # on a busy machine this thread may be late all the same
            begun.clear()
            ended.clear()
            thread = threading.Thread(target=work)
            thread.start()
            begun.wait()
            released = not ended
            thread.join()
            if released:
                break
    finally:
        sys.setswitchinterval(interval)
    assert released


def test_stages_are_freed_and_leave_the_memory_flat() -> None:
    model = models.random_model()
    features = random_features(3)

    def resident_kilobytes() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def work(rounds: int) -> None:
        for _ in range(rounds):
            native.stages(model)[0](features)
            native.decider(-1)(np.zeros((2, 10), np.int16), 0.1)
            with pytest.raises(InputError):
                native.stages(model)[0](features[0])
        gc.collect()

    work(20)
    before = resident_kilobytes()
    work(400)  # 70 kB of weights each: 28 MB if they were kept
    assert resident_kilobytes() - before < 10_000


def test_an_engine_that_was_not_compiled_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq_ee.remainder._native", None)
    monkeypatch.delattr(remainder, "_native")
    monkeypatch.delitem(sys.modules, "pynq_ee.remainder.native")
    with pytest.raises(ToolError, match=r"native remainder cannot be used here .*a C\+\+ compiler"):
        remainder.stages("native", models.random_model())


# The binding: what native.py never does ------------------------------------------------------------------------------


def first_layers() -> tuple:
    return packing.first_exit(models.random_model())


def stage() -> packing.Stage:
    return packing.stages(models.random_model())[0]


def test_the_binding_refuses_layers_that_do_not_fit_together() -> None:
    whole = stage()
    conv, (fc1, fc2, fc3) = whole.convolution, whole.connections
    narrow = fc1._replace(weight=fc1.weight[:-16].copy())
    odd = fc1._replace(weight=fc1.weight[:-1].copy())
    for wrong in [
        whole._replace(connections=()),
        whole._replace(body=3),
        whole._replace(body=-1),
        whole._replace(connections=(fc2, fc3)),
        whole._replace(connections=(fc1, conv, fc3)),
        whole._replace(connections=(narrow, fc2, fc3)),
        whole._replace(connections=(odd, fc2, fc3)),
        whole._replace(connections=(fc1, fc3)),
        whole._replace(connections=(fc1, fc2)),
        whole._replace(connections=(fc1._replace(largest=0), fc2, fc3)),
        whole._replace(connections=(fc1._replace(largest=128), fc2, fc3)),
        whole._replace(connections=(fc1._replace(input_max=128), fc2, fc3)),
        whole._replace(connections=(fc1._replace(shift=np.full(120, 32, np.uint8)), fc2, fc3)),
        whole._replace(connections=(fc1._replace(bias=fc1.bias[:7].copy()), fc2, fc3)),
        whole._replace(convolution=None),
        whole._replace(convolution=conv._replace(kernel=4)),
        whole._replace(convolution=conv._replace(side=13)),
        whole._replace(convolution=conv._replace(side=10**6)),
        whole._replace(convolution=conv._replace(channels=-6)),
        whole._replace(convolution=conv._replace(padding=1)),
        whole._replace(convolution=conv._replace(weight=conv.weight.astype(np.int16))),
        whole._replace(convolution=conv._replace(weight=np.full_like(conv.weight, 30))),
        whole._replace(convolution=conv._replace(input_max=255, weight=conv.weight.clip(-1, 1) * 65)),
    ]:
        with pytest.raises(ValueError):
            _native.build(None, (wrong,), 0)
    trunk, branch, classifier = first_layers()
    for exit_of_wrong in [
        (trunk, trunk, classifier),
        (branch, branch, classifier),
        (trunk, branch, classifier._replace(weight=classifier.weight[:-16].copy())),
        (trunk, branch, classifier._replace(largest=15)),
        (trunk._replace(largest=127), branch, classifier),
    ]:
        with pytest.raises(ValueError):
            _native.build(exit_of_wrong, (), 0)
    for instruction_set in (-1, len(native.INSTRUCTION_SETS)):
        with pytest.raises(ValueError):
            _native.build(None, (whole,), instruction_set)
    for arguments in (
        (),
        (None, (whole,)),
        (1, (whole,), 0),
        (None, [whole], 0),
        (None, (1,), 0),
        (None, (whole,), "1"),
    ):
        with pytest.raises((TypeError, ValueError)):
            _native.build(*arguments)


def test_the_binding_refuses_outputs_of_another_size_or_that_must_not_be_written() -> None:
    network = _native.build(first_layers(), (stage(),), 0)
    features, hidden, logits = random_features(2), np.empty((2, 400), np.uint8), np.empty((2, 10), np.int16)
    _native.run_stage(network, 0, features, hidden, logits, 1)
    locked = logits.copy()
    locked.setflags(write=False)
    for arguments in [
        (0, features, hidden[:1], logits, 1),
        (0, features, hidden[:, :399].copy(), logits, 1),
        (0, features, hidden.astype(np.int8), logits, 1),
        (0, features, hidden, logits[:1], 1),
        (0, features, hidden, np.empty((2, 17), np.int16), 1),
        (0, features, hidden, np.empty((2, 10), np.int32), 1),
        (0, features, hidden, np.empty((20, 10), np.int16)[::10], 1),
        (0, features, hidden, locked, 1),
        (1, features, hidden, logits, 1),
        (-1, features, hidden, logits, 1),
        (0, features, hidden, logits, 0),
    ]:
        with pytest.raises((ValueError, BufferError)):
            _native.run_stage(network, *arguments)
    images, packed = random_images(2), np.empty((2, 588), np.uint8)
    _native.run_first_exit(network, images, packed, logits, 1)
    for arguments in [
        (images, packed[:1], logits, 1),
        (images, packed[:, :587].copy(), logits, 1),
        (images, packed, locked, 1),
        (images[:, :27].copy(), packed, logits, 1),
        (images, packed, logits, 0),
    ]:
        with pytest.raises((ValueError, BufferError)):
            _native.run_first_exit(network, *arguments)
    tables = softmax_entropy.exponentials().astype(np.uint32), softmax_entropy.logarithms().astype(np.uint32)
    with pytest.raises(ValueError):
        _native.run_stage(_native.decision_table(0, *tables), 0, features, hidden, logits, 1)
    with pytest.raises((ValueError, TypeError)):
        _native.run_stage(None, 0, features, hidden, logits, 1)


# Entropy, labels, verdicts ------------------------------------------------------------------------------------------


def assert_decision(found: native.Decision, logits: np.ndarray, threshold: float) -> None:
    entropy = exits.entropy(logits)
    assert_equal(list(found), [logits.argmax(1), entropy, exits.leaves(entropy, threshold)])
    assert [array.dtype for array in found] == [np.int64, np.float64, np.bool_]


@given(
    hnp.arrays(np.int16, st.tuples(st.integers(0, 40), st.sampled_from([1, 2, 10, 11, 100]))),
    st.integers(-32, 32),
    st.floats(0, 3),
)
def test_a_decision_is_that_of_the_rule_to_the_bit(logits: np.ndarray, exponent: int, threshold: float) -> None:
    """Whatever the int16 values and the scale; ties and batches of any size among them."""
    assert_decision(native.decider(exponent)(logits, threshold), logits * 2.0**exponent, threshold)


def test_typical_logits_are_decided_as_exits_does() -> None:
    logits = np.random.default_rng(0).integers(-400, 400, (20_000, 10)).astype(np.int16)
    found = native.decider(-6)(logits, 0.5)
    entropy = exits.entropy(logits * np.float32(2.0**-6))
    assert 1000 < found.leaves.sum() < 19_000
    assert np.array_equal(found.leaves, exits.leaves(entropy, 0.5))


def test_logits_are_read_where_the_circuit_left_them() -> None:
    """Records of 24 bytes, and with features before them: no copy is needed."""
    rows = np.random.default_rng(1).integers(-(2**15), 2**15, (50, 308)).astype(np.int16)
    logits = rows[:, 294:304]
    assert not logits.flags.c_contiguous
    assert_decision(native.decider(-3)(logits, 1.0), logits * 0.125, 1.0)
    assert_decision(native.decider(-3)(logits[::-2], 1.0), logits[::-2] * 0.125, 1.0)


def test_a_threshold_of_zero_lets_none_leave_and_infinity_all() -> None:
    logits = np.array([[32767] + [-32768] * 9], np.int16)
    decide = native.decider(0)
    assert decide(logits, 0.0).entropy[0] == 0 and not decide(logits, 0.0).leaves[0]
    assert decide(logits, float("inf")).leaves[0]


def test_wrong_logits_are_refused() -> None:
    for logits in (
        np.zeros((3, 10), np.int32), np.zeros((3, 10), np.uint16), np.zeros((3, 10), ">i2"), np.zeros(10, np.int16),
        np.zeros((3, 0), np.int16), np.zeros((3, 20), np.int16)[:, ::2], np.zeros((10, 3), np.int16).T,
        np.zeros(21, np.uint8)[1:].view(np.int16).reshape(1, 10), [[1, 2]], 3, "logits",
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"they must be int16 \(n, classes\)"):
            native.decider(0)(logits, 0.5)


@pytest.mark.parametrize("exponent", [-33, 33, 0.5, None])
def test_an_exponent_that_is_none_is_refused(exponent: object) -> None:
    with pytest.raises(InputError, match="it must be a whole number, -32 to 32"):
        native.decider(exponent)
