"""The head-up display: what was seen, drawn over the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from intarsia.apps.drive.scene import Lane, Scene

Pixels = NDArray[np.uint8]

_FREE, _OWN = (70, 150, 160), (60, 200, 90)
_BORDER, _OTHER = (255, 210, 40), (235, 235, 235)
_KINDS = {"vehicle": (80, 140, 255), "person": (255, 90, 90)}
_INK, _PAPER = (255, 255, 255), (20, 20, 20)
_POINTS = 24  # of a line


def draw_scene(pixels: Pixels, scene: Scene) -> Pixels:
    """Draw a scene over its picture (H, W, 3) RGB; returns a new one."""
    shown = pixels.copy()
    scale = max(0.5, pixels.shape[1] / 1280)
    _tint(shown, scene)
    _lines(shown, scene, scale)
    for thing in scene.things:
        left, top, width, height = thing.box
        color = _KINDS[thing.kind]
        cv2.rectangle(shown, (left, top), (left + width, top + height), color, max(1, round(2 * scale)), cv2.LINE_AA)
        if thing.metres is not None and thing.metres < 200:
            _text(shown, f"{thing.metres:.0f} m", (left, top - round(4 * scale)), 0.5 * scale, color)
    _panel(shown, words(scene), scale)
    return shown


def words(scene: Scene) -> list[str]:
    """What the panel says, a line each."""
    lines = [scene.status if scene.status != "lane" else "own lane"]
    held = sum(not lane.seen for lane in scene.lanes)
    lines[0] += f", {len(scene.lanes)} markings" + (f" ({held} held)" if held else "")
    if scene.position is not None:
        centimetres = scene.position_cm
        size = f"{abs(scene.position):.0f} px" if centimetres is None else f"{abs(centimetres):.0f} cm"
        lines.append(f"{size} {'right' if (centimetres or scene.position) > 0 else 'left'} of its middle")
    if scene.free_row is not None:
        metres = scene.ground.distance(scene.free_row)
        if metres is not None:
            lines.append(f"free for {metres:.0f} m" if metres < 200 else "free ahead")
    counts = {kind: sum(thing.kind == kind for thing in scene.things) for kind in _KINDS}
    if any(counts.values()):
        lines.append(f"vehicles {counts['vehicle']}, people {counts['person']}")
    if scene.lost:
        lines.append(f"lost: {', '.join(f'line {number}' for number in scene.lost)}")
    return lines


def _tint(shown: Pixels, scene: Scene) -> None:
    """The free road, and in another colour the own lane."""
    free = _enlarged(scene.free, shown)
    table = np.zeros((3, 3), np.uint8)
    table[1:] = _FREE, _OWN
    left, right = scene.lane("left"), scene.lane("right")
    if left is not None and right is not None:
        inside = np.zeros_like(free)
        outline = np.concatenate([_points(scene, left), _points(scene, right)[::-1]])
        cv2.fillPoly(inside, [outline], (1,))
        free += free & inside
    where = free > 0
    top = int(where.any(1).argmax())
    part, kinds = shown[top:], free[top:]
    mixed = cv2.addWeighted(part, 0.7, np.take(table, kinds, axis=0), 0.3, 0)
    np.copyto(part, mixed, where=(kinds > 0)[..., None])


def _points(scene: Scene, lane: Lane) -> NDArray[np.int32]:
    """A lane from its farthest paint down to where the position is measured (P, 2), the far end first."""
    rows = np.linspace(
        scene.ground.y + lane.curve.near[0], max(scene.row, scene.ground.y + lane.curve.near[0]), _POINTS
    )
    return np.rint(np.stack([scene.column(lane, rows), rows], axis=1)).astype(np.int32)


def _lines(shown: Pixels, scene: Scene, scale: float) -> None:
    """The lanes, behind what stands before them."""
    lined = shown.copy()
    for lane in scene.lanes:
        _line(lined, scene, lane, scale)
    np.copyto(shown, lined, where=_enlarged(scene.hidden, shown)[..., None] == 0)


def _enlarged(mask: NDArray[np.bool_], shown: Pixels) -> Pixels:
    """A mask as 0 and 1 at the size of the picture, (H, W)."""
    size = (shown.shape[1], shown.shape[0])
    return np.asarray(cv2.resize(mask.view(np.uint8), size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _line(shown: Pixels, scene: Scene, lane: Lane, scale: float) -> None:
    points, color = _points(scene, lane), _BORDER if lane.side else _OTHER
    pairs = [points[at : at + 2] for at in range(0, len(points) - 1, 2)] if not lane.seen else [points]
    cv2.polylines(shown, pairs, False, color, max(1, round(4 * scale)), cv2.LINE_AA)


def _panel(shown: Pixels, lines: list[str], scale: float) -> None:
    step, size = round(26 * scale), 0.65 * scale
    widest = max(cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, size, 1)[0][0] for line in lines)
    part = shown[: step * len(lines) + step // 2, : widest + step]
    part[:] = cv2.addWeighted(part, 0.4, np.full_like(part, _PAPER), 0.6, 0)
    for number, line in enumerate(lines, start=1):
        _text(shown, line, (step // 2, number * step), size, _INK)


def _text(shown: Pixels, text: str, at: tuple[int, int], size: float, color: tuple[int, int, int]) -> None:
    cv2.putText(shown, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, color, 1, cv2.LINE_AA)
