"""The faults that a simulated board can be asked for, as a table: what happens, and what the driver must make of it.

>>> import numpy as np
>>> from pynq_ee import EarlyExitInference
>>> with EarlyExitInference(device="sim-numpy") as network:
...     with network.device.inject("result stream: lost beat", batch=1):
...         prediction = network.classify(np.zeros((28, 28), np.uint8))
...     network.accelerator.counters.retries
1

A fault comes with one batch (or several, or every one from some batch on) and acts until that batch is over: the next
one begins, or the driver has reset the DMA. What is random in it, such as which beat is lost, follows from a seed.
Some are noticed only by a checksum that the driver was asked to compare (``verify``).
"""

from __future__ import annotations

from pynq_ee.errors import DeadlineError, DeviceError, IdentityError, TransferError
from pynq_ee.sim import axi_dma
from pynq_ee.sim import fault_effects as effects
from pynq_ee.sim.injection import ALLOCATION, BATCH, INVALIDATION, Fault

#: What a fabric that is slower than the rate rule takes longer: well within any sensible deadline, and beyond it.
SLOW_SECONDS, TOO_SLOW_SECONDS = 0.02, 60.0

_CHANNELS = {"send": "of the image stream (MM2S)", "receive": "of the result stream (S2MM)"}
_ERRORS = {
    "internal error": axi_dma.INTERNAL_ERROR,
    "slave error": axi_dma.SLAVE_ERROR,
    "decode error": axi_dma.DECODE_ERROR,
}

_ONES_EVERYWHERE = dict.fromkeys(("dma.send.read", "dma.receive.read", "accelerator.read"), effects.read_ones)

