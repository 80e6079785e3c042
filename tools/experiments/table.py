"""Runs `mmtempreg.experiments.table`, which says what it does."""

from mmtempreg.experiments.table import main

if __name__ == "__main__":
    main()
