"""The native engine: every instruction set agrees with NumPy, and no array can make it read or write out of bounds."""

from __future__ import annotations

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

import models
from pynq_ee import exits, remainder
from pynq_ee.errors import InputError, ToolError
from pynq_ee.network import fabric
from pynq_ee.network.spec import NETWORKS
from pynq_ee.remainder.packing import BLOCK, packed_layers

if importlib.util.find_spec("pynq_ee.remainder._native") is None:
    if shutil.which("g++") and (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise RuntimeError("there is a compiler, but the native remainder was not built: install pynq_ee again")
    pytest.skip("the native remainder needs a C++ compiler and Python's headers", allow_module_level=True)

from pynq_ee.remainder import _native, native

#: Around the four and eight lanes of a vector, the six rows of a tile, the 24 images of a chunk.
BATCHES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 23, 24, 25, 30, 47, 48, 49)


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


def assert_agree(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected):
        assert one.shape == other.shape and one.dtype == other.dtype == np.float32
        tolerance = remainder.TOLERANCE * max(1, np.abs(other).max(initial=0))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


# The remainder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("instruction_set", native.INSTRUCTION_SETS)
def test_every_batch_size_on_every_instruction_set_agrees_with_numpy(instruction_set: str, network: str) -> None:
    model = models.random_model(5, network=network)
    stages, reference = native.stages(model, instruction_set), remainder.stages("numpy", model)
    for count in BATCHES:
        features = random_features(count, count)
        assert_agree(all_logits(stages, features), all_logits(reference, features))


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


def test_an_image_has_nearly_the_same_logits_alone_and_in_any_batch() -> None:
    """One row and six rows at once are different code."""
    [stage] = native.stages(models.random_model(4))
    features = random_features(49)
    _, together = stage(features)
    assert_agree([np.concatenate([stage(features[row : row + 1])[1] for row in range(49)])], [together])


def test_the_extremes_of_features_agree_with_numpy() -> None:
    model = models.random_model(8)
    features = np.stack([np.full((6, 14, 14), value, np.uint8) for value in (0, 15, 255)])
    assert_agree(all_logits(native.stages(model), features), all_logits(remainder.stages("numpy", model), features))


def test_nan_in_a_hidden_state_reaches_the_logits_of_its_image_only() -> None:
    """As in NumPy: ReLU does not swallow it, and an input of zero is skipped but one of NaN is not."""
    model = models.random_model(2, network="lenet5-3exit")
    first, second = native.stages(model)
    for count in (1, 7):
        hidden, _ = first(random_features(count))
        hidden[0, 3] = np.nan
        _, logits = second(hidden)
        assert np.isnan(logits[0]).all() and np.isfinite(logits[1:]).all()


def test_weights_are_padded_to_whole_blocks_and_every_one_of_them_is_there_once() -> None:
    for network in NETWORKS:
        model = models.random_model(1, network=network)
        for (layers, body), stage in zip(packed_layers(model), NETWORKS[network]):
            assert body == len(stage.body) and len(layers) == len(stage.layers)
            for layer, name in zip(layers, stage.layers):
                assert len(layer.bias) % BLOCK == 0 and layer.weight.shape[1] == len(layer.bias)
                weight = model.remainder[name].weight * (2.0**model.feature_exponent if layer.kernel else 1)
                assert np.array_equal(np.sort(layer.weight[layer.weight != 0]), np.sort(weight[weight != 0]))


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
    [np.zeros((2, 399), "f4"), np.zeros((2, 400)), np.zeros(400, "f4"), np.zeros((2, 400), ">f4")],
    ids=["too short", "float64", "no batch", "another byte order"],
)
def test_a_wrong_hidden_state_is_refused(hidden: np.ndarray) -> None:
    second = native.stages(models.random_model(network="lenet5-3exit"))[1]
    with pytest.raises(InputError, match=r"they must be float32 \(n, 400\), the hidden state of the stage before"):
        second(hidden)


