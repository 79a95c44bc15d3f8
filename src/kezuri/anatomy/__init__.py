"""What an image is made of, and what it wastes: every byte of its layers with its fate and its owner."""
