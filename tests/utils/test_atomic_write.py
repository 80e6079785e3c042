"""Files that are there whole or not at all."""

import json
from pathlib import Path

import pytest

from mmtempreg.utils.atomic_write import write_json


def test_json_has_no_word_for_what_is_no_number(tmp_path):
    value = dict(a=float("nan"), b=[1.5, float("inf"), (2, Path("x"))], c={0.5: True, "d": None})
    write_json(tmp_path / "a.json", value)

    def refuse(word):
        raise AssertionError(word)

    read = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert read == dict(a=None, b=[1.5, None, [2, "x"]], c={"0.5": True, "d": None})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", dict(a=object()))
    assert json.loads((tmp_path / "a.json").read_text()) == read
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
