"""The kernel: mounts, namespaces, ids, extended attributes; knows nothing of images."""
