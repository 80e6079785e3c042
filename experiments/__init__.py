"""This repository's own sweeps, tables and plots: they make the results in `docs/results`.

`python -m experiments.NAME` runs one, from the repository.
"""
