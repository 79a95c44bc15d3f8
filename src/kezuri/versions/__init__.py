"""Which of two versions is the later one, as each package manager sees it, and what a range of versions holds."""
