"""``EarlyExitInference``: images in, predictions out. What most users ever touch.

An image's way: into a DMA buffer as 98 beats; through the fabric, which returns ten logits (and the trunk's
features); their entropy, on the host; out at exit 1 if that is below the threshold, else on through the software
exits, each of which sees only what the one before it did not let go. On the device ``"software"``,
:mod:`pynq_ee.software` is in the fabric's place.
"""

from __future__ import annotations

import difflib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from pynq_ee import exits, software
from pynq_ee.data import batches
from pynq_ee.data.images import in_parts, to_images
from pynq_ee.data.warn import warn
from pynq_ee.driver import bitfiles
from pynq_ee.driver.accelerator import Accelerator
from pynq_ee.driver.pipeline import Pipeline, Turns
from pynq_ee.driver.requirements import check_numpy
from pynq_ee.driver.results import Results
from pynq_ee.errors import DeviceError, ExperimentalOverlayWarning, InputError, whole_number
from pynq_ee.exits.calibration import Calibration, calibrate
from pynq_ee.exits.governor import Held, hold
from pynq_ee.exits.margin import feature_margin
from pynq_ee.network import weights
from pynq_ee.network.spec import DEFAULT_BOARD, Board
from pynq_ee.network.weights import Model
from pynq_ee.policy import Answers, Policy
from pynq_ee.prediction import Prediction, concatenate
from pynq_ee.remainder import ENGINES
from pynq_ee.remainder import default as default_engine
from pynq_ee.remainder.beside import Beside, Task
from pynq_ee.trace import BESIDE, Stopwatch, Trace

#: What a user may set on an open network, and what only its construction sets.
_SETTABLE = ("threshold", "trace")
_FIXED = ("model", "remainder", "device")

#: Simulated boards that are asked for by name, with their kernels.
SIMULATED = {"sim": "hls", "sim-numpy": "numpy", "sim-rtl": "rtl"}

#: Images of a batch that stay, from which on their remainder is handed over: to wake a thread takes its time.
LEAST_BESIDE = 4

#: Devices that are asked for by name; everything else is a pynq device or a board.
NAMED = (*SIMULATED, software.DEVICE)


