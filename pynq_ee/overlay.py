"""The accelerator as pynq sees it: overlay, identity check, batches with deadlines, recovery.

One batch is a *slot*: a buffer of images and a buffer of results in memory that the DMA reaches. A slot is filled,
started and finished; between start and finish the host is free to work on another slot::

    slot.fill(images)
    accelerator.start(slot)      # the fabric works
    ...                          # the host works on what the slot before it brought
    results = accelerator.finish(slot)

A batch that fails (an error bit, a deadline, a wrong record) leaves the channels reset and the kernel idle, so that
the next batch is right whatever became of this one.
"""

from __future__ import annotations

import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pynq_ee import spec as _spec
from pynq_ee.dma import AxiDma, Channel
from pynq_ee.errors import DeadlineError, DeviceError, IdentityError, InputError, OverlayError, TransferError
from pynq_ee.spec import REGISTER_OFFSET, Spec
from pynq_ee.weights import Model

#: The result record of one image, as the circuit writes it.
RECORD = np.dtype([("logits", "<i2", _spec.CLASSES), ("sequence", "<u2"), ("flags", "<u2")])

#: Batches in flight: one in the fabric, one with the host.
SLOTS = 2

#: Polls without a pause before the driver starts to sleep between two of them.
_BUSY_POLLS = 200
_POLL_SECONDS = 0.0005

#: An empty batch, which publishes the identity, takes some clocks; a second is for ever.
_IDENTITY_SECONDS = 1.0

