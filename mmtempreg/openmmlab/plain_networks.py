"""Networks that no config describes: `file.py:Name`."""

from __future__ import annotations

import ast
from pathlib import Path

CONFIG_OF_PLAIN_NETWORK = (
    "the config of a plain network is what tools/steady.py leaves in its work directory "
    "(work_dirs/steady_NAME/config.py), or the lines in docs/steady.md, 'Plain networks'"
)


def is_file_of_network(text: str) -> bool:
    """Tells `file.py:Name` from the path of a config."""
    path, colon, name = text.rpartition(":")
    return bool(colon) and path.endswith(".py") and name.isidentifier()


def networks_in(path: str | Path) -> list[str]:
    """Names of the classes of `nn.Module` in a Python file, which is read and not run; none of what is no such file."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    modules: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            if bases & {"Module", "Sequential", *modules}:
                modules.append(node.name)
    return modules
