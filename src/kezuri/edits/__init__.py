"""Changes of images as values: settings, layers and bases of config and manifest; nothing is read or written."""
