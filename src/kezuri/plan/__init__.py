"""Dockerfile to graph of operations and their keys; nothing runs."""
