"""Two results compared as values: plans, root file systems, configs, probes; what differs, by name."""
