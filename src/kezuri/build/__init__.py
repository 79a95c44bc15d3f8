"""Walks the graph: schedule, steps, failures that point at the Dockerfile."""
