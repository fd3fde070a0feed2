"""Clips made of stills: exact flow, exact labels, and motion as fast as a real camera's."""

from __future__ import annotations

from pathlib import Path

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F

from intarsia.models.video import warp
from intarsia.recipe import Clips
from intarsia.transforms import clips as module
from intarsia.transforms.clips import make_clips

VOID = 255


def stills(count: int = 2, size: tuple[int, int] = (60, 80)) -> tuple[Tensor, Tensor]:
    """Soft pictures, and labels in blocks of twenty pixels."""
    torch.manual_seed(0)
    images = F.interpolate(torch.randn(count, 3, size[0] // 10, size[1] // 10), size=size, mode="bicubic")
    blocks = torch.randint(0, 5, (count, 1, size[0] // 20, size[1] // 20)).float()
    return images, F.interpolate(blocks, size=size)[:, 0].long()


def test_the_last_frame_is_the_still(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "_NOISE", 0.0)
    monkeypatch.setattr(module, "_EXPOSURE", 0.0)
    images, labels = stills()
    clip = make_clips(images, labels, Clips(frames=4, things=0), ignore_index=VOID)
    assert clip.frames.shape == (4, 2, 3, 60, 80) and clip.labels.shape == (4, 2, 60, 80)
    assert clip.flow.shape == (3, 2, 2, 60, 80)
    assert torch.allclose(clip.frames[-1], images, atol=1e-4)
    assert torch.equal(clip.labels[-1], labels)
    assert not torch.allclose(clip.frames[0], images, atol=0.1)


def test_the_flow_is_exact(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(module, "_NOISE", 0.0)
    monkeypatch.setattr(module, "_EXPOSURE", 0.0)
    torch.manual_seed(1)
    images, labels = stills(4)
    clip = make_clips(images, labels, Clips(frames=5, things=0.0), ignore_index=VOID)
    for t, flow in enumerate(clip.flow):
        known = (clip.labels[t] != VOID) & (clip.labels[t + 1] != VOID)
        apart = (warp(clip.frames[t], flow) - clip.frames[t + 1]).abs().mean(1)
        assert apart[known].mean() < 0.03
        moved = warp(clip.labels[t][:, None].float(), flow, mode="nearest")[:, 0]
        assert (moved == clip.labels[t + 1])[known].float().mean() > 0.93


def test_things_move_on_their_own_with_their_labels_and_flow() -> None:
    torch.manual_seed(3)
    images = torch.zeros(2, 3, 60, 80)
    images[1, :, 20:40, 30:50] = 3.0
    labels = torch.zeros(2, 60, 80, dtype=torch.long)
    labels[1, 20:40, 30:50] = 4  # a twelfth of the picture: it is pasted into the first one
    clip = make_clips(images, labels, Clips(frames=3, shift=0.02, things=1.0), ignore_index=VOID)
    for t in range(3):
        assert (clip.labels[t, 0] == 4).any()
        assert clip.frames[t, 0, 0][clip.labels[t, 0] == 4].mean() > 2.2
    for t, flow in enumerate(clip.flow):
        here = clip.labels[t + 1, 0] == 4
        moved = warp(clip.labels[t][:, None].float(), flow, mode="nearest")[:, 0]
        assert (moved[0][here] == 4).float().mean() > 0.8


def test_ignored_pixels_stay_ignored_and_the_outside_is() -> None:
    torch.manual_seed(0)
    images, labels = stills()
    labels[:, :20] = VOID
    clip = make_clips(images, labels, Clips(frames=6, shift=0.1, things=0), ignore_index=VOID)
    assert set(clip.labels.unique().tolist()) <= {0, 1, 2, 3, 4, VOID}
    assert (clip.labels[0] == VOID).float().mean() > (labels == VOID).float().mean()


def test_motion_is_as_fast_as_on_real_roads(real_data: Path) -> None:
    """CamVid's sequence at 15 Hz moves 5.7 pixels a frame on average, and 15 at the 95th percentile, at 480x360."""
    from intarsia.models.video import DISFlow

    torch.manual_seed(0)
    made = make_clips(
        torch.zeros(64, 1, 90, 120), torch.zeros(64, 90, 120, dtype=torch.long), Clips(), ignore_index=VOID
    )
    lengths = made.flow.norm(dim=2).flatten() * 4
    files = sorted((real_data / "camvid" / "val").glob("*"))[::10]
    assert len(files) > 5
    following = sorted((real_data / "camvid" / "val").glob("*"))[1::10]
    real = []
    for before, now in zip(files, following, strict=False):
        pair = [
            torch.from_numpy(cv2.imread(str(file))).permute(2, 0, 1)[None].float() / 58 - 2 for file in (now, before)
        ]
        real.append(DISFlow("medium")(*pair).norm(dim=1).flatten())
    seen = torch.cat(real)[::7]
    assert 0.6 < lengths.mean() / seen.mean() < 1.6
    assert 0.6 < lengths.quantile(0.95) / seen.quantile(0.95) < 1.6
