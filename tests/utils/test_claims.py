"""Nothing is lost that is read, made by others, or being written: what a run declares before its work."""

import fcntl
import os
import signal
import time
from contextlib import contextmanager

import pytest

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.claims import check_input, claimed_outputs, claimed_work_dir


@contextmanager
def elsewhere(function):
    """Runs a function in another process, which then waits to be killed; gives its id when that has returned."""
    ready, told = os.pipe()
    child = os.fork()
    if not child:
        function()
        os.write(told, b"x")
        time.sleep(60)
        os._exit(0)
    os.read(ready, 1)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(told)


def test_an_output_that_is_read_is_refused_by_whatever_name(tmp_path):
    read = tmp_path / "clip.mp4"
    read.write_text("mine")
    os.link(read, tmp_path / "hard.mp4")
    (tmp_path / "there").symlink_to(tmp_path)
    for name in ("clip.mp4", "hard.mp4", "there/clip.mp4", "../" + tmp_path.name + "/clip.mp4"):
        with pytest.raises(ValueError, match="is read and would be overwritten"):
            claimed_outputs([tmp_path / name], inputs=[read], overwrite=True).__enter__()
    assert read.read_text() == "mine"


@pytest.mark.parametrize("given", ["frames", "frames/*.png"])
def test_what_lies_in_a_folder_that_is_read_is_read(tmp_path, given):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").write_text("mine")
    with pytest.raises(ValueError, match="lies in .*frames, which is read"):
        claimed_outputs([tmp_path / "frames" / "0.png"], inputs=[tmp_path / given], overwrite=True).__enter__()
    with pytest.raises(ValueError, match="holds .*frames.*, which is read|frames is read"):
        claimed_outputs(folders=[tmp_path / "frames"], inputs=[tmp_path / given], overwrite=True).__enter__()
    with claimed_outputs([tmp_path / "frames" / "new.json"], inputs=[tmp_path / given]):
        pass
    with pytest.raises(ValueError, match="holds .*, which is read"):
        claimed_outputs(folders=[tmp_path], inputs=[tmp_path / given], overwrite=True).__enter__()


def test_two_outputs_have_two_places(tmp_path):
    for one, other in (("a", "a"), ("a", "./a"), ("q.html", "q.html/video.mp4")):
        with pytest.raises(ValueError, match="two outputs are both|one lies in the other"):
            claimed_outputs([tmp_path / one, None, tmp_path / other]).__enter__()
    with pytest.raises(ValueError, match="two outputs are both"):
        claimed_outputs([tmp_path / "f.html"], [tmp_path / "f.html"]).__enter__()
    assert os.listdir(tmp_path) == []


def test_what_is_there_is_replaced_only_when_told(tmp_path):
    (tmp_path / "a").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    (tmp_path / "empty").mkdir()
    for files, folders in (["a"], []), ([], ["full"]):
        outputs = [tmp_path / name for name in files], [tmp_path / name for name in folders]
        with pytest.raises(FileExistsError, match=r"is there already: choose another name, or overwrite it"):
            claimed_outputs(*outputs).__enter__()
        with claimed_outputs(*outputs, overwrite=True):
            pass
    with claimed_outputs(folders=[tmp_path / "empty"]):
        pass


def test_two_processes_do_not_write_one_target(tmp_path):
    target = tmp_path / "new" / "a.json"

    with elsewhere(claimed_outputs([target]).__enter__) as child:
        with pytest.raises(FileExistsError, match=rf"a.json is being written by process {child} of "):
            claimed_outputs([target]).__enter__()
        assert os.listdir(tmp_path / "new") == [".a.json.lock"]
    # killed, it has left its lock file, which hinders nobody
    assert os.listdir(tmp_path / "new") == [".a.json.lock"]
    with claimed_outputs([target]), claimed_outputs([target]):  # within one process work is part of other work
        pass
    assert os.listdir(tmp_path / "new") == []


def test_the_lock_is_the_system_s(tmp_path):
    """Another program that locks the file, as fcntl has it, holds the target."""

    def lock():
        file = os.open(tmp_path / ".a.lock", os.O_RDWR | os.O_CREAT)
        fcntl.lockf(file, fcntl.LOCK_EX)

    with (
        elsewhere(lock),
        pytest.raises(FileExistsError, match="a is being written by another process"),
    ):
        claimed_outputs([tmp_path / "a"]).__enter__()


def test_a_killed_trainer_s_workers_do_not_keep_its_work_directory(tmp_path):
    workers, told = os.pipe()
    claim = claimed_work_dir(tmp_path)

    def train():
        claim.__enter__()
        worker = os.fork()
        if not worker:
            time.sleep(60)
            os._exit(0)
        os.write(told, f"{worker}\n".encode())

    with elsewhere(train), pytest.raises(FileExistsError, match="is being written by process"):
        claimed_work_dir(tmp_path).__enter__()
    worker = int(os.read(workers, 100))
    try:
        with claimed_work_dir(tmp_path):  # while the worker still lives
            assert os.listdir(tmp_path) == [".lock"]
    finally:
        os.kill(worker, signal.SIGKILL)
    assert os.listdir(tmp_path) == []


def test_a_fork_neither_has_nor_ends_the_claim(tmp_path):
    with claimed_outputs([tmp_path / "a"]):
        child = os.fork()
        if not child:
            try:
                claimed_outputs([tmp_path / "a"]).__enter__()
            except FileExistsError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert os.listdir(tmp_path) == [".a.lock"]


def test_folders_that_were_made_for_nothing_are_gone(tmp_path):
    with claimed_outputs([tmp_path / "x" / "y" / "a"]), claimed_work_dir(tmp_path / "w"):
        pass
    assert os.listdir(tmp_path) == []
    with claimed_outputs([tmp_path / "x" / "y" / "a"]), replace_when_written(tmp_path / "x" / "y" / "a") as partial:
        partial.write_text("a")
    assert os.listdir(tmp_path / "x" / "y") == ["a"]


def test_names_as_long_as_they_can_be(tmp_path):
    path = tmp_path / ("x" * 255)
    with claimed_outputs([path]):
        path.write_text("x")
    assert os.listdir(tmp_path) == [path.name]


def test_pipes_and_devices_are_no_inputs(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(ValueError, match="pipe.mp4 is a pipe, which cannot be read twice"):
        check_input(tmp_path / "pipe.mp4")
    with pytest.raises(ValueError, match="/dev/zero is a device"):
        claimed_outputs(inputs=["/dev/zero"]).__enter__()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("x")
    assert check_input(tmp_path / "link") == tmp_path / "link"
    assert check_input(tmp_path / "not_there") == tmp_path / "not_there"