def test_any_memory_layout_is_taken() -> None:
    [stage] = native.stages(models.random_model())
    features = random_features(10)
    _, expected = stage(features)
    locked = features.copy()
    locked.setflags(write=False)
    for other in (np.asfortranarray(features), np.repeat(features, 2, axis=0)[::2], features[::-1][::-1], locked):
        assert np.array_equal(stage(other)[1], expected)


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


def test_stages_are_freed_and_leave_the_memory_flat() -> None:
    model = models.random_model()
    features = random_features(3)

    def resident_kilobytes() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0])

    def work(rounds: int) -> None:
        for _ in range(rounds):
            native.stages(model)[0](features)
            native.decider(0.5)(np.zeros((2, 10), np.int16), 0.1)
            with pytest.raises(InputError):
                native.stages(model)[0](features[0])
        gc.collect()

    work(20)
    before = resident_kilobytes()
    work(200)  # 250 kB of weights each: 50 MB if they were kept
    assert resident_kilobytes() - before < 10_000


def test_an_engine_that_was_not_compiled_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynq_ee.remainder._native", None)
    monkeypatch.delattr(remainder, "_native")
    monkeypatch.delitem(sys.modules, "pynq_ee.remainder.native")
    with pytest.raises(ToolError, match=r"native remainder cannot be used here .*a C\+\+ compiler"):
        remainder.stages("native", models.random_model())


# The binding: what native.py never does ------------------------------------------------------------------------------


def layers() -> tuple:
    return tuple(packed_layers(models.random_model())[0][0])


def test_the_binding_refuses_programs_that_do_not_fit_together() -> None:
    conv, *rest = layers()
    narrow = rest[0]._replace(weight=rest[0].weight[:-1].copy())
    odd = rest[0]._replace(weight=rest[0].weight[:, :10].copy(), bias=rest[0].bias[:10].copy())
    for wrong, body in [
        ((), 0),
        ((conv, *rest), 4),
        ((conv, *rest), -1),
        ((conv, rest[1]), 1),
        ((rest[0], conv), 1),
        ((conv, narrow), 1),
        ((conv, odd), 1),
        ((conv._replace(kernel=4),), 0),
        ((conv._replace(side=13),), 0),
        ((conv._replace(side=10**6),), 0),
        ((conv._replace(channels=-6),), 0),
        ((conv._replace(weight=conv.weight.astype(np.float64)),), 0),
    ]:
        with pytest.raises(ValueError):
            _native.build(wrong, body, 0)
    for instruction_set in (-1, len(native.INSTRUCTION_SETS)):
        with pytest.raises(ValueError):
            _native.build((conv, *rest), 1, instruction_set)
    for arguments in ((), (layers(), 1), ([1], 0, 0, 0), (((1, 2),), 0, 0), (layers(), "1", 0)):
        with pytest.raises((TypeError, ValueError)):
            _native.build(*arguments)


def test_the_binding_refuses_outputs_of_another_size_or_that_must_not_be_written() -> None:
    program = _native.build(layers(), 1, 0)
    features, hidden, logits = random_features(2), np.empty((2, 400), np.float32), np.empty((2, 10), np.float32)
    _native.run(program, features, hidden, logits)
    locked = logits.copy()
    locked.setflags(write=False)
    for arguments in [
        (features, hidden[:1], logits),
        (features, hidden[:, :399].copy(), logits),
        (features, hidden.astype(np.float64), logits),
        (features, hidden, logits[:1]),
        (features, hidden, np.empty((2, 17), np.float32)),
        (features, hidden, np.empty((2, 10), np.int32)),
        (features, hidden, np.empty((20, 10), np.float32)[::10]),
        (features, hidden, locked),
    ]:
        with pytest.raises((ValueError, BufferError)):
            _native.run(program, *arguments)
    with pytest.raises(ValueError):
        _native.run(_native.exponential_table(1.0), features, hidden, logits)
    with pytest.raises((ValueError, TypeError)):
        _native.run(None, features, hidden, logits)


# Entropy, labels, verdicts ------------------------------------------------------------------------------------------


