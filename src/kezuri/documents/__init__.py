"""YAML read into values that know their places, and edited as text: all that is not meant stays as it is."""
