"""Reading and writing each medium, once."""
