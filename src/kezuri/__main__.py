"""`python -m kezuri`."""

from kezuri.cli.main import run

if __name__ == "__main__":
    run()
