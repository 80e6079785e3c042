"""Runs `mmtempreg.experiments.plot_sweep`, which says what it does."""

from mmtempreg.experiments.plot_sweep import main

if __name__ == "__main__":
    main()
