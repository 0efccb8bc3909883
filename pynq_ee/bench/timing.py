"""Wall time of several candidates, taken in turns, so that a slow minute of the machine is nobody's alone."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import ToolError

Sample = TypeVar("Sample")

Run = Callable[[npt.NDArray[np.uint8]], Any]


@dataclass(frozen=True)
class Timing:
    """Seconds of a candidate: float64 (repetitions, chunks), and the images in each chunk, int64 (chunks,)."""

    seconds: npt.NDArray[np.float64]
    images: npt.NDArray[np.int64]

    def as_dict(self) -> dict[str, Any]:
        """Median and 99th percentile of the time an image, over all chunks; images a second, median over repetitions
        with its extremes."""
        an_image = self.seconds / self.images
        rates = self.images.sum() / self.seconds.sum(1)
        return {
            "seconds_an_image": float(np.median(an_image)),
            "seconds_an_image_p99": float(np.percentile(an_image, 99)),
            "images_a_second": float(np.median(rates)),
            "images_a_second_range": [float(rates.min()), float(rates.max())],
            "repetitions": len(self.seconds),
        }


def in_turns(samplers: Mapping[str, Callable[[], Sample]], repetitions: int) -> dict[str, list[Sample]]:
    """Take ``repetitions`` samples of every candidate after a warm-up, starting with another one each time."""
    names = list(samplers)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    for name in names:
        samplers[name]()
    for repetition in range(repetitions):
        shift = repetition % max(len(names), 1)
        for name in names[shift:] + names[:shift]:
            samples[name].append(samplers[name]())
    return samples


def wall(run: Run, chunks: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float64]:
    """Seconds of ``run`` on each chunk, once."""
    seconds = np.empty(len(chunks))
    for number, chunk in enumerate(chunks):
        begin = time.perf_counter()
        run(chunk)
        seconds[number] = time.perf_counter() - begin
    return seconds


def chunks_of(images: npt.NDArray[np.uint8], size: int) -> list[npt.NDArray[np.uint8]]:
    """Whole chunks of ``size`` images; what is left over is left out, so that all chunks are alike."""
    return [images[start : start + size] for start in range(0, len(images) - size + 1, size)]


@contextmanager
def threads_limited(threads: int) -> Iterator[None]:
    """Limit the BLAS library and torch to a number of threads within the block.

    Raises
    ------
    ToolError
        threadpoolctl is not installed: without it NumPy's threads cannot be set.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ToolError(f"the benchmark needs threadpoolctl ({error}): pip install 'pynq_ee[bench]'") from error
    torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
    before = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads):
            yield
    finally:
        if torch:
            torch.set_num_threads(before)
