"""The circuit in the fabric: loaded, clocked, identified, reset, and known to be still the one that was loaded."""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path
from typing import Any

from pynq_ee.driver.clocks import clocks
from pynq_ee.driver.dma import AxiDma
from pynq_ee.driver.interrupts import Completion
from pynq_ee.driver.load_state import LoadState
from pynq_ee.driver.locks import DmaLock
from pynq_ee.driver.metadata import open_overlay
from pynq_ee.errors import DeadlineError, DeviceError, IdentityError, OverlayError
from pynq_ee.network import spec as _spec
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model

#: Each step is told before it is done (``DEBUG``): an access that the fabric never answers stops the whole board, and
#: the last line then says which it was.
_log = logging.getLogger(__name__)

#: An empty batch, which publishes the identity, takes some clocks; a second is for ever.
_IDENTITY_SECONDS = 1.0

#: A processor's divisors hit a frequency to some parts in a hundred thousand.
_CLOCK_TOLERANCE = 0.001

#: Words of the registers that a batch needs.
_CTRL, _ERRORS, _BUILD_ID, _IMAGES, _RESULTS_CRC = (
    REGISTER_OFFSET[name] >> 2 for name in ("CTRL", "error_flags", "build_id", "num_images", "results_crc")
)
_ENDED = _spec.CTRL_DONE | _spec.CTRL_IDLE

_COMPLETION_PIN = f"{_spec.DMA_NAME}/s2mm_introut"


