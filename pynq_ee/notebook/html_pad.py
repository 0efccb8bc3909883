"""The square to draw on where anywidget is not installed: plain HTML, and a hidden text field of ipywidgets.

A stock PYNQ image has ipywidgets, but not anywidget. The canvas and its strokes are those of
:mod:`pynq_ee.notebook.pad`; the picture is handed over when the pen has rested, not at every move.
"""

from __future__ import annotations

import base64
import html
import logging
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

#: Pixels of the square, in each direction: five times an image's, so that scaling it down smooths the strokes.
SIDE = 140
#: Width of the pen, as a share of the square's side.
PEN = 0.09

CANVAS = Path(__file__).with_name("pad.js").read_text()
STYLE = ".pynq-ee-pad { width: 280px; height: 280px; cursor: crosshair; touch-action: none; }"

_CONNECTION = Path(__file__).with_name("html_pad.js").read_text()
_NOTE = (
    "<small>The package <i>anywidget</i> is not here, so the answer comes when the pen rests. For one at every move:"
    "<br><code>python3 -m pip install --no-deps anywidget psygnal</code>, then restart the kernel and reload the page."
    "</small>"
)

_log = logging.getLogger(__name__)


class HtmlPad(ipywidgets.VBox):
    """White ink on black.

    Parameters
    ----------
    on_ink
        Called with what is drawn, uint8 ``(SIDE, SIDE)``, when it has changed and the pen rests.
    """

    def __init__(self, on_ink: Callable[[npt.NDArray[np.uint8]], None]) -> None:
        self._on_ink = on_ink
        key = f"pynq-ee-{uuid.uuid4().hex}"
        #: The picture in base64, a byte a pixel.
        self.field = ipywidgets.Textarea(layout=ipywidgets.Layout(display="none"))
        self.field.add_class(key)
        self.field.observe(self._answer, "value")
        super().__init__([ipywidgets.HTML(_page(key)), self.field, ipywidgets.HTML(_NOTE)])

    def _answer(self, change: Any) -> None:
        try:
            self._on_ink(np.frombuffer(base64.b64decode(change["new"]), np.uint8).reshape(SIDE, SIDE))
        except Exception:  # a widget's errors are shown nowhere; the log at least is on the server's terminal
            _log.exception("what was drawn could not be answered")
            raise


def _page(key: str) -> str:
    """A place for the canvas, and what fills it.

    In the HTML of a widget no script element runs, but the handler of a picture that cannot be shown does. (The widget
    Output runs scripts, but not in the classic notebook of every release.) A script of a page exports nothing.
    """
    script = f"{CANVAS.replace('export default', 'void')}\n{_CONNECTION}\n"
    script += f"connect(this.previousElementSibling, {key!r}, {SIDE}, {PEN});"
    picture = f'<img src="data:," alt="" style="display:none" onerror="{html.escape(script)}">'
    return f"<style>{STYLE}</style><div></div>{picture}"
