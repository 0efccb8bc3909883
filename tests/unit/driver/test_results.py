"""A result stream is taken apart as it was put together, and refused where length, flags and numbers do not fit."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pynq_ee.driver import results
from pynq_ee.errors import TransferError
from pynq_ee.network import spec
from pynq_ee.network.spec import Spec

pytestmark = pytest.mark.parametrize("way", ["compiled", "NumPy"])


@pytest.fixture(autouse=True)
def walked(way, monkeypatch):
    """Let the stream be walked through in one way or the other."""
    if way == "NumPy":
        monkeypatch.setattr(results, "_native", None)
        monkeypatch.setattr(results, "crc32", zlib.crc32)
    elif results._native is None:
        pytest.skip("no compiler at installation")


SPECS = st.sampled_from([Spec(pixels_per_beat=4), Spec(pixels_per_beat=8)])
FOLLOW = st.one_of(
    st.lists(st.booleans(), min_size=1, max_size=30),
    st.lists(st.sampled_from([False] * 20 + [True]), min_size=60, max_size=300),
    st.integers(1, 200).map(lambda count: [True] * count),
    st.integers(1, 200).map(lambda count: [False] * count),
)


def stream_of(numbers: Spec, follow: list[bool], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stream, the logits (n, 10) and the features (n, 588) in it."""
    random = np.random.default_rng(seed)
    logits = random.integers(-(1 << 15), 1 << 15, (len(follow), spec.CLASSES)).astype(np.int16)
    features = random.integers(0, 256, (len(follow), numbers.feature_block_bytes)).astype(np.uint8)
    features[:, numbers.feature_bytes :] = 0
    parts = []
    for number, follows in enumerate(follow):
        tail = np.array([number, spec.RESULT_FEATURES if follows else 0], np.uint16)
        parts += [logits[number].view(np.uint8), tail.view(np.uint8)]
        if follows:
            parts.append(features[number])
    return np.concatenate(parts), logits, features[:, : numbers.feature_bytes]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=SPECS, follow=FOLLOW, seed=st.integers(0, 99))
def test_what_was_put_together_is_taken_apart(numbers, follow, seed):
    stream, logits, features = stream_of(numbers, follow, seed)
    found = results.parse(stream, len(follow), numbers)
    np.testing.assert_array_equal(found.logits, logits)
    assert found.has_features().tolist() == follow
    sent = np.flatnonzero(follow)
    np.testing.assert_array_equal(found.features(sent, numbers), features[sent])
    assert results.possible_length(numbers, len(follow), True, len(stream))
    assert results.possible_length(numbers, len(follow), False, len(stream)) == (not any(follow))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=SPECS, follow=FOLLOW, data=st.data())
