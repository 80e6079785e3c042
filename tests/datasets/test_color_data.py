"""Photographs and clips for colorization, and the converters that list them."""

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmagic.registry import DATASETS
from mmengine.dataset import pseudo_collate
from skimage import data
from skimage.color import rgb2lab

from mmtempreg.datasets import ClipDataset, PhotographDataset
from mmtempreg.datasets.clips import ClipEntry, find_clips, read_clip_list, write_clip_list
from mmtempreg.video import Frame, VideoWriter, open_frames
from testing import forked

ROOT = Path(__file__).resolve().parents[2]
CONVERTERS = ROOT / "tools" / "dataset_converters"


def photograph(size=(24, 32), seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1])


def record(path, images, rate=24):
    with VideoWriter(path, rate, crf=1) as writer:
        for t, image in enumerate(images):
            writer.write(Frame(image, Fraction(t, rate)))


@pytest.fixture
def photographs(tmp_path):
    """Five of them, in a folder and a subfolder; number 3 is grey, number 4 nearly."""
    images = [photograph(seed=i) for i in range(5)]
    images[3][:] = images[3].mean(axis=-1, keepdims=True).astype(np.uint8)
    grey = images[4].mean(axis=-1, keepdims=True)
    images[4][:] = (grey + 0.1 * (images[4] - grey)).astype(np.uint8)
    for i, image in enumerate(images):
        write(tmp_path / "photos" / ("sub" if i == 2 else "") / f"{i}.png", image)
    return tmp_path / "photos", images


# ---------------------------------------------------------------- photographs


def test_photographs_are_input_and_truth_in_rgb(photographs):
    root, images = photographs
    dataset = PhotographDataset(str(root))
    assert len(dataset) == 5
    assert [Path(path).stem for path in dataset.paths] == ["0", "1", "3", "4", "2"]  # by path
    item = dataset.get_data_info(1)
    np.testing.assert_array_equal(item["img"], images[1])
    np.testing.assert_array_equal(item["gt"], images[1])
    assert item["img"] is not item["gt"]
    assert item["img_channel_order"] == item["gt_channel_order"] == "rgb"


def test_celebas_partition_file(photographs, tmp_path):
    root, _ = photographs
    (tmp_path / "parts.txt").write_text("0.png 0\n1.png 1\n\n3.png 0\nsub/2.png 2\n")

    def part(split):
        dataset = PhotographDataset(str(root), partition_file=str(tmp_path / "parts.txt"), split=split)
        return [Path(path).name for path in dataset.paths]

    assert (part("train"), part("val"), part("test")) == (["0.png", "3.png"], ["1.png"], ["2.png"])


def test_the_least_saturated_are_left_out(photographs):
    root, _ = photographs
    for share, left_out in ((0.2, {"3"}), (0.4, {"3", "4"})):
        dataset = PhotographDataset(str(root), drop_least_saturated=share)
        assert {Path(path).stem for path in dataset.paths} == {"0", "1", "2", "3", "4"} - left_out
    before = {path: path.stat().st_mtime_ns for path in root.glob("colourfulness_*")}
    assert before  # kept, and not measured again
    PhotographDataset(str(root), drop_least_saturated=0.2)
    assert before == {path: path.stat().st_mtime_ns for path in root.glob("colourfulness_*")}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (dict(data_root="/nowhere"), FileNotFoundError, "/nowhere: no such folder of photographs"),
        (dict(drop_least_saturated=1.0), ValueError, r"drop_least_saturated must be a number in \[0, 1\), got 1.0"),
        (dict(split="train"), ValueError, "go together"),
        (dict(split="training", partition_file="x"), ValueError, "split must be one of"),
        (dict(split="train", partition_file="none.txt"), FileNotFoundError, "no list none.txt"),
        (dict(list_file="x", partition_file="y", split="val"), ValueError, "not both"),
    ],
)
def test_bad_options_of_photographs(photographs, options, error, message):
    root, _ = photographs
    with pytest.raises(error, match=message):
        PhotographDataset(**{"data_root": str(root), **options})


