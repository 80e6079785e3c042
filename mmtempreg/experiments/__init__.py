"""How the results in `docs/results` are made: this repository's own sweeps, tables and plots.

`tools/experiments` runs them.
"""
