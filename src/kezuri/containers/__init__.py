"""Containers of an image: what one is to be, and one that lives, in the foreground of who asked for it."""
