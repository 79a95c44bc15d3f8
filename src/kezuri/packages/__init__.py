"""Which packages a root file system holds: bytes of records in, packages with their files out."""
