"""Claims about metrics."""
