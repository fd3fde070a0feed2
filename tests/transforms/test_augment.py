"""Training transforms: labels stay labels, pictures and labels stay aligned, a seed decides everything."""

import numpy as np
import pytest
import torch

from intarsia.recipe import Augment
from intarsia.transforms.augment import TrainingTransform, displacement_field, warp

STRONG = Augment(
    scale=(0.3, 3.0), vertical_flip=0.5, rotate=30, brightness=0.5, contrast=0.5, saturation=0.5, hue=0.1,
    tint=0.2, gamma=0.6, blur=0.5, noise=0.5, perspective=0.2, equalise=0.5, sharpen=0.5, motion_blur=0.5,
)  # fmt: skip
STILL = Augment(scale=(1.0, 1.0), flip=0, brightness=0, contrast=0, saturation=0)
ELASTIC = STILL.model_copy(update={"elastic": 10.0})


@pytest.fixture
def pair():
    random = np.random.default_rng(0)
    target = random.choice(np.array([0, 3, 7, 255], dtype=np.uint8), (40, 60))
    return random.integers(0, 256, (40, 60, 3), dtype=np.uint8), target


@pytest.mark.parametrize("seed", range(20))
def test_no_transform_invents_a_class(pair, seed):
    image, target = TrainingTransform(STRONG, (32, 48), ignore_index=255)(*pair, seed)
    assert image.shape == (32, 48, 3)
    assert image.dtype == torch.uint8
    assert target.shape == (32, 48)
    assert set(target.unique().tolist()) <= {0, 3, 7, 255}


def test_picture_and_labels_move_together():
    """The picture's grey value is its label times 30, so that the label can be read off the result."""
    labels = np.kron(np.arange(1, 9, dtype=np.uint8).reshape(2, 4), np.ones((20, 20), dtype=np.uint8))
    image = np.repeat((labels * 30)[..., None], 3, axis=2)
    moving = Augment(scale=(0.5, 2.0), flip=0.5, vertical_flip=0.5, rotate=20, brightness=0, contrast=0, saturation=0)
    transform = TrainingTransform(moving, (48, 64), ignore_index=255)
    for seed in range(30):
        out, target = transform(image, labels, seed)
        known = target != 255
        read = out[..., 0][known].float() / 30
        assert known.any()
        agreement = ((read - target[known].float()).abs() < 0.5).float().mean()
        assert agreement > 0.85  # all but the blended borders between patches


def test_same_seed_same_sample_and_global_generator_untouched(pair):
    transform = TrainingTransform(STRONG, (32, 48), ignore_index=255)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, other = transform(*pair, 1), transform(*pair, 1), transform(*pair, 2)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])


def test_nothing_switched_on_cuts_a_plain_crop(pair):
    image, target = TrainingTransform(STILL, (40, 60), ignore_index=255)(*pair, 0)
    assert np.array_equal(image.numpy(), pair[0])
    assert np.array_equal(target.numpy(), pair[1])


def test_crop_larger_than_the_picture_is_filled_with_ignore(pair):
    image, target = TrainingTransform(STILL, (64, 64), ignore_index=255)(*pair, 3)
    inside = (image != 124).any(dim=2)
    assert inside.sum() >= 40 * 60 * 0.99
    assert (target[~inside] == 255).all()
    assert (target != 255).sum() == (pair[1] != 255).sum()


def test_16_bit_labels_survive():
    image = np.zeros((20, 20, 3), dtype=np.uint8)
    labels = np.full((20, 20), 300, dtype=np.uint16)
    labels[0] = 65535
    _, target = TrainingTransform(STRONG, (16, 16), ignore_index=65535)(image, labels, 0)
    assert set(target.unique().tolist()) <= {300, 65535}


def test_read_only_pictures_are_accepted_without_warning(pair, recwarn):
    image, target = pair
    image.flags.writeable = False
    TrainingTransform(STILL, (8, 8), ignore_index=255)(image, target, 0)
    assert not [warning for warning in recwarn if "not writable" in str(warning.message)]


def test_displacements_pass_through_their_grid_and_are_smooth_between():
    points = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    field = displacement_field(points, (101, 201))
    assert torch.allclose(field[:, ::50, ::100], points, atol=1e-6)
    assert (field[:, 1:] - field[:, :-1]).abs().max() < 0.15
    assert (field[:, :, 1:] - field[:, :, :-1]).abs().max() < 0.08
    assert torch.allclose(displacement_field(torch.full((2, 3, 3), 4.0), (20, 30)), torch.tensor(4.0))


@pytest.mark.parametrize("size", [(40, 60), (1, 1), (3, 1), (200, 7)])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_no_displacement_changes_nothing(size, mode):
    x = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(warp(x, torch.zeros(2, *size), mode=mode), x)


