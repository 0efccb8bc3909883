"""Memory of the batches: buffers that the DMA reaches, two of a kind for each batch in flight."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.driver import results
from pynq_ee.driver.dma import Region
from pynq_ee.driver.results import Results
from pynq_ee.errors import DeviceError, InputError, TransferError, whole_number
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import Spec

#: Batches in flight: one in the fabric, one with the host.
SLOTS = 2

#: What a caller is told who gives the same slot again too early.
IN_FLIGHT = (
    "the images of this slot are still on their way, and have been written over if they are others now; take two slots "
    "and fill them in turn, or classify one batch after the other (overlap=False)"
)

#: Images in a transfer where nothing else is asked for and the memory holds them. Beyond it nothing gets faster.
IMAGES_PER_TRANSFER = 1024


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
    cacheable
        Whether the images are in cacheable memory. Else what is written goes to the DRAM as it comes: nothing is to be
        cleaned for the DMA, but every read is one of the DRAM.

    Attributes
    ----------
    count : int
        Images of the batch.
    images, results
        pynq buffers of the batch, (count, 784), and (bytes,), as many as there may be at most.
    pixels : uint8 array (count, 28, 28)
        The images as the host sees them, a view into their buffer.
    sent, received_into : Region
        The two buffers as the DMA sees them.
    margin : int
        Register ``feature_margin`` of the batch.
    images_crc, results_crc : int or None
        Checksums to compare with: of the images as they were given, and of the results as the kernel sent them. None:
        they are not compared.
    received : int
        Bytes of results that came.
    clocks : int or None
        Of the fabric, for the batch, where the device counts them.
    failures : int
        How often this batch has failed.
    started, completed : float
        When it was started last, and found complete; seconds of ``time.perf_counter``.
    """

    def __init__(self, spec: Spec, device: Any, capacity: int, features: bool, cacheable: bool = True) -> None:
        self.capacity = capacity
        self.count = 0
        self.failures = 0
        self.started = self.completed = 0.0
        self.margin = _spec.FEATURES_ALWAYS
        self.images_crc: int | None = None
        self.results_crc: int | None = None
        self.received = 0
        self.clocks: int | None = None
        self._spec = spec
        self._image_bytes = spec.output_bytes(features)
        self._remote = device.has_capability("REMOTE")
        # Not cacheable, as pynq allocates unless it is told, every access of the host would be one to the DRAM.
        self._cacheable = cacheable or self._remote
        self._images: Any = device.allocate((capacity, _spec.IMAGE_PIXELS), np.uint8, cacheable=self._cacheable)
        self._results: Any = device.allocate((capacity * self._image_bytes,), np.uint8, cacheable=True)
        self.images: Any = None
        self.results: Any = None
        self.pixels: Any = None
        self._result_bytes: Any = None
        self._addresses = (0, 0)  # of images and results, virtual
        self.sent = self.received_into = Region(0, 0)

    def resize(self, count: int) -> None:
        """Take the buffers for ``count`` images, 1 to capacity; InputError for another number."""
        if not 1 <= count <= self.capacity:
            raise InputError(f"{count} images for a slot that holds 1 to {self.capacity}")
        if count == self.count:  # a view of a pynq buffer looks up its addresses, which takes its time
            return
        self.images, self.results = self._images[:count], self._results[: count * self._image_bytes]
        self.pixels = np.asarray(self.images).reshape(count, _spec.IMAGE_SIDE, _spec.IMAGE_SIDE)
        self._result_bytes = np.asarray(self.results)
        self._addresses = (self.pixels.ctypes.data, self._result_bytes.ctypes.data)
        self.sent, self.received_into = (
            Region(int(buffer.physical_address), int(buffer.nbytes)) for buffer in (self.images, self.results)
        )
        self.count = count

    def fill(self, images: npt.NDArray[np.uint8], margin: int = _spec.FEATURES_ALWAYS, checksum: bool = False) -> None:
        """Copy images (n, 28, 28), uint8, 1 to capacity of them, into the slot, so that the DMA sees them.

        Parameters
        ----------
        images
            The images.
        margin
            Register ``feature_margin`` of the batch, 0 to 65535.
        checksum
            Compute the images' checksum.
        """
        self.resize(len(images))
        self.pixels[:] = images
        self.ready(margin, checksum)

    def ready(self, margin: int, checksum: bool) -> None:
        """Let the DMA see the images that are in the buffer."""
        self.failures = 0
        self.margin = margin
        self.results_crc = None
        self.images_crc = results.crc32(self.pixels) if checksum else None
        buffer = self.images
        if self._remote:
            buffer.flush()
        elif self._cacheable and not buffer.coherent:
            buffer.device.flush(buffer.bo, buffer.offset, self._addresses[0], self.sent.nbytes)

    def read(self) -> Results:
        """The results of the batch, after a check of its checksum, where there is one, and of each record.

        Raises
        ------
        TransferError
            A stream that is not that of this batch.
        """
        self._invalidate(self.received)
        try:
            return results.parse(self._result_bytes[: self.received], self.count, self._spec, self.results_crc)
        except TransferError as error:  # a traceback that is kept must not keep the buffer
            raise error.with_traceback(None) from None

    def _invalidate(self, nbytes: int) -> None:
        """Let the host see the first ``nbytes`` of the results, which are all that the DMA wrote."""
        buffer = self.results
        if self._remote:  # fetches all that a buffer holds, for which a view of some of it has no room
            self._results.invalidate()
        elif not buffer.coherent:
            buffer.device.invalidate(buffer.bo, buffer.offset, self._addresses[1], nbytes)

    @property
    def address(self) -> int:
        """Virtual address of the images."""
        return self._addresses[0]

    def release(self) -> None:
        """Drop the buffers; pynq frees them with their last reference."""
        self._images = self._results = self.images = self.results = self.pixels = self._result_bytes = None
        self.count = 0


def lendable(images: int, capacity: int) -> int:
    """The number of images of a slot that a user asks for.

    Raises
    ------
    InputError
        None, or more than a batch holds.
    """
    if (number := whole_number("images", images, least=1)) > capacity:
        raise InputError(f"images is {images}; a slot holds 1 to {capacity} (images_per_transfer)")
    return number


def lend(spec: Spec, device: Any, features: bool, images: int, cacheable: bool) -> Slot:
    """A slot beside those of the accelerator; see :class:`Slot`.

    Raises
    ------
    DeviceError
        The device cannot provide the memory.
    """
    try:
        slot = Slot(spec, device, images, features, cacheable)
    except (MemoryError, RuntimeError) as error:
        per_image = _spec.IMAGE_PIXELS + spec.output_bytes(features)
        raise DeviceError(
            f"no contiguous memory for a slot of {images} images of {per_image} bytes ({error}); ask for a slot of "
            "fewer images, or open the network with a smaller images_per_transfer"
        ) from error
    slot.resize(images)
    return slot


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
    if images is not None and (images := whole_number("images_per_transfer", images, least=1)) > largest:
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
                advice = (
                    "ask for fewer with images_per_transfer, or free other buffers" if images else "free other buffers"
                )
                per_image = _spec.IMAGE_PIXELS + spec.output_bytes(features)
                raise DeviceError(
                    f"no contiguous memory for {SLOTS} x {count} images of {per_image} bytes ({error}); {advice}"
                ) from error
        count //= 2  # out of the handler: until then the error keeps the buffers alive
