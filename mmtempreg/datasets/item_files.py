"""The files of an item, and errors that name them.

MMEngine's pipelines raise what a transform raises, which knows arrays and no files, and MMagic's loader takes None for
an image where a file is damaged ("'NoneType' object has no attribute 'ndim'").
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Any

from mmengine.dataset import Compose

from ..utils.choices import IMAGE_SUFFIXES
from ..video.image_files import read_image


def paths_of(item: Any) -> list[str]:
    """The files that an item of a dataset is loaded from: what its keys such as `img_path` hold."""
    if not isinstance(item, Mapping):
        return []
    held = [value for key, value in item.items() if str(key).endswith("path")]
    paths = [path for value in held for path in (value if isinstance(value, list | tuple) else [value])]
    return list(dict.fromkeys(str(path) for path in paths if isinstance(path, str | Path)))


def name_files_of_errors() -> None:
    """Makes errors in MMEngine's pipelines name the files of their item. Safe to call again."""
    call = Compose.__call__
    if hasattr(call, "__wrapped__"):
        return

    @wraps(call)
    def named(self: Compose, data: dict) -> dict | None:
        try:
            return call(self, data)
        except Exception as error:
            paths = paths_of(data)
            if not paths or any(path in str(error) for path in paths):
                raise
            for path in paths:
                if Path(path).suffix.lower() in IMAGE_SUFFIXES and Path(path).is_file():
                    read_image(path)  # raises what is wrong with it
            reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
            raise ValueError(f"{', '.join(paths)}: {reason}") from error

    Compose.__call__ = named
