"""One operation of a plan performed: what it gives is a layer."""
