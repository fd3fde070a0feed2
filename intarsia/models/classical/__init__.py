"""Classical methods on hand-made features, behind the same contracts as networks. Importing this registers them."""

from intarsia.models.classical.forest import random_forest
from intarsia.models.classical.kmeans import kmeans
from intarsia.models.classical.model import ClassicalModel, FittedModel, FittingData, Head, Progress
from intarsia.models.classical.svm import svm

__all__ = ["ClassicalModel", "FittedModel", "FittingData", "Head", "Progress", "kmeans", "random_forest", "svm"]