def test_bad_files(photographs, tmp_path):
    root, _ = photographs
    (tmp_path / "parts.txt").write_text("0.png 0\njustaname\n")
    with pytest.raises(ValueError, match=r"parts\.txt, line 2: expected 2 fields"):
        PhotographDataset(str(root), partition_file=str(tmp_path / "parts.txt"), split="train")
    (tmp_path / "list.txt").write_text("0.png\nmissing.png\n")
    dataset = PhotographDataset(str(root), list_file=str(tmp_path / "list.txt"))
    with pytest.raises(FileNotFoundError, match=r"missing\.png"):
        dataset.get_data_info(1)
    (root / "0.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"0\.png"):
        dataset.get_data_info(0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no photograph"):
        PhotographDataset(str(tmp_path / "empty"))


# ---------------------------------------------------------------- clips


@pytest.fixture
def clips(tmp_path):
    """A video of 12 frames and a folder of 7, of 40x30 pixels."""
    root = tmp_path / "clips"
    frames = [photograph((30, 40), seed) for seed in range(12)]
    root.mkdir()
    record(root / "video.mp4", frames)
    for i, frame in enumerate(frames[:7]):
        write(root / "folder" / f"{i:03d}.png", frame)
    return root, frames


def test_clips_come_frame_by_frame_in_order(clips):
    root, frames = clips
    dataset = ClipDataset(str(root), fps=24, shortest=5, longest=10)
    assert [(e["clip"], e["frame"], e["num_frames"]) for e in dataset.data_list] == (
        [("folder", i, 7) for i in range(7)] + [("video", i, 10) for i in range(10)]
    )
    for i, frame in enumerate(frames[:7]):
        item = dataset.get_data_info(i)
        np.testing.assert_array_equal(item["img"], frame)
        np.testing.assert_array_equal(item["gt"], frame)
        assert item["fps"] == 24
    in_order = [frame.image for frame in open_frames(root / "video.mp4")]
    assert np.abs(in_order[0].astype(int) - frames[0]).mean() < 6
    for i in range(10):
        np.testing.assert_array_equal(dataset.get_data_info(7 + i)["img"], in_order[i])
    jumping = {i: dataset.get_data_info(7 + i)["img"] for i in (6, 2, 9, 3)}  # forwards, and back again
    for i, image in jumping.items():
        np.testing.assert_array_equal(image, in_order[i])


def test_a_list_cuts_and_crops(clips, tmp_path):
    root, frames = clips
    entries = [ClipEntry("b", "folder", 2, 3, x=5, y=4, width=20, height=10), ClipEntry("a", "folder", 0, 7)]
    write_clip_list(tmp_path / "list.csv", entries)
    assert read_clip_list(tmp_path / "list.csv") == entries
    dataset = ClipDataset(str(root), list_file=str(tmp_path / "list.csv"), fps=12)
    assert len(dataset) == 10
    np.testing.assert_array_equal(dataset.get_data_info(1)["img"], frames[3][4:14, 5:25])
    for size, expected in ((5, (5, 10)), ((8, 6), (8, 6))):
        resized = ClipDataset(str(root), list_file=str(tmp_path / "list.csv"), size=size, fps=12)
        assert resized.get_data_info(0)["img"].shape[:2] == expected


def test_a_constant_picture_stays_what_it_is_when_resized(tmp_path):
    for i in range(5):
        write(tmp_path / "clips" / "one" / f"{i}.png", np.full((30, 50, 3), (10, 200, 90), np.uint8))
    dataset = ClipDataset(str(tmp_path / "clips"), size=16, fps=24, shortest=5)
    np.testing.assert_array_equal(dataset.get_data_info(4)["img"], np.full((16, 27, 3), (10, 200, 90)))


def test_the_pipeline_and_workers(clips):
    root, frames = clips
    keys = ["clip", "frame", "num_frames", "fps"]
    dataset = DATASETS.build(
        dict(
            type="ClipDataset",
            data_root=str(root),
            fps=24,
            shortest=5,
            longest=7,
            pipeline=[dict(type="PackInputs", meta_keys=keys)],
        )
    )
    batch = pseudo_collate([dataset[0], dataset[1]])
    np.testing.assert_array_equal(batch["inputs"][1].permute(1, 2, 0).numpy(), frames[1])
    assert [sample.frame for sample in batch["data_samples"]] == [0, 1]
    dataset.get_data_info(8)
    assert dataset.__getstate__()["_reading"] is None  # a worker opens its own file


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a,folder,-1,5", "line 2: numbers must not be negative"),
        ("a,folder,0,0", "num_frames 1 at least"),
        ("a,folder,zero,5", r"line 2: .*columns are clip, path, start"),
        ("a,folder,0,5\na,folder,0,6", "line 3: the clip 'a' is there twice"),
        ("", "lists no clip"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path, line, message):
    path = tmp_path / "list.csv"
    path.write_text(f"clip,path,start,num_frames\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_clip_list(path)


def test_clips_that_are_not_what_the_list_says(clips, tmp_path):
    root, _ = clips
    path = tmp_path / "list.csv"
    write_clip_list(path, [ClipEntry("a", "folder", 3, 9)])
    dataset = ClipDataset(str(root), list_file=str(path), fps=24)
    dataset.get_data_info(3)
    with pytest.raises(ValueError, match="clip 'a': folder ends before its frame 7"):
        dataset.get_data_info(4)
    write_clip_list(path, [ClipEntry("a", "folder", 0, 5, x=30, y=0, width=20, height=20)])
    with pytest.raises(ValueError, match=r"clip 'a': the crop .* does not fit .*40x30"):
        ClipDataset(str(root), list_file=str(path), fps=24)
    with pytest.raises(FileNotFoundError, match="no list of clips"):
        ClipDataset(str(root), list_file=str(tmp_path / "none.csv"))
    with pytest.raises(FileNotFoundError, match="500 frames long"):
        find_clips(root, shortest=500, rate=24)
    with pytest.raises(ValueError, match="shortest must not be above longest"):
        ClipDataset(str(root), shortest=9, longest=5)


# ---------------------------------------------------------------- converters


def convert(script, *arguments, ok=True):
    command = [sys.executable, str(CONVERTERS / script), *map(str, arguments)]
    done = forked.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode == 0) == ok, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_celeba(photographs, tmp_path):
    root, images = photographs
    (tmp_path / "parts.txt").write_text("0.png 0\n1.png 1\n3.png 0\n4.png 0\n")
    command = ("celeba/preprocess_celeba_dataset.py", "--data-root", root, "--partition-file", tmp_path / "parts.txt")
    convert(*command, "--out-dir", tmp_path / "out", "--num-images", 2, "--size", 24)
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) == 2
    assert {path.stem for path in written} < {"0", "3", "4"}  # of the training part
    dataset = PhotographDataset(str(tmp_path / "out"))
    for i, path in enumerate(written):
        np.testing.assert_array_equal(dataset.get_data_info(i)["img"], images[int(path.stem)][:, 4:28])
    assert "is there already" in convert(*command, "--out-dir", tmp_path / "out", ok=False)
    (root / "4.png").write_bytes(b"not an image")
    convert(*command, "--out-dir", tmp_path / "other", ok=False)
    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".partial*"))