class Circuit:
    """The overlay of one device, with its DMA and its kernel, for this object alone.

    Parameters
    ----------
    model
        The network; its ``build_id`` must be the bitstream's.
    device
        pynq's device.
    bitfile
        The overlay, a ``.bit`` beside its ``.hwh``.
    features
        Ask the kernel for the trunk's features of images that may stay.
    clock_mhz
        Clock that the bitstream was built for.

    Attributes
    ----------
    dma : AxiDma
        The DMA.
    completion : Completion
        What to await for the end of a transfer.
    clock_mhz : float
        The fabric's clock as it became.

    Raises
    ------
    OverlayError, IdentityError
        No DMA or no kernel in the overlay, or a bitstream of another model.
    DeviceError
        The DMA is driven by another object or process.
    """

    def __init__(self, model: Model, device: Any, bitfile: str | Path, features: bool, clock_mhz: float) -> None:
        import pynq

        self.clock_mhz = float(clock_mhz)
        self._build_id = model.build_id
        self._device = device
        self._mode = _spec.MODE_FEATURES if features else 0
        self._margin: int | None = None  # as it was written last
        self._built_for_mhz = clock_mhz
        _log.debug("reading the description beside %s", bitfile)
        self._overlay = open_overlay(bitfile, device)
        for name in (_spec.KERNEL_NAME, _spec.DMA_NAME):
            if name not in self._overlay.ip_dict:
                found = ", ".join(self._overlay.ip_dict) or "nothing"
                raise OverlayError(f"{bitfile} has no {name!r} (it has {found}); build it with hw/build.tcl")
        kernel, dma = (self._overlay.ip_dict[name] for name in (_spec.KERNEL_NAME, _spec.DMA_NAME))
        self._lock = DmaLock(device, dma["phys_addr"])
        try:
            registers, dma_registers = (
                pynq.MMIO(ip["phys_addr"], ip["addr_range"], device=device) for ip in (kernel, dma)
            )
            self._words = registers.array  # see pynq_ee.driver.dma
            self.dma = AxiDma(dma_registers, dma["parameters"], _COMPLETION_PIN in self._overlay.interrupt_pins)
            self.load()
        except BaseException:
            self.release()
            raise

    def read(self, name: str) -> int:
        """Value of a register of the kernel, by its name in :data:`pynq_ee.network.spec.REGISTERS`."""
        return int(self._words[REGISTER_OFFSET[name] >> 2])

    def write(self, name: str, value: int) -> None:
        """Write a register of the kernel."""
        self._words[REGISTER_OFFSET[name] >> 2] = value

    def load(self) -> None:
        """Load the overlay, whatever is in the fabric, set its clock, and see that it is the right one.

        Raises
        ------
        IdentityError, DeadlineError
            As :meth:`check_identity`.
        DeviceError
            The clock of the fabric cannot be brought down to what the bitstream was built for.
        """
        self._overlay.binfile_name = self._firmware_name()
        with clocks(self._device) as device_clocks:  # the download sets those of the .hwh
            _log.debug("programming the fabric with %s", self._overlay.bitfile_name)
            self._overlay.download()
            self._loaded = LoadState(self._overlay, self._device)
            self.completion = Completion(self._overlay, self._device, _COMPLETION_PIN, self.dma.receive)
            self._set_clock(device_clocks, self._built_for_mhz)
        self.reset()

    def _firmware_name(self) -> str:
        """The name that the bitstream is to have in the firmware folder of the board; empty: pynq's own.

        pynq's remote device sends a file only where the board has none of its name, so that the name must change with
        what is in it. On a board itself pynq writes the file once for an overlay; told no name, it does so each time,
        whatever another program has put there meanwhile.
        """
        if not self._device.has_capability("REMOTE"):
            return ""
        path = Path(self._overlay.bitfile_name)
        return f"{path.stem}-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.bin"

    def _set_clock(self, device_clocks: Any, clock_mhz: float) -> None:
        """Set the fabric's clock by its frequency, and keep what it really is.

        pynq programs the divisors of the .hwh; the PLL that they divide is the boot image's, and may be another one.
        """
        _log.debug("setting the fabric's clock to %g MHz", clock_mhz)
        device_clocks.fclk0_mhz = clock_mhz
        self.clock_mhz = float(device_clocks.fclk0_mhz)
        _log.debug("the fabric's clock is %g MHz", self.clock_mhz)
        if self.clock_mhz > clock_mhz * (1 + _CLOCK_TOLERANCE):
            raise DeviceError(
                f"the fabric's clock is {self.clock_mhz:g} MHz and cannot be brought down to the {clock_mhz:g} MHz "
                "that the bitstream was built for; rebuild it with --clock"
            )

    def check_loaded(self) -> None:
        """See, without touching the fabric, that our overlay is still in it and that this process may drive it.

        Raises
        ------
        IdentityError
            Another overlay has been loaded since.
        DeviceError
            This process is a fork of the one that drives the accelerator, or it has been closed.
        """
        if not self._lock.held:
            raise DeviceError(
                "this process does not drive the accelerator: it was forked from the one that does, or the object was "
                "closed; make another EarlyExitInference, here and after the fork"
            )
        if other := self._loaded.other():
            raise IdentityError(
                f"another overlay has been loaded into the fabric: {other}. Call reload() to load this network's again "
                "(the other program loses its own), or close this object"
            )

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
        _log.debug("running an empty batch, to read magic, version and build_id")
        self.start_kernel(0)
        give_up = time.monotonic() + _IDENTITY_SECONDS
        while not self.kernel_ended():
            if time.monotonic() > give_up:
                raise DeadlineError(f"the kernel runs no empty batch within {_IDENTITY_SECONDS:g} s")
        expected = {"magic": _spec.MAGIC, "version": _spec.INTERFACE_VERSION, "build_id": self._build_id}
        found = {name: self.read(name) for name in expected}
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

    def is_ours(self) -> bool:
        """Whether the kernel still shows the ``build_id`` that it published with its last run.

        It is gone when somebody else has reset the circuit, and another one when another circuit has run.
        """
        return int(self._words[_BUILD_ID]) == self._build_id

    def kernel_ended(self) -> bool:
        """Whether the kernel's last run is over."""
        return bool(int(self._words[_CTRL]) & _ENDED)

    def error_flags(self) -> int:
        """What the kernel says of the images of its last run; 0 where it got as many as were announced."""
        return int(self._words[_ERRORS])

    def results_crc(self) -> int:
        """Checksum of the results of the kernel's last run, as it sent them."""
        return int(self._words[_RESULTS_CRC])

    def start_kernel(self, images: int, margin: int | None = None) -> None:
        """Start a run of the kernel, with another ``feature_margin`` if one is given and it is another one."""
        if margin is not None and margin != self._margin:
            self.write("feature_margin", margin)
            self._margin = margin
        self._words[_IMAGES] = images
        self._words[_CTRL] = _spec.CTRL_START

    def reset(self) -> None:
        """Bring DMA and kernel to where a run can start, and see whose they are.

        The DMA's soft reset resets the kernel too, and empties the streams between them
        (``hw/vivado/block_design.tcl``).

        Raises
        ------
        IdentityError, DeadlineError
            As :meth:`check_identity`.
        """
        _log.debug("resetting DMA and kernel")
        self.dma.reset()
        self.check_identity()
        self.write("mode", self._mode)
        self._margin = None  # whatever it is now

    @property
    def held(self) -> bool:
        """Whether this process may drive the DMA: not after :meth:`release`, nor in a fork."""
        return self._lock.held

    def release(self) -> None:
        """Let others have the DMA. May be called twice."""
        self._lock.release()
