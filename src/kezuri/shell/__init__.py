"""Enough of a shell to understand a RUN: its commands, their words, and what stands between them, with places."""
