"""What one transfer costs the host, on several paths from images to logits, side by side in one run.

``this driver``
    :class:`pynq_ee.driver.accelerator.Accelerator`: ``fill``, ``start``, ``finish``, with its checks of load state,
    identity, error bits, length, sequence numbers and flags, and with a deadline. Once for each of its options
    ``verify``: ``results``, which is the default, ``none`` and ``all``.
``pynq.lib.dma``
    What most drivers do: ``recvchannel.transfer``, the kernel's registers, ``sendchannel.transfer``, and both
    ``wait()``. It checks the error bits while it waits, and has no deadline.
``finn-plus-driver``
    What ``FINNDMAOverlay.execute`` of finn-plus-driver 1.6.1 does for 8-bit images and 16-bit results, step by step,
    run again here: fold, pack, copy and flush; an idle check, four register writes for each data mover, a poll of
    the done bit; invalidate, copy, unpack to float32, unfold. It checks nothing else, and has no deadline. Its data
    movers are not in our circuit: their registers are plain memory here.

The fabric has answered before it is asked (:mod:`pynq_ee.sim.replay`), so that the time is the host's alone, with
register accesses on plain memory, and no path waits. Register accesses are counted on the simulated board; Python
calls by ``sys.setprofile``, without those of the simulation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee.bench import machine, pages
from pynq_ee.bench.arguments import whole
from pynq_ee.bench.timing import in_turns
from pynq_ee.data import datasets
from pynq_ee.errors import status
from pynq_ee.inference import EarlyExitInference
from pynq_ee.network import spec, weights
from pynq_ee.network.spec import REGISTER_OFFSET
from pynq_ee.network.weights import Model

COMMAND = "python -m pynq_ee.bench.host.transfer_paths"

BATCHES = (1, 64, 1000)

#: This driver's paths, and the option ``verify`` of each.
VERIFY = {"this driver": "results", "this driver, no checksum": "none", "this driver, both checksums": "all"}

REPETITIONS = 31

#: Images that each path sends in one repetition, at least.
_REPETITION_IMAGES = 500

Images = npt.NDArray[np.uint8]
#: Images to logits, int16 or float32 (n, 10), as one transfer.
Transfer = Callable[[Images], npt.NDArray[Any]]

_EXAMPLES = """\
examples:
  python -m pynq_ee.bench.host.transfer_paths                          the table
  python -m pynq_ee.bench.host.transfer_paths --write docs/driver.md   and into the documentation"""


@dataclass(frozen=True)
class Row:
    """One path at one batch, *measured*.

    Attributes
    ----------
    accesses, calls
        Register accesses and Python function calls of one transfer.
    seconds
        Median time of one transfer.
    ratio
        Median over the repetitions of its time divided by this driver's in the same repetition.
    """

    path: str
    batch: int
    accesses: int
    calls: int
    seconds: float
    ratio: float


class Movers:
    """The registers of finn-plus's two data movers, as a device of pynq's MMIO maps them.

    Parameters
    ----------
    respond
        Called when the input's mover is started: the results are there when it returns.
    """

    READ, WRITE = 0x0000, 0x1000
    _CONTROL, _DONE_AND_IDLE = 0, 0x6

    def __init__(self, respond: Callable[[], None]) -> None:
        self.accesses = 0
        self._respond = respond

    def has_capability(self, name: str) -> bool:
        """Registers are memory."""
        return name == "MEMORY_MAPPED"

    def mmap(self, address: int, length: int) -> Any:
        """One mover's registers."""
        movers = self

        class Registers(np.ndarray):
            def __getitem__(self, index: Any) -> Any:
                movers.accesses += 1
                return super().__getitem__(index)

            def __setitem__(self, index: Any, value: Any) -> None:
                movers.accesses += 1
                if index != movers._CONTROL:
                    super().__setitem__(index, value)
                elif address == movers.READ:
                    movers._respond()

        bank = np.zeros(length // 4, np.uint32)
        bank[self._CONTROL] = self._DONE_AND_IDLE
        return bank.view(Registers)


def this_driver(model: Model, device: Any, batch: int, verify: str) -> Transfer:
    """The accelerator without the pipeline, which would hide some of its time behind the fabric's."""
    network = EarlyExitInference(model, device=device, features=False, images_per_transfer=batch, verify=verify)
    accelerator = network.accelerator

    def transfer(images: Images) -> npt.NDArray[Any]:
        slot = accelerator.fill(images)
        accelerator.start(slot)
        return accelerator.finish(slot).logits

    return transfer


def pynq_dma(model: Model, device: Any, batch: int) -> Transfer:
    """Both channels' objects of pynq's DMA driver."""
    import pynq

    overlay = pynq.Overlay(device.bitfile, device=device)
    dma, kernel = getattr(overlay, spec.DMA_NAME), getattr(overlay, spec.KERNEL_NAME)
    sent, received = _buffers(model, device, batch)

    def transfer(images: Images) -> npt.NDArray[Any]:
        np.copyto(sent, images.reshape(batch, -1))
        dma.recvchannel.transfer(received)
        kernel.write(REGISTER_OFFSET["num_images"], batch)
        kernel.write(REGISTER_OFFSET["mode"], 0)
        kernel.write(REGISTER_OFFSET["CTRL"], spec.CTRL_START)
        dma.sendchannel.transfer(sent)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        logits: npt.NDArray[Any] = np.array(received, np.uint8).view("<i2")[:, : spec.CLASSES]
        return logits

    return transfer


def finn_plus(model: Model, device: Any, batch: int, movers: Movers) -> Transfer:
    """The steps of ``FINNDMAOverlay.execute``."""
    import pynq

    sent, received = _buffers(model, device, batch)
    unpacked = np.empty_like(received)
    reader, writer = (pynq.MMIO(address, 0x1000, device=movers) for address in (Movers.READ, Movers.WRITE))

    def transfer(images: Images) -> npt.NDArray[Any]:
        folded = images.reshape(batch, -1, 1)
        packed = np.flip(np.flip(folded.view(np.uint8), -1), -1)
        np.copyto(sent, packed.reshape(batch, -1))
        sent.flush()
        if not writer.read(0x00) & 0x4:
            raise RuntimeError("the output's data mover is not idle")
        for mover, buffer in ((writer, received), (reader, sent)):
            mover.write(0x10, buffer.device_address & 0xFFFFFFFF)
            mover.write(0x14, (buffer.device_address >> 32) & 0xFFFFFFFF)
            mover.write(0x1C, batch)
            mover.write(0x00, 1)
        while not writer.read(0x00) & 0x2:
            pass
        received.invalidate()
        np.copyto(unpacked, received)
        folded_logits: npt.NDArray[Any] = unpacked.view("<i2").astype(np.float32)[:, : spec.CLASSES]
        return folded_logits.reshape(batch, spec.CLASSES)

    return transfer


def measure(model: Model, images: Images, batch: int, repetitions: int = REPETITIONS) -> list[Row]:
    """All paths with transfers of ``batch`` images, in turns."""
    from pynq_ee.network import fabric
    from pynq_ee.sim import SimulatedDevice
    from pynq_ee.sim.replay import ReplayDevice

    chunk = np.resize(images, (batch, *images.shape[1:]))
    _, expected = fabric.first_exit(chunk, model)
    openers: dict[str, Callable[[Any], Transfer]] = {
        name: partial(this_driver, model, batch=batch, verify=verify) for name, verify in VERIFY.items()
    }
    openers["pynq.lib.dma"] = partial(pynq_dma, model, batch=batch)
    memory = ReplayDevice(model, chunk, features=False)
    rows = expected.astype("<i2").view(np.uint8)

    def respond() -> None:
        begin = time.perf_counter()
        list(memory._addresses.values())[1][:, : rows.shape[1]] = rows  # the second of the two buffers
        memory.replay_seconds += time.perf_counter() - begin

    movers = Movers(respond)
    paths: dict[str, tuple[Any, Transfer]] = {}
    counted = {}
    for name, opened in openers.items():
        replay = ReplayDevice(model, chunk, features=False)
        paths[name] = (replay, opened(replay))
        with SimulatedDevice(model, kernel="numpy") as board:
            counted[name] = _accesses(board, opened(board), chunk)
    paths["finn-plus-driver"] = (memory, finn_plus(model, memory, batch, movers))
    for name, (_, transfer) in paths.items():
        if not np.array_equal(transfer(chunk), expected):
            raise AssertionError(f"{name} returns other logits: its time means nothing")
    before = movers.accesses
    paths["finn-plus-driver"][1](chunk)
    counted["finn-plus-driver"] = movers.accesses - before
    samplers = {name: _sampler(device, transfer, chunk) for name, (device, transfer) in paths.items()}
    seconds = {name: np.array(samples) for name, samples in in_turns(samplers, repetitions).items()}
    return [
        Row(
            name,
            batch,
            counted[name],
            _calls(transfer, chunk),
            float(np.median(seconds[name])),
            float(np.median(seconds[name] / seconds["this driver"])),
        )
        for name, (_, transfer) in paths.items()
    ]


def _buffers(model: Model, device: Any, batch: int) -> tuple[Any, Any]:
    sent = device.allocate((batch, spec.IMAGE_PIXELS), np.uint8, cacheable=True)
    return sent, device.allocate((batch, model.spec.output_bytes(False)), np.uint8, cacheable=True)


def _accesses(device: Any, transfer: Transfer, chunk: Images) -> int:
    transfer(chunk)
    before = device.register_accesses
    transfer(chunk)
    return int(device.register_accesses - before)


def _calls(transfer: Transfer, chunk: Images) -> int:
    """Python functions that one transfer calls, without those that stand for the board, and what these call."""
    count = board = 0

    def note(frame: Any, event: str, argument: Any) -> None:
        nonlocal count, board
        if event == "return":
            board -= board > 0
        elif event == "call":
            itself = frame.f_locals.get("self")
            if board or "/pynq_ee/sim/" in frame.f_code.co_filename or isinstance(itself, (Movers, np.ndarray)):
                board += 1
            else:
                count += 1

    sys.setprofile(note)
    try:
        transfer(chunk)
    finally:
        sys.setprofile(None)
    return count


def _sampler(device: Any, transfer: Transfer, chunk: Images) -> Callable[[], float]:
    """Seconds of one transfer, without those that stand for the fabric."""
    times = -(-_REPETITION_IMAGES // len(chunk))

    def sample() -> float:
        placed, begin = device.replay_seconds, time.perf_counter()
        for _ in range(times):
            transfer(chunk)
        return float(time.perf_counter() - begin - (device.replay_seconds - placed)) / times

    return sample


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| images | path | register accesses | Python calls | us a transfer | us an image | times this driver |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.batch} | {row.path} | {row.accesses} | {row.calls} | {row.seconds * 1e6:.1f} "
        f"| {row.seconds * 1e6 / row.batch:.3f} | {row.ratio:.2f} |"
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; return 0."""
    parser = pages.parser(COMMAND, __doc__, _EXAMPLES)
    parser.add_argument("--model", default=weights.DEFAULT, help="a shipped model's name, or a model file")
    parser.add_argument("--batch", type=whole(), nargs="+", default=list(BATCHES), help="images of a transfer")
    parser.add_argument("--repetitions", type=whole(), default=REPETITIONS, help="turns that each path takes")
    options = pages.parsed(parser, arguments)
    model, images = weights.load(options.model), datasets.available().images
    rows = [row for batch in options.batch for row in measure(model, images, batch, options.repetitions)]
    about = machine.describe()
    versions = about["versions"]
    text = (
        f"*Measured* on {about['processor']}, Python {about['python']}, pynq {versions['pynq']}, "
        f"NumPy {versions['numpy']}.\n\n{table(rows)}"
    )
    pages.publish(options, COMMAND, text, {"rows": [asdict(row) for row in rows], "machine": about})
    return 0


if __name__ == "__main__":
    sys.exit(status(COMMAND, main))
