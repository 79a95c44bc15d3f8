"""From a parsed Dockerfile to the stages and operations that a target needs. Nothing runs here."""
