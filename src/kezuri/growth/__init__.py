"""How large an image was, time after time: measurements, their file, what grew between two, budgets."""
