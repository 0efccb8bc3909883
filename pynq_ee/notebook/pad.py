"""A square in the notebook to draw on, with mouse, finger or pen.

The widget is made with anywidget, for what a PYNQ image can have: its wheel and that of its one dependency are pure
Python, it works in the image's JupyterLab 3.4 and classic notebook with ipywidgets 7.7 as well as in the newest ones,
and the newer images ship it. Where it is missing, :mod:`pynq_ee.notebook.html_pad` takes its place. A canvas that
Python draws on (ipycanvas) would send every piece of a stroke to the board's processor and back before its ink is seen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from pynq_ee.notebook.html_pad import CANVAS, PEN, SIDE, STYLE

_log = logging.getLogger(__name__)


class Pad(anywidget.AnyWidget):
    """White ink on black.

    Parameters
    ----------
    on_ink
        Called with what is drawn, uint8 ``(SIDE, SIDE)``, whenever it has changed. While it works, the browser waits
        with the next picture, and then sends the newest.
    """

    _esm = CANVAS
    _css = STYLE

    side = traitlets.Int(SIDE).tag(sync=True)
    pen = traitlets.Float(PEN).tag(sync=True)
    #: One byte a pixel. It arrives as a view into a message.
    ink = traitlets.Bytes(bytes(SIDE * SIDE)).tag(sync=True, from_json=lambda value, widget: bytes(value))
    #: Pictures that the browser has sent, and those that have been dealt with.
    drawn = traitlets.Int(0).tag(sync=True)
    answered = traitlets.Int(0).tag(sync=True)

    def __init__(self, on_ink: Callable[[npt.NDArray[np.uint8]], None]) -> None:
        super().__init__()
        self._on_ink = on_ink
        self.observe(self._answer, "drawn")

    def _answer(self, change: Any) -> None:
        try:
            self._on_ink(np.frombuffer(self.ink, np.uint8).reshape(SIDE, SIDE))
        except Exception:  # a widget's errors are shown nowhere; the log at least is on the server's terminal
            _log.exception("what was drawn could not be answered")
            raise
        finally:
            self.answered = change["new"]