@pytest.mark.slow
def test_places(photographs, tmp_path):
    root, _ = photographs
    command = (
        "places/preprocess_places_dataset.py",
        "--data-root",
        root,
        "--out-file",
        tmp_path / "lists" / "train.txt",
    )
    convert(*command, "--drop-least-saturated", 0.2)
    assert (tmp_path / "lists" / "train.txt").read_text().split() == ["0.png", "1.png", "4.png", "sub/2.png"]
    dataset = PhotographDataset(str(root), list_file=str(tmp_path / "lists" / "train.txt"))
    assert len(dataset) == 4


def youtube_faces(root):
    """Its layout: two people, one of whom has two clips; the face is larger in the second."""
    for person, clip, edge, count in (("Ann", 0, 20, 6), ("Ann", 1, 40, 8), ("Bob", 3, 30, 5)):
        for i in range(count):
            write(root / person / str(clip) / f"{clip}.{i + 1}.jpg", photograph((60, 80), i))
        with open(root / f"{person}.labeled_faces.txt", "a") as file:
            for i in range(count):
                file.write(f"{person}\\{clip}\\{clip}.{i + 1}.jpg,0,{40 + i},30,{edge},{edge},0,1\n")


@pytest.mark.slow
def test_youtube_faces(tmp_path):
    youtube_faces(tmp_path / "frames")
    script = "youtube_faces/preprocess_youtube_faces_dataset.py"
    command = (script, "--data-root", tmp_path / "frames", "--out-dir", tmp_path, "--shortest", 5, "--longest", 7)
    convert(*command, "--num-test", 1, "--num-val", 1, "--margin", 1.5)
    (test,), (val,) = (read_clip_list(tmp_path / f"{name}.csv") for name in ("test", "val"))
    found = {entry.clip: entry for entry in (test, val)}
    assert set(found) == {"Ann_1", "Bob_3"}
    assert found["Ann_1"] == ClipEntry(
        "Ann_1", "Ann/1", 0, 7, x=13, y=0, width=60, height=60
    )  # 1.5 x 40 about the median (43, 30)
    assert found["Bob_3"] == ClipEntry("Bob_3", "Bob/3", 0, 5, x=20, y=8, width=45, height=45)
    dataset = ClipDataset(str(tmp_path / "frames"), list_file=str(tmp_path / "test.csv"), size=32, fps=24)
    assert dataset[0]["img"].shape == (32, 32, 3)
    assert "has 2 clips that can be used" in convert(*command, "--num-test", 9, "--overwrite", ok=False)
    (tmp_path / "frames" / "Bob.labeled_faces.txt").write_text("Bob,1\n")
    assert "Bob.labeled_faces.txt, line 1" in convert(
        *command, "--num-test", 1, "--num-val", 1, "--overwrite", ok=False
    )


