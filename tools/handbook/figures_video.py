"""Figures of the page on video: what runs on which frame, what moves along the flow, what is joined with what."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from handbook.sheets import BLUE, GREY, ORANGE, sheet
from handbook.stage import ROOT

_LIGHT, _SAND = (150, 180, 225), (230, 200, 120)


def video_schedule() -> Image.Image:
    """Which part of a network runs on which frame, for three schedules."""
    rows = (
        ("every frame", "dddddddddd"), ("key frames and flow", "dfffdfffdf"), ("clockwork, every 4th", "dsssdsssds"),
    )  # fmt: skip
    colours = {"d": BLUE, "s": _LIGHT, "f": _SAND}
    picture = Image.new("RGB", (560, 138), "white")
    pen = ImageDraw.Draw(picture)
    for row, (title, parts) in enumerate(rows):
        pen.text((4, 12 + 34 * row), title, fill="black")
        for frame, part in enumerate(parts):
            left, high = 160 + 38 * frame, {"d": 28, "s": 14, "f": 5}[part]
            pen.rectangle([left, 32 - high + 34 * row, left + 32, 32 + 34 * row], fill=colours[part])
    for place, (part, what) in enumerate((("d", "whole network"), ("s", "early layers"), ("f", "optical flow"))):
        pen.rectangle([160 + 130 * place, 118, 172 + 130 * place, 130], fill=colours[part])
        pen.text((178 + 130 * place, 118), what, fill="black")
    return picture


def flow_moves_labels() -> Image.Image:
    """Labels of five frames ago, held and moved along the flow of each frame, beside the true ones."""
    import torch

    import intarsia
    from intarsia.models.video import DISFlow, compose, warp

    photo = np.asarray(Image.open(ROOT / "intarsia" / "serving" / "samples" / "astronaut.jpg").convert("RGB"))
    person = intarsia.load("person").segment(photo)["person"]
    windows = [np.s_[10 + 4 * t : 210 + 4 * t, 90 + 7 * t : 330 + 7 * t] for t in range(6)]
    frames = [torch.from_numpy(photo[place].copy()).permute(2, 0, 1)[None].float() / 255 for place in windows]
    flow, estimate = torch.zeros(1, 2, 200, 240), DISFlow()
    for now, before in zip(frames[1:], frames, strict=False):
        flow = compose(estimate(now, before), flow)
    old = torch.from_numpy(person[windows[0]].astype(np.float32))[None, None]
    moved = warp(old, flow, mode="nearest")[0, 0].numpy() > 0.5
    truth, shown = person[windows[5]], photo[windows[5]]
    panels = [("five frames ago", _over(photo[windows[0]], person[windows[0]]))]
    for title, mask in (("held", person[windows[0]]), ("moved along the flow", moved)):
        panels.append((f"{title}: IoU {(mask & truth).sum() / (mask | truth).sum():.3f}", _over(shown, mask)))
    return sheet(panels, 1)


def _over(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.where(mask[..., None], (photo * 0.5 + np.array([255, 200, 0]) * 0.5).astype(np.uint8), photo)


def low_latency() -> Image.Image:
    """How long one waits for each of ten frames: all in turn, with key frames, and with the deep part put aside."""
    rows = (
        ("every frame", (1.0,) * 10),
        ("key frames and flow", (1.0, 0.1, 0.1, 0.1, 0.1) * 2),
        ("low latency", (0.2,) * 10),
    )
    picture = Image.new("RGB", (580, 190), "white")
    pen = ImageDraw.Draw(picture)
    for row, (title, waits) in enumerate(rows):
        bottom = 46 + 54 * row
        pen.text((4, bottom - 14), title, fill="black")
        for frame, wait in enumerate(waits):
            left = 160 + 40 * frame
            pen.rectangle([left, bottom - 36 * wait, left + 32, bottom], fill=BLUE)
            if title == "low latency" and frame % 5 == 0:
                pen.rectangle([left, bottom + 5, left + 40 * 4 + 32, bottom + 11], fill=GREY)
    for place, (colour, what) in enumerate(
        ((BLUE, "time until the frame's labels"), (GREY, "deep layers, on a thread aside"))
    ):
        pen.rectangle([160 + 200 * place, 174, 172 + 200 * place, 186], fill=colour)
        pen.text((178 + 200 * place, 173), what, fill="black")
    return picture


def video_joins() -> Image.Image:
    """What NetWarp, STFCN and Accel join on each of three frames."""
    picture = Image.new("RGB", (640, 330), "white")
    pen = ImageDraw.Draw(picture)
    rows = (
        ("NetWarp", "features", "moved along the flow, times w2", ("net",) * 3),
        ("STFCN", "features", "state of an LSTM a cell", ("net",) * 3),
        ("Accel", "scores", "scores of the key frame, moved", ("large", "small", "small")),
    )
    for row, (name, what, carried, nets) in enumerate(rows):
        top = 10 + 108 * row
        pen.text((4, top + 12), name, fill="black")
        for frame, net in enumerate(nets):
            left = 90 + 200 * frame
            pen.rectangle([left, top, left + 70, top + 26], fill=BLUE if net != "small" else _LIGHT)
            pen.text((left + 8, top + 7), net, fill="white" if net != "small" else "black")
            pen.line([left + 35, top + 26, left + 35, top + 54], fill="black", width=2)
            pen.ellipse([left + 24, top + 54, left + 46, top + 76], outline=ORANGE, width=3)
            pen.text((left + 54, top + 30), what, fill=(90, 90, 90))
            if frame < 2:
                pen.line([left + 46, top + 65, left + 224, top + 65], fill=ORANGE, width=2)
                pen.polygon([(left + 224, top + 65), (left + 216, top + 61), (left + 216, top + 69)], fill=ORANGE)
                pen.text((left + 52, top + 68), carried, fill=ORANGE)
    return picture
