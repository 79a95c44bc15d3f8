"""Dockerfile text to tree and back, losing nothing; expansion; ignore files."""
