"""Trees to layer bytes and back."""
