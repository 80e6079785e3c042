"""Runs `mmtempreg.experiments.sweep`, which says what it does."""

from mmtempreg.experiments.sweep import main

if __name__ == "__main__":
    main()
