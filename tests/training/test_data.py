"""Which samples a step sees, and what stands in for a bad one."""

from collections import Counter

import numpy as np
import pytest

from intarsia.bundle import Preprocessing
from intarsia.training.data import SplitReader, StepBatches


def addresses(samples, batch, *, start=0, stop=12, rank=0, processes=1, seed=3):
    return list(StepBatches(samples, batch, seed, start=start, stop=stop, rank=rank, processes=processes))


def test_each_epoch_is_a_permutation_and_epochs_differ():
    batches = addresses(12, 3, stop=8)
    epochs = [[index for batch in batches[i : i + 4] for _, index in batch] for i in (0, 4)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(12))
    assert epochs[0] != epochs[1]
    assert {epoch for batch in batches[:4] for epoch, _ in batch} == {0}


def test_starting_later_continues_the_same_sequence():
    assert addresses(10, 3, start=5) == addresses(10, 3)[5:]


def test_processes_share_a_batch_without_overlap():
    whole = addresses(16, 4)
    shares = [addresses(16, 4, rank=rank, processes=2) for rank in (0, 1)]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert sorted(first + second) == sorted(batch)


def test_fewer_samples_than_a_batch_are_repeated_as_other_crops():
    batches = addresses(3, 8, stop=2)
    for batch in batches:
        assert len(batch) == 8
        assert Counter(index for _, index in batch).most_common(1)[0][1] == 3
    flat = [address for batch in batches for address in batch]
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
    monkeypatch.setattr("intarsia.training.data.available_memory", lambda: 1000.0)
    reader = SplitReader(scenes.splits["train"], Preprocessing(), resize_target=True)
    assert not reader.preload(1)
    assert reader.read(0)[0].shape == (40, 56, 3)
