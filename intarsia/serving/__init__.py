"""Serving: the HTTP API and the studio."""