def test_displacements_are_pixels_to_the_right_and_down_and_mirror_at_the_border():
    x = torch.arange(12, dtype=torch.int32).reshape(1, 3, 4) * 10
    shift = torch.zeros(2, 3, 4)
    shift[0] = 1
    assert warp(x, shift, mode="nearest")[0].tolist() == [[10, 20, 30, 20], [50, 60, 70, 60], [90, 100, 110, 100]]
    shift[0] = 0.5
    assert warp(x, shift, mode="bilinear")[0, 0].tolist() == [5, 15, 25, 25]
    shift[0], shift[1] = 0, -1
    assert warp(x, shift, mode="nearest")[0, :, 0].tolist() == [40, 0, 40]


def test_elastic_warps_picture_and_labels_alike():
    """A picture of the labels' one-hot code: where the code is clean, it has to say the label."""
    labels = np.kron(np.random.default_rng(0).integers(0, 3, (6, 9), dtype=np.uint8), np.ones((16, 16), np.uint8))
    image = np.eye(3, dtype=np.uint8)[labels] * 255
    transform = TrainingTransform(ELASTIC, labels.shape, ignore_index=255)
    for seed in range(5):
        out, target = transform(image, labels, seed)
        assert (target.numpy() != labels).mean() > 0.05
        share, shown = out.max(dim=2)
        clean = share > 0.76 * 255  # the nearest pixel, whose label it is, has a quarter of the blend or more
        assert torch.equal(shown[clean], target.long()[clean])
        assert clean.float().mean() > 0.9
        assert (target != 255).all(), "nothing is filled"


def test_elastic_displaces_by_its_standard_deviation_and_follows_the_seed():
    """A ramp tells where each pixel came from."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    labels = np.zeros((64, 256), np.uint8)
    transform = TrainingTransform(ELASTIC, labels.shape, ignore_index=255)
    moved = [transform(ramp, labels, seed)[0][31, 128, 0].item() - 128 for seed in range(200)]
    assert np.std(moved) == pytest.approx(10, rel=0.15)
    assert abs(np.mean(moved)) < 2
    assert torch.equal(transform(ramp, labels, 1)[0], transform(ramp, labels, 1)[0])


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_perspective_pulls_corners_out_of_the_picture(channels):
    """A ramp tells where each pixel came from: from within, in a straight order, with its label."""
    rows, columns = np.mgrid[:60, :80]
    image = np.repeat((2 * columns + rows).astype(np.uint8)[..., None], channels, axis=2)
    labels = (columns // 10).astype(np.uint8)
    transform = TrainingTransform(STILL.model_copy(update={"perspective": 0.3}), (60, 80), ignore_index=255)
    changed = 0
    for seed in range(12):
        out, target = transform(image, labels, seed)
        assert target.max() <= 7, "nothing is filled"
        assert (target.int().diff(dim=1) >= 0).all() and (out[..., 0].int().diff(dim=1) >= 0).all()
        assert (out == out[..., :1]).all(), "all channels move alike"
        changed += not torch.equal(target, torch.from_numpy(labels))
    assert 2 <= changed <= 10, "half of the time"


def test_a_label_map_that_is_bent_does_not_repeat():
    still = STILL.model_copy(update={"flip": 0.5})
    assert TrainingTransform(still, (40, 60), ignore_index=255).repeats(40, 60)
    for change in ({"elastic": 3.0}, {"perspective": 0.1}, {"rotate": 5.0}, {"scale": (0.9, 1.0)}):
        assert not TrainingTransform(still.model_copy(update=change), (40, 60), ignore_index=255).repeats(40, 60)


def test_sides_change_places_in_a_mirrored_picture() -> None:
    image, labels = np.zeros((8, 12, 3), np.uint8), np.repeat(np.uint8([[1, 2, 3, 255]]), 8, axis=0).repeat(3, axis=1)
    always = STILL.model_copy(update={"flip": 1.0})
    _, mirrored = TrainingTransform(always, (8, 12), ignore_index=255, sides=[(1, 3)])(image, labels, 0)
    assert mirrored[0].tolist() == [255] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert mirrored.dtype == torch.uint8
    _, deep = TrainingTransform(always, (8, 12), ignore_index=255, sides=[(1, 3)])(image, labels.astype(np.uint16), 0)
    assert np.array_equal(deep, mirrored)
    kept = TrainingTransform(STILL.model_copy(update={"flip": 0.0}), (8, 12), ignore_index=255, sides=[(1, 3)])
    assert np.array_equal(kept(image, labels, 0)[1], labels)