#: A processor's divisors hit a frequency to some parts in a hundred thousand.
_CLOCK_TOLERANCE = 0.001


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
    """

    def __init__(self, spec: Spec, device: Any, capacity: int, features: bool) -> None:
        self.capacity = capacity
        self.count = 0
        self._images = device.allocate((capacity, _spec.IMAGE_PIXELS), np.uint8)
        self._results = device.allocate((capacity, spec.output_bytes(features)), np.uint8)

    def fill(self, images: npt.NDArray[np.uint8]) -> None:
        """Copy images (n, 28, 28), uint8, 1 to capacity of them, into the slot."""
        if not 1 <= len(images) <= self.capacity:
            raise InputError(f"{len(images)} images for a slot that holds 1 to {self.capacity}")
        self.count = len(images)
        np.copyto(self._images[: self.count], images.reshape(self.count, _spec.IMAGE_PIXELS))

    @property
    def images(self) -> Any:
        """The images of the batch, a pynq buffer (count, 784)."""
        return self._images[: self.count]

    @property
    def results(self) -> Any:
        """The results of the batch, a pynq buffer (count, bytes an image)."""
        return self._results[: self.count]

    def release(self) -> None:
        """Drop the buffers; pynq frees them with their last reference."""
        self._images = self._results = None


@dataclass
class Counters:
    """What the accelerator has done since it was loaded."""

    batches: int = 0
    images: int = 0
    retries: int = 0
    recoveries: int = 0


class Accelerator:
    """The first exit in the fabric of one device.

    Parameters
    ----------
    model
        The network; its ``build_id`` must be the bitstream's.
    device
        pynq's device.
    bitfile
        The overlay, a ``.bit`` beside its ``.hwh``; see :func:`pynq_ee.bitfiles.find`.
    features
        Ask the fabric for the trunk's features of every image.
    images_per_transfer
        Images in one batch, at most. Two batches of buffers are allocated.
    deadline_seconds
        Longest time that one batch may take; the time that the rate rule gives it is added.
    retries
        How often a failed batch is sent again before its error is raised.
    clock_mhz
        Clock that the bitstream was built for. The fabric is set to it, or to the next that the processor makes;
        ``Accelerator.clock_mhz`` is what it became.

    Raises
    ------
    OverlayError, IdentityError
        No DMA or no kernel in the overlay, or a bitstream of another model.
    DeviceError
        The device cannot provide the memory.
    """

    def __init__(
        self,
        model: Model,
        device: Any,
        bitfile: str | Path,
        *,
        features: bool = True,
        images_per_transfer: int = 1024,
        deadline_seconds: float = 2.0,
        retries: int = 1,
        clock_mhz: float = _spec.DEFAULT_BOARD.clock_mhz,
    ) -> None:
        import pynq

        self.model = model
        self.spec = model.spec
        self.device = device
        self.features = features
        self.deadline_seconds = deadline_seconds
        self.retries = retries
        self.clock_mhz = float(clock_mhz)
        self.counters = Counters()
        self.slots: list[Slot] = []
        self._running: Slot | None = None
        self._started = 0.0
        self._deadline = 0.0

        self._overlay = pynq.Overlay(str(bitfile), device=device)
        for name in (_spec.KERNEL_NAME, _spec.DMA_NAME):
            if name not in self._overlay.ip_dict:
                found = ", ".join(self._overlay.ip_dict) or "nothing"
                raise OverlayError(f"{bitfile} has no {name!r} (it has {found}); build it with hw/build.tcl")
        self._registers = getattr(self._overlay, _spec.KERNEL_NAME).mmio
        self._dma = AxiDma(getattr(self._overlay, _spec.DMA_NAME))
        self._set_clock(clock_mhz)
        self._dma.reset()
        self.check_identity()
        self._allocate(images_per_transfer)

    def _set_clock(self, clock_mhz: float) -> None:
        """Set the fabric's clock by its frequency, and keep what it really is.

        pynq programs the divisors of the .hwh; the PLL that they divide is the boot image's, and may be another one.
        pynq 3.0 knows only the clocks of the machine that it runs on, so off a board there is nothing to set.
        """
        from pynq import Clocks

        if hasattr(Clocks, "set_device") or platform.machine() in ("armv7l", "aarch64"):
            Clocks.fclk0_mhz = clock_mhz
            self.clock_mhz = float(Clocks.fclk0_mhz)
            if self.clock_mhz > clock_mhz * (1 + _CLOCK_TOLERANCE):
                raise DeviceError(
                    f"the fabric's clock is {self.clock_mhz:g} MHz and cannot be brought down to the {clock_mhz:g} MHz "
                    "that the bitstream was built for; rebuild it with --clock"
                )

    def _allocate(self, images_per_transfer: int) -> None:
        largest = min(
            self._dma.max_bytes // max(_spec.IMAGE_PIXELS, self.spec.output_bytes(self.features)),
            _spec.SEQUENCE_MODULUS,
        )
        if not 1 <= images_per_transfer <= largest:
            raise InputError(
                f"images_per_transfer is {images_per_transfer}; one transfer carries 1 to {largest} images"
            )
        try:
            for _ in range(SLOTS):
                self.slots.append(Slot(self.spec, self.device, images_per_transfer, self.features))
        except (MemoryError, RuntimeError) as error:
            self.close()
            per_image = _spec.IMAGE_PIXELS + self.spec.output_bytes(self.features)
            raise DeviceError(
                f"no contiguous memory for {SLOTS} x {images_per_transfer} images of {per_image} bytes "
                f"({error}); ask for fewer with images_per_transfer, or free other buffers"
            ) from error

    # Identity ---------------------------------------------------------------------------------------------------

    def check_identity(self) -> None:
        """Read magic, interface version and build_id from the fabric and compare them with the model's.

        An empty batch publishes them: the kernel runs, touches no stream, and ends.

        Raises
        ------
        IdentityError
            Another circuit than the model's, both identities named.
        DeadlineError
            The kernel does not answer.
        """
        self._registers.write(REGISTER_OFFSET["num_images"], 0)
        self._registers.write(REGISTER_OFFSET["CTRL"], _spec.CTRL_START)
        self._await_kernel(time.monotonic() + _IDENTITY_SECONDS)
        expected = {"magic": _spec.MAGIC, "version": _spec.INTERFACE_VERSION, "build_id": self.model.build_id}
        found = {name: self._registers.read(REGISTER_OFFSET[name]) for name in expected}
        if found != expected:
            wrong = ", ".join(
                f"{name} 0x{found[name]:08x} (needed 0x{expected[name]:08x})"
                for name in expected
                if found[name] != expected[name]
            )
            raise IdentityError(
                f"the circuit in the fabric is not the one of this model: {wrong}. Load the bitstream that was built "
                "for it, or rebuild: `pynq-ee export`, then `vivado -mode batch -source hw/build.tcl`"
            )

    def _await_kernel(self, give_up: float) -> None:
        while True:
            control = self._registers.read(REGISTER_OFFSET["CTRL"])
            if control & (_spec.CTRL_DONE | _spec.CTRL_IDLE):
                return
            if time.monotonic() > give_up:
                raise DeadlineError(f"the kernel is still busy (CTRL reads 0x{control:x}) at its deadline")

    # One batch --------------------------------------------------------------------------------------------------

    def start(self, slot: Slot) -> None:
        """Start a filled slot: receive armed first, then the kernel, then the images.

        Raises
        ------
        TransferError
            Another batch is running.
        """
        if self._running is not None:
            raise TransferError("a batch is already in the fabric; finish it before the next is started")
        self._dma.receive.transfer(slot.results)
        self._registers.write(REGISTER_OFFSET["num_images"], slot.count)
        self._registers.write(REGISTER_OFFSET["mode"], _spec.MODE_FEATURES if self.features else 0)
        self._registers.write(REGISTER_OFFSET["CTRL"], _spec.CTRL_START)
        images = slot.images
        images.flush()
        self._running = slot
        self._started = time.monotonic()
        self._deadline = self._started + self.deadline_seconds + self.fabric_seconds(slot.count)
        self._dma.send.transfer(images)

    def finish(self, slot: Slot) -> Results:
        """Wait for a started slot and check what it brought.

        Raises
        ------
        DeadlineError
            The batch did not complete in time.
        TransferError
            An error bit of the DMA or of the kernel, or records that are not those of this batch.
        """
        for attempt in range(self.retries + 1):
            try:
                self._await_batch(slot)
                results = self._collect(slot)
            except TransferError:
                self.recover()
                if attempt == self.retries:
                    raise
                self.counters.retries += 1
                self.start(slot)
            except BaseException:  # KeyboardInterrupt in a notebook must leave a working overlay
                self.recover()
                raise
            else:
                self._running = None
                self.counters.batches += 1
                self.counters.images += slot.count
                return results
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _await_batch(self, slot: Slot) -> None:
        """Poll until the results are there, the images are sent, and the kernel is done."""
        self._await_channel("receiving results", self._dma.receive, slot)
        received, expected = self._dma.receive.transferred(), slot.results.nbytes
        if received != expected:
            raise TransferError(f"{received} bytes of results for {slot.count} images; {expected} are due")
        self._await_channel("sending images", self._dma.send, slot)
        self._await_kernel(self._deadline)

    def _await_channel(self, stage: str, channel: Channel, slot: Slot) -> None:
        polls = 0
        while not (status := channel.status()).complete:
            if status.error or status.halted:
                reason = status.error or "the channel halted: another program has reset it"
                raise TransferError(f"{stage} failed: DMA {reason} (status 0x{status.raw:08x})")
            if time.monotonic() > self._deadline:
                raise DeadlineError(
                    f"{stage} did not complete within {self._deadline - self._started:.3g} s: "
                    f"{slot.count} images, {self._progress()}"
                )
            polls += 1
            if polls > _BUSY_POLLS:
                time.sleep(_POLL_SECONDS)

    def _progress(self) -> str:
        """The registers as they stand, for the message of a deadline."""
        reading = {name: self._registers.read(REGISTER_OFFSET[name]) for name in ("CTRL", "images_done", "error_flags")}
        return (
            f"kernel CTRL 0x{reading['CTRL']:x}, images_done {reading['images_done']}, "
            f"error_flags 0x{reading['error_flags']:x}; "
            f"send status 0x{self._dma.send.status().raw:x}, receive status 0x{self._dma.receive.status().raw:x}"
        )

    def _collect(self, slot: Slot) -> Results:
        """Check the batch's flags and sequence numbers, and take its results out of the buffer."""
        errors = self._registers.read(REGISTER_OFFSET["error_flags"])
        if errors:
            named = [
                text
                for bit, text in (
                    (_spec.ERROR_SHORT_BATCH, "the images ended early"),
                    (_spec.ERROR_LONG_BATCH, "more images came than were announced"),
                )
                if errors & bit
            ]
            done = self._registers.read(REGISTER_OFFSET["images_done"])
            raise TransferError(
                f"the kernel reports error_flags 0x{errors:x} ({', '.join(named) or 'unknown'}); {done} images whole"
            )
        buffer = slot.results
        buffer.invalidate()
        rows = np.asarray(buffer)  # views of a pynq buffer would each look up a physical address
        records = np.ascontiguousarray(rows[:, -RECORD.itemsize :]).view(RECORD)[:, 0]
        sequence = np.arange(slot.count, dtype=np.uint16)
        if not np.array_equal(records["sequence"], sequence):
            first = int(np.argmax(records["sequence"] != sequence))
            raise TransferError(
                f"image {first} of the batch came back with sequence number {records['sequence'][first]}: "
                "a result was lost, repeated or not written"
            )
        if records["flags"].any():
            first = int(np.argmax(records["flags"] != 0))
            raise TransferError(f"image {first} of the batch carries flags 0x{records['flags'][first]:x}; 0 is due")
        features = rows[:, : self.spec.feature_bytes] if self.features else None
        return Results(records["logits"].copy(), features)

    # Recovery and end -------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Bring DMA and kernel back to where a batch can start, whatever they are in.

        The DMA's soft reset resets the kernel too, and empties the streams between them (``hw/tcl/block_design.tcl``).
        Should the kernel not answer even then, the bitstream is loaded again.

        Raises
        ------
        IdentityError
            Another program has loaded another bitstream meanwhile.
        DeadlineError
            Nothing helps: the fabric does not answer.
        """
        self._running = None
        self.counters.recoveries += 1
        try:
            self._dma.reset()
            self.check_identity()
        except DeadlineError:
            self._overlay.download()
            self._dma.reset()
            self.check_identity()

    def abandon(self) -> None:
        """End the batch that is in the fabric, if there is one; its results are lost."""
        if self._running is not None:
            self.recover()

    def fabric_clocks(self, images: int) -> int:
        """Clocks of a batch in the fabric by the rate rule (*modelled*)."""
        return _spec.batch_clocks(self.spec, images)

    def fabric_seconds(self, images: int) -> float:
        """Time of a batch in the fabric by the rate rule and the clock (*modelled*)."""
        return self.fabric_clocks(images) / (self.clock_mhz * 1e6)

    def close(self) -> None:
        """End what is running and free the buffers. May be called twice."""
        self.abandon()
        for slot in self.slots:
            slot.release()
        self.slots.clear()
