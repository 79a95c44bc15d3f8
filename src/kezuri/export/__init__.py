"""Images leave: OCI layout, docker archive, root directory, root tar."""
