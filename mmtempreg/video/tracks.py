"""Copies of what a video holds beside its picture into another one: sound, text, covers, title, chapters, ..."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition

from .video_file import VideoFile, is_metadata

CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm"}
"""Ending -> FFmpeg's name."""

OWN = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id")
"""Metadata that a container writes of itself."""


class Track:
    """A track of sound or text, or the cover, of a video on its way into another one.

    Of times that go back, as where recordings were joined, it goes on where it was, as the picture does.

    Args:
        source: The video.
        index: Of the track in it.
        container: What it goes into.
        suffix: Ending of that.
    """

    def __init__(self, source: VideoFile, index: int, *, container: Any, suffix: str) -> None:
        self._input = av.open(f"file:{source.path}")
        self._start, self._output = source.start, container
        self._waiting: Any = None
        self._resampler: Any = None
        self._offset, self._reached = 0, None
        stream: Any = self._input.streams[index]
        self._packets = self._input.demux(stream)
        if can_hold(suffix, stream):
            self._stream = container.add_stream_from_template(stream)
        else:
            name = "libopus" if suffix == ".webm" else "aac"
            rate = 48000 if name == "libopus" else stream.codec_context.sample_rate
            self._stream = container.add_stream(name, rate=rate)
            layout = stream.codec_context.layout.name
            self._stream.codec_context.layout = layout
            self._resampler = av.AudioResampler(format=self._stream.codec_context.format, layout=layout, rate=rate)
        self._stream.metadata.update({k: v for k, v in stream.metadata.items() if k in ("language", "title")})
        self._stream.disposition = stream.disposition

    def write_until(self, time: Fraction | None) -> None:
        """Writes what begins before `time` seconds; None: all that is left."""
        while True:
            packet = self._waiting or self._next()
            self._waiting = None
            if packet is None:
                break
            if packet.pts is not None and time is not None and packet.pts * packet.time_base - self._start >= time:
                self._waiting = packet
                return
            self._write(packet)
        if time is None and self._resampler:
            self._output.mux(self._stream.encode())

    def _next(self) -> Any:
        packet = next(self._packets, None)
        if packet is None or packet.pts is None or packet.dts is None:
            return packet
        if self._reached is not None and packet.dts + self._offset < self._reached:
            self._offset = self._reached + (packet.duration or 1) - packet.dts
        packet.dts, packet.pts = packet.dts + self._offset, packet.pts + self._offset
        self._reached = packet.dts
        return packet

    def _write(self, packet: Any) -> None:
        if is_cover(self._stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = 0, 0, self._stream
                self._output.mux(packet)
        elif self._resampler is None:
            if packet.size and packet.pts is not None:
                shift = round(self._start / packet.time_base)
                packet.pts -= shift
                packet.dts = packet.pts if packet.dts is None else packet.dts - shift
                packet.stream = self._stream
                self._output.mux(packet)
        else:
            for frame in packet.decode():
                frame.pts -= round(self._start / frame.time_base)
                for resampled in self._resampler.resample(frame):
                    self._output.mux(self._stream.encode(resampled))

    def close(self) -> None:
        """Closes the source."""
        self._input.close()


def can_hold(suffix: str, stream: Any) -> bool:
    """True if a container takes a track as it is: what it says of its codecs is not always so (flac in .mov)."""
    try:
        with av.open(BytesIO(), "w", format=CONTAINERS[suffix]) as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def open_tracks(source: VideoFile, container: Any, suffix: str) -> tuple[list[Track], list[str]]:
    """The tracks of sound and text, and covers, that go along, and a sentence for each that cannot."""
    tracks, notes = [], []
    with av.open(f"file:{source.path}") as opened:
        for stream in opened.streams:
            if stream.index == source.index or is_metadata(stream):
                continue
            language = stream.metadata.get("language", "")
            what = f"{source.name}: the {language} {stream.type} track {stream.index}".replace("  ", " ")
            if is_cover(stream) and suffix == ".mkv":
                image = next(bytes(packet) for packet in opened.demux(stream) if packet.size)
                kind = "jpeg" if stream.codec_context.name == "mjpeg" else stream.codec_context.name
                container.add_attachment(f"cover.{kind}", f"image/{kind}", image)
                continue
            keeps = stream.type in ("audio", "subtitle") or (is_cover(stream) and suffix == ".mp4")
            known = stream.codec_context is not None
            fits = keeps and known and can_hold(suffix, stream)
            if fits or (stream.type == "audio" and known):
                tracks.append(Track(source, stream.index, container=container, suffix=suffix))
                if not fits:
                    notes.append(f"{what} ({stream.codec_context.name}) is encoded anew, since {suffix} cannot hold it")
            else:
                notes.append(f"{what} is left out: {suffix} cannot hold it, or it is no sound or text that is known")
    return tracks, notes


def is_cover(stream: Any) -> bool:
    """True if a track is a still picture that stands for the file."""
    return stream.type == "video" and bool(stream.disposition & Disposition.attached_pic)


def copy_metadata(source: VideoFile, container: Any, stream: Any) -> None:
    """Copies the metadata of `source` to a video and its picture: title, place, times, chapters, time code, ..."""
    with av.open(f"file:{source.path}") as opened:
        container.metadata.update(told(opened.metadata))
        own = dict(opened.streams[source.index].metadata)
        own.setdefault("title", own.pop("name", ""))  # as .mp4 calls it
        kept = {k: v for k, v in own.items() if v and k.lower() in ("title", "language", "timecode", "creation_time")}
        stream.metadata.update(kept)
        chapters = opened.chapters()
    moved = []
    for chapter in chapters:
        shift = round(source.start / (chapter["time_base"] or 1))
        start, end = int(chapter["start"]) - shift, int(chapter["end"]) - shift
        if end > 0:
            moved.append({**chapter, "start": max(start, 0), "end": end})
    container.set_chapters(moved)


def told(metadata: Any) -> dict[str, str]:
    """The metadata that are of the film, and not of the file."""
    return {key: value for key, value in metadata.items() if key.lower() not in OWN}


def lost_metadata(source: VideoFile, written: Path, name: Path) -> list[str]:
    """A sentence if a video that is written does not say all that `source` says."""
    with av.open(f"file:{source.path}") as before, av.open(f"file:{written}") as after:
        there = {key.lower() for stream in (after, *after.streams) for key in stream.metadata}
        lost = [key for key in told(before.metadata) if key.lower() not in there]
        timecode = any("timecode" in stream.metadata or "TIMECODE" in stream.metadata for stream in before.streams)
        lost += ["timecode"] * (timecode and "timecode" not in there)
        lost += ["chapters"] * (len(after.chapters()) < len(before.chapters()))
    return [f"{name} cannot say all that {source.name} does: {', '.join(lost)}"] if lost else []
