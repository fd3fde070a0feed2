"""Claims about video."""
