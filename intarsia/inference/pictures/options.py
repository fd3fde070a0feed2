"""What a predictor's options mean, and which go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from intarsia.bundle import Description
from intarsia.errors import ModelError, UsageError, suggest
from intarsia.inference.pictures.ranking import DECISIONS
from intarsia.inference.pictures.tiling import UNIT, exact_overlap
from intarsia.runtimes.contract import Runtime

if TYPE_CHECKING:
    from intarsia.refine import Refinement

TILE, OVERLAP = 512, 128


def is_default(name: str, value: Any) -> bool:
    """Whether an option is as if nobody had named it."""
    return (
        value is None or value is False or value in ("none", "argmax") or (name == "scales" and tuple(value) == (1.0,))
    )


def check_decision(decide: str, *, refined: bool) -> bool:
    """Whether labels are decided by `Ranking`."""
    if decide not in DECISIONS:
        raise UsageError(f"no decision {decide!r}.{suggest(decide, DECISIONS)}")
    if decide == "rankseg" and refined:
        raise UsageError(
            "rankseg decides from the network's own probabilities, which refine changes: choose one (refine none)"
        )
    return decide == "rankseg"


def check_tiles(tile: int | None, overlap: int | None) -> tuple[int, int]:
    """The side of tiles and what they share; 512 and 128 pixels, or half a smaller tile, where nobody says it."""
    tile = TILE if tile is None else tile
    overlap = min(OVERLAP, tile // 2 // UNIT * UNIT) if overlap is None else overlap
    if tile < 2 * UNIT or tile % UNIT:
        raise UsageError(f"tile must be a multiple of {UNIT}, at least {2 * UNIT}, not {tile}")
    if not 0 <= overlap <= tile // 2 or overlap % UNIT:
        raise UsageError(f"overlap must be a multiple of {UNIT} from 0 to half the tile ({tile // 2}), not {overlap}")
    return tile, overlap


def mirrored_order(bundle: Description) -> list[int]:
    """Where a mirrored picture has each class: left and right change places, as in its training or by their names."""
    space = bundle.space
    trained = (bundle.recipe or {}).get("augment", {}).get("sides", [])
    order = list(range(len(space)))
    for left, right in [(space.index(one), space.index(other)) for one, other in trained] or space.mirrored:
        order[left], order[right] = right, left
    return order


def read_refinement(value: str | Mapping[str, Any] | None) -> Refinement | None:
    """Only what is asked for loads the rooms of refinement."""
    method = value.get("method") if isinstance(value, Mapping) else value
    if method in (None, "none"):
        return None
    from intarsia.refine import Refinement

    return Refinement.read(value)


def check_runtime(bundle: Description, runtime: Runtime, channels: int) -> None:
    """Raise a ModelError unless the runtime takes so many channels, and tiles can be joined at its stride."""
    if runtime.in_channels != channels:
        raise ModelError(
            f"{bundle.title}: its model takes {runtime.in_channels} channels, but its preprocessing makes {channels} "
            "of a picture; pictures have three channels, or one as grey"
        )
    if UNIT % runtime.stride:
        raise ModelError(
            f"{bundle.architecture} gives logits at stride {runtime.stride}, which is no divisor of {UNIT}"
        )


def enough_overlap(bundle: Description, runtime: Runtime, tile: int, overlap: int) -> int:
    """`overlap`, or more if the model's margin needs it."""
    margin = runtime.margin
    needed = max(overlap, exact_overlap(margin, runtime.stride))
    if margin and tile < 2 * needed:
        raise UsageError(
            f"{bundle.architecture} sees {margin} pixels around each output, so that its tiles share {needed} pixels; "
            f"tile must be at least {2 * needed}, not {tile}"
        )
    return needed
