import importlib
import importlib.util
import sys

import pytest

from mmtempreg.utils.after_import import after_import


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that nobody has imported."""
    (tmp_path / "late_module.py").write_text("value = 1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "late_module"
    sys.modules.pop("late_module", None)


def test_the_work_waits_for_the_module_and_is_done_once(module):
    seen = []
    after_import(module, lambda: seen.append(sys.modules[module].value))
    assert importlib.util.find_spec(module).name == module  # as packages ask for each other
    assert not seen
    finders = len(sys.meta_path)
    assert importlib.import_module(module).value == 1
    assert seen == [1]
    assert len(sys.meta_path) == finders - 1
    after_import(module, lambda: seen.append("at once"))
    assert seen == [1, "at once"]


def test_two_may_wait_for_one_module(module):
    seen = []
    for word in ("first", "second"):
        after_import(module, lambda word=word: seen.append(word))
    importlib.import_module(module)
    assert sorted(seen) == ["first", "second"]


def test_what_is_not_there_is_missed_as_ever(module):
    after_import("no_such_module", lambda: pytest.fail("it was imported"))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("no_such_module")
