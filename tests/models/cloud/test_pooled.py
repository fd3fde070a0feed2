"""The maximum of a shared layer over the points, taken without the layer's result, against the plain form."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from intarsia.models.cloud.layers import MLP, RowNorm, Shared
from intarsia.models.cloud.pooled import PooledMLP, pooled

Pool = Callable[[Shared, Tensor], Tensor]


def plain(layer: Shared, x: Tensor) -> Tensor:
    return layer(x).amax(dim=1)


def shared(inputs: int = 6, outputs: int = 40) -> Shared:
    """A layer in double precision, whose norm has weights of both signs."""
    torch.manual_seed(0)
    layer = Shared(inputs, outputs).double()
    for values in (layer.linear.bias, layer.norm.weight, layer.norm.bias, layer.norm.running_mean):
        nn.init.normal_(values)
    nn.init.uniform_(layer.norm.running_var, 0.5, 2)
    return layer


def points(*shape: int, offset: float = 0.0) -> Tensor:
    return offset + torch.randn(*shape, generator=torch.Generator().manual_seed(1)).double()


def step(pool: Pool, layer: Shared, x: Tensor) -> dict[str, Tensor]:
    """Result, gradients and running statistics of one step on a copy of the layer."""
    layer, x = copy.deepcopy(layer), x.clone().requires_grad_()
    out = pool(layer, x)
    (out * torch.linspace(-1, 2.1, out.numel()).view_as(out)).sum().backward()
    grads = {name: value.grad for name, value in layer.named_parameters()}
    return {"out": out.detach(), "x": x.grad, **grads, **dict(layer.named_buffers())}


def assert_same(layer: Shared, x: Tensor, *, but: tuple[str, ...] = ()) -> None:
    ours, theirs = step(pooled, layer, x), step(plain, layer, x)
    assert ours.keys() == theirs.keys()
    for name in ours.keys() - set(but):
        assert torch.allclose(ours[name], theirs[name], rtol=1e-9, atol=1e-9), name


def is_taken_in_parts(layer: Shared, x: Tensor) -> bool:
    return "_Pooled" in type(pooled(layer, x).grad_fn).__name__


@pytest.mark.parametrize(("clouds", "count"), [(2, 7), (1, 2), (7, 1), (3, 3000), (1, 4099)])
@pytest.mark.parametrize("momentum", [0.1, 0.5, None])
def test_same_as_the_plain_form(clouds: int, count: int, momentum: float | None) -> None:
    layer = shared()
    layer.norm.momentum = momentum
    layer.norm.num_batches_tracked.fill_(3)
    x = points(clouds, count, 6, offset=2.0)
    assert is_taken_in_parts(layer, x)
    assert_same(layer, x)


def test_gradients_are_those_of_finite_differences() -> None:
    mlp = PooledMLP(3, (5,))
    mlp[0] = shared(3, 5)
    names = [name for name, _ in mlp.named_parameters()]

    def function(x: Tensor, *values: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(mlp, dict(zip(names, values, strict=True)), (x,))
        return result

    x = points(2, 6, 3).requires_grad_()
    assert "_Pooled" in type(mlp(x).grad_fn).__name__
    assert torch.autograd.gradcheck(function, (x, *mlp.parameters()))


def test_inputs_without_a_gradient() -> None:
    layer, x = shared(), points(2, 9, 6)
    pooled(layer, x).sum().backward()
    assert layer.linear.weight.grad is not None
    assert x.grad is None


def test_weight_zero_ties_all_points() -> None:
    """The norm's weight then has no derivative but a range of them; every other gradient is unique."""
    layer, x = shared(), points(1, 50, 6)
    with torch.no_grad():
        layer.norm.weight[:20] = 0
        layer.norm.bias.abs_()
    assert_same(layer, x, but=("norm.weight",))
    normed = nn.functional.batch_norm(layer.linear(x[0]), None, None, training=True)[:, :20]
    slope = step(pooled, layer, x)["norm.weight"][:20] / torch.linspace(-1, 2.1, 40)[:20]
    assert (slope <= normed.amax(0) + 1e-9).all()
    assert (slope >= normed.amin(0) - 1e-9).all()


def test_tied_points_share_what_one_of_them_gets() -> None:
    layer, x = shared(), points(2, 30, 6)
    x[:, 20:] = x[:, :10]
    assert_same(layer, x, but=("x",))
    ours, theirs = (step(pool, layer, x)["x"] for pool in (pooled, plain))
    assert torch.allclose(ours[:, :10] + ours[:, 20:], theirs[:, :10] + theirs[:, 20:])
    assert torch.allclose(ours[:, 10:20], theirs[:, 10:20])


