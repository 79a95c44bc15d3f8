"""Text ↔ tree, losing nothing: the Dockerfile language, its variables and its ignore files."""
