"""Images copied whole between registries, layouts, archives and the store, without being unpacked."""
