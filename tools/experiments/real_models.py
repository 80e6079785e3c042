"""Runs `mmtempreg.experiments.real_models`, which says what it does."""

from mmtempreg.experiments.real_models import main

if __name__ == "__main__":
    main()
