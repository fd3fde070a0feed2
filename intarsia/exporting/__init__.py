"""From a bundle to files of other runtimes."""
