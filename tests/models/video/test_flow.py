"""Warping, resizing, chaining and mirroring of flows, by values that follow from their definition."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.errors import ModelError, UsageError
from intarsia.models.video import DISFlow, RAFTFlow, compose, flip_flow, resize_flow, warp


def constant(x: float, y: float, height: int, width: int) -> torch.Tensor:
    return torch.tensor([x, y], dtype=torch.float32)[None, :, None, None].expand(1, 2, height, width).clone()


@given(st.integers(1, 9), st.integers(1, 9))
@settings(max_examples=20, deadline=None)
def test_zero_flow_is_the_identity(height: int, width: int) -> None:
    x = torch.rand(1, 3, height, width)
    for mode in ("bilinear", "nearest"):
        assert torch.allclose(warp(x, constant(0, 0, height, width), mode=mode), x, atol=1e-6)


@given(st.integers(-3, 3), st.integers(-3, 3))
@settings(max_examples=30, deadline=None)
def test_whole_shifts_fetch_whole_pixels_and_the_border_repeats(x: int, y: int) -> None:
    picture = torch.rand(1, 2, 7, 9)
    moved = warp(picture, constant(x, y, 7, 9))
    rows = (torch.arange(7) + y).clamp(0, 6)
    columns = (torch.arange(9) + x).clamp(0, 8)
    assert torch.allclose(moved, picture[:, :, rows[:, None], columns], atol=1e-5)


def test_half_a_pixel_is_the_mean_of_two() -> None:
    x = torch.tensor([[[[0.0, 2.0, 6.0]]]])
    assert warp(x, constant(0.5, 0, 1, 3))[0, 0, 0].tolist() == pytest.approx([1, 4, 6])


def test_warping_keeps_the_type() -> None:
    assert warp(torch.rand(1, 1, 4, 4).bfloat16(), constant(0, 0, 4, 4)).dtype == torch.bfloat16


def test_a_smaller_grid_counts_in_its_own_cells() -> None:
    flow = constant(8, -4, 40, 64)
    small = resize_flow(flow, (5, 16))
    assert small.shape == (1, 2, 5, 16)
    assert torch.allclose(small[:, 0], torch.tensor(8 * 16 / 64)) and torch.allclose(small[:, 1], torch.tensor(-0.5))
    assert torch.allclose(resize_flow(small, (40, 64)), flow)
    assert resize_flow(flow, (40, 64)) is flow


def test_a_shrunk_flow_is_averaged_not_the_largest() -> None:
    flow = torch.zeros(1, 2, 2, 2)
    flow[0, 0] = torch.tensor([[8.0, 0], [0, 0]])
    assert resize_flow(flow, (1, 1))[0, :, 0, 0].tolist() == [1.0, 0.0]


def test_chained_flows_lead_where_two_fetches_lead() -> None:
    torch.manual_seed(0)
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    picture = torch.stack([columns * 2 + rows, rows - columns])[None]  # linear, so that fetching it is exact
    recent = torch.stack([torch.sin(rows / 5), torch.cos(columns / 7)])[None]
    earlier = constant(1.5, -0.5, 20, 24)
    once = warp(picture, compose(recent, earlier))
    twice = warp(warp(picture, earlier), recent)
    assert torch.allclose(once[..., 4:-4, 4:-4], twice[..., 4:-4, 4:-4], atol=1e-4)


def test_mirrored_frames_have_the_mirrored_flow_with_x_negated() -> None:
    flow = torch.zeros(1, 2, 1, 2)
    flow[0, :, 0, 0], flow[0, :, 0, 1] = torch.tensor([3.0, 1.0]), torch.tensor([5.0, 2.0])
    assert flip_flow(flow)[0, :, 0].T.tolist() == [[-5.0, 2.0], [-3.0, 1.0]]
    picture = torch.rand(1, 1, 6, 8)
    motion = torch.rand(1, 2, 6, 8) * 2 - 1
    assert torch.allclose(warp(picture.flip(3), flip_flow(motion)), warp(picture, motion).flip(3), atol=1e-5)


@pytest.mark.parametrize("preset", ["ultrafast", "fast", "medium"])
def test_dis_finds_a_shift(preset: str) -> None:
    noise = np.random.default_rng(0).random((140, 180)).astype(np.float32)
    texture = torch.from_numpy(cv2.GaussianBlur(noise, (0, 0), 3))
    texture = ((texture - texture.mean()) / texture.std())[None, None].expand(1, 3, -1, -1)
    before, now = texture[..., 10:110, 10:150], texture[..., 13:113, 15:155]  # what is at (y, x) now was at (y+3, x+5)
    flow = DISFlow(preset)(now, before)  # type: ignore[arg-type]
    inside = flow[0, :, 20:-20, 20:-20]
    assert inside.mean((1, 2)).tolist() == pytest.approx([5, 3], abs=0.15)


def test_dis_takes_pictures_of_any_size_and_several_streams() -> None:
    for size in [(1, 1), (7, 300), (33, 20)]:
        assert DISFlow()(torch.rand(2, 3, *size), torch.rand(2, 3, *size)).shape == (2, 2, *size)
    assert float(DISFlow()(torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)).abs().max()) == 0


def test_dis_does_not_depend_on_what_it_saw_before() -> None:
    torch.manual_seed(0)
    small, large = torch.rand(2, 1, 3, 64, 80), torch.rand(2, 1, 3, 200, 240)
    estimate = DISFlow()
    first = estimate(*small), estimate(*large)
    again = estimate(*small), estimate(*large)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_dis_on_real_video_makes_neighbours_alike(real_data: Path) -> None:
    files = sorted((real_data / "camvid" / "val").glob("*"))[:4]
    assert len(files) == 4
    frames = []
    for file in files:
        picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        frames.append(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 58 - 2)
    for before, now in pairwise(frames):
        flow = DISFlow()(now, before)
        assert (now - warp(before, flow)).abs().mean() < 0.6 * (now - before).abs().mean()


def test_wrong_presets_and_weights(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'fast'"):
        DISFlow("fsat")  # type: ignore[arg-type]
    (tmp_path / "raft.pth").write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"raft\.pth: not the weights of torchvision's raft_small"):
        RAFTFlow(tmp_path / "raft.pth")


def test_raft_takes_its_weights_from_a_file(tmp_path: Path) -> None:
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    torch.save(raft_small(weights=None).state_dict(), tmp_path / "raft.pth")
    flow = RAFTFlow(tmp_path / "raft.pth", updates=1)(torch.rand(1, 3, 50, 70), torch.rand(1, 3, 50, 70))
    assert flow.shape == (1, 2, 50, 70) and torch.isfinite(flow).all()
