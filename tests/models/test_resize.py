"""Maps that are resized have the gradients of torch's own resize, whatever order those come in."""

import pytest
import torch
from small import small
from torch.nn import functional as F

from intarsia.models.layers import resize, resize_logits


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_the_gradient_of_a_joined_map(order: torch.memory_format, align_corners: bool) -> None:
    torch.manual_seed(0)
    deep = torch.randn(2, 5, 3, 4, dtype=torch.double).contiguous(memory_format=order)
    early = torch.randn(2, 3, 9, 13, dtype=torch.double).contiguous(memory_format=order)
    weights = torch.randn(2, 8, 9, 13, dtype=torch.double)
    gradients = []
    for how in (resize, lambda x, size, align_corners: F.interpolate(x, size, None, "bilinear", align_corners)):
        given = deep.clone(memory_format=torch.preserve_format).requires_grad_()
        (torch.cat([how(given, (9, 13), align_corners=align_corners), early], dim=1) * weights).sum().backward()
        gradients.append(given.grad)
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-12)


def test_logits_are_enlarged_in_float32_at_least() -> None:
    x = torch.randn(1, 3, 4, 5)
    assert resize_logits(x.bfloat16(), (8, 10)).dtype == torch.float32
    assert torch.equal(resize_logits(x.bfloat16(), (8, 10)), resize(x.bfloat16().float(), (8, 10)))
    assert resize_logits(x.double(), (8, 10)).dtype == torch.float64
    with torch.autocast("cpu", torch.bfloat16):
        assert small("lraspp").eval()(torch.randn(1, 3, 32, 32)).dtype == torch.float32
