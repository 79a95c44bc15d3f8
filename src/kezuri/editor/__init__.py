"""What an editor asks about an open Dockerfile: places, symbols, definitions, completions, and what a change costs."""
