"""Test vectors for the kernel: batches with what the NumPy model says that they give back.

The testbench of the C simulation and the harness of the RTL simulation read the same files, written by
:func:`write`. What a batch gives back, framing errors included, is what :func:`pynq_ee.sim.kernel.numpy_kernel` says.

A file is text. A word is hexadecimal where it is a beat or a register, decimal where it is a count::

    first_exit_vectors 2
    build_id <hex> beat_bits <n> image_beats <n> feature_beats <n> result_beats <n> cases <n>
    case <name> num_images <n> mode <n> feature_margin <n> input <beats> consumed <beats> output <beats>
    registers <magic> <version> <build_id> <images_done> <error_flags> <images_crc> <results_crc>
    <beat> <TLAST>            one line for each beat of the input
    <beat> <TLAST>            one line for each beat of the output
    end
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import InputError
from pynq_ee.files import write_atomically
from pynq_ee.network import fabric
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec
from pynq_ee.network.weights import Model
from pynq_ee.sim.kernel import numpy_kernel

MAGIC = "first_exit_vectors"
FORMAT = 2

Bytes = npt.NDArray[np.uint8]


def write(model: Model, images: npt.NDArray[np.uint8], directory: str | os.PathLike[str], mode: int) -> Path:
    """Write the test vectors of a model in one mode.

    Parameters
    ----------
    model
        The trained network.
    images
        uint8 array (N, 28, 28), at least three.
    directory
        Where ``mode<mode>.vectors`` goes; made if it is missing.
    mode
        Register ``mode``: 0, or ``spec.MODE_FEATURES``.

    Returns
    -------
    The path of the file written.
    """
    lines = [line for case in cases(model, images) for line in _case_lines(model, mode, *case)]
    count = sum(line.startswith("case ") for line in lines)
    spec = model.spec
    header = [
        f"{MAGIC} {FORMAT}",
        f"build_id {model.build_id:08x} beat_bits {spec.beat_bits} image_beats {spec.image_beats} "
        f"feature_beats {spec.feature_beats} result_beats {spec.result_beats} cases {count}",
    ]
    return write_atomically(Path(directory) / f"mode{mode}.vectors", "\n".join([*header, *lines, "end", ""]).encode())


def sample_images(count: int = 5, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Images that exercise the arithmetic without a data set: black, white, random, and random strokes, in turn."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (count, _spec.IMAGE_SIDE, _spec.IMAGE_SIDE), dtype=np.uint8)
    strokes = np.where(random.random(noise.shape) < 0.2, noise, 0).astype(np.uint8)
    kinds = [noise, strokes, np.full_like(noise, 255), np.zeros_like(noise)]
    return np.stack([kinds[index % len(kinds)][index] for index in range(count)])


def image_beats(images: npt.NDArray[np.uint8], spec: Spec) -> Bytes:
    """Images (N, 28, 28) as the beats that carry them: uint8 (beats, bytes of a beat)."""
    return np.ascontiguousarray(images).reshape(-1, spec.beat_bytes)


def cases(model: Model, images: npt.NDArray[np.uint8]) -> Iterator[tuple[str, int, int, Bytes, Bytes]]:
    """Name, number of images, feature margin, beats and TLAST of each case: whole batches, and all framing errors."""
    if len(images) < 3:
        raise InputError(f"{len(images)} images; the test vectors need at least 3")
    beats, image = image_beats(images, model.spec), model.spec.image_beats
    # By this margin some of the images have their features sent, one of them not by the least difference.
    ordered = np.sort(fabric.first_exit(images, model)[1].astype(np.int64), axis=1)
    some = int(np.median(ordered[:, -1] - ordered[:, -2]))
    for name, margin in (("features_of_none", _spec.FEATURES_NEVER), ("features_of_some", some)):
        last = np.zeros(len(beats), np.uint8)
        last[-1] = 1
        yield name, len(images), margin, beats, last
    for name, num_images, count, end in (
        ("one_image", 1, image, image),
        ("several_images", len(images), len(beats), len(beats)),
        ("early_end_inside_an_image", 3, image + image // 3, image + image // 3),
        ("early_end_between_images", 3, 2 * image, 2 * image),
        ("early_end_at_the_first_beat", 2, 1, 1),
        ("early_end_one_beat_short", 2, 2 * image - 1, 2 * image - 1),
        ("late_end", 1, image + 5, image + 5),
        ("late_end_images_later", 1, 3 * image, 3 * image),
        ("beats_behind_the_end", 2, 3 * image, 2 * image),
        ("no_images", 0, 3, 3),
    ):
        last = np.zeros(count, np.uint8)
        last[end - 1] = 1
        yield name, num_images, _spec.FEATURES_ALWAYS, beats[:count], last


def _case_lines(
    model: Model, mode: int, name: str, num_images: int, margin: int, beats: Bytes, last: Bytes
) -> Iterator[str]:
    expected = numpy_kernel(model)(beats, last, num_images, mode, margin)
    assert expected is not None, f"case {name} has no end"
    yield (
        f"case {name} num_images {num_images} mode {mode} feature_margin {margin} input {len(beats)} "
        f"consumed {expected.consumed} output {len(expected.output)}"
    )
    yield "registers " + " ".join(f"{value:x}" for value in expected.registers.values())
    for words, ends in ((beats, last), (expected.output, expected.output_last)):
        for word, end in zip(words, ends):
            yield f"{int.from_bytes(word.tobytes(), 'little'):0{2 * model.spec.beat_bytes}x} {int(end)}"
