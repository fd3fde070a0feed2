"""Feed the loop: from data sets to batches and validation scores, one module a medium."""
