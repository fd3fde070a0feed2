"""Which samples a step sees, and what stands in for a bad one."""

from collections import Counter

import numpy as np
import pytest
import torch

from intarsia.losses import Boundary, CrossEntropy, WeightedSum, join_maps
from intarsia.preprocessing import Preprocessing
from intarsia.recipe import Augment
from intarsia.training.feeds.batches import SplitReader, StepBatches, TrainingSamples, batches, shuffled
from intarsia.transforms.augment import TrainingTransform


def addresses(samples, batch, *, start=0, stop=12, rank=0, processes=1, seed=3):
    return list(StepBatches(samples, batch, seed, start=start, stop=stop, rank=rank, processes=processes))


def test_each_epoch_is_a_permutation_and_epochs_differ():
    steps = addresses(12, 3, stop=8)
    epochs = [[index for batch in steps[i : i + 4] for _, index in batch] for i in (0, 4)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1]
    assert {epoch for batch in steps[:4] for epoch, _ in batch} == {0}


def test_starting_later_continues_the_same_sequence():
    assert addresses(10, 3, start=5) == addresses(10, 3)[5:]


def test_processes_share_a_batch_without_overlap():
    whole = addresses(16, 4)
    shares = [addresses(16, 4, rank=rank, processes=2) for rank in (0, 1)]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted(first + second) == sorted(batch)


SHARDS = (40, 60, 50, 30, 20)


@pytest.mark.parametrize(("processes", "workers"), [(1, 1), (2, 3), (4, 2)])
def test_shards_give_each_sample_once_an_epoch(processes, workers):
    """Whoever reads a batch: the processes share it, and loading processes take whole batches in turn."""
    total, batch = sum(SHARDS), 8
    order = [StepBatches(total, batch, 3, start=0, stop=50, rank=rank, processes=processes, shards=SHARDS)
             for rank in range(processes)]  # fmt: skip
    of_rank = [list(one) for one in order]
    read = [steps[n::workers] for steps in of_rank for n in range(workers)]
    for epoch in (0, 1):
        found = [index for steps in read for one in steps for e, index in one if e == epoch]
        assert sorted(found) == list(range(total))
    assert [one for one in StepBatches(total, batch, 3, start=17, stop=50, rank=0, processes=processes,
                                       shards=SHARDS)] == of_rank[0][17:]  # fmt: skip


def test_shards_are_read_nearly_in_order_but_mixed():
    first, again, other = (shuffled(sum(SHARDS), SHARDS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    shard = np.repeat(np.arange(len(SHARDS)), SHARDS)[first]
    reach = 2 * sum(SHARDS) / len(SHARDS)
    for number, size in enumerate(SHARDS):
        places = np.flatnonzero(shard == number)
        assert np.ptp(places) <= size + reach
    assert (np.diff(shard) != 0).sum() > len(SHARDS), "neighbours come from several shards"
    assert Counter(np.sign(np.diff(first)).tolist())[-1] > 20, "and not in their order"
    plain = shuffled(10, (), np.random.default_rng(5))
    assert np.array_equal(plain, np.random.default_rng(5).permutation(10))


def test_fewer_samples_than_a_batch_are_repeated_as_other_crops():
    steps = addresses(3, 8, stop=2)
    for batch in steps:
        assert len(batch) == 8
        assert Counter(index for _, index in batch).most_common(1)[0][1] == 3
    flat = [address for batch in steps for address in batch]
    assert len(set(flat)) == len(flat)


@pytest.mark.parametrize("resize_target", [True, False])
def test_reader_gives_the_working_size_and_caches_the_same_pairs(scenes, resize_target):
    reader = SplitReader(scenes.splits["train"], Preprocessing(long_side=28), resize_target=resize_target)
    before = [reader.read(index) for index in range(len(reader))]
    assert before[0][0].shape == (20, 28, 3)
    assert before[0][1].shape == ((20, 28) if resize_target else (40, 56))
    assert reader.preload(1)
    for index, (image, target) in enumerate(before):
        assert np.array_equal(reader.read(index)[0], image)
        assert np.array_equal(reader.read(index)[1], target)


def test_too_much_for_memory_is_not_cached(scenes, monkeypatch):
    monkeypatch.setattr("intarsia.training.feeds.batches.available_memory", lambda: 1000.0)
    reader = SplitReader(scenes.splits["train"], Preprocessing(), resize_target=True)
    assert not reader.preload(1)
    assert reader.read(0)[0].shape == (40, 56, 3)


def samples(scenes, augment, crop, maps):
    reader = SplitReader(scenes.splits["train"], Preprocessing(), resize_target=True)
    return TrainingSamples(reader, TrainingTransform(augment, crop, ignore_index=255), 7, maps=maps)


@pytest.mark.parametrize("workers", [0, 2])
def test_maps_come_from_the_crop_wherever_it_is_made(scenes, workers):
    loss = WeightedSum([(1.0, CrossEntropy()), (1.0, Boundary())])
    order = StepBatches(len(scenes.splits["train"]), 4, 7, start=0, stop=3, rank=0, processes=1)
    for batch in batches(samples(scenes, Augment(rotate=10), (24, 32), loss.maps), order, workers):
        expected = join_maps([loss.maps(target.long()) for target in batch.targets])
        assert set(batch.maps) == set(expected) == {"1.classes", "1.count", "1.distance"}
        assert all(torch.equal(batch.maps[name], value) for name, value in expected.items())
        assert batch.maps["1.count"].sum() == len(batch.maps["1.distance"])


@pytest.mark.parametrize(
    ("augment", "crop", "kept"),
    [
        (Augment(scale=(1, 1), flip=0.5), (40, 56), True),
        (Augment(scale=(1, 1), flip=0.5), (40, 48), False),
        (Augment(scale=(1, 1), flip=0.5), (48, 56), False),
        (Augment(scale=(1, 1), rotate=5), (40, 56), False),
        (Augment(scale=(0.9, 1.1)), (40, 56), False),
    ],
)
def test_maps_are_kept_where_label_maps_come_again(scenes, augment, crop, kept):
    made = []

    def maps(labels):
        made.append(labels)
        return Boundary().maps(labels)

    dataset = samples(scenes, augment, crop, maps)
    for epoch in range(8):
        found = dataset[epoch, 3]
        assert torch.equal(found.maps["distance"], Boundary().maps(found.target.long())["distance"])
    assert len(made) == (2 if kept else 8)  # as it is, and flipped


def test_maps_that_do_not_fit_are_made_again(scenes, monkeypatch):
    monkeypatch.setattr("intarsia.training.feeds.batches.available_memory", lambda: 100.0)
    dataset = samples(scenes, Augment(scale=(1, 1), flip=0), (40, 56), Boundary().maps)
    first = dataset[0, 3].maps["distance"]
    assert dataset[1, 3].maps["distance"] is not first
    assert torch.equal(dataset[1, 3].maps["distance"], first)
