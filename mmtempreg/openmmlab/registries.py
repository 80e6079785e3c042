"""Puts this package's classes into MMagic's registries without importing MMagic's models yet.

An MMEngine registry imports its *locations* when it is first asked for a name. We add our packages to the
locations of MMagic's registries: `default_scope = 'mmagic'` then finds our names without a prefix.
"""

from .internals import add_location

# MMagic registry -> our packages that fill it
LOCATIONS = {
    "MODELS": ("mmtempreg.models", "mmtempreg.losses", "mmtempreg.transforms"),
    "DATASETS": ("mmtempreg.datasets",),
    "DATA_SAMPLERS": ("mmtempreg.datasets",),
    "TRANSFORMS": ("mmtempreg.datasets",),
    "METRICS": ("mmtempreg.evaluation",),
    "HOOKS": ("mmtempreg.engine",),
    "OPTIM_WRAPPERS": ("mmtempreg.engine",),
}


def register_lazily() -> None:
    """Makes MMagic's registries find our classes on their first use (or now, if they were used already)."""
    import mmagic.registry

    for name, modules in LOCATIONS.items():
        for module in modules:
            add_location(getattr(mmagic.registry, name), module)