class EarlyExitInference:
    """A network whose first exit is in the fabric of a board, or all in software.

    Parameters
    ----------
    model
        A shipped model's name, the path of a model file, or a :class:`~pynq_ee.network.weights.Model`.
    device
        None: the board that this runs on. ``"sim"``: a simulated board that runs the compiled HLS kernel.
        ``"sim-numpy"``: one that runs the NumPy model, where there is no compiler. ``"sim-rtl"``: one whose fabric is
        the whole overlay in RTL, simulated clock by clock by Verilator. ``"software"``: the first exit too is computed
        by this machine's processor, with no board and no simulation; pynq is not needed. Or a pynq device.
    threshold
        Nats; one number, or one for each exit but the last. None: the model's own, calibrated.
    remainder
        Engine of the software exits, a name in :data:`pynq_ee.remainder.ENGINES`. None: the compiled one where it
        was built at installation, else NumPy. In software the first exit is on it too, if it has one.
    bitfile
        The overlay's ``.bit``. None: the one that belongs to the device. ``"open"``: the experimental one, made by open
        tools, which no board has run: there is a warning. It decides the width of the streams, which changes no answer.
    features
        The fabric returns the trunk's features of every image that may stay, so that the software exits need not
        compute the first convolution again. Without, the undecided images' features are computed on the host.
    images_per_transfer
        Images in one DMA transfer, at most; two transfers' buffers are allocated. None: up to 1024, halved until the
        contiguous memory that there is holds them. In software, images that are computed at once.
    deadline_seconds
        Longest time for one transfer, beyond what the rate rule gives it.
    retries
        How often a failed transfer is sent again before its error is raised.
    verify
        What checksums are compared: ``results`` (of the results, as sent and as read), ``all`` (of the images too, as
        given and as the fabric got them), or ``none``. What differs is sent again. See the reliability page for what
        each costs and notices.
    threads
        1: all is computed in the caller's thread. 2 or more: so many share a batch in software (in the remainder, and
        in the first exit where that is in software). And of a :meth:`stream`'s batch of which several images stay, the
        native engine computes the remainder in one thread less, while the batches after it are sent and decided; the
        caller's thread helps where it would wait. None: one such thread, where there are two processors, and no
        sharing.

    Raises
    ------
    DeviceError
        No board (the simulated one is never fallen back to), another object or process that drives it, or no memory.
    OverlayError, IdentityError
        No bitstream, a stale one, or another model's.
    ModelFileError
        A model file that cannot be used.
    InputError
        An argument that cannot be, or one that says something of a board where there is none: ``bitfile``,
        ``features``, ``deadline_seconds``, ``retries`` and ``verify`` with ``device="software"``.

    Notes
    -----
    Threads may share an object: a call of :meth:`classify` has the fabric for itself until it is done, others wait. A
    :meth:`stream` or a :meth:`classify_async` has it only while it works; what comes between finishes the batch that
    is in the fabric and keeps its results, so a stream that is never continued blocks nobody. A process that was
    forked from the one that made the object is refused, unless all is in software.

    Attributes
    ----------
    trace : pynq_ee.trace.Trace or None
        What stages are recorded in. None, as at first: nowhere.

    Examples
    --------
    >>> from pynq_ee import EarlyExitInference
    >>> import numpy as np
    >>> with EarlyExitInference(device="software") as network:
    ...     prediction = network.classify(np.zeros((28, 28), np.uint8))
    >>> len(prediction)
    1
    """

    def __init__(
        self,
        model: str | Path | Model = weights.DEFAULT,
        *,
        device: Any = None,
        threshold: float | Iterable[float] | None = None,
        remainder: str | None = None,
        bitfile: str | Path | None = None,
        features: bool = True,
        images_per_transfer: int | None = None,
        deadline_seconds: float = 2.0,
        retries: int = 1,
        verify: str = "results",
        threads: int | None = None,
    ) -> None:
        self.model = _at_width(model if isinstance(model, Model) else weights.load(model), bitfile, device)
        self.threshold = self.model.thresholds if threshold is None else threshold
        self.remainder = remainder or default_engine()
        several = len(os.sched_getaffinity(0)) > 1 if threads is None else threads != 1
        threads = 1 if threads is None else whole_number("threads", threads, least=1)
        self._policy = Policy(self.model, self.remainder, threads)
        self._beside = Beside(max(threads - 1, 1)) if several and ENGINES[self.remainder].beside else None
        self.trace: Trace | None = None
        self._turns = Turns()
        options: dict[str, Any] = {
            "bitfile": bitfile,
            "features": features,
            "deadline_seconds": deadline_seconds,
            "retries": retries,
            "verify": verify,
        }
        self._board: Board | None = None
        self._own_device = False
        if isinstance(device, str) and device == software.DEVICE:
            software.refuse(options, EarlyExitInference.__init__.__kwdefaults__ or {})
            in_software = software.FirstExit(self.model, self.remainder, threads, images_per_transfer)
            self._first_exit: Accelerator | software.FirstExit = in_software
            self.device: Any = in_software.device
        else:
            self._own_device, self.device = _open_device(device, self.model)
            try:
                self._board = bitfiles.board_of(self.device)
                self._first_exit = _in_fabric(self.model, self.device, self._board, images_per_transfer, **options)
            except BaseException:
                if self._own_device:
                    self.device.close()
                raise
        self._device_name = str(self.device.name)
        self._closed = False

    @property
    def threshold(self) -> tuple[float, ...]:
        """The threshold vector in nats, one for each exit but the last. May be set at any time."""
        return self._threshold

    @threshold.setter
    def threshold(self, value: float | Iterable[float]) -> None:
        self._threshold = exits.check_thresholds(value, self.model.exits)
        # Goes with the next batch; what stays of one before it, and was sent without features, has them computed here.
        self._margin = feature_margin(self._threshold[0], 2.0 ** self.model.logit_exponents[0])

    @property
    def accelerator(self) -> Accelerator:
        """The driver beneath, for those who want its counters or its buffers.

        Raises
        ------
        DeviceError
            There is none: all is in software.
        """
        if isinstance(self._first_exit, software.FirstExit):
            raise DeviceError(f"device is {software.DEVICE!r}: no accelerator is driven, and no overlay is loaded")
        return self._first_exit

    @property
    def board(self) -> Board | None:
        """The board, as :mod:`pynq_ee.network.spec` has it, a simulated one too; None where all is in software."""
        return self._board

    @property
    def clock_mhz(self) -> float | None:
        """The fabric's clock; None where there is no fabric."""
        return self.accelerator.clock_mhz if self._board else None

    @property
    def capacity(self) -> int:
        """Images that are computed at once, at most: those of one transfer.

        Raises
        ------
        DeviceError
            A closed object.
        """
        self._check_open()
        return self._first_exit.capacity

    def classify(
        self, images: Any, *, unit_floats: bool = False, fit: bool = False, invert: bool | None = None
    ) -> Prediction:
        """Classify one image or many.

        Parameters
        ----------
        images, unit_floats, fit, invert
            See :func:`pynq_ee.data.images.to_images`: uint8 arrays (28, 28) or (N, 28, 28), PIL images, paths, lists.

        Raises
        ------
        InputError
            Images that cannot be taken.
        TransferError, DeadlineError
            A transfer that failed, retries included. The next call starts afresh.
        IdentityError
            Another program has loaded another overlay; see :meth:`reload`.
        DeviceError
            A closed object, or a process that was forked from the one that made it.
        """
        batch = to_images(images, unit_floats=unit_floats, fit=fit, invert=invert)
        self._turns.give_way()
        with self._turns.lock:
            if len(batch) <= self.capacity:
                prediction: Prediction = self._pipeline(None).once(batch)
            else:
                prediction = concatenate(list(self._predict(batches.split(batch, self.capacity))))
        return prediction.show(batch)

    async def classify_async(
        self, images: Any, *, unit_floats: bool = False, fit: bool = False, invert: bool | None = None
    ) -> Prediction:
        """Classify one image or many, letting other tasks of the event loop run while the fabric works.

        The end of a transfer is awaited over the DMA's interrupt. Where the overlay connects none, or this machine
        has no UIO device for it, the registers are looked at every half millisecond, with a sleep between. In software,
        a thread of the event loop's pool computes meanwhile. :attr:`completion` tells which. Deadlines and retries are
        those of :meth:`classify`. Calls of one event loop are served in the order in which they were made.

        Parameters and errors are those of :meth:`classify`. A call that is cancelled leaves a working network.
        """
        batch = to_images(images, unit_floats=unit_floats, fit=fit, invert=invert)
        async with self._turns.queue():
            pipeline = self._pipeline(None)
            chunks = batches.split(batch, self.capacity)
            return concatenate([prediction async for prediction in pipeline.run_async(chunks)]).show(batch)

    @property
    def completion(self) -> str:
        """How :meth:`classify_async` learns that a transfer has ended: ``interrupt``, or ``polling`` and why."""
        return self._first_exit.completion.how

    def reload(self) -> None:
        """Load the overlay again, after another program has loaded its own; that program's is gone then.

        Raises
        ------
        DeviceError, IdentityError, DeadlineError
            A closed object, or a fabric that is not what was loaded.
        """
        with self._turns.lock:
            self._check_open()
            self.accelerator.reload()

    def stream(
        self,
        images: Iterable[Any],
        *,
        batch: int = 64,
        overlap: bool = True,
        beside: bool = True,
        unit_floats: bool = False,
        fit: bool = False,
        invert: bool | None = None,
    ) -> Iterator[Prediction]:
        """Classify images as they come, in order, with bounded memory.

        Parameters
        ----------
        images
            Any iterable of what :meth:`classify` takes. It is read only as far as it is needed.
        batch
            Images that are gathered before they are sent, at most ``images_per_transfer``.
        overlap
            A prediction comes out when the batch *after* its own has been sent, or the iterable ends, so that host and
            fabric work at the same time. False: before the iterable is asked for more. That is slower, but what a slow
            source needs, or one that waits for the last prediction.
        beside
            Where ``threads`` and the engine let it, the remainder of a batch is computed beside the work on the batch
            after it; its prediction then comes out one batch later still. False: as soon as ``overlap`` says.

        Images are copied into the DMA's memory before the iterable is asked for more, so a camera may write the next
        ones over them. Those that stand there already, in a :meth:`slot`, are not copied.

        The stream has the fabric only while it computes a prediction, not while the iterable or the caller works: other
        calls may come between.

        Yields
        ------
        Prediction
            One for each batch.

        Raises
        ------
        InputError
            A ``batch`` out of range, at once; images that cannot be taken, when their turn comes; or a :meth:`slot`
            that is given again while its images are still on their way.
        TransferError, DeadlineError, IdentityError, DeviceError
            As :meth:`classify`.
        """
        capacity = self.capacity
        if whole_number("batch", batch, least=1) > capacity:
            raise InputError(f"batch is {batch}; it must be 1 to {capacity} (images_per_transfer)")
        ready = (to_images(item, unit_floats=unit_floats, fit=fit, invert=invert) for item in in_parts(images, batch))
        chunks = self._give_way(batches.gather(ready, batch, lasting=False))
        if overlap:
            return self._predict(chunks, beside)
        return itertools.chain.from_iterable(
            self._pipeline(None).run([chunk], number) for number, chunk in enumerate(chunks)
        )

    @contextmanager
    def slot(self, images: int, *, cacheable: bool = False) -> Iterator[npt.NDArray[np.uint8]]:
        """Memory that images are written to in place, and classified from without a copy.

        Parameters
        ----------
        images
            How many it holds, 1 to :attr:`capacity`.
        cacheable
            False: what is written goes to the board's memory as it comes, and need not be cleaned out of the cache for
            the DMA. That is for images that are written once and in order, as by ``slot[:] = frames``; to read them
            back is slow. True: for a program that reads them too, or writes them several times. On a remote board, in
            software, and with ``verify="all"``, which reads them, it is always True.

        Yields
        ------
        uint8 array (images, 28, 28), in memory that the DMA reads, with whatever was there before. It, or a part of it
        from the first image on, is given to :meth:`classify` or :meth:`stream` as any array. White ink (255) on black.
        It is not to be used after the block.

        Raises
        ------
        InputError
            Another number; or, where the images are given, those that are still on their way: a stream needs two slots,
            filled in turn.
        DeviceError
            No contiguous memory for it, or a closed object.
        IdentityError
            Another program has loaded another overlay.

        Notes
        -----
        On a board each slot takes contiguous memory beside that of the transfers, and getting it takes its time: take
        one for a whole stream, not for each batch.

        Examples
        --------
        >>> from pynq_ee import EarlyExitInference
        >>> with EarlyExitInference(device="software") as network, network.slot(2) as images:
        ...     images[:] = 0  # what a camera does
        ...     prediction = network.classify(images)
        >>> len(prediction)
        2
        """
        with self._turns.lock:
            self._check_open()
            slot = self._first_exit.lend(images, cacheable)
        try:
            yield slot.pixels
        finally:
            with self._turns.lock:
                self._first_exit.take_back(slot)  # type: ignore[arg-type]  # of the same object

    def all_exits(self, images: Any) -> npt.NDArray[np.float32]:
        """Logits of every exit for every image, float32 (N, exits, 10): what thresholds are calibrated on.

        ``images`` and errors are those of :meth:`classify`.
        """
        batch = to_images(images)

        def use(number: int, pixels: npt.NDArray[np.uint8], results: Results) -> npt.NDArray[np.float32]:
            features = self._policy.features(results, pixels, np.arange(len(pixels)))
            return self._policy.every(results.logits, features)

        with self._turns.lock:
            pipeline = Pipeline(self._first_exit, self._turns, use, Stopwatch())
            return np.concatenate(list(pipeline.run(batches.split(batch, self.capacity))))

    def calibrate(self, images: Any, labels: npt.ArrayLike, **constraint: Any) -> Calibration:
        """Find the thresholds under a constraint and use them from now on.

        Parameters
        ----------
        images
            uint8 (N, 28, 28), never trained on.
        labels
            Integers (N,), 0 to 9.
        constraint
            One of ``max_loss_points``, ``min_early_share``, ``min_throughput``, ``max_mean_seconds``,
            ``max_mean_joules``; with ``delta``, the first holds with probability ``1 - delta``. See
            :func:`pynq_ee.exits.calibration.optimum`.

        Raises
        ------
        InputError
            A constraint that cannot be met; the message says the nearest that can. The thresholds stay as they are.
        TransferError, DeadlineError, IdentityError, DeviceError
            As :meth:`classify`.
        """
        found = calibrate(self, to_images(images), labels, **constraint)
        self.threshold = found.thresholds
        return found

    def hold(self, images: Iterable[Any], **target: Any) -> Iterator[Held]:
        """Classify a stream and hold ``images_per_second`` or ``mean_seconds`` by moving the thresholds.

        See :func:`pynq_ee.exits.governor.hold`. They are never above ``cap``, by default the present thresholds.

        Raises
        ------
        InputError
            No target, or two; a target or a cap out of range.
        DeviceError
            A closed object.
        """
        self._check_open()
        return hold(self, images, **target)

    def close(self) -> None:
        """Free the buffers, and the simulated board if it was opened by name. May be called twice.

        A remainder that is being computed is waited for.
        """
        with self._turns.lock:
            if not self._closed:
                self._closed = True
                try:
                    if self._beside is not None:
                        self._beside.close()
                finally:
                    try:
                        self._first_exit.close()
                    finally:
                        if self._own_device:
                            self.device.close()

    def __repr__(self) -> str:
        if "_closed" not in vars(self):
            return "<EarlyExitInference, not open>"  # as in a traceback from __init__
        state = ", closed" if self._closed else ""
        thresholds = ", ".join(f"{value:.4g}" for value in self._threshold)
        clock = f"{self.clock_mhz:g} MHz" if self.clock_mhz else "no fabric"
        return (
            f"<EarlyExitInference: {self.model.network} (build_id 0x{self.model.build_id:08x}) on {self.device.name}, "
            f"threshold {thresholds} nats, {clock}, remainder {self.remainder}{state}>"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse an attribute that there is not, which would change nothing: ``network.treshold = 3``."""
        if name in _FIXED and name in vars(self):
            raise AttributeError(f"{name} cannot be changed; make another EarlyExitInference", name=name, obj=self)
        if not name.startswith("_") and name not in (*_SETTABLE, *_FIXED):
            meant = difflib.get_close_matches(name, _SETTABLE, n=1)
            hint = f"; did you mean {meant[0]}?" if meant else f"; {' and '.join(_SETTABLE)} may be set"
            raise AttributeError(f"EarlyExitInference has no attribute {name!r}{hint}", name=name, obj=self)
        super().__setattr__(name, value)

    def __enter__(self) -> EarlyExitInference:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # The way of a batch -----------------------------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._closed:
            raise DeviceError("this EarlyExitInference is closed; make another one")

    def _give_way(self, chunks: Iterable[npt.NDArray[np.uint8]]) -> Iterator[npt.NDArray[np.uint8]]:
        """The chunks, each after coroutines that wait for their turn have had it."""
        for chunk in chunks:
            self._turns.give_way()
            yield chunk

    def _predict(self, chunks: Iterable[npt.NDArray[np.uint8]], beside: bool = True) -> Iterator[Prediction]:
        """The predictions of chunks, one each."""
        if self._beside is None or not beside:
            predictions: Iterator[Prediction] = self._pipeline(None).run(chunks)
            return predictions
        return self._beside.in_order(self._pipeline(self._beside).run(chunks))

    def _pipeline(self, beside: Beside | None) -> Pipeline[Any]:
        """A pipeline of predictions, or, where there is a thread beside, of tasks of predictions."""
        watch = Stopwatch(self.trace)
        decide = partial(self._decide, watch, beside)
        return Pipeline(self._first_exit, self._turns, decide, watch, lambda: self._margin)

    def _decide(
        self, watch: Stopwatch, beside: Beside | None, number: int, pixels: npt.NDArray[np.uint8], results: Results
    ) -> Prediction | Task[Prediction]:
        """Apply the exit policy to a batch, here or in part beside."""
        thresholds = self._threshold
        begin = time.perf_counter()
        answers, rows = self._policy.first(results.logits, thresholds[0])
        begin = watch.note("entropy", number, begin)
        policy, handed = self._policy, None
        if len(rows):
            features = policy.features(results, pixels, rows)
            if beside is None or len(rows) < LEAST_BESIDE:
                policy.rest(answers, rows, policy.second(features), thresholds)
            else:
                handed = policy.hand_over(beside, features)
            watch.note("remainder", number, begin)
        prediction = self._prediction(answers, watch, results.clocks)
        if handed is None:
            return prediction

        def finish() -> Prediction:
            """With what has been computed meanwhile."""
            hidden, logits, begun, done = handed()
            policy.rest(answers, rows, (hidden, logits), thresholds)
            prediction.seconds["remainder"] += done - begun
            if watch.trace is not None:
                watch.trace.add(BESIDE, "remainder", number, begun, done)
            return prediction

        return Task(finish)

    def _prediction(self, answers: Answers, watch: Stopwatch, clocks: int | None) -> Prediction:
        return Prediction(
            answers.labels,
            answers.exits,
            answers.entropy,
            partial(self._policy.real, answers),
            self._device_name,
            watch.lap(),
            self._first_exit.fabric_clocks(len(answers.labels)) if clocks is None else clocks,
            None,
            "modelled" if clocks is None else "counted",
        )


def _at_width(model: Model, bitfile: str | Path | None, device: Any) -> Model:
    """The model at the width of streams of the overlay that is asked for, where that decides it."""
    if bitfile != bitfiles.OPEN:
        return model
    return bitfiles.as_in_open(model, DEFAULT_BOARD if isinstance(device, str) else bitfiles.board_of(device))


def _open_device(device: Any, model: Model) -> tuple[bool, Any]:
    """Return whether the device was opened here (and is closed with us), and the device."""
    check_numpy()
    if device is not None and (isinstance(device, str) or not hasattr(device, "allocate")):
        if not isinstance(device, str) or device not in SIMULATED:
            names = f"{', '.join(NAMED[:-1])} or {NAMED[-1]}"
            raise InputError(f"device is {device!r}; give None for this board, {names}, or a pynq device")
        from pynq_ee.sim import SimulatedDevice

        return True, SimulatedDevice(model, kernel=SIMULATED[device])
    if device is not None:
        return False, device
    return False, bitfiles.this_board()


def _in_fabric(
    model: Model,
    device: Any,
    board: Board,
    images_per_transfer: int | None,
    bitfile: str | Path | None,
    **options: Any,
) -> Accelerator:
    """The accelerator of a board, its overlay loaded."""
    overlay = bitfiles.choose(bitfile, device, model.build_id)
    if bitfile == bitfiles.OPEN:
        warn(f"{overlay} is experimental. {bitfiles.standing(overlay)}", ExperimentalOverlayWarning)
    clock_mhz = bitfiles.clock_mhz(overlay, board)
    return Accelerator(model, device, overlay, images_per_transfer=images_per_transfer, clock_mhz=clock_mhz, **options)
