"""Models in files: a description, and the tensors or the exported network. Nothing in them is ever unpickled."""

from intarsia.bundle.description import CONVERTED, FORMAT, Description
from intarsia.bundle.exported import Exported
from intarsia.bundle.forms import METADATA_KEY
from intarsia.bundle.trained import Bundle

__all__ = ["CONVERTED", "FORMAT", "METADATA_KEY", "Bundle", "Description", "Exported"]
