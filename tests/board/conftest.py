"""What is inside the box can be collected only there; see ``test_box.py``."""

from __future__ import annotations

import sys

collect_ignore = [] if "board.box.plugin" in sys.modules else ["inside"]
