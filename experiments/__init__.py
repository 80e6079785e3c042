"""How the results in `docs/results` are made: this repository's own sweeps, tables and plots.

`python -m experiments.NAME` runs one, from the repository.
"""