def assert_decision(found: native.Decision, logits: np.ndarray, threshold: float) -> None:
    entropy = exits.entropy(logits)
    np.testing.assert_allclose(found.entropy, entropy, rtol=0, atol=native.ENTROPY_TOLERANCE)
    assert (found.entropy >= 0).all() and np.array_equal(found.labels, logits.argmax(1))
    assert np.array_equal(found.leaves, exits.leaves(found.entropy, threshold))
    assert [array.dtype for array in found] == [np.int64, np.float64, np.bool_]


@given(
    hnp.arrays(np.int16, st.tuples(st.integers(0, 40), st.sampled_from([1, 2, 10, 11, 100]))),
    st.integers(-32, 32),
    st.floats(0, 3),
)
def test_a_decision_on_integer_logits_is_that_of_exits(logits: np.ndarray, exponent: int, threshold: float) -> None:
    """Whatever the int16 values and the scale; ties and batches of any size among them."""
    assert_decision(native.decider(2.0**exponent)(logits, threshold), logits * np.float64(2.0**exponent), threshold)


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 40), st.sampled_from([1, 2, 10, 11])),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    ),
    st.floats(0, 3),
)
def test_a_decision_on_float_logits_is_that_of_exits(logits: np.ndarray, threshold: float) -> None:
    assert_decision(native.decider()(logits, threshold), logits, threshold)


def test_typical_logits_are_decided_as_exits_does() -> None:
    logits = np.random.default_rng(0).integers(-400, 400, (20_000, 10)).astype(np.int16)
    found = native.decider(2.0**-6)(logits, 0.5)
    entropy = exits.entropy(logits * np.float32(2.0**-6))
    assert 1000 < found.leaves.sum() < 19_000
    assert np.array_equal(found.leaves, exits.leaves(entropy, 0.5))


def test_logits_are_read_where_the_circuit_left_them() -> None:
    """Records of 24 bytes, and with features before them: no copy is needed."""
    rows = np.random.default_rng(1).integers(-(2**15), 2**15, (50, 308)).astype(np.int16)
    logits = rows[:, 294:304]
    assert not logits.flags.c_contiguous
    assert_decision(native.decider(0.125)(logits, 1.0), logits * 0.125, 1.0)
    assert_decision(native.decider(0.125)(logits[::-2], 1.0), logits[::-2] * 0.125, 1.0)


def test_a_threshold_of_zero_lets_none_leave_and_infinity_all() -> None:
    logits = np.array([[32767] + [-32768] * 9], np.int16)
    decide = native.decider(1.0)
    assert decide(logits, 0.0).entropy[0] == 0 and not decide(logits, 0.0).leaves[0]
    assert decide(logits, float("inf")).leaves[0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [(0, 0), (3, 4), (6, 9)])
def test_logits_that_are_not_finite_are_refused(value: float, position: tuple[int, int]) -> None:
    logits = np.zeros((7, 10), np.float32)
    logits[position] = value
    with pytest.raises(InputError, match="a logit is NaN or infinite; entropy needs finite logits"):
        native.decider()(logits, 0.5)


def test_wrong_logits_are_refused() -> None:
    for logits in (
        np.zeros((3, 10), np.int32), np.zeros((3, 10), np.uint16), np.zeros((3, 10), ">i2"), np.zeros(10, np.int16),
        np.zeros((3, 0), np.int16), np.zeros((3, 20), np.int16)[:, ::2], np.zeros((10, 3), np.int16).T,
        np.zeros(21, np.uint8)[1:].view(np.int16).reshape(1, 10), [[1, 2]], 3, "logits",
    ):  # fmt: skip
        with pytest.raises(InputError, match=r"they must be int16 \(n, classes\)"):
            native.decider(1.0)(logits, 0.5)
    for logits in (np.zeros((3, 10)), np.zeros((3, 10), np.int16), np.zeros((3, 20), np.float32)[:, ::2]):
        with pytest.raises(InputError, match=r"they must be float32 \(n, classes\)"):
            native.decider()(logits, 0.5)


@pytest.mark.parametrize("scale", [0, -1.0, np.nan, np.inf])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match="it must be positive and finite"):
        native.decider(scale)
