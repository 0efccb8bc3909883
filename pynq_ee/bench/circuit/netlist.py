"""Whether a netlist of the overlay does what the definition says, through the pins of its processor.

    python -m pynq_ee.bench.circuit.netlist NETLIST --model MODEL
    python -m pynq_ee.bench.circuit.netlist NETLIST --model MODEL --images 1000 --json

A netlist is Verilog with a module ``zynq7_top``: of a synthesis (``make -C hw netlist``), or read back from a
bitstream. Verilator simulates it with the models that Yosys has of its cells. Register accesses come first: what the
registers hold after the reset, single words and bursts, an address with nobody, a soft reset. Then the unmodified
driver sends digits through pynq, by polling and by interrupt, with the features of some and of all images; every logit,
feature and decision must be that of ``pynq_ee.network.fabric``. Last come faults of memory that the circuit must tell
and recover from. The exit status is 1 if anything is wrong.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import programs
from pynq_ee.bench.arguments import whole
from pynq_ee.data import datasets
from pynq_ee.errors import DeviceError, TransferError, status
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import fabric, spec, weights
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.circuit.netlist"

#: Digits that go through a netlist, unless more are asked for.
IMAGES = 100

#: Faults that a circuit must tell, as :mod:`pynq_ee.sim.overlay_faults` has them, and how many images they come with.
FAULTS = (
    "memory: slave error of a read",
    "memory: decode error of a write",
    "memory: flipped bit of a read",
    "memory: flipped bit of a write",
    "receive channel: internal error",
    "channels: reset by another program",
)
_FAULTY_IMAGES = 12

#: Of wall-clock time, which a simulation has little of.
_DEADLINE_SECONDS = 3600.0

_BOARD = spec.DEFAULT_BOARD
_HALTED = 0x0001_0001  # status of a channel that was never started: with the reset value of its threshold
_STOPPED = 0x0001_0002  # its control: the same, and a bit that reads as one (PG021)

Finding = tuple[str, bool]


def check(model: Model, netlist: Path | None, images: npt.NDArray[np.uint8]) -> Iterator[Finding]:
    """Drive a netlist, and tell finding by finding whether it did what was asked.

    Parameters
    ----------
    model
        The network whose first exit is in it.
    netlist
        Verilog with a module ``zynq7_top``; None: the RTL itself.
    images
        Of shape (n, 28, 28), at least 12.

    Yields
    ------
    What was looked at, and whether it is right.

    Raises
    ------
    InputError
        No such netlist.
    ToolError
        Verilator, Yosys or a compiler is missing or fails.
    """
    from pynq_ee.sim import SimulatedDevice, overlay_library
    from pynq_ee.sim.overlay_library import Conditions, Overlay
    from pynq_ee.sim.overlay_logic import OverlayFabric

    overlay = Overlay(overlay_library.library(model, netlist=netlist), model.spec.beat_bytes)
    overlay.attach(np.zeros(8192, np.uint8), 0x1000_0000, [(0x1000_0000, 0x1000_2000)])
    overlay.configure(Conditions(seed=3, jitter=20, register_stall=0.3))
    for what, right in _registers(overlay, model):
        yield what, _holds(right)
    overlay.close()

    made = partial(OverlayFabric, netlist=netlist)
    with (
        SimulatedDevice(model, kernel=made) as device,
        EarlyExitInference(model, device=device, verify="all", deadline_seconds=_DEADLINE_SECONDS) as network,
        EarlyExitInference(model, device="sim-numpy") as definition,
    ):
        for what, right in _driven(network, definition, model, images):
            yield what, _holds(right)
    conditions = Conditions(seed=7, latency=40, jitter=60, stall=0.2, register_stall=0.2)
    with (
        SimulatedDevice(model, kernel=partial(made, conditions=conditions)) as device,
        EarlyExitInference(model, device=device, verify="all", deadline_seconds=_DEADLINE_SECONDS) as network,
        EarlyExitInference(model, device="sim-numpy") as definition,
    ):
        few = images[:_FAULTY_IMAGES]
        expected = definition.classify(few)
        yield f"{len(few)} images under random stalls", _holds(partial(_same, network, few, expected))
        for count, name in enumerate(FAULTS, start=1):
            device.inject(name)
            came = _holds(partial(_same, network, few, expected))
            told = network.accelerator.counters.retries == count
            yield f'"{name}" is told, and the images come through again', came and told


def _holds(question: Callable[[], bool]) -> bool:
    """The answer; no, if the circuit breaks a rule of its buses, or never answers, or errs where the driver sees it."""
    try:
        return question()
    except (DeviceError, TransferError) as error:
        print(error, file=sys.stderr)
        return False


def _same(network: EarlyExitInference, images: npt.NDArray[np.uint8], expected: object) -> bool:
    """Whether the driver gets a prediction."""
    return bool(network.classify(images) == expected)


def _registers(overlay: Any, model: Model) -> Iterator[tuple[str, Callable[[], bool]]]:
    """What the processor sees of the registers; each question is asked when it is called."""
    from pynq_ee.sim import axi_dma
    from pynq_ee.sim.overlay_library import DECERR, OKAY

    dma, kernel = _BOARD.dma_address, _BOARD.kernel_address
    identity = {"magic": spec.MAGIC, "version": spec.INTERFACE_VERSION, "build_id": model.build_id}
    address = dma + axi_dma.SEND_BASE + axi_dma.ADDRESS
    behind = _BOARD.interrupt_address + spec.INTERRUPT_RANGE

    def after_reset() -> bool:
        channels = [overlay.read(dma + base) for base in (axi_dma.SEND_BASE, axi_dma.RECEIVE_BASE)]
        states = [overlay.read(dma + base + axi_dma.STATUS) for base in (axi_dma.SEND_BASE, axi_dma.RECEIVE_BASE)]
        return channels == [(_STOPPED, OKAY)] * 2 and states == [(_HALTED, OKAY)] * 2

    def bursts() -> bool:
        written = overlay.write_burst(address, [0x1234_5678, 0], id=0xABC)
        read = overlay.read_burst(address, 2, id=0x123)
        return bool(written == OKAY and read == ([0x1234_5678, 0], [OKAY, OKAY]))

    def nobody() -> bool:
        read, written = overlay.read_burst(behind, 16), overlay.write(behind, 1)
        return bool(read == ([0] * 16, [DECERR] * 16) and written == DECERR)

    def soft_reset() -> bool:
        overlay.write(dma, axi_dma.CONTROL_RESET)
        overlay.rest()
        return overlay.read(address) == (0, OKAY) and after_reset()

    def empty_batch() -> bool:
        overlay.write(kernel + REGISTER_OFFSET["num_images"], 0)
        overlay.write(kernel, spec.CTRL_START)
        overlay.rest()
        ended = overlay.read(kernel)[0] & (spec.CTRL_START | spec.CTRL_DONE)
        found = {name: overlay.read(kernel + REGISTER_OFFSET[name])[0] for name in identity}
        return ended == spec.CTRL_DONE and found == identity

    yield "the DMA's channels are halted after the reset", after_reset
    yield "the kernel is idle", lambda: overlay.read(kernel)[0] == spec.CTRL_IDLE
    yield "bursts write and read the DMA's registers", bursts
    yield "an address with nobody answers a decode error", nobody
    yield "a soft reset clears the DMA's registers", soft_reset
    yield "an empty batch publishes the identity", empty_batch


def _driven(
    network: EarlyExitInference, definition: EarlyExitInference, model: Model, images: npt.NDArray[np.uint8]
) -> Iterator[tuple[str, Callable[[], bool]]]:
    """What the driver gets; each question is asked when it is called."""
    features, logits = fabric.first_exit(images, model)
    expected = definition.classify(images)
    accelerator = network.accelerator

    def every_bit() -> bool:
        slot = accelerator.fill(images, spec.FEATURES_ALWAYS)
        accelerator.start(slot)
        results = accelerator.finish(slot)
        packed = results.features(np.arange(len(images)), model.spec)
        return bool(
            results.has_features().all()
            and (fabric.unpack_features(packed, model) == features).all()
            and (results.logits == logits).all()
        )

    yield f"{len(images)} images, the features of those that stay", lambda: network.classify(images) == expected
    yield f"{len(images)} images, all features and logits bit for bit", every_bit
    yield "one image", lambda: network.classify(images[:1]) == expected[:1]
    yield (
        "12 images whose end an interrupt tells",
        lambda: asyncio.run(network.classify_async(images[:12])) == expected[:12],
    )
    yield "no batch was sent twice", lambda: accelerator.counters.retries == 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, print; 1 where anything is wrong."""
    parser = programs.parser(COMMAND, __doc__)
    parser.add_argument("netlist", type=Path, help="Verilog with a module zynq7_top")
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--images", type=whole(_FAULTY_IMAGES), default=IMAGES, help=f"digits (default {IMAGES})")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(arguments)
    digits = datasets.available()
    if options.images > len(digits.images):
        parser.error(f"--images {options.images}: {digits.source} has {len(digits.images)}")
    found = []
    for what, right in check(weights.load(options.model), options.netlist, digits.images[: options.images]):
        found.append({"what": what, "right": right})
        if not options.json:
            print(f"{'right' if right else 'WRONG':6} {what}", flush=True)
    if options.json:
        print(json.dumps({"netlist": str(options.netlist), "data": digits.source, "findings": found}, indent=2))
    return 0 if all(finding["right"] for finding in found) else 1


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
