"""Faces: where they are, and what their parts are."""
