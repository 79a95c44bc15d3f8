"""Finished images as rules see them: their files with the layers these come from, and what is found out about them."""
