"""Where pynq finds the overlay by its name alone: ``pynq.Overlay("first_exit.bit")``, by the entry point pynq.overlays.

pynq looks in the first folder of this package's path. On another board than the PYNQ-Z1 and Z2 (the environment
variable ``BOARD`` names it) that is the board's own folder, so that another board's bitstream is never found in its
place.
"""

from pathlib import Path

from pynq_ee.driver.bitfiles import board_of
from pynq_ee.errors import DeviceError
from pynq_ee.network.spec import DEFAULT_BOARD


def _folder() -> Path:
    here = Path(__file__).parent
    try:
        board = board_of(None)
    except DeviceError:  # no overlay can be built for this board; pynq asks for the folder all the same
        return here / "none"
    own = here / board.name
    return here if board.part == DEFAULT_BOARD.part and not own.is_dir() else own


__path__.insert(0, str(_folder()))
