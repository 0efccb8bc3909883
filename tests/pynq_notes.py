"""Where pynq notes what it has loaded: for a test, in a folder of its own instead of in pynq's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynq.pl_server import embedded_device, global_state


@contextmanager
def kept_in(folder: Path) -> Iterator[Path]:
    """Let pynq keep its load state and its pickled metadata in ``folder`` within the block."""
    modules = [embedded_device]
    with pytest.MonkeyPatch.context() as patch:
        try:
            from pynq.pl_server import remote_device
        except ImportError:  # pynq has a remote device from 4.0 on
            pass
        else:
            modules.append(remote_device)
        patch.setattr(global_state, "STATE_DIR", str(folder))
        for module in modules:
            patch.setattr(module, "__file__", str(folder / Path(module.__file__).name))
        yield folder
