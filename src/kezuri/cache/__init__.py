"""Results already paid for."""