#: Every fault by its name.
FAULTS: dict[str, Fault] = {
    **{
        f"{channel} channel: {error}": Fault(
            f"The channel {stream} halts with this error bit in the middle of the batch",
            effects.error(channel, bit),
            TransferError,
            "status register",
        )
        for channel, stream in _CHANNELS.items()
        for error, bit in _ERRORS.items()
    },
    "send channel: stuck": Fault(
        "The channel of the image stream (MM2S) moves every byte, never becomes idle, and takes no other transfer",
        {"dma.send.settle": effects.stuck_send},
        None,
        "deadline of the batch after it",
        until="reset",
        delayed=True,
    ),
    "receive channel: stuck": Fault(
        "The channel of the result stream (S2MM) moves every byte and never becomes idle",
        {"dma.receive.complete": effects.stuck_receive},
        DeadlineError,
        "deadline",
        until="reset",
    ),
    "channels: reset by another program": Fault(
        "Another program resets the DMA, and the kernel with it, in the middle of the batch",
        {"accelerator.kernel": effects.reset_by_another},
        TransferError,
        "status register: halted",
    ),
    "image stream: early TLAST": Fault(
        "The batch's TLAST comes on an earlier beat; the kernel ends there and leaves the rest in the channel",
        effects.image_stream(effects.early),
        TransferError,
        "error_flags",
    ),
    "image stream: late TLAST": Fault(
        "A surplus beat follows the batch, and carries the TLAST",
        effects.image_stream(effects.late),
        TransferError,
        "error_flags",
    ),
    "image stream: missing TLAST": Fault(
        "No beat carries TLAST, and the kernel waits for one",
        effects.image_stream(effects.missing),
        DeadlineError,
        "deadline",
    ),
    "image stream: double TLAST": Fault(
        "An earlier beat carries a TLAST too; the kernel ends there and leaves the rest in the channel",
        effects.image_stream(effects.double),
        TransferError,
        "error_flags",
    ),
    "image stream: lost beat": Fault(
        "A beat does not arrive; all behind it move up",
        effects.image_stream(effects.lost),
        TransferError,
        "error_flags",
    ),
    "image stream: repeated beat": Fault(
        "A beat arrives twice; all behind it move back",
        effects.image_stream(effects.repeated),
        TransferError,
        "error_flags",
    ),
    "image stream: flipped bit": Fault(
        "A bit of a pixel is flipped on the way",
        effects.image_stream(effects.flipped),
        TransferError,
        "images_crc",
        verify="all",
    ),
    "result stream: early TLAST": Fault(
        "The batch's TLAST comes on an earlier beat, and ends the transfer there",
        effects.result_stream(effects.early),
        TransferError,
        "bytes received, or results_crc",
    ),
    "result stream: late TLAST": Fault(
        "A surplus beat follows the results, and carries the TLAST",
        effects.result_stream(effects.late),
        TransferError,
        "bytes received, or status register: the buffer overflows",
    ),
    "result stream: missing TLAST": Fault(
        "No beat carries TLAST, and there is no end of them",
        effects.ENDLESS,
        TransferError,
        "status register: the buffer overflows",
    ),
    "result stream: double TLAST": Fault(
        "An earlier beat carries a TLAST too, and ends the transfer there",
        effects.result_stream(effects.double),
        TransferError,
        "bytes received, or results_crc",
    ),
    "result stream: lost beat": Fault(
        "A beat does not arrive; all behind it move up",
        effects.result_stream(effects.lost),
        TransferError,
        "bytes received",
    ),
    "result stream: repeated beat": Fault(
        "A beat arrives twice; all behind it move back",
        effects.result_stream(effects.repeated),
        TransferError,
        "bytes received, or status register: the buffer overflows",
    ),
    "result: flipped bit in the sequence number": Fault(
        "A bit of an image's sequence number is flipped",
        effects.flipped_in(effects.SEQUENCE),
        TransferError,
        "results_crc, or sequence numbers",
    ),
    "result: flipped bit in the flags": Fault(
        "A bit of an image's flags is flipped",
        effects.flipped_in(effects.FLAGS),
        TransferError,
        "results_crc, or flags",
    ),
    "result: flipped bit in a logit": Fault(
        "A bit of a logit is flipped",
        effects.flipped_in(effects.LOGITS),
        TransferError,
        "results_crc",
        verify="results",
    ),
    "result: flipped bit in a feature": Fault(
        "A bit of the trunk's features is flipped",
        effects.FLIPPED_IN_FEATURES,
        TransferError,
        "results_crc",
        verify="results",
    ),
    "result: wrong flag": Fault(
        "The kernel says of an image's features that they follow, and they do not, or the contrary",
        effects.WRONG_FLAG,
        TransferError,
        "flags and bytes received",
    ),
    "result: truncated features": Fault(
        "The kernel ends an image's features a beat early",
        effects.TRUNCATED_FEATURES,
        TransferError,
        "bytes received",
    ),
    "kernel: results_crc lies": Fault(
        "The checksum of the results is wrong by a bit, and they are right",
        effects.lying("results_crc"),
        TransferError,
        "results_crc",
        verify="results",
        otherwise="right",
    ),
    "kernel: images_crc lies": Fault(
        "The checksum of the images is wrong by a bit, and they are right",
        effects.lying("images_crc"),
        TransferError,
        "images_crc",
        verify="all",
        otherwise="right",
    ),
    "kernel: hung": Fault(
        "The kernel takes the images and gives nothing",
        {"accelerator.kernel": effects.hang},
        DeadlineError,
        "deadline",
        until="reset",
    ),
    "kernel: never done": Fault(
        "All results are given, and CTRL says busy until a reset",
        {"accelerator.read": effects.never_done},
        DeadlineError,
        "deadline",
        until="reset",
    ),
    "kernel: slow": Fault(
        f"The results come {1000 * SLOW_SECONDS:g} ms later than the rate rule has them",
        effects.slow(SLOW_SECONDS),
        None,
        "nothing is wrong: it is waited for",
    ),
    "kernel: slower than the deadline": Fault(
        f"The results come {TOO_SLOW_SECONDS:g} s later than the rate rule has them",
        effects.slow(TOO_SLOW_SECONDS),
        DeadlineError,
        "deadline",
    ),
    "back-pressure: images never taken": Fault(
        "The kernel is never ready for a beat of the images",
        {"dma.send.offered": effects.offer_nothing},
        DeadlineError,
        "deadline",
        until="reset",
    ),
    "back-pressure: results never taken": Fault(
        "The DMA is never ready for a beat of the results",
        {"dma.receive.accept": effects.accept_nothing},
        DeadlineError,
        "deadline",
        until="reset",
    ),
    "registers: read as ones": Fault(
        "Every register of DMA and kernel reads 0xFFFFFFFF until the fabric is programmed again",
        _ONES_EVERYWHERE,
        TransferError,
        "status register; the bitstream is loaded again",
        until="download",
    ),
    "registers: dead": Fault(
        "Every register of DMA and kernel reads 0xFFFFFFFF, also when the fabric has been programmed again",
        _ONES_EVERYWHERE,
        DeadlineError,
        "deadline of the DMA's reset",
        until="removal",
    ),
    "fabric: reprogrammed by another process": Fault(
        "Another model's circuit is in the fabric, in the state after programming",
        {BATCH: effects.reprogram},
        IdentityError,
        "build_id",
    ),
    "memory: stale cache line": Fault(
        "One cache line of the results is not invalidated: the host sees what it held before",
        {"device.invalidate": effects.stale_line},
        TransferError,
        "results_crc",
        verify="results",
        occasion=INVALIDATION,
    ),
    "memory: no invalidate": Fault(
        "The results are not invalidated: the host sees those of the batch before",
        {"device.invalidate": effects.no_invalidate},
        TransferError,
        "results_crc",
        verify="results",
        occasion=INVALIDATION,
    ),
    "memory: exhausted": Fault(
        "No contiguous memory is left for a buffer",
        {ALLOCATION: effects.exhausted},
        DeviceError,
        "pynq.allocate, on opening; half as many images are tried, unless a number was asked for",
        occasion=ALLOCATION,
    ),
}


def outcome(fault: Fault) -> str:
    """What becomes of a batch that the fault comes with, in words, with ``verify="results"`` and with ``"all"``."""
    if fault.verify == "all":
        return f'{fault.otherwise}; with `verify="all"`: {_outcome(fault)}'
    return _outcome(fault)


def _outcome(fault: Fault) -> str:
    if fault.delayed:
        return "right; the batch after it is sent again, and right"
    if fault.error is None:
        return "right"
    if fault.retried:
        return f"sent again, and right; if it comes again, `{fault.error.__name__}`"
    return f"`{fault.error.__name__}`"


def markdown() -> str:
    """The table for the documentation."""
    rows = [f"| {name} | {fault.happens} | {fault.noticed} | {outcome(fault)} |" for name, fault in FAULTS.items()]
    header = ["| fault | what happens | noticed by | what the driver makes of it |", "| --- | --- | --- | --- |"]
    return "\n".join(header + rows)
