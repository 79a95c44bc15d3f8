"""What the result of each operation depends on, part by part."""