def test_faces_are_found_in_videos_without_labels(tmp_path):
    face = cv2.resize(data.astronaut()[:256, 96:352], (160, 160), interpolation=cv2.INTER_AREA)
    (tmp_path / "videos").mkdir()
    for name, image in (("face", face), ("none", photograph((160, 160)))):
        record(tmp_path / "videos" / f"{name}.mp4", [image] * 12)
    script = "youtube_faces/preprocess_youtube_faces_dataset.py"
    log = convert(script, "--data-root", tmp_path / "videos", "--out-dir", tmp_path, "--shortest", 5,
                  "--num-test", 1, "--num-val", 0)  # fmt: skip
    assert "none.mp4: no face in most of its frames" in log
    (entry,) = read_clip_list(tmp_path / "test.csv")
    assert (entry.clip, entry.num_frames) == ("face", 12)
    assert 50 < entry.width < 160
    assert open_frames(tmp_path / "videos" / "face.mp4").size == (160, 160)


@pytest.mark.slow
def test_the_colour_is_taken_out_and_the_lightness_stays(tmp_path):
    image = photograph((20, 30), 5)
    write(tmp_path / "in" / "0.png", image)
    write(tmp_path / "in" / "1.png", image)
    script = ROOT / "tools" / "analysis_tools" / "remove_color.py"
    command = [sys.executable, str(script), str(tmp_path / "in"), str(tmp_path / "out"), "--fps", "24"]
    assert forked.run(command, cwd=ROOT, capture_output=True).returncode == 0
    grey = next(iter(open_frames(tmp_path / "out", 24))).image
    assert int(np.ptp(grey.astype(int), axis=-1).max()) <= 1
    np.testing.assert_allclose(rgb2lab(grey)[..., 0], rgb2lab(image)[..., 0], atol=0.3)
