"""Transfers and streams between marks at which ``counter.c`` prints: ``footprint.py`` runs this on the board.

The fabric has answered before it is asked (:mod:`pynq_ee.sim.replay`): what places its answers lies between marks of
its own. A mark is a system call that nothing else makes. One line is printed for each thing that is counted: the images
of a batch, and its name.
"""

from __future__ import annotations

import itertools
import os
import sys
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import EarlyExitInference
from pynq_ee.bench.host import transfer_paths
from pynq_ee.data import datasets
from pynq_ee.network import weights
from pynq_ee.network.weights import Model
from pynq_ee.sim.replay import ReplayDevice

BATCHES = (64, 1024)
ONLY_PREDICTIONS = "predictions"
#: Ways to send a batch, by the names that the table has for them.
PATHS = {
    **{f'`verify="{mode}"`': partial(transfer_paths.this_driver, verify=mode) for mode in ("none", "results", "all")},
    "pynq.lib.dma": transfer_paths.pynq_dma,
}
#: Share of the images of a stream that stay in the network.
UNDECIDED = 0.014
STREAM = f"`stream`, {UNDECIDED:.1%} undecided"
#: The same, its remainder in pieces for threads of which none comes: if one did, the count would be of how far it is.
HANDED_OVER = f"{STREAM}, remainder handed over"
#: A call for one image, which leaves.
CALL = "`classify`"

#: A batch is sent so often; the first time is not typical.
TIMES = 4

#: What a mark says: something else is counted, a batch is done, or the placing of answers begins or ends here.
NEXT, DONE, PLACING = os.SCHED_OTHER, os.SCHED_FIFO, os.SCHED_RR


def mark(what: int) -> None:
    """Where the plugin prints its count."""
    os.sched_get_priority_max(what)


class MarkedReplay(ReplayDevice):
    """A board of which all that it does itself in a transfer is between marks."""

    def _place(self, bank: Any) -> None:
        mark(PLACING)
        super()._place(bank)
        mark(PLACING)


def _transfers(model: Model, digits: npt.NDArray[np.uint8]) -> None:
    for batch, (name, opened) in itertools.product(BATCHES, PATHS.items()):
        chunk = np.resize(digits, (batch, *digits.shape[1:]))
        with MarkedReplay(model, chunk, features=False) as device:
            send = opened(model, device, batch=batch)
            print(batch, name)
            mark(NEXT)
            mark(DONE)
            for _ in range(TIMES):
                send(chunk)
                mark(DONE)


def _streams(model: Model, digits: npt.NDArray[np.uint8]) -> None:
    with EarlyExitInference(model, device="software") as network:
        stays = network.classify(digits[: 4 * max(BATCHES)]).exits > 1
    for batch, threads, name in (*((batch, 1, STREAM) for batch in BATCHES), (max(BATCHES), 2, HANDED_OVER)):
        few = round(UNDECIDED * batch)
        chosen = np.concatenate([stays.nonzero()[0][:few], (~stays).nonzero()[0][: batch - few]])
        chunk = digits[np.sort(chosen)]
        with (
            MarkedReplay(model, chunk) as device,
            EarlyExitInference(model, device=device, images_per_transfer=batch, threads=threads) as network,
        ):
            if network._beside is not None:
                network._beside.workers.close()
            print(batch, name)
            mark(NEXT)
            mark(DONE)
            for _ in network.stream([chunk] * (TIMES + 2), batch=batch):  # the last two fill no other
                mark(DONE)


def _calls(model: Model, digits: npt.NDArray[np.uint8]) -> None:
    with EarlyExitInference(model, device="software") as network:
        chunk = digits[np.argmin(network.classify(digits[:64]).exits)][np.newaxis]
    with (
        MarkedReplay(model, chunk) as device,
        EarlyExitInference(model, device=device, images_per_transfer=1) as network,
    ):
        print(1, CALL)
        mark(NEXT)
        mark(DONE)
        for _ in range(TIMES):
            network.classify(chunk)
            mark(DONE)


def main() -> None:
    """Send everything, or, where the first argument says so, only what comes through an ``EarlyExitInference``."""
    mark(NEXT)
    mark(NEXT)  # what a mark takes itself
    model, digits = weights.load(weights.DEFAULT), datasets.available().images
    if sys.argv[1:] != [ONLY_PREDICTIONS]:
        _transfers(model, digits)
    _streams(model, digits)
    _calls(model, digits)


if __name__ == "__main__":
    main()