def test_equal_points() -> None:
    layer, x = shared(), torch.full((2, 30, 6), 0.25).double()
    assert_same(layer, x, but=("x",))
    ours, theirs = (step(pool, layer, x)["x"] for pool in (pooled, plain))
    assert torch.allclose(ours.sum(1), theirs.sum(1))


def test_far_from_zero_in_single_precision() -> None:
    """Statistics by way of the covariance lose no more digits than those of the products."""
    x = points(2, 500, 6, offset=300.0)
    exact = step(plain, shared(), x.float().double())
    ours, theirs = (step(pool, shared().float(), x.float()) for pool in (pooled, plain))
    for name in ("out", "norm.running_mean", "norm.running_var", "norm.weight", "linear.weight"):
        error, usual = ((side[name] - exact[name]).abs().max() for side in (ours, theirs))
        assert error <= 2 * usual + 1e-5 * exact[name].abs().max(), name


def test_one_row_has_no_statistics() -> None:
    layer, x = shared(), points(1, 1, 6)
    assert not is_taken_in_parts(layer, x)
    assert_same(layer, x)
    assert torch.equal(step(pooled, layer, x)["norm.running_mean"], layer.norm.running_mean)


class OtherNorm(RowNorm):
    """Stands for one whose statistics are not those of the rows it sees."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) * 2


def other_norm(layer: Shared) -> None:
    layer.norm.__class__ = OtherNorm


def frozen_norm(layer: Shared) -> None:
    layer.norm.eval()


def leaky(layer: Shared) -> None:
    layer.slope = 0.2


@pytest.mark.parametrize("change", [other_norm, frozen_norm, leaky])
def test_layers_that_keep_the_plain_form(change: Callable[[Shared], None]) -> None:
    layer, x = shared(), points(2, 30, 6)
    change(layer)
    assert not is_taken_in_parts(layer, x)
    assert_same(layer, x)


@pytest.mark.parametrize("training", [True, False])
def test_autocast(training: bool) -> None:
    layer, x = shared().float().train(training), points(2, 30, 6).float()
    with torch.no_grad():
        exact = pooled(copy.deepcopy(layer), x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.allclose(pooled(layer, x).float(), exact, atol=0.1)


@pytest.mark.parametrize(("clouds", "count"), [(2, 7), (1, 1), (0, 5), (3, 3000), (5000, 2)])
def test_prediction(clouds: int, count: int) -> None:
    layer, x = shared().eval(), points(clouds, count, 6)
    with_gradient = pooled(layer, x)
    with torch.no_grad():
        assert torch.allclose(pooled(layer, x), plain(layer, x))
    assert torch.allclose(with_gradient, plain(layer, x))
    assert with_gradient.requires_grad


def test_the_wide_result_is_never_held() -> None:
    sizes: dict[str, int] = {}
    for name, pool in {"ours": pooled, "plain": plain}.items():

        def note(saved: Tensor, name: str = name) -> Tensor:
            sizes[name] = max(sizes.get(name, 0), saved.numel())
            return saved

        with torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved):
            pool(shared(), points(2, 500, 6))
    assert sizes == {"ours": 2 * 500 * 6, "plain": 2 * 500 * 40}


def test_mlp_has_the_names_and_values_of_the_plain_one() -> None:
    torch.manual_seed(0)
    mlp, usual = PooledMLP(3, (8, 16, 64)), MLP(3, (8, 16, 64))
    usual.load_state_dict(mlp.state_dict())
    x = torch.randn(2, 100, 3)
    assert torch.allclose(mlp(x), usual(x).amax(dim=1), atol=1e-5)


def test_prediction_can_be_exported_and_compiled() -> None:
    mlp = PooledMLP(3, (8, 64)).eval()
    cloud, points = torch.export.Dim("cloud"), torch.export.Dim("points")
    with torch.no_grad():
        exported = torch.export.export(mlp, (torch.randn(2, 50, 3),), dynamic_shapes=[{0: cloud, 1: points}]).module()
        compiled = torch.compile(mlp, backend="eager", fullgraph=True)
        x = torch.randn(3, 70, 3)
        assert torch.allclose(exported(x), mlp(x), atol=1e-6)
        assert torch.allclose(compiled(x), mlp(x), atol=1e-6)


def test_training_can_be_compiled() -> None:
    mlp, x = PooledMLP(3, (8, 64)), torch.randn(2, 50, 3)
    expected = copy.deepcopy(mlp)(x)
    assert torch.allclose(torch.compile(mlp, backend="eager", fullgraph=True)(x), expected, atol=1e-5)
