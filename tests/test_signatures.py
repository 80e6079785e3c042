"""Public functions and constructors take few arguments by position: calls say what the others are."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "mmtempreg"
MOST = 4


def by_position(function):
    return len(function.args.posonlyargs) + len(function.args.args)


def fields(kind):
    """Those of a dataclass that its constructor takes by position; of another class none."""
    decorators = " ".join(map(ast.unparse, kind.decorator_list))
    if "dataclass" not in decorators or "kw_only=True" in decorators:
        return 0
    names = [item.annotation for item in kind.body if isinstance(item, ast.AnnAssign)]
    named = [ast.unparse(annotation) for annotation in names]
    return named.index("KW_ONLY") if "KW_ONLY" in named else len(named)


def signatures(path):
    """(name, number of arguments by position, without self) of all that is public in a file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, by_position(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, fields(node)
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (method.name == "__init__" or method.name[0] != "_"):
                    static = any(ast.unparse(one) == "staticmethod" for one in method.decorator_list)
                    yield f"{node.name}.{method.name}", by_position(method) - (not static)


def test_more_than_a_few_arguments_are_named():
    paths = [path for path in PACKAGE.rglob("*.py") if ".mim" not in path.parts]
    found = [(f"{path.relative_to(PACKAGE)}: {name}", n) for path in paths for name, n in signatures(path)]
    assert len(found) > 500
    assert {name for name, n in found if n > MOST} == set()
