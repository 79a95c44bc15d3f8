"""argv in, text and exit codes out."""
