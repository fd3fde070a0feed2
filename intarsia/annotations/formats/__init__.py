"""The formats of the annotation tools, one module or folder each; see `annotations.tools`."""
