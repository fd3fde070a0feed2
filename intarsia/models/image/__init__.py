"""Image architectures, one file a family. Importing this package registers them all."""

from intarsia.models.image import (
    bisenetv2,
    deeplabv1,
    deeplabv2,
    deeplabv3,
    fcn,
    gcn,
    ksac,
    lraspp,
    segformer,
    unet,
    upernet,
)

__all__ = [
    "bisenetv2",
    "deeplabv1",
    "deeplabv2",
    "deeplabv3",
    "fcn",
    "gcn",
    "ksac",
    "lraspp",
    "segformer",
    "unet",
    "upernet",
]
