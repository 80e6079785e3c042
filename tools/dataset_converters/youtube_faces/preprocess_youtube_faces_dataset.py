"""Lists close-up clips of faces in YouTube Faces, or in any folder of videos, with a square crop around each face.

Usage: python tools/dataset_converters/youtube_faces/preprocess_youtube_faces_dataset.py
       [--data-root data/youtube_faces/frame_images_DB] [--out-dir data/youtube_faces] [--num-test 72] [--num-val 8]
       [--shortest 50] [--longest 200] [--margin 1.6] [--fps 24] [--seed 0] [--overwrite]

Of each person the clip with the largest face (in parts of the frame's height) is taken, and of these the --num-test +
--num-val largest; chance deals them out. Faces are where the dataset's own <person>.labeled_faces.txt says; videos
without such a file are looked through with OpenCV's detector. Writes test.csv and val.csv for `ClipDataset`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from mmtempreg.utils.command_line import COUNT, WHOLE, Parser, claim, run, say, tell, within

if TYPE_CHECKING:
    from mmtempreg.datasets import ClipEntry

DETECTOR = "haarcascade_frontalface_default.xml"
LOOK_EVERY = 10
"""Frames from one search for a face to the next."""


@dataclass(frozen=True)
class Face:
    """Centre (x, y) and edge of a face's square, in pixels."""

    x: float
    y: float
    edge: float


def labelled_faces(person: Path) -> dict[str, list[Face]]:
    """Faces of each clip of a person: lines `person\\clip\\frame.jpg,_,x,y,width,height,_,_`, (x, y) the centre."""
    clips: dict[str, list[Face]] = {}
    path = person.with_name(f"{person.name}.labeled_faces.txt")
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        parts = line.split(",")
        try:
            x, y, width, height = map(float, parts[2:6])
            clip = re.split(r"[\\/]", parts[0])[-2]
        except (ValueError, IndexError) as error:
            raise ValueError(f"{path}, line {number}: expected name,_,x,y,width,height,_,_, got {line!r}") from error
        clips.setdefault(clip, []).append(Face(x, y, max(width, height)))
    return clips


def detected_faces(path: Path, rate: float | None, num_frames: int) -> list[Face]:
    """The largest face of every tenth frame, where there is one; [] if fewer than half of them show one."""
    import cv2

    from mmtempreg.video import open_frames

    detector = cv2.CascadeClassifier(cv2.data.haarcascades + DETECTOR)
    faces, looked = [], 0
    for index, frame in enumerate(open_frames(path, rate)):
        if index >= num_frames:
            break
        if index % LOOK_EVERY == 0:
            looked += 1
            found = detector.detectMultiScale(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY), 1.1, 5)
            if len(found):
                x, y, edge, _ = max(found, key=lambda box: box[2])
                faces.append(Face(x + edge / 2, y + edge / 2, edge))
    return faces if 2 * len(faces) >= looked else []


def crop_around(entry: ClipEntry, faces: list[Face], size: tuple[int, int], margin: float) -> ClipEntry:
    """The entry with a square, fixed for the clip, `margin` times the median face, inside of (height, width) `size`."""
    from mmtempreg.datasets import ClipEntry

    x, y, edge = (median(getattr(face, name) for face in faces) for name in ("x", "y", "edge"))
    height, width = size
    side = min(round(margin * edge), height, width)
    left = min(max(round(x - side / 2), 0), width - side)
    top = min(max(round(y - side / 2), 0), height - side)
    return ClipEntry(entry.clip, entry.path, entry.start, entry.num_frames, x=left, y=top, width=side, height=side)


def clips_of(root: Path, args: argparse.Namespace) -> Iterator[tuple[float, ClipEntry]]:
    """For each person (of YouTube Faces) or video: how large the face is, and the clip."""
    from tqdm import tqdm

    from mmtempreg.datasets import ClipEntry, find_clips
    from mmtempreg.video import open_frames

    people = sorted(path for path in root.iterdir() if path.with_name(f"{path.name}.labeled_faces.txt").is_file())
    if not people:
        for entry in tqdm(find_clips(root, shortest=args.shortest, longest=args.longest, rate=args.fps), unit="video"):
            size = open_frames(root / entry.path, args.fps).size
            faces = detected_faces(root / entry.path, args.fps, entry.num_frames)
            if faces:
                yield closeness(faces, size), crop_around(entry, faces, size, args.margin)
            else:
                tell([f"{entry.path}: no face in most of its frames"])
    for person in tqdm(people, unit="person", disable=not people):
        candidates = []
        for clip, faces in labelled_faces(person).items():
            try:
                source = open_frames(person / clip, args.fps)
            except ValueError as error:  # some clips of the dataset have gaps
                tell([f"{person.name}/{clip} is left out: {error}"])
                continue
            if source.count() >= args.shortest:
                length = min(source.count(), args.longest)
                entry = ClipEntry(f"{person.name}_{clip}", f"{person.name}/{clip}", 0, length)
                cropped = crop_around(entry, faces[:length], source.size, args.margin)
                candidates.append((closeness(faces[:length], source.size), cropped))
        if candidates:
            yield max(candidates, key=lambda candidate: candidate[0])


def closeness(faces: list[Face], size: tuple[int, int]) -> float:
    """The median face in parts of the frame's height."""
    return median(face.edge for face in faces) / size[0]


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("--data-root", type=Path, default=Path("data/youtube_faces/frame_images_DB"))
    parser.add_argument("--out-dir", type=Path, default=Path("data/youtube_faces"))
    parser.add_argument("--num-test", type=WHOLE, default=72, help="clips to test on, as in the paper")
    parser.add_argument("--num-val", type=COUNT, default=8, help="others, to look at while training")
    parser.add_argument("--shortest", type=WHOLE, default=50, help="frames; shorter clips are left out")
    parser.add_argument("--longest", type=WHOLE, default=200, help="frames; longer clips are cut")
    parser.add_argument("--margin", type=within("(0, 100]"), default=1.6, help="edge of the crop in faces")
    parser.add_argument("--fps", type=float, help="of folders of frames; default 24 for YouTube Faces")
    parser.add_argument("--seed", type=COUNT, default=0)
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Finds the faces and writes the lists."""
    if not args.data_root.is_dir():
        raise FileNotFoundError(f"{args.data_root}: no such folder")
    lists = {name: args.out_dir / f"{name}.csv" for name in ("val", "test")}
    claim(*lists.values(), inputs=[args.data_root], overwrite=args.overwrite)
    if args.fps is None and any(args.data_root.glob("*.labeled_faces.txt")):
        args.fps = 24.0
    import numpy as np

    from mmtempreg.datasets import write_clip_list

    found = sorted(clips_of(args.data_root, args), key=lambda pair: pair[0], reverse=True)
    wanted = args.num_test + args.num_val
    if len(found) < wanted:
        raise ValueError(f"{args.data_root} has {len(found)} clips that can be used: ask for fewer than {wanted}")
    chosen = [entry for _, entry in found[:wanted]]
    order = np.random.default_rng(args.seed).permutation(wanted)
    for name, part in (("val", order[: args.num_val]), ("test", order[args.num_val :])):
        if len(part):
            entries = [chosen[i] for i in sorted(part)]
            write_clip_list(lists[name], entries)
            say(f"{lists[name]}: {len(entries)} clips of {args.data_root}")


if __name__ == "__main__":
    main()
