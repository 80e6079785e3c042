"""Files that come with the package: its small checkpoints and HDR images, from wherever one stands."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def shipped(path: str | Path) -> Path:
    """A path that our configs name relative to the repository, such as `checkpoints/hdr_baseline.pth`.

    What is there, seen from where one stands, comes first; then what was installed with the package, or lies in its
    repository.
    """
    path = Path(path).expanduser()
    if not path.exists() and not path.is_absolute():
        for root in (PACKAGE / ".mim", PACKAGE.parent):
            if (root / path).exists():
                return root / path
    return path
