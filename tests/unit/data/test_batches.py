"""A stream of images is regrouped in order, and read no further than is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pynq_ee.data import batches


def numbered(start: int, count: int) -> np.ndarray:
    """Images that carry their number."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 0, 0] = np.arange(start, start + count)
    return images


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 16))
def test_images_are_regrouped_in_order_into_full_batches_and_a_rest(counts: list[int], size: int) -> None:
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    regrouped = list(batches.gather((numbered(start, count) for start, count in zip(starts, counts)), size))
    total = int(starts[-1])
    assert [len(batch) for batch in regrouped] == [size] * (total // size) + ([total % size] if total % size else [])
    numbers = [batch[:, 0, 0] for batch in regrouped]
    assert np.array_equal(np.concatenate([np.zeros(0, np.uint8), *numbers]), np.arange(total).astype(np.uint8))


def test_a_source_is_read_only_as_far_as_it_is_needed() -> None:
    read = []

    def source() -> Iterator[np.ndarray]:
        for number in range(100):
            read.append(number)
            yield numbered(number, 1)

    regrouped = batches.gather(source(), 4)
    assert read == []
    next(regrouped)
    assert read == [0, 1, 2, 3]


def test_a_source_may_use_its_buffer_again() -> None:
    """As a camera does, that writes every frame to the same place."""

    def camera() -> Iterator[np.ndarray]:
        frame = np.zeros((1, 28, 28), np.uint8)
        for number in range(6):
            frame[:] = number
            yield frame

    regrouped = list(batches.gather(camera(), 4))
    assert [batch[:, 5, 5].tolist() for batch in regrouped] == [[0, 1, 2, 3], [4, 5]]
