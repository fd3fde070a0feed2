"""Comparing the sizes of a mask and its picture."""

from __future__ import annotations

from intarsia.datasets.splits import Size


def same_shape(mask: Size, image: Size) -> bool:
    """Tell whether two (H, W) sizes are the same picture at another scale: the sides differ by rounding only."""
    (mask_height, mask_width), (height, width) = mask, image
    scale = max(height, width) / max(mask_height, mask_width)
    slack = 1.0 + max(scale, 1.0)
    return abs(mask_height * scale - height) <= slack and abs(mask_width * scale - width) <= slack


def mismatch(mask: Size, image: Size) -> str:
    """Say what differs between the (H, W) sizes of a mask and its image, and what to do."""
    said = f"the mask is {mask[1]}x{mask[0]} pixels, its image {image[1]}x{image[0]}"
    if mask == image[::-1]:
        return (
            f"{said}: one of them is turned on its side. If the photo carries an EXIF rotation, save it rotated "
            f"(without the tag), or turn the mask"
        )
    if same_shape(mask, image):
        return (
            f"{said}, the same shape at another scale: stretch such masks with --resize-masks (train: --set "
            f"data.resize_masks=true; Python: ReadOptions(resize_masks=True)), or export them again"
        )
    return f"{said}: they do not belong together, or one was cropped; export the mask at the image's own size"
