"""Runtimes: what computes a network's logits."""
