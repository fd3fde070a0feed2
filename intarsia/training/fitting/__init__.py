"""Training by fitting at once."""
