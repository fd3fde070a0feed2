"""What the studio works on: a folder of pictures with labels, kept whole whatever happens."""

from intarsia.serving.project.catalogue import NoItem
from intarsia.serving.project.opening import folder_for, open_project
from intarsia.serving.project.project import Project
from intarsia.serving.project.revisions import Conflict, OtherClasses
from intarsia.serving.project.status import Order, Status

__all__ = ["Conflict", "NoItem", "Order", "OtherClasses", "Project", "Status", "folder_for", "open_project"]
