"""What the studio works on: a folder of pictures with labels, kept whole whatever happens."""

from intarsia.serving.project.catalogue import NoItem
from intarsia.serving.project.opening import folder_for, open_project
from intarsia.serving.project.project import Order, Project, Status
from intarsia.serving.project.revisions import Conflict

__all__ = ["Conflict", "NoItem", "Order", "Project", "Status", "folder_for", "open_project"]
