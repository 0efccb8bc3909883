"""Memory of the batches: buffers that the DMA reaches, two of a kind for each batch in flight."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee.errors import DeviceError, InputError, TransferError, whole_number
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec

#: The result record of one image, as the circuit writes it.
RECORD = np.dtype([("logits", "<i2", _spec.CLASSES), ("sequence", "<u2"), ("flags", "<u2")])

#: Batches in flight: one in the fabric, one with the host.
SLOTS = 2

#: Images in a transfer where nothing else is asked for and the memory holds them. Beyond it nothing gets faster.
IMAGES_PER_TRANSFER = 1024

#: The last word of each record of a batch without fault: the sequence number, and flags of zero above it.
_TAILS = np.arange(_spec.SEQUENCE_MODULUS, dtype=np.uint32)


class Results(NamedTuple):
    """What the fabric returned for one batch.

    ``logits`` (n, 10) int16 is a copy. ``features`` (n, 588) uint8, or None, is a *view* into the slot's buffer,
    valid until the slot is filled again.
    """

    logits: npt.NDArray[np.int16]
    features: npt.NDArray[np.uint8] | None


class Slot:
    """Buffers of one batch, in memory that the DMA reaches.

    Parameters
    ----------
    spec
        The fabric's numbers.
    device
        pynq's device that allocates.
    capacity
        Images that the slot holds.
    features
        Whether results carry the trunk's features.

    Attributes
    ----------
    count : int
        Images of the batch.
    images, results
        pynq buffers of the batch, (count, 784) and (count, bytes an image).
    failures : int
        How often this batch has failed.
    started, completed : float
        When it was started last, and found complete; seconds of ``time.perf_counter``.
    """

    def __init__(self, spec: Spec, device: Any, capacity: int, features: bool) -> None:
        self.capacity = capacity
        self.count = 0
        self.failures = 0
        self.started = self.completed = 0.0
        self._feature_bytes = spec.feature_bytes if features else 0
        self._remote = device.has_capability("REMOTE")
        # Not cacheable, as pynq allocates unless it is told, every access of the host would be one to the DRAM.
        self._images: Any = device.allocate((capacity, _spec.IMAGE_PIXELS), np.uint8, cacheable=True)
        self._results: Any = device.allocate((capacity, spec.output_bytes(features)), np.uint8, cacheable=True)
        self.images: Any = None
        self.results: Any = None
        self._image_rows: Any = None
        self._result_rows: Any = None

    def fill(self, images: npt.NDArray[np.uint8]) -> None:
        """Copy images (n, 28, 28), uint8, 1 to capacity of them, into the slot, so that the DMA sees them."""
        if not 1 <= len(images) <= self.capacity:
            raise InputError(f"{len(images)} images for a slot that holds 1 to {self.capacity}")
        if len(images) != self.count:  # a view of a pynq buffer looks up its physical address, which takes its time
            self.count = len(images)
            self.images, self.results = self._images[: self.count], self._results[: self.count]
            self._image_rows, self._result_rows = np.asarray(self.images), np.asarray(self.results)
        self.failures = 0
        self._image_rows[:] = images.reshape(self.count, _spec.IMAGE_PIXELS)
        self.images.flush()

    def read(self) -> Results:
        """The results of the batch, after a check of each record.

        Raises
        ------
        TransferError
            Records that are not those of this batch.
        """
        # A buffer of pynq's remote device fetches all that it holds, for which a view of some of it has no room.
        (self._results if self._remote else self.results).invalidate()
        rows = self._result_rows
        records = rows[:, -RECORD.itemsize :].copy()
        wrong = records.view(np.uint32)[:, -1] != _TAILS[: self.count]
        if wrong.any():
            first = int(np.argmax(wrong))
            record = records.view(RECORD)[first, 0]
            del rows  # a traceback that is kept must not keep the buffer
            what = f"carries flags 0x{record['flags']:x}, 0 is due"
            if record["sequence"] != first:
                found = record["sequence"]
                what = f"came back with sequence number {found}: a result was lost, repeated or not written"
            raise TransferError(
                f"checking results: image {first} {what} ({self.count} images)",
                stage="checking results",
                images_done=first,
                bytes_moved=self.results.nbytes,
            )
        logits = records.view(np.int16)[:, : _spec.CLASSES]
        return Results(logits, rows[:, : self._feature_bytes] if self._feature_bytes else None)

    def release(self) -> None:
        """Drop the buffers; pynq frees them with their last reference."""
        self._images = self._results = self.images = self.results = self._image_rows = self._result_rows = None


def allocate(spec: Spec, device: Any, features: bool, largest: int, images: int | None) -> list[Slot]:
    """The slots of an accelerator.

    Parameters
    ----------
    largest
        Images that one transfer can carry.
    images
        Images a slot. None: as many as the contiguous memory holds, halved from :data:`IMAGES_PER_TRANSFER` on.

    Raises
    ------
    InputError
        More images than a transfer carries, or none.
    DeviceError
        The device cannot provide the memory: for the number asked for, or not even for one image.
    """
    if images is not None and whole_number("images_per_transfer", images, least=1) > largest:
        raise InputError(f"images_per_transfer is {images}; one transfer carries 1 to {largest} images")
    count = min(IMAGES_PER_TRANSFER, largest) if images is None else images
    while True:
        slots: list[Slot] = []
        try:
            for _ in range(SLOTS):
                slots.append(Slot(spec, device, count, features))
            return slots
        except (MemoryError, RuntimeError) as error:
            slots.clear()
            if images is not None or count == 1:
                per_image = _spec.IMAGE_PIXELS + spec.output_bytes(features)
                advice = (
                    "ask for fewer with images_per_transfer, or free other buffers" if images else "free other buffers"
                )
                raise DeviceError(
                    f"no contiguous memory for {SLOTS} x {count} images of {per_image} bytes ({error}); {advice}"
                ) from error
        count //= 2  # out of the handler: until then the error keeps the buffers alive
