"""Runs `mmtempreg.experiments.update_metafile`, which says what it does."""

from mmtempreg.experiments.update_metafile import main

if __name__ == "__main__":
    main()
