"""Two builds of the same thing in other surroundings, compared step by step: what differs, why, how it is mended."""
