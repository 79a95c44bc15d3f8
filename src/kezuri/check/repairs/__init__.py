"""Edits that mend what rules of a Dockerfile and its context found: each asks for two builds that are compared."""
