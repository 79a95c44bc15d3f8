"""The checks: rules over a Dockerfile as written and as evaluated, each with its reasons, examples and fix."""
