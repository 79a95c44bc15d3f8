"""What is known to be broken in packages, and what mends it: data sets read, kept in a database, and asked."""
