"""One function per verb a user can ask for; wires the concretes; prints nothing."""
