"""Bundle: one model that is enough to predict: a description, and the tensors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intarsia.bundle import safetensorsfile
from intarsia.bundle.description import Description
from intarsia.bundle.forms import METADATA_KEY, form_of
from intarsia.errors import ModelError
from intarsia.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Bundle(Description):
    """A trained model with all that prediction needs.

    Attributes:
        state: the model's state dict, on the CPU, float32 (integers as they are).
    """

    state: dict[str, Tensor]

    def parameters(self) -> int:
        """Count its numbers, as `Description.parameters` does those of a file."""
        return sum(tensor.numel() for tensor in self.state.values())

    def checksum(self) -> str:
        """Compute the SHA-256 of all that decides predictions, as `Description.checksum` does of a file."""
        digest = self._digest()
        for name, tensor in sorted(self.state.items()):
            safetensorsfile.add_tensor(digest, name, tensor.detach().numpy())
        return digest.hexdigest()

    def save(self, path: str | os.PathLike[str], half: bool = False) -> None:
        """Write the bundle whole or not at all.

        Args:
            path: a name that ends in .safetensors.
            half: store weights (two or more dimensions) as float16; norm statistics and biases stay float32.

        Raises:
            ModelError: another suffix, or weights too large for float16.
            DataError: the disk is full, or the folder cannot be written.
        """
        from safetensors.torch import save

        target = Path(path)
        if target.suffix != ".safetensors":
            raise ModelError(f"{target}: a bundle's name ends in .safetensors")
        tensors = {name: _stored(name, tensor, half) for name, tensor in self.state.items()}
        with atomic_path(target) as temporary:
            # Not save_file: it hides a full disk in an error of its own, and its files are for their owner only.
            temporary.write_bytes(save(tensors, metadata={METADATA_KEY: self.to_metadata()}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Bundle:
        """Read a bundle, or the weights of an exported network. No code in the file can run.

        Raises:
            ModelError: the file is missing, damaged, no model of Intarsia, or written by a newer version; the message
                names the file, the reason and the fix.
        """
        return cls.of(Description.load(path))

    @classmethod
    def of(cls, description: Description) -> Bundle:
        """Add the weights to a description, from the file that it came from.

        Raises:
            ModelError: they cannot be read, or belong to no architecture.
        """
        import torch

        if isinstance(description, cls):
            return description
        if description.is_converted:
            raise ModelError(
                f"{description.title}: a converted network: ONNX Runtime and OpenVINO compute it as it stands, and "
                "PyTorch can neither compute nor train it. To train a model of your own: intarsia train DATA"
            )
        file = Path(description.source)
        state = {
            name: torch.from_numpy(np.require(values, requirements="W"))
            for name, values in form_of(file).tensors(file).items()
        }
        floats = {name: t.float() if t.is_floating_point() else t for name, t in state.items()}
        return cls(**vars(description), state=floats)


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    import torch

    # safetensors wants dense tensors of their own memory, in plain order
    tensor = tensor.detach().cpu().contiguous(memory_format=torch.contiguous_format).clone()
    if half and tensor.is_floating_point() and tensor.ndim >= 2:
        tensor = tensor.half()
        if not tensor.isfinite().all():
            raise ModelError(f"{name} has values that float16 cannot hold; save this bundle with half=False")
    return tensor
