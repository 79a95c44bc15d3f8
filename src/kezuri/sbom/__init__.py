"""The bill of what an image consists of: components with where they came from, written down in the published forms and
read back."""
