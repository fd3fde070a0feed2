"""Two processes against one that sees all: batch-norm, steps, and trainings on pictures and on clouds."""

from __future__ import annotations

import json
import multiprocessing
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.distributed import run as torchrun
from torch.nn.parallel import DistributedDataParallel

import intarsia.__main__
from intarsia import recipe as recipes
from intarsia.bundle import Bundle
from intarsia.datasets import Dataset, open_dataset
from intarsia.labels import LabelSpace
from intarsia.losses import build_loss
from intarsia.media.clouds import PointCloud, open_cloud, write_labels
from intarsia.models import build
from intarsia.models.cloud.layers import RowNorm
from intarsia.models.synchronised import synchronise_norms
from intarsia.recipe import Recipe
from intarsia.training import train
from intarsia.training.loop.optim import build_optimizer, freeze_norms
from intarsia.training.loop.supervision import SupervisedPass, supervised_loss

pytestmark = pytest.mark.timeout(600)  # each process imports torch, which takes its time on a busy machine
# How each case divides 9 rows or pictures between the two processes. A share of none or one is the hard part.
SHARES = {"uneven": (2, 7), "one": (1, 8), "none": (0, 9)}
NORMS = {"rows": (RowNorm, (9, 4, 3)), "picture": (nn.BatchNorm2d, (9, 3, 4, 2))}


def data(kind: str) -> Tensor:
    """Far from zero, where a mean of squares has few digits left."""
    return 300 + torch.randn(NORMS[kind][1], generator=torch.Generator().manual_seed(0))


