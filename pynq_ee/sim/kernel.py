"""What the simulated fabric computes: one run of the accelerator, as a function from beats to beats.

A kernel is a function ``(beats, last, images, mode, margin) -> Run | None``:

- ``beats`` uint8 (n, beat bytes) and ``last`` uint8 (n,): the input that is there, TLAST marked;
- ``images``, ``mode`` and ``margin``: the values of num_images, mode and feature_margin when the run was started;
- None: the input ends before the run does, more is needed.

There are two: :func:`numpy_kernel`, the readable definition, and :func:`hls_kernel`, the C++ that the bitstream is
built from, compiled for this machine.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.network import fabric, spec
from pynq_ee.network.weights import Model
from pynq_ee.sim import kernel_library


class Run(NamedTuple):
    """What one run took and gave.

    ``consumed`` counts input beats. ``output`` is uint8 (n, beat bytes), ``output_last`` uint8 (n,) marks TLAST.
    ``registers`` holds the read-only registers by name.
    """

    consumed: int
    output: npt.NDArray[np.uint8]
    output_last: npt.NDArray[np.uint8]
    registers: dict[str, int]


Kernel = Callable[[npt.NDArray[np.uint8], npt.NDArray[np.uint8], int, int, int], "Run | None"]


def numpy_kernel(model: Model) -> Kernel:
    """The accelerator by :mod:`pynq_ee.network.fabric`."""
    return lambda *arguments: _run_numpy(model, *arguments)


def _run_numpy(
    model: Model, beats: npt.NDArray[np.uint8], last: npt.NDArray[np.uint8], images: int, mode: int, margin: int
) -> Run | None:
    registers = {
        "magic": spec.MAGIC,
        "version": spec.INTERFACE_VERSION,
        "build_id": model.build_id,
        "images_done": 0,
        "error_flags": 0,
        "images_crc": 0,
        "results_crc": 0,
    }
    if not images:
        return Run(0, np.empty((0, model.spec.beat_bytes), np.uint8), np.empty(0, np.uint8), registers)
    ends = np.flatnonzero(last)
    if not len(ends):
        return None  # a run ends at a TLAST, behind the batch if need be
    consumed, needed = int(ends[0]) + 1, images * model.spec.image_beats
    taken = min(consumed, needed)
    if consumed < needed:
        registers["error_flags"] |= spec.ERROR_SHORT_BATCH
    elif consumed > needed:
        registers["error_flags"] |= spec.ERROR_LONG_BATCH
    whole = taken // model.spec.image_beats
    registers["images_done"] = whole

    pixels = np.zeros((images, spec.IMAGE_PIXELS), np.uint8)
    pixels.reshape(-1)[: taken * model.spec.beat_bytes] = beats[:taken].reshape(-1)
    follow_margin = margin if mode & spec.MODE_FEATURES else spec.FEATURES_NEVER
    output = _results(model, pixels.reshape(-1, spec.IMAGE_SIDE, spec.IMAGE_SIDE), whole, follow_margin)
    output_last = np.zeros(len(output), np.uint8)
    output_last[-1] = 1
    registers["images_crc"] = zlib.crc32(np.ascontiguousarray(beats[:consumed]).data)
    registers["results_crc"] = zlib.crc32(output.data)
    return Run(consumed, output, output_last, registers)


def _results(model: Model, images: npt.NDArray[np.uint8], whole: int, margin: int) -> npt.NDArray[np.uint8]:
    """Output beats of images (n, 28, 28), of which the first ``whole`` came complete."""
    features, logits = fabric.first_exit(images, model)
    follow = fabric.features_follow(logits, margin)
    records = np.empty((len(images), spec.RESULT_BYTES // 2), "<u2")
    records[:, : spec.CLASSES] = logits.view(np.uint16)
    records[:, spec.CLASSES] = np.arange(len(images)) % spec.SEQUENCE_MODULUS
    records[:, spec.CLASSES + 1] = np.where(np.arange(len(images)) < whole, 0, spec.RESULT_TRUNCATED)
    records[:, spec.CLASSES + 1] |= np.where(follow, spec.RESULT_FEATURES, 0).astype(np.uint16)
    rows = np.zeros((len(images), model.spec.output_bytes(True)), np.uint8)
    rows[:, : spec.RESULT_BYTES] = records.view(np.uint8)
    rows[:, spec.RESULT_BYTES :][:, : model.spec.feature_bytes] = fabric.pack_features(features)
    sent = np.ones(rows.shape, np.bool_)
    sent[~follow, spec.RESULT_BYTES :] = False
    return rows[sent].reshape(-1, model.spec.beat_bytes)


def hls_kernel(model: Model) -> Kernel:
    """The accelerator by the HLS C++, compiled for this machine when it first is needed.

    Raises
    ------
    ToolError
        It cannot be compiled here; see :func:`pynq_ee.sim.kernel_library.function`.
    """
    function = kernel_library.function(model)
    return lambda *arguments: _run_hls(function, model, *arguments)


def _run_hls(
    function: kernel_library.Function,
    model: Model,
    beats: npt.NDArray[np.uint8],
    last: npt.NDArray[np.uint8],
    images: int,
    mode: int,
    margin: int,
) -> Run | None:
    capacity = images * model.spec.output_beats(bool(mode & spec.MODE_FEATURES))
    output = np.empty((capacity, model.spec.beat_bytes), np.uint8)
    output_last = np.empty(capacity, np.uint8)
    result = function(
        np.ascontiguousarray(beats), np.ascontiguousarray(last), images, mode, margin, output, output_last
    )
    if result is None:
        return None
    consumed, produced, registers = result
    return Run(consumed, output[:produced], output_last[:produced], registers)
