"""Writing the outputs of one task, by the form of its medium."""
