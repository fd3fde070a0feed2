"""Claims about clouds."""
