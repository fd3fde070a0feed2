"""Image architectures, one file a family. Importing this package registers them all."""

from intarsia.models.image import deeplab, unet

__all__ = ["deeplab", "unet"]
