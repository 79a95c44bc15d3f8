"""ELF files read as far as a loader reads them: for which machine, by which loader, with which libraries."""
