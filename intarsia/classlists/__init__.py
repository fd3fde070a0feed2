"""Lists of classes: names, and where the file says them mask values and colours; one reader for every command."""

from intarsia.classlists.contract import ClassList
from intarsia.classlists.reading import classes_said, parse_classes, read_class_file, reads_as

__all__ = ["ClassList", "classes_said", "parse_classes", "read_class_file", "reads_as"]
