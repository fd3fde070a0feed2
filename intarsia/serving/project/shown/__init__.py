"""What each medium is to the studio: one class a medium, and the only place where it chooses by it."""

from intarsia.serving.project.items import Found, MediumName
from intarsia.serving.project.shown.clouds import ShownCloud
from intarsia.serving.project.shown.contract import Facts, Shown, Things
from intarsia.serving.project.shown.stills import ShownPicture, ShownRaster
from intarsia.serving.project.shown.videos import ShownVideo
from intarsia.serving.project.shown.volumes import ShownVolume, write_volume

__all__ = ["SHOWN", "Facts", "Shown", "Things", "shown_as", "write_volume"]

SHOWN: dict[MediumName, type[Shown]] = {
    kind.medium: kind for kind in (ShownPicture, ShownRaster, ShownVideo, ShownVolume, ShownCloud)
}
"""Every medium, in the order in which people count what they have."""


def shown_as(item: Found) -> type[Shown]:
    """The class of an item's medium."""
    return SHOWN[item.medium]
