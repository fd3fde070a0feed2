"""Faces: found, tracked, and cut into their parts."""
