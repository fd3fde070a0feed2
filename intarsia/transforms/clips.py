"""Short clips out of labelled stills: smooth camera motion and pasted moving things, with exact labels and flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.recipe import Clips

# Things that are pasted take between these shares of their picture: neither specks nor the ground.
_THING_SHARE = (0.005, 0.2)
# Vertical motion of a camera, and its turning, next to its horizontal motion and zoom.
_VERTICAL, _TURN = 0.3, 0.15
_EXPOSURE, _NOISE = 0.05, 0.03


@dataclass(frozen=True)
class Clip:
    """Clips of T frames made of N stills.

    Attributes:
        frames: (T, N, C, H, W).
        labels: (T, N, H, W); `ignore_index` where the still had no pixel.
        flow: (T - 1, N, 2, H, W), from frame t + 1 to frame t, in pixels (x, then y), on the grid of frame t + 1.
    """

    frames: Tensor
    labels: Tensor
    flow: Tensor


def make_clips(images: Tensor, labels: Tensor, settings: Clips, *, ignore_index: int) -> Clip:
    """Let a camera move over each still; random numbers are torch's own.

    The last frame is the still itself. Before it the camera moves at a nearly constant speed: it shifts, zooms about a
    point of the picture and turns a little. A thing cut out of another still of the batch may move on its own in front.

    Args:
        images: (N, C, H, W), normalised.
        labels: (N, H, W).
        settings: number of frames and how fast everything is.
        ignore_index: label of what lies outside the still.
    """
    height, width = images.shape[2:]
    count = settings.frames
    camera = _paths(len(images), count, settings.shift, settings.zoom, (height, width))
    frames, seen = zip(*(_view(images, labels, place, ignore_index) for place in camera), strict=True)
    flow = [_flow(camera[t + 1], camera[t], (height, width)) for t in range(count - 1)]
    moving, stacked = list(frames), list(seen)
    if settings.things and len(images) > 1:
        others, other_labels = images.roll(1, 0), labels.roll(1, 0)
        cut_out = _things(other_labels, ignore_index, settings.things)
        paths = _paths(len(images), count, 2 * settings.shift, settings.zoom, (height, width))
        places = [camera[t] @ paths[t] for t in range(count)]
        masks = []
        for t, place in enumerate(places):
            picture, thing = _view(others, cut_out, place, 0)
            mask = thing > 0
            _, name = _view(others, other_labels, place, ignore_index)
            moving[t] = torch.where(mask[:, None], picture, moving[t])
            stacked[t] = torch.where(mask, name, stacked[t])
            masks.append(mask)
        for t in range(count - 1):
            own = _flow(places[t + 1], places[t], (height, width))
            flow[t] = torch.where(masks[t + 1][:, None], own, flow[t])
    exposure = torch.randn(count, len(images), 1, 1, 1) * _EXPOSURE
    noise = torch.randn(count, *images.shape) * _NOISE
    clip = torch.stack(moving) * (1 + exposure.to(images)) + noise.to(images)
    return Clip(clip, torch.stack(stacked), torch.stack(flow))


def _paths(streams: int, count: int, shift: float, zoom: float, size: tuple[int, int]) -> list[Tensor]:
    """For each frame (N, 3, 3): from its pixels to those of the last frame, which is the still."""
    height, width = size
    speed = torch.randn(streams, 4) * torch.tensor([shift * width, shift * width * _VERTICAL, zoom, zoom * _TURN])
    centre = torch.tensor([width, height]) * (0.25 + 0.5 * torch.rand(streams, 2))
    places = [torch.eye(3).expand(streams, 3, 3)]
    for _ in range(count - 1):
        x, y, rate, turn = (speed * (1 + 0.2 * torch.randn(streams, 4))).T
        cosine, sine = torch.exp(rate) * torch.cos(turn), torch.exp(rate) * torch.sin(turn)
        step = torch.zeros(streams, 3, 3)
        step[:, 0, 0], step[:, 0, 1] = cosine, -sine
        step[:, 1, 0], step[:, 1, 1] = sine, cosine
        step[:, 2, 2] = 1
        moved = (step[:, :2, :2] @ centre[:, :, None])[:, :, 0]
        step[:, :2, 2] = centre - moved + torch.stack([x, y], dim=1)
        places.append(places[-1] @ step)
    return places[::-1]


def _points(place: Tensor, size: tuple[int, int]) -> Tensor:
    """Find where each pixel comes from: (N, 3, 3) -> (N, 2, H, W)."""
    rows, columns = torch.meshgrid(torch.arange(float(size[0])), torch.arange(float(size[1])), indexing="ij")
    grid = torch.stack([columns, rows, torch.ones_like(rows)]).flatten(1)
    return (place @ grid)[:, :2].view(-1, 2, *size)


def _view(images: Tensor, labels: Tensor, place: Tensor, outside: int) -> tuple[Tensor, Tensor]:
    """The still as the camera sees it from a place, and its labels."""
    height, width = images.shape[2:]
    points = _points(place, (height, width)).to(images.device)
    grid = torch.stack([(2 * points[:, 0] + 1) / width - 1, (2 * points[:, 1] + 1) / height - 1], dim=3)
    seen = F.grid_sample(images.float(), grid, padding_mode="reflection", align_corners=False)
    # Labels are moved up by one, so that the zeros outside are none of them.
    raised = (labels[:, None] + 1).float()
    names = F.grid_sample(raised, grid, mode="nearest", padding_mode="zeros", align_corners=False)[:, 0].long()
    return seen, torch.where(names > 0, names - 1, outside)


def _flow(now: Tensor, before: Tensor, size: tuple[int, int]) -> Tensor:
    """From the pixels of one frame to those of another."""
    return _points(torch.linalg.inv(before) @ now, size) - _points(torch.eye(3).expand_as(now), size)


def _things(labels: Tensor, ignore_index: int, probability: float) -> Tensor:
    """(N, H, W): 1 where a class of each picture is that may be pasted elsewhere."""
    chosen = torch.zeros_like(labels)
    for index, picture in enumerate(labels):
        classes, counts = picture[picture != ignore_index].unique(return_counts=True)
        shares = counts / picture.numel()
        fitting = classes[(shares >= _THING_SHARE[0]) & (shares <= _THING_SHARE[1])]
        if len(fitting) and torch.rand(()) < probability:
            chosen[index] = (picture == fitting[torch.randint(len(fitting), ())]).to(labels)
    return chosen
