"""``Prediction``: what became of a batch of images."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt
from PIL import Image

from pynq_ee.trace import STAGES

Logits = npt.NDArray[np.float32]

#: What two predictions are compared by.
_ANSWERS = ("labels", "exits", "entropy", "logits")

#: Images that are shown at a prompt, and kept to be shown.
SHOWN = 12


class Answer(NamedTuple):
    """What became of one image: ``label``, ``exit``, ``entropy`` in nats, and ``logits``, float32 (10,)."""

    label: int
    exit: int
    entropy: float
    logits: npt.NDArray[np.float32]


class Prediction:
    """What became of a batch of images. It cannot be changed.

    Attributes
    ----------
    labels
        int64 (N,), 0 to 9.
    exits
        int64 (N,), the exit that each image left at, counted from 1.
    entropy
        float64 (N,), nats, of that exit's softmax.
    logits
        float32 (N, 10), of that exit, in its real scale. They are made when they are first asked for.
    device
        Name of the device that the first exit ran on; a simulated one says so, and software too.
    seconds
        Wall time that the host spent in each stage (*measured*): ``input`` (images into the DMA's buffer),
        ``fabric`` (starting and waiting for it; in software, computing the first exit), ``collect`` (results out of
        the buffer, checked), ``entropy``, ``remainder`` (which may be that of a thread of its own).
    fabric_clocks
        Clocks of the fabric: by the rate rule (*modelled*), or, on ``device="sim-rtl"``, *counted*, of each batch from
        the start of its images to the end of its results. None in software, where there is no fabric.
    fabric_clocks_are
        ``"modelled"`` or ``"counted"``.
    images
        uint8 (N, 28, 28), a copy of what a call of ``classify`` with few images took, for a notebook to show. Or None.

    ``prediction[3]`` is one image's :class:`Answer`, ``prediction[2:5]`` the prediction of some; a loop gives answers.
    Two are equal whose labels, exits, entropies and logits are. ``pandas.DataFrame(prediction.to_dict())`` is a table.
    """

    labels: npt.NDArray[np.int64]
    exits: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    device: str
    seconds: dict[str, float]
    fabric_clocks: int | None
    images: npt.NDArray[np.uint8] | None
    fabric_clocks_are: str
    _logits: Logits | Callable[[], Logits]

    def __init__(
        self,
        labels: npt.NDArray[np.int64],
        exits: npt.NDArray[np.int64],
        entropy: npt.NDArray[np.float64],
        logits: Logits | Callable[[], Logits],
        device: str,
        seconds: dict[str, float],
        fabric_clocks: int | None,
        images: npt.NDArray[np.uint8] | None = None,
        fabric_clocks_are: str = "modelled",
    ) -> None:
        """``logits`` may be a function that makes them."""
        vars(self).update(
            labels=labels,
            exits=exits,
            entropy=entropy,
            _logits=logits,
            device=device,
            seconds=seconds,
            fabric_clocks=fabric_clocks,
            images=images,
            fabric_clocks_are=fabric_clocks_are,
        )

    @property
    def logits(self) -> Logits:
        """See the class."""
        logits = self._logits
        if callable(logits):
            vars(self)["_logits"] = logits = logits()
        return logits

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a Prediction cannot be changed, nor its {name}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Prediction cannot be changed, nor its {name}", name=name, obj=self)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process: the logits themselves, and no function."""
        return {**vars(self), "_logits": self.logits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Answer: ...
    @overload
    def __getitem__(self, rows: slice | list[int] | npt.NDArray[Any]) -> Prediction: ...
    def __getitem__(self, rows: Any) -> Answer | Prediction:
        """One image's answer by its number; of a slice or an array, as NumPy takes one, the prediction of that part.

        A part's ``seconds`` and ``fabric_clocks`` are its share of the whole batch's.
        """
        if hasattr(rows, "__index__") and np.ndim(rows) == 0:
            return Answer(int(self.labels[rows]), int(self.exits[rows]), float(self.entropy[rows]), self.logits[rows])
        labels = self.labels[rows]
        share = len(labels) / len(self) if len(self) else 0.0
        return Prediction(
            labels,
            self.exits[rows],
            self.entropy[rows],
            self.logits[rows],
            self.device,
            {stage: taken * share for stage, taken in self.seconds.items()},
            None if self.fabric_clocks is None else round(self.fabric_clocks * share),
            None if self.images is None else self.images[rows],
            self.fabric_clocks_are,
        )

    def __iter__(self) -> Iterator[Answer]:
        return (self[row] for row in range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether two say the same of their images: labels, exits, entropies and logits, to the bit."""
        if not isinstance(other, Prediction):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in _ANSWERS)

    def __hash__(self) -> int:
        return hash((self.labels.tobytes(), self.exits.tobytes()))

    def to_dict(self) -> dict[str, Any]:
        """Columns, as ``pandas.DataFrame`` takes them: ``label``, ``exit``, ``entropy``, ``logit_0`` to ``logit_9``."""
        logits = {f"logit_{number}": column for number, column in enumerate(self.logits.T)}
        return {"label": self.labels, "exit": self.exits, "entropy": self.entropy, **logits}

    def __repr__(self) -> str:
        if len(self) == 1:
            what = f"{self.labels[0]}, left at exit {self.exits[0]}, entropy {self.entropy[0]:.4f} nats"
        else:
            shown = " ".join(map(str, self.labels[:SHOWN])) + (" .." if len(self) > SHOWN else "")
            counts = zip(*np.unique(self.exits, return_counts=True))
            left = "".join(f", {count} left at exit {exit}" for exit, count in counts)
            what = f"of {len(self)} images: {shown or 'none'}{left}"
        return f"<Prediction {what}; {self.device}>"

    def _repr_html_(self) -> str:
        """A small table for a notebook, with the pictures where the images are at hand."""
        pictured = self.images is not None
        rows = []
        for row in range(min(len(self), SHOWN)):
            cells = [f"{row}", f"<b>{self.labels[row]}</b>", f"{self.exits[row]}", f"{self.entropy[row]:.4f}"]
            if self.images is not None:
                cells.insert(1, f'<img width="42" height="42" alt="" src="{_data_url(self.images[row])}">')
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        titles = ["", *(["image"] if pictured else []), "digit", "exit", "entropy, nats"]
        more = f"<p>.. {len(self) - SHOWN} more images</p>" if len(self) > SHOWN else ""
        heading = "".join(f"<th>{title}</th>" for title in titles)
        return f"<table><tr>{heading}</tr>{''.join(rows)}</table>{more}<p>{html.escape(self.device)}</p>"

    def show(self, images: npt.NDArray[np.uint8]) -> Prediction:
        """Keep a copy of the images, if they are few, and return this."""
        if len(images) <= SHOWN:
            vars(self)["images"] = images.copy()
        return self

    def computed_on(self, device: str) -> Prediction:
        """The same, of a device of another name."""
        copied = Prediction.__new__(Prediction)
        vars(copied).update(vars(self), device=device)
        return copied

    def share(self, exit: int) -> float:
        """Share of the images that left at an exit, 0 to 1."""
        return float(np.mean(self.exits == exit))


def _data_url(image: npt.NDArray[np.uint8]) -> str:
    """An image as a PNG within a page, dark ink on white."""
    content = io.BytesIO()
    Image.fromarray(255 - image).save(content, "PNG")
    return f"data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}"


def concatenate(predictions: list[Prediction]) -> Prediction:
    """Join the predictions of consecutive batches."""
    if len(predictions) == 1:
        return predictions[0]
    clocks = [part.fabric_clocks for part in predictions if part.fabric_clocks is not None]
    return Prediction(
        np.concatenate([part.labels for part in predictions]),
        np.concatenate([part.exits for part in predictions]),
        np.concatenate([part.entropy for part in predictions]),
        partial(_joined, [part._logits for part in predictions]),
        predictions[0].device,
        {stage: sum(part.seconds[stage] for part in predictions) for stage in STAGES},
        sum(clocks) if clocks else None,
        fabric_clocks_are=predictions[0].fabric_clocks_are,
    )


def _joined(parts: list[Logits | Callable[[], Logits]]) -> Logits:
    return np.concatenate([part() if callable(part) else part for part in parts])
