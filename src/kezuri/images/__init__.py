"""Images by name, wherever they are."""
