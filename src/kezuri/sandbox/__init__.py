"""One process in a root file system."""
