"""The accelerator as pynq sees it: overlay, identity check, batches with deadlines, recovery.

One batch is a *slot*: a buffer of images and a buffer of results in memory that the DMA reaches. There are two, and
while one is in the fabric the host works on the other::

    following = accelerator.fill(images)              # while the fabric works on running
    while not accelerator.advance(running, following):
        accelerator.pause()
    results = accelerator.collect(running)            # the fabric works on following already

:meth:`Accelerator.advance` starts the next batch as soon as the one before is complete; between the two are a few
register accesses and nothing else. Only then are the results checked: should they turn out wrong, both batches are
sent again, in order.

A batch that fails (an error bit, a deadline, a wrong record) leaves the channels reset and the kernel idle, so that
the next batch is right whatever became of this one.
"""

from __future__ import annotations

import contextlib
import functools
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.driver import slots as _slots
from pynq_ee.driver.circuit import Circuit
from pynq_ee.driver.interrupts import Completion
from pynq_ee.driver.results import Results, possible_length
from pynq_ee.driver.slots import Slot
from pynq_ee.errors import DeadlineError, InputError, PynqEEError, TransferError, finite_seconds, whole_number
from pynq_ee.network import spec as _spec
from pynq_ee.network.weights import Model

#: Looks without a pause before the driver starts to sleep between two of them.
_BUSY_POLLS = 200
_POLL_SECONDS = 0.0005

_ERROR_FLAGS = {
    _spec.ERROR_SHORT_BATCH: "the images ended early",
    _spec.ERROR_LONG_BATCH: "more images came than were announced",
}


#: What is compared of the checksums, from the least to the most.
VERIFY = ("none", "results", "all")


@dataclass
class Counters:
    """What the accelerator has done since it was made."""

    batches: int = 0
    images: int = 0
    retries: int = 0
    recoveries: int = 0


