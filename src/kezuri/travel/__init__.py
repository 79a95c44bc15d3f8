"""A cache that travels: results and cache mounts taken to other machines, and found there."""
