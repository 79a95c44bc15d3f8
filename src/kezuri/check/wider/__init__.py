"""BuildKit's rules as `kezuri check` asks them: with what other linters find under their names, and with fixes."""
