"""Prediction on pictures: tiled where they are large, labels at their own size."""
