"""Runs `mmtempreg.experiments.rivals`, which says what it does."""

from mmtempreg.experiments.rivals import main

if __name__ == "__main__":
    main()
