"""The files that a training reads, told by their number, sizes and times."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any

from mmengine.dataset import BaseDataset

from ..datasets.item_files import paths_of
from .seeded_loading import parts_of

MOST = 50_000
"""So many items are looked at, spread evenly: on a shared disk each file takes its time."""


def files_of(dataset: Any) -> dict[str, Any]:
    """Number, bytes and newest time of the files of a dataset's items, and a hash of all; empty if there are none."""
    count = size = 0
    newest, digest = 0.0, hashlib.sha256()
    for part in parts_of(dataset):
        if not isinstance(part, BaseDataset):
            continue
        for index in range(0, len(part), -(-len(part) // MOST)):
            # what it says of itself, without reading the image
            for path in paths_of(BaseDataset.get_data_info(part, index)):
                try:
                    found = os.stat(path)
                except OSError:  # the name of a prediction, or on another kind of storage
                    continue
                count, size, newest = count + 1, size + found.st_size, max(newest, found.st_mtime)
                digest.update(f"{os.path.basename(path)} {found.st_size} {found.st_mtime_ns}".encode(errors="replace"))
    return dict(count=count, bytes=size, newest=newest, hash=digest.hexdigest()[:12]) if count else {}


def told_files(files: dict[str, Any]) -> str:
    """Says in words what `files_of` found."""
    newest = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(files["newest"]))
    return f"{files['count']} files of {files['bytes'] / 2**20:.2f} MiB, the newest of {newest}"
