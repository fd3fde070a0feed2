"""Other packages' interfaces on Intarsia's own code, for scripts that are written for them."""
