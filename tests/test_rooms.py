"""Rooms of the package import only from those that stand above them in CONTRIBUTING.md."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "mmtempreg"


def rooms():
    """The folders in the order of the page."""
    table = (ROOT / "CONTRIBUTING.md").read_text().split("## Rooms")[1].split("## What")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.M)


def imported(path):
    """Modules and names of the package that a file imports, as tuples without the package."""
    home = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = home[: len(home) - (node.level - 1)]
            elif (node.module or "").split(".")[0] == "mmtempreg":
                base = ()
            else:
                continue
            module = (node.module or "").split(".") if node.module else []
            module = module[1:] if not node.level else module
            yield from ((*base, *module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (tuple(a.name.split(".")[1:]) for a in node.names if a.name.startswith("mmtempreg."))


def place(parts, order):
    """How high a file or a module stands: 0 for the modules of the package itself."""
    return order.index(parts[0]) + 1 if parts[0] in order else 0


def test_all_rooms_are_on_the_page():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(rooms())


def test_no_room_imports_from_one_below_it():
    order, upward = rooms(), []
    for path in PACKAGE.rglob("*.py"):
        if path == PACKAGE / "__init__.py":
            continue
        own = place(path.relative_to(PACKAGE).parts, order)
        upward += [(str(path.relative_to(PACKAGE)), parts) for parts in imported(path) if place(parts, order) > own]
    assert upward == []


AROUND = ["mmtempreg", "tools", "testing", "experiments", "benchmarks", "tests"]
"""Each knows those before it; tools are run, and nobody imports them; benchmarks likewise."""


@pytest.mark.parametrize("folder", AROUND)
def test_no_folder_imports_what_stands_around_it(folder):
    others = {"tools", "benchmarks", *AROUND[AROUND.index(folder) + 1 :]} - {folder}
    for path in (ROOT / folder).rglob("*.py"):
        found = re.search(rf"^\s*(from|import) ({'|'.join(others)})\b", path.read_text(), flags=re.M)
        assert not found or ".mim" in path.parts, (path, found)


def test_what_is_private_elsewhere_is_in_one_place():
    """Attributes of other packages' objects that begin with an underscore."""
    foreign = r"\b(runner|registry|wrapper|optim_wrapper|preprocessor|data_preprocessor|model|loader|hook|part)\._[a-z]"
    found = [
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if re.search(foreign, path.read_text()) and path.name != "internals.py"
    ]
    assert found == []
