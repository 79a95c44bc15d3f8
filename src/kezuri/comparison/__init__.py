"""Two images, or two ways to build one, beside each other: what was measured of both, and what differs."""
