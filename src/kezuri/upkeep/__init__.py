"""What of a store may go, and what of it is sound."""