class Accelerator:
    """The first exit in the fabric of one device, driven by one process and one object at a time.

    It is not safe for threads by itself: :mod:`pynq_ee.driver.pipeline` gives its callers their turns.

    Parameters
    ----------
    model
        The network; its ``build_id`` must be the bitstream's.
    device
        pynq's device.
    bitfile
        The overlay, a ``.bit`` beside its ``.hwh``; see :func:`pynq_ee.driver.bitfiles.find`.
    features
        Ask the fabric for the trunk's features of images that may stay, by the margin that each batch is filled with.
    images_per_transfer
        Images in one batch, at most; two batches of buffers are allocated. None: up to 1024, as the contiguous memory
        allows.
    deadline_seconds
        Longest time that one batch may take; the time that the rate rule gives it is added.
    retries
        How often a failed batch is sent again before its error is raised.
    verify
        ``results``: compare the checksum of the results, as the kernel sent them, with that of what is read. ``all``:
        that of the images too, as they were given and as the kernel got them. ``none``: neither.
    clock_mhz
        Clock that the bitstream was built for. The fabric is set to it, or to the next that the processor makes;
        ``Accelerator.clock_mhz`` is what it became.

    Raises
    ------
    OverlayError, IdentityError
        No DMA or no kernel in the overlay, or a bitstream of another model.
    DeviceError
        The DMA is driven by another object or process, or the device cannot provide the memory.
    """

    def __init__(
        self,
        model: Model,
        device: Any,
        bitfile: str | Path,
        *,
        features: bool = True,
        images_per_transfer: int | None = None,
        deadline_seconds: float = 2.0,
        retries: int = 1,
        verify: str = "results",
        clock_mhz: float = _spec.DEFAULT_BOARD.clock_mhz,
    ) -> None:
        self.model = model
        self.spec = model.spec
        self.device = device
        self.features = features
        self.deadline_seconds = finite_seconds("deadline_seconds", deadline_seconds)
        self.retries = whole_number("retries", retries, least=0)
        if verify not in VERIFY:
            raise InputError(f"verify is {verify!r}; there are {', '.join(VERIFY)}")
        self.verify = verify
        self._batch_clocks = functools.lru_cache(partial(_spec.batch_clocks, self.spec))
        self._counts_clocks = getattr(device, "batch_clocks", None) is not None
        self.counters = Counters()
        self.slots: list[Slot] = []
        self._lent: dict[int, Slot] = {}  # by the address of their images
        self._running: Slot | None = None
        self._sound = True
        self._looks = 0
        self._circuit = Circuit(model, device, bitfile, features, clock_mhz)
        self._dma = self._circuit.dma
        try:
            largest = self._dma.max_bytes // max(_spec.IMAGE_PIXELS, self.spec.output_bytes(features))
            largest = min(largest, _spec.SEQUENCE_MODULUS)
            self.slots = _slots.allocate(self.spec, device, features, largest, images_per_transfer)
            self.capacity = self.slots[0].capacity
        except BaseException:
            self.close()
            raise

    @property
    def clock_mhz(self) -> float:
        """The fabric's clock as it became."""
        return self._circuit.clock_mhz

    @property
    def completion(self) -> Completion:
        """What to await between two looks; see :mod:`pynq_ee.driver.interrupts`."""
        return self._circuit.completion

    def reload(self) -> None:
        """Load the overlay again, after another program has loaded its own. A batch in the fabric is lost.

        Raises
        ------
        IdentityError, DeadlineError, DeviceError
            As :class:`~pynq_ee.driver.circuit.Circuit`.
        """
        self._running, self._sound = None, False
        self._circuit.load()
        self._sound = True

    def check_loaded(self) -> None:
        """See, without touching the fabric, that nobody else has loaded an overlay.

        Raises
        ------
        IdentityError, DeviceError
            As :meth:`pynq_ee.driver.circuit.Circuit.check_loaded`.
        """
        try:
            self._circuit.check_loaded()
        except PynqEEError:
            self._running, self._sound = None, False  # whatever was in the fabric is gone
            raise

    # One batch --------------------------------------------------------------------------------------------------

    def fill(self, images: npt.NDArray[np.uint8], margin: int = _spec.FEATURES_ALWAYS) -> Slot:
        """Copy images (n, 28, 28), uint8, 1 to a slot's capacity of them, into the slot that is not in the fabric.

        What was read from that slot before is overwritten. Images that stand in a lent slot, from its first one on, are
        not copied: that slot is used. ``margin`` is the register ``feature_margin`` of the batch, 0 to 65535: the
        features of an image are returned if its two largest logits differ by less.

        Raises
        ------
        InputError
            Too many images, or none; or those of a slot that is in the fabric.
        IdentityError, DeviceError
            As :meth:`check_loaded`.
        """
        self.check_loaded()
        if self._lent and images.flags.c_contiguous and (lent := self._lent.get(images.ctypes.data)):
            if lent is self._running:
                raise InputError(_slots.IN_FLIGHT)
            lent.resize(len(images))
            lent.ready(margin, self.verify == "all")
            return lent
        first, second = self.slots
        slot = second if first is self._running else first
        slot.fill(images, margin, self.verify == "all")
        return slot

    def lend(self, images: int, cacheable: bool = False) -> Slot:
        """A slot beside the two, whose ``pixels``, 1 to ``capacity``, are written to and given to :meth:`fill`.

        ``cacheable`` as of a :class:`~pynq_ee.driver.slots.Slot`; where images are verified, they are read, and it is.

        Raises
        ------
        InputError
            Another number of images.
        DeviceError
            No memory.
        IdentityError, DeviceError
            As :meth:`check_loaded`.
        """
        self.check_loaded()
        count = _slots.lendable(images, self.capacity)
        slot = _slots.lend(self.spec, self.device, self.features, count, cacheable or self.verify == "all")
        self._lent[slot.address] = slot
        return slot

    def take_back(self, slot: Slot) -> None:
        """End a loan. A batch of it that is in the fabric goes on; the memory is freed with its last reference."""
        if self._lent.get(slot.address) is slot:
            del self._lent[slot.address]

    def start(self, slot: Slot) -> None:
        """Start a filled slot: receive armed first, then the kernel, then the images.

        Before anything is written, the ``build_id`` is read: the circuit may have been reset or replaced behind pynq.

        Raises
        ------
        TransferError
            Another batch is running.
        IdentityError, DeadlineError
            Another circuit is in the fabric, or one that does not answer after a reset.
        """
        if self._running is not None:
            raise TransferError("a batch is already in the fabric; finish it before the next is started")
        if not (self._sound and self._circuit.is_ours()):
            self.recover()
        self._running = slot
        try:
            self._dma.receive.transfer(slot.received_into)
            self._circuit.start_kernel(slot.count, slot.margin if self.features else None)
            self._dma.send.transfer(slot.sent)
        except BaseException:
            self._recover_under_way()
            raise
        self._looks = 0
        slot.started = time.perf_counter()

    def advance(self, slot: Slot, following: Slot | None = None) -> bool:
        """See whether a started slot is complete; if it is, start the filled one that follows it.

        A batch that failed is in the fabric again afterwards, until its retries are used up.

        Returns
        -------
        False: not yet; look again, with :meth:`pause` or by awaiting :attr:`completion` between.

        Raises
        ------
        DeadlineError
            The batch did not complete in time.
        TransferError
            An error bit of the DMA or of the kernel, or a batch that is no longer in the fabric.
        """
        if self._running is not slot:
            raise TransferError("the batch is no longer in the fabric: another call reset it, or closed the object")
        try:
            if not self._complete(slot):
                self._looks += 1
                return False
            self._check_input(slot)
        except TransferError:
            if not self._again(slot):
                raise
            return False
        except BaseException:  # KeyboardInterrupt in a notebook must leave a working overlay
            self._recover_under_way()
            raise
        slot.completed = time.perf_counter()
        if self._counts_clocks:
            slot.clocks = self.device.batch_clocks
        self._running = None
        if following is not None:
            self.start(following)
        return True

    def collect(self, slot: Slot) -> Results | None:
        """The results of a slot that :meth:`advance` found complete.

        Returns
        -------
        None: they were wrong, and the slot is in the fabric again. What followed it is not; it is still filled, and
        to be given to :meth:`advance` again.

        Raises
        ------
        TransferError
            Records that are not those of this batch, and no retry is left.
        """
        try:
            results = slot.read()
        except TransferError:
            if not self._again(slot):
                raise
            return None
        except BaseException:
            self._recover_under_way()
            raise
        self.counters.batches += 1
        self.counters.images += slot.count
        return results if slot.clocks is None else results._replace(clocks=slot.clocks)

    def finish(self, slot: Slot, following: Slot | None = None) -> Results:
        """Wait for a started slot, start the filled one that follows it, and return the first one's results.

        Raises
        ------
        DeadlineError, TransferError
            As :meth:`advance` and :meth:`collect`.
        """
        while True:
            while not self.advance(slot, following):
                self.pause()
            if (results := self.collect(slot)) is not None:
                return results

    def pause(self) -> None:
        """What is to be done between two looks: at first nothing, later a short sleep."""
        if self._looks > _BUSY_POLLS:
            try:
                time.sleep(_POLL_SECONDS)
            except BaseException:
                self._recover_under_way()
                raise

    @property
    def patience(self) -> float:
        """Seconds until the deadline of the batch in the fabric; 0 where there is none."""
        slot = self._running
        return slot.started + self._seconds_for(slot) - time.perf_counter() if slot else 0.0

    def _seconds_for(self, slot: Slot) -> float:
        """How long a batch may take."""
        return self.deadline_seconds + self.fabric_seconds(slot.count)

    def _complete(self, slot: Slot) -> bool:
        """Whether the results are there and the kernel is done; an error where they will not come."""
        if self._dma.receive.completed():
            slot.received = self._dma.receive.transferred()
            if not possible_length(self.spec, slot.count, self.features, slot.received):
                what = f"{slot.received} bytes came, {slot.count * _spec.RESULT_BYTES} are due"
                if self.features:
                    what += f", and {self.spec.feature_block_bytes} more for each image whose features follow"
                raise self._failure(slot, "receiving results", what)
            if self._circuit.kernel_ended():
                return True
        for stage, channel in (("receiving results", self._dma.receive), ("sending images", self._dma.send)):
            status = channel.status()
            if status.error or status.halted:
                reason = status.error or "the channel halted: another program has reset it"
                raise self._failure(slot, stage, f"DMA {reason}")
        if time.perf_counter() - slot.started > (seconds := self._seconds_for(slot)):
            stage = "the kernel" if self._dma.receive.status().complete else "receiving results"
            late = f"did not complete within {seconds:.3g} s"
            raise self._failure(slot, stage, late, DeadlineError)
        return False

    def _check_input(self, slot: Slot) -> None:
        """See what the kernel says of the images that it got, and of the results that it sent."""
        if errors := self._circuit.error_flags():
            named = [text for bit, text in _ERROR_FLAGS.items() if errors & bit]
            reported = f"the kernel reports error_flags 0x{errors:x} ({', '.join(named) or 'unknown'})"
            raise self._failure(slot, "sending images", reported)
        if self.verify != "none":
            slot.results_crc = self._circuit.results_crc()
        if slot.images_crc is not None and (taken := self._circuit.read("images_crc")) != slot.images_crc:
            what = f"the kernel took images of images_crc 0x{taken:08x}, 0x{slot.images_crc:08x} was sent"
            raise self._failure(slot, "sending images", what)

    def _failure(self, slot: Slot, stage: str, what: str, kind: type[TransferError] = TransferError) -> TransferError:
        """The error of a batch that is in the fabric, with what DMA and kernel tell of it."""
        receive = self._dma.receive.status()
        done = self._circuit.read("images_done")
        registers = {
            "CTRL": self._circuit.read("CTRL"),
            "error_flags": self._circuit.read("error_flags"),
            "send status": self._dma.send.status().raw,
            "receive status": receive.raw,
        }
        told = ", ".join(f"{name} 0x{value:x}" for name, value in registers.items())
        return kind(
            f"{stage}: {what} ({slot.count} images, {done} of them whole; {told})",
            stage=stage,
            images_done=done,
            bytes_moved=self._dma.receive.transferred() if receive.complete else None,
            registers=registers,
        )

    # Recovery and end -------------------------------------------------------------------------------------------

    def _again(self, slot: Slot) -> bool:
        """Recover from a failed batch, and start it again if it has a retry left."""
        slot.failures += 1
        self.recover()
        if slot.failures > self.retries:
            return False
        self.counters.retries += 1
        self.start(slot)
        return True

    def recover(self) -> None:
        """Bring DMA and kernel back to where a batch can start, whatever they are in. A batch in the fabric is lost.

        Should the kernel not answer after a reset, the bitstream is loaded again. Where this is interrupted, the next
        batch begins with it.

        Raises
        ------
        IdentityError
            Another program has loaded another bitstream meanwhile.
        DeadlineError
            Nothing helps: the fabric does not answer.
        """
        self._running, self._sound = None, False
        self.counters.recoveries += 1
        self.check_loaded()
        try:
            self._circuit.reset()
        except DeadlineError:
            self._circuit.load()
        self._sound = True

    def _recover_under_way(self) -> None:
        """Recover while an error is on its way, and let that be the one which is told: the next start tries again."""
        with contextlib.suppress(PynqEEError):
            self.recover()

    def abandon(self) -> None:
        """End the batch that is in the fabric, if there may be one; its results are lost."""
        if self._running is not None or not self._sound:
            self.recover()

    def fabric_clocks(self, images: int) -> int:
        """Clocks of a batch in the fabric by the rate rule (*modelled*)."""
        return self._batch_clocks(images)

    def fabric_seconds(self, images: int) -> float:
        """Time of a batch in the fabric by the rate rule and the clock (*modelled*)."""
        return self.fabric_clocks(images) / (self.clock_mhz * 1e6)

    def close(self) -> None:
        """End what is running, free the buffers and let others have the DMA. May be called twice."""
        try:
            if self._circuit.held:  # in a fork, what runs is the parent's
                with contextlib.suppress(PynqEEError):  # another's overlay is in the fabric, or it does not answer
                    self.abandon()
        finally:
            for slot in (*self.slots, *self._lent.values()):
                slot.release()
            self.slots.clear()
            self._lent.clear()
            self._circuit.release()

    def __del__(self) -> None:
        if getattr(self, "slots", None):  # there are none before it is open, nor once it is closed
            try:
                warnings.warn("an EarlyExitInference was not closed", ResourceWarning, stacklevel=1, source=self)
            finally:
                self.close()