def normalise(norm: nn.Module, x: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """One training step's results; the loss is a sum, so that those of two processes add up to the whole's."""
    x = x.clone().requires_grad_()
    out = norm(x)
    (out.sin() * weights).sum().backward()
    return {
        "out": out.detach(), "x": x.grad, "weight": norm.weight.grad, "bias": norm.bias.grad,
        "mean": norm.running_mean, "var": norm.running_var,
    }  # fmt: skip


def fresh(kind: str) -> nn.Module:
    norm = NORMS[kind][0](3)
    nn.init.constant_(norm.weight, 1.5)
    nn.init.constant_(norm.bias, 0.25)
    return norm


def cloud_model() -> nn.Module:
    torch.manual_seed(0)
    return build("pointnet", classes=3, in_channels=4, dropout=0.0).double().train()


def blocks() -> Tensor:
    return torch.randn((4, 4, 32), generator=torch.Generator().manual_seed(1), dtype=torch.float64)


PICTURES = {"encoder": "test_efficientnet", "output_stride": 32, "channels": 8, "low_channels": 8, "dropout": 0.0}
STEPS = 2
TORCHRUN = ("--standalone", "--nproc-per-node", "2")


def steps_in_double_precision(kind: str, rank: int, processes: int) -> list[dict[str, Tensor]]:
    """Weights and statistics after each of a few steps; rounding errors of float32 would grow from one to the next."""
    torch.manual_seed(0)
    if kind == "cloud":
        model, shape, grid = build("pointnet", classes=3, in_channels=4, dropout=0.0), (4, 32), (32,)
    else:
        model, shape, grid = build("deeplabv3plus", classes=3, **PICTURES), (3, 32, 32), (32, 32)
    model.double()
    network: nn.Module = SupervisedPass(model)
    if processes > 1:
        synchronise_norms(model)
        network = DistributedDataParallel(network)
    optimizer = build_optimizer(model, recipes.Optimizer(name="sgd", lr=0.05))
    loss = build_loss("cross_entropy", ignore_index=255, options={})
    random = torch.Generator().manual_seed(1)
    states = []
    for _ in range(STEPS):
        x = torch.randn((4, *shape), generator=random, dtype=torch.float64)[rank::processes]
        target = torch.randint(0, 3, (4, *grid), generator=random)[rank::processes]
        network.train()
        supervised_loss(loss, network(x), target, align_corners=model.align_corners).backward()
        optimizer.step()
        optimizer.zero_grad()
        states.append({name: value.clone() for name, value in model.state_dict().items()})
    return states


def messages_of_a_norm() -> int:
    """How often processes speak to each other in one pass there and back."""
    norm, sent = fresh("picture"), []
    synchronise_norms(norm)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("all_reduce", "all_gather"):
            send = getattr(dist, name)
            patch.setattr(dist, name, lambda *tensors, send=send: (sent.append(1), send(*tensors)))
        normalise(norm, data("picture"), data("picture"))
    return len(sent)


def work(rank: int, folder: str) -> None:
    """What each of the two processes computes; results go into a file."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    found = {"messages": torch.tensor(messages_of_a_norm())}
    for kind in NORMS:
        x = data(kind)
        for name, (first, _) in SHARES.items():
            own = slice(0, first) if rank == 0 else slice(first, None)
            norm = fresh(kind)
            synchronise_norms(norm)
            found[kind, name] = normalise(norm, x[own], x[own].cos())
    lone = fresh("rows")
    lone.running_mean.fill_(3.0)
    synchronise_norms(lone)
    found["lone"] = {"out": lone(torch.full((1 - rank, 3), 5.0)).detach(), "mean": lone.running_mean}
    model = cloud_model()
    synchronise_norms(model)
    network = DistributedDataParallel(model)
    network(blocks()[2 * rank :][:2]).square().mean().backward()
    found["model"] = {name: parameter.grad for name, parameter in model.named_parameters()} | dict(
        model.named_buffers()
    )
    for kind in ("cloud", "picture"):
        found["steps", kind] = steps_in_double_precision(kind, rank, 2)
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def _be(rank: int, folder: str, scenes: str, port: int) -> None:
    """All that each of the two processes does: the computations, and a training as `torchrun` announces it."""
    torch.set_num_threads(1)
    work(rank, folder)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    train(Recipe.load(Path(folder, "pictures.yaml")), open_dataset(scenes), Path(folder, "pictures"))


def both(folder: str, scenes: str) -> list[int | None]:
    """Be two processes; return their exit codes."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=_be, args=(rank, folder, scenes, port)) for rank in (0, 1)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join()
    return [rank.exitcode for rank in ranks]


def command(arguments: list[str]) -> None:
    """Be `torchrun -m intarsia` with two processes, forked from this one."""
    torchrun.main([*TORCHRUN, "--start-method", "fork", "--run-path", intarsia.__main__.__file__, *arguments])


@pytest.fixture(scope="module")
def pictures(scenes: Dataset, recipe: Recipe) -> Recipe:
    """A training of one update, in which both halves of a batch weigh the same."""
    return recipe.override(
        {
            "augment.scale": [1.0, 1.0],  # no filled borders
            "model.options.dropout": 0.0,
            "optimizer.name": "sgd",
            "training.epochs": 1,
            "training.accumulate": len(scenes.splits["train"]) // 4,
        }
    )


@pytest.fixture(scope="module")
def two(
    scenes: Dataset, pictures: Recipe, forked: Callable[..., tuple], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder in which two processes left their results."""
    folder = tmp_path_factory.mktemp("two")
    pictures.save(folder / "pictures.yaml")
    ends, said = forked("test_distributed:both", folder, scenes.root)
    assert ends == [0, 0], said
    return folder


@pytest.fixture(scope="module")
def found(two: Path) -> list[dict]:
    return [torch.load(two / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("kind", NORMS)
def test_statistics_are_those_of_all_rows(found: list[dict], kind: str, share: str) -> None:
    x = data(kind)
    expected = normalise(fresh(kind), x, x.cos())
    parts = [one[kind, share] for one in found]
    for key in ("out", "x"):
        assert torch.allclose(torch.cat([part[key] for part in parts]), expected[key], atol=1e-3), key
    for key in ("weight", "bias"):
        assert torch.allclose(parts[0][key] + parts[1][key], expected[key], atol=1e-2), key
    for key in ("mean", "var"):
        assert torch.allclose(parts[0][key], expected[key], rtol=1e-5), key
        assert torch.equal(parts[0][key], parts[1][key])


def test_a_norm_sends_one_message_forward_and_one_back(found: list[dict]) -> None:
    assert [int(one["messages"]) for one in found] == [2, 2]


def test_a_single_row_of_all_has_no_statistics(found: list[dict]) -> None:
    """As `RowNorm` of one process: (5 - 3) / sqrt(1 + eps) * 1.5 + 0.25, and nothing is learnt."""
    assert torch.allclose(found[0]["lone"]["out"], torch.full((1, 3), 3.25), atol=1e-4)
    assert found[1]["lone"]["out"].shape == (0, 3)
    assert all(one["lone"]["mean"].tolist() == [3.0] * 3 for one in found)


def test_two_processes_have_the_gradients_of_one_with_the_double_batch(found: list[dict]) -> None:
    model = cloud_model()
    model(blocks()).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[0]["model"][name], parameter.grad, rtol=1e-9, atol=1e-12), name
        assert torch.equal(found[0]["model"][name], found[1]["model"][name])
    for name, buffer in model.named_buffers():
        assert torch.allclose(found[0]["model"][name], buffer, rtol=1e-9), name


@pytest.mark.parametrize("kind", ["cloud", "picture"])
def test_two_processes_take_the_steps_of_one(found: list[dict], kind: str) -> None:
    expected = steps_in_double_precision(kind, 0, 1)
    assert not torch.equal(*(next(iter(state.values())) for state in (expected[0], expected[-1])))
    for number, state in enumerate(expected):
        for name, value in state.items():
            for one in found:
                assert torch.allclose(one["steps", kind][number][name], value, rtol=1e-9, atol=1e-11), (number, name)


def test_two_processes_train_on_pictures_like_one(two: Path, scenes: Dataset, pictures: Recipe, tmp_path: Path) -> None:
    """Same data, synchronised norms, averaged gradients: after one update only the order of sums differs.

    Of later steps too, as shown above in double precision; in float32 rounding grows with every step.
    """
    train(pictures, scenes, tmp_path)
    one, both = (json.loads((folder / "log.jsonl").read_text()) for folder in (tmp_path, two / "pictures"))
    assert one["step"] == both["step"] == pictures.training.accumulate > 1
    assert both["val_pixel_accuracy"] == pytest.approx(one["val_pixel_accuracy"], abs=0.01)
    assert both["val_miou"] == pytest.approx(one["val_miou"], abs=0.01)
    expected = Bundle.load(tmp_path / "last.safetensors").state
    for key, value in Bundle.load(two / "pictures" / "last.safetensors").state.items():
        assert torch.allclose(value.float(), expected[key].float(), rtol=1e-4, atol=1e-4), key


@pytest.mark.parametrize("name", ["pointnet", "pointnet_scene", "pointnet2", "pointnext", "acnn", "randlanet"])
def test_every_norm_of_a_cloud_model_is_frozen(name: str) -> None:
    options = {"task": "scene", "in_channels": 6} if name == "acnn" else {"in_channels": 6}
    model = build(name, classes=3, **options).train()
    before = {key: value.clone() for key, value in model.named_buffers()}
    norms = freeze_norms(model)
    for norm in norms:
        norm.eval()
    model(torch.rand((2, 6, 64))).sum().backward()
    assert len(norms) == sum("running_mean" in key for key in before)
    assert all(torch.equal(value, before[key]) for key, value in model.named_buffers())
    assert all(norm.weight.grad is None and norm.bias.grad is None for norm in norms)


def test_two_processes_train_on_clouds_like_one(forked: Callable[..., tuple], tmp_path: Path) -> None:
    """One step from the command line; later steps are compared above, in double precision."""
    space = LabelSpace(("ground", "building"))
    for seed, name in enumerate(("train/a", "val/b", "val/c")):
        random = np.random.default_rng(seed)
        xyz = random.uniform(0, (40, 40, 0.1), (1200, 3))
        house = (xyz[:, 0] > 15 + 2 * seed) & (xyz[:, 1] < 20)
        xyz[house, 2] += 5
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_labels(open_cloud(PointCloud(xyz)), tmp_path / f"{name}.ply", house.astype(np.uint8), space)
    (tmp_path / "classes.txt").write_text("ground\nbuilding\n")
    changes = (
        "model.architecture=pointnet", "model.options={dropout: 0.0, transforms: false}",
        "cloud.features=[height]", "cloud.points=64",
        "cloud.blocks=4", "cloud.voxel=0", "training.epochs=1", "training.batch_size=4", "training.workers=0",
        "training.precision=fp32", "training.class_weights=none", "training.loss=[{name: cross_entropy}]",
        "training.samples=0", "optimizer.name=sgd", "optimizer.lr=0.1", "optimizer.warmup=0",
    )  # fmt: skip
    intarsia.train(tmp_path, tmp_path / "one", changes=changes, progress=False)
    settings = [part for change in changes for part in ("--set", change)]
    forked("test_distributed:command", ["train", str(tmp_path), "--out", str(tmp_path / "two"), *settings])
    one, two = (json.loads((tmp_path / name / "log.jsonl").read_text()) for name in ("one", "two"))
    assert (one["epoch"], one["step"]) == (two["epoch"], two["step"]) == (1, 1)
    assert two["val_miou"] == pytest.approx(one["val_miou"], abs=0.01)
    single, double = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    for key, value in single.items():
        assert torch.allclose(value.float(), double[key].float(), rtol=1e-4, atol=1e-4), key
