"""Runs `mmtempreg.experiments.strided_networks`, which says what it does."""

from mmtempreg.experiments.strided_networks import main

if __name__ == "__main__":
    main()
