"""Content-addressed blobs and their index; leases; collection."""