def test_a_flag_that_is_wrong_a_stream_cut_short_and_one_too_long_are_refused(numbers, follow, data):
    stream, _, _ = stream_of(numbers, follow)
    image = data.draw(st.integers(0, len(follow) - 1), "image")
    place = sum(numbers.output_bytes(each) for each in follow[:image])
    wrong = stream.copy()
    wrong[place + spec.RESULT_BYTES - 2] ^= spec.RESULT_FEATURES
    beats = data.draw(st.integers(1, len(stream) // numbers.beat_bytes - 1), "beats")
    shorter, longer = stream[: -beats * numbers.beat_bytes], np.concatenate([stream, stream[: numbers.beat_bytes]])
    for spoiled in (wrong, shorter, longer):
        with pytest.raises(TransferError, match="checking results"):
            results.parse(spoiled, len(follow), numbers)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=SPECS, follow=FOLLOW, data=st.data())
def test_a_flipped_bit_of_a_number_or_a_flag_is_refused_and_its_image_named(numbers, follow, data):
    stream, _, _ = stream_of(numbers, follow)
    image = data.draw(st.integers(0, len(follow) - 1), "image")
    byte, bit = data.draw(st.integers(20, 23), "byte"), data.draw(st.integers(0, 7), "bit")
    if (byte, 1 << bit) == (22, spec.RESULT_FEATURES):
        return  # the test above
    stream[sum(numbers.output_bytes(each) for each in follow[:image]) + byte] ^= 1 << bit
    with pytest.raises(TransferError, match=f"image {image} (carries flags|came back)") as caught:
        results.parse(stream, len(follow), numbers)
    assert caught.value.images_done == image


def test_features_that_were_not_sent_are_not_given():
    numbers = Spec()
    found = results.parse(stream_of(numbers, [True, False])[0], 2, numbers)
    with pytest.raises(TransferError, match="the features of image 1 were not sent"):
        found.features(np.array([0, 1]), numbers)
    assert found.features(np.array([], np.intp), numbers).shape == (0, numbers.feature_bytes)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(numbers=SPECS, follow=FOLLOW, bit=st.integers(0, 7), data=st.data())
def test_any_flipped_bit_is_refused_by_the_checksum(numbers, follow, bit, data):
    stream, logits, _ = stream_of(numbers, follow)
    crc = zlib.crc32(stream)
    np.testing.assert_array_equal(results.parse(stream, len(follow), numbers, crc).logits, logits)
    stream[data.draw(st.integers(0, len(stream) - 1), "byte")] ^= 1 << bit
    with pytest.raises(TransferError, match=f"what the kernel sent has results_crc 0x{crc:08x}"):
        results.parse(stream, len(follow), numbers, crc)


def test_both_ways_take_and_refuse_alike_also_what_no_circuit_sends(way):
    if results._native is None:
        pytest.skip("one way is here")
    numbers, random = Spec(), np.random.default_rng(7)
    outcomes = []
    for _ in range(500):
        follow = (random.random(random.integers(1, 40)) < 0.3).tolist()
        stream, _, _ = stream_of(numbers, follow)
        for _ in range(random.integers(0, 3)):
            stream[random.choice([random.integers(len(stream)), 22, 20])] ^= 1 << random.integers(0, 8)
        stream = stream[: len(stream) - 8 * (random.random() < 0.2) * random.integers(0, 3)]
        logits, places = np.empty((len(follow), spec.CLASSES), np.int16), np.empty(len(follow), np.intp)
        block = numbers.feature_block_bytes
        taken = results._native.parse(stream, None, spec.RESULT_FEATURES, block, logits, places)
        try:
            expected = results._parse_in_steps(stream, len(follow), numbers, None)
        except TransferError:
            assert not taken
        else:
            assert taken
            np.testing.assert_array_equal(logits, expected.logits)
            np.testing.assert_array_equal(places, expected.places)
        outcomes.append(taken)
    assert any(outcomes) and not all(outcomes)


def test_arrays_that_do_not_fit_are_refused(way):
    if results._native is None:
        pytest.skip("nothing compiled is here")
    stream, _, _ = stream_of(Spec(), [False, True])
    logits, places = np.empty((2, spec.CLASSES), np.int16), np.empty(2, np.intp)
    for wrong in ((stream, None, 4, 592, logits, places.astype(np.int16)), (stream, None, 4, -8, logits, places)):
        with pytest.raises(ValueError, match="for each image"):
            results._native.parse(*wrong)
    for wrong in ((stream[::2], None, 4, 592, logits, places), (stream, None, 4, 592, logits.tobytes(), places)):
        with pytest.raises((ValueError, BufferError, TypeError)):
            results._native.parse(*wrong)
    with pytest.raises(TypeError, match="6 arguments"):
        results._native.parse(stream)


@given(
    st.integers(0, 5_000) | st.integers(0, 10).map(lambda blocks: 2400 + 256 * blocks),
    st.integers(0, 15),
    st.integers(0),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_way_to_the_checksum_is_zlibs(way, size, skipped, seed):
    data = np.random.default_rng(seed).integers(0, 256, skipped + size).astype(np.uint8)[skipped:]
    assert results.crc32(data) == zlib.crc32(data)


def test_the_checksum_of_a_batch_of_any_size_is_zlibs(way):
    data = np.random.default_rng(0).integers(0, 256, 100_000).astype(np.uint8)
    for size in (*range(6_500, 7_300), 93_120, 100_000):
        assert results.crc32(data[:size]) == zlib.crc32(data[:size]), size


def test_what_is_kept_is_no_view():
    numbers = Spec()
    stream, _, features = stream_of(numbers, [True, False, True])
    kept = results.parse(stream, 3, numbers).kept()
    stream[:] = 0
    np.testing.assert_array_equal(kept.features(np.array([2]), numbers), features[2:])
