"""What is wrong with an image: known faults of its components, the end of their lives, secrets, licences; ordered by
what is urgent, and what to do about it."""
