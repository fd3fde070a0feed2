"""From point clouds to blocks of a network's inputs, and back from its windows to every point."""
