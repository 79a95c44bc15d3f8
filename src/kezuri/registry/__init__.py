"""The distribution protocol: pure exchanges, one socket."""
