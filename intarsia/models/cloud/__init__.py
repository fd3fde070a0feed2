"""Networks of points, one file a family. Importing this package registers them all."""

from intarsia.models.cloud import acnn, forest, pointnet, pointnet2, pointnext, randlanet

__all__ = ["acnn", "forest", "pointnet", "pointnet2", "pointnext", "randlanet"]
