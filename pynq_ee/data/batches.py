"""A stream of images as batches of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from pynq_ee.data.images import SHAPE


def split(images: npt.NDArray[np.uint8], size: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Views of at most ``size`` consecutive images."""
    return (images[start : start + size] for start in range(0, len(images), size))


def gather(
    images: Iterable[npt.NDArray[np.uint8]], size: int, *, lasting: bool = True
) -> Iterator[npt.NDArray[np.uint8]]:
    """Regroup arrays (n, 28, 28) of any n into arrays of ``size``, the last one shorter.

    Parameters
    ----------
    lasting
        Each is a copy. If not, it is valid until the next one is asked for: whole ones are views of what came, and the
        others stand in the same memory one after the other.
    """
    batch = np.empty((size, *SHAPE), np.uint8)
    count = 0
    for item in images:
        if not lasting and not count and len(item) == size:
            yield item
            continue
        while len(item):
            part = item[: size - count]
            batch[count : count + len(part)] = part  # copied: a camera may write its next frame over this one
            count += len(part)
            item = item[len(part) :]
            if count == size:
                yield batch
                count = 0
                if lasting:
                    batch = np.empty_like(batch)
    if count:
        yield batch[:count]
