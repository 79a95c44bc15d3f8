"""Directories that branch."""
