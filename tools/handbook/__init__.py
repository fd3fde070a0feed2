"""The documentation site: its pages are put together, built, and checked."""
