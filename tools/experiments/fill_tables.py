"""Runs `mmtempreg.experiments.fill_tables`, which says what it does."""

from mmtempreg.experiments.fill_tables import main

if __name__ == "__main__":
    main()
