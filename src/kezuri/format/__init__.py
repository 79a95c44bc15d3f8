"""How a Dockerfile is laid out: the same instructions in one style, and the proof that they are the same."""
