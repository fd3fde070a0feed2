"""How large sources are cut into parts for several workers, by the form of their medium."""

from __future__ import annotations

from collections.abc import Mapping

from intarsia.jobs.cutting.contract import Cutting
from intarsia.jobs.cutting.frames import FRAMES
from intarsia.jobs.cutting.points import POINTS
from intarsia.jobs.cutting.rows import ROWS
from intarsia.media.medium import Form

CUTTINGS: Mapping[Form, Cutting] = {"rows": ROWS, "frames": FRAMES, "points": POINTS}
"""How sources of a form are cut; others are done as a whole."""
