"""The layouts in which labelled data lie on disk."""
