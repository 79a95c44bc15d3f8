"""What a build would do and what it would cost, without doing it."""
