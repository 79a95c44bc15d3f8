"""The explorer of images in a terminal, on Textual; loaded by `kezuri explore` alone."""
