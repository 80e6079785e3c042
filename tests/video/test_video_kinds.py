"""Video files as cameras, editors and broken connections leave them: kept, converted with a note, or refused."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import skimage.data
from av.stream import Disposition
from PIL import Image

from mmtempreg.apis import process_video
from mmtempreg.video import open_frames
from mmtempreg.video.image_files import write_image

PHOTO = skimage.data.astronaut()
TAGS = dict(
    title="A film",
    artist="me",
    comment="of a day",
    creation_time="2020-01-02T03:04:05.000000Z",
    location="+48.1000+011.5000/",
    **{"com.android.version": "13", "com.apple.quicktime.model": "a phone"},
)


def identity(frames):
    return frames


def picture(number, size=(48, 64)):
    height, width = size
    return np.ascontiguousarray(PHOTO[100 : 100 + height, 100 + number : 100 + number + width])


def film(path, count=24, times=None, about=(), size=(48, 64), codec="libx264", pix_fmt="yuv420p", said=(), **options):
    """A video; `options` are the encoder's."""
    options = dict(dict(g=12, sc_threshold=0, bf=2) if codec == "libx264" else {}, **options)
    with av.open(
        str(path), "w", options={"movflags": "use_metadata_tags"} if path.suffix == ".mp4" else {}
    ) as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        stream.options = {key: str(value) for key, value in options.items()}
        container.metadata.update(about)
        stream.metadata.update(said)
        if about:
            chapters = [("One", 0, 400), ("Two", 400, 1000)]
            container.set_chapters(
                [
                    dict(id=n, start=start, end=end, time_base=Fraction(1, 1000), metadata=dict(title=title))
                    for n, (title, start, end) in enumerate(chapters)
                ]
            )
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remuxed(sources, path, change=lambda packet: packet, prepare=lambda streams: None):
    """Tracks of several files in one; `change` may alter each packet, or drop it (None)."""
    opened = [av.open(str(source)) for source in sources]
    with av.open(str(path), "w") as container:
        streams = [container.add_stream_from_template(one.streams[0]) for one in opened]
        prepare(streams)
        packets = [packet for one, stream in zip(opened, streams) for packet in demuxed(one, stream)]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            if (changed := change(packet)) is not None:
                container.mux(changed)
    for one in opened:
        one.close()
    return path


def demuxed(container, stream):
    for packet in container.demux(container.streams[0]):
        if packet.size:
            packet.stream = stream
            yield packet


def sound(path, seconds):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=8000, layout="mono")
        for start in range(0, int(seconds * 8000), 800):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


# ---------------------------------------------------------------- tracks


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cover_is_no_film(tmp_path, suffix):
    Image.fromarray(PHOTO[:30, :30]).save(tmp_path / "cover.jpg")

    def prepare(streams):
        streams[0].disposition = Disposition.attached_pic

    path = remuxed([tmp_path / "cover.jpg", film(tmp_path / "a.mp4")], tmp_path / "b.mp4", prepare=prepare)
    data = bytearray(path.read_bytes())
    moov = data.index(b"moov") - 4
    cover, tracks = (data.index(name, moov) - 4 for name in (b"udta", b"trak"))
    data[moov + 8 :] = data[moov + 8 : tracks] + data[cover:] + data[tracks:cover]  # the last box, as some write it
    path.write_bytes(data)
    with av.open(str(path)) as container:
        assert container.streams.video[0].disposition & Disposition.attached_pic
    source = open_frames(path)
    assert source.size == (48, 64)
    assert len(list(source)) == 24
    done = process_video(identity, source, tmp_path / f"out{suffix}")
    with av.open(str(done.outputs[0])) as container:
        covers = [s for s in container.streams if s.disposition & Disposition.attached_pic]
        assert len(covers) + sum("is left out" in note for note in done.notes) == 1
    assert len(list(open_frames(done.outputs[0]))) == 24


def test_two_picture_tracks(tmp_path):
    sources = [film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4", size=(32, 32))]
    path = remuxed(sources, tmp_path / "two.mkv")
    assert open_frames(path).size == (48, 64)
    assert "has 2 picture tracks, of which 0 is taken (--stream)" in open_frames(path).notes[0]
    assert open_frames(path, stream=1).size == (32, 32)
    assert len(list(open_frames(path, stream=1))) == open_frames(path, stream=1).count() == 24
    with pytest.raises(ValueError, match="has 2 picture tracks, from 0 on: there is no 2"):
        open_frames(path, stream=2)


def test_sound_that_outlasts_the_picture(tmp_path):
    path = remuxed([film(tmp_path / "a.mp4"), sound(tmp_path / "a.flac", 6)], tmp_path / "b.mkv")
    assert len(list(open_frames(path))) == 24
    data = path.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="cut off|cannot be read"):
        list(open_frames(tmp_path / "cut.mkv"))


# ---------------------------------------------------------------- what a film says of itself


def everything(path):
    """Metadata, chapters, and what the picture's track says."""
    own = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id")
    with av.open(str(path)) as container:
        said = {key.lower(): value for key, value in container.metadata.items() if key.lower() not in own}
        track = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
        chapters = [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"].get("title"))
            for c in container.chapters()
        ]
    return {key: value for key, value in said.items() if key != "location-eng"}, track.get("timecode"), chapters


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("into", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("audio", [True, False])
def test_all_metadata_before_and_after(tmp_path, suffix, into, audio):
    codec = "libvpx-vp9" if suffix == ".webm" else "libx264"
    path = film(tmp_path / f"in{suffix}", about=TAGS, said=dict(timecode="01:00:00:00"), codec=codec)
    before = everything(path)
    assert before[1:] == ("01:00:00:00", [(0, 0.4, "One"), (0.4, 1, "Two")])
    done = process_video(identity, open_frames(path), tmp_path / f"out{into}", audio=audio)
    assert everything(done.outputs[0]) == before
    assert not done.notes
    with av.open(str(done.outputs[0])) as container:
        assert len(container.streams.video) == 1
        assert not container.streams.audio


def test_what_a_container_cannot_say_is_named(tmp_path, monkeypatch):
    path = film(tmp_path / "a.mp4", about=TAGS)
    monkeypatch.setattr("mmtempreg.video.video_writer.copy_metadata", lambda *_: None)
    done = process_video(identity, open_frames(path), tmp_path / "out.mkv")
    assert "cannot say all that" in done.notes[0]
    assert all(name in done.notes[0] for name in (*TAGS, "chapters"))
    folder = process_video(identity, open_frames(path), tmp_path / "out")
    assert "holds pictures alone, without what" in folder.notes[0]


def test_odd_sizes_are_said(tmp_path):
    path = film(tmp_path / "a.mkv", size=(47, 63), codec="ffv1", pix_fmt="bgr0")
    done = process_video(identity, open_frames(path), tmp_path / "out.mov")
    assert "is of 63x47 pixels, an odd number, and so in 4:4:4, which QuickTime" in done.notes[0]


# ---------------------------------------------------------------- times


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_film_of_images_lasts_as_long_as_they_are(tmp_path, suffix):
    for number in range(12):
        write_image(tmp_path / "in" / f"{number}.png", picture(number))
    done = process_video(identity, open_frames(tmp_path / "in", 24), tmp_path / f"out{suffix}")
    with av.open(str(done.outputs[0])) as container:
        assert container.duration / av.time_base == pytest.approx(0.5, abs=0.002)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_last_frame_is_shown_as_long_as_it_was(tmp_path, suffix):
    times = [*range(10), 60, 61, 110]
    path = film(tmp_path / "a.mkv", 13, times, bf=0)

    def change(packet):
        packet.duration = packet.duration if packet.pts * packet.time_base < 4 else 15000
        return packet

    long = remuxed([path], tmp_path / "b.mkv", change)
    assert float(list(open_frames(long))[-1].duration) == pytest.approx(15, abs=0.01)
    done = process_video(identity, open_frames(long), tmp_path / f"out{suffix}")
    with av.open(str(done.outputs[0])) as container:
        assert container.duration / av.time_base == pytest.approx(110 / 24 + 15, abs=0.05)
    assert [round(frame.time * 24) for frame in open_frames(done.outputs[0])] == times


def test_times_that_go_back_are_mended(tmp_path):
    parts = remuxed([film(tmp_path / "a.mp4"), sound(tmp_path / "a.flac", 1)], tmp_path / "a.mkv")
    with av.open(str(parts)) as before, av.open(str(tmp_path / "a.ts"), "w") as container:
        streams = [container.add_stream_from_template(before.streams[0]), container.add_stream("mp2", rate=48000)]
        for packet in before.demux(before.streams[0]):
            if packet.size:
                packet.stream = streams[0]
                container.mux(packet)
        for start in range(0, 48000, 1152):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 2304), np.int16), format="s16", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(streams[1].encode(frame))
        container.mux(streams[1].encode())
    path = tmp_path / "joined.ts"
    path.write_bytes((tmp_path / "a.ts").read_bytes() * 2)  # as people join recordings
    source = open_frames(path)
    assert [round(frame.time * 24) for frame in source] == list(range(48))
    (note,) = [note for note in source.notes if "go back" in note]
    assert "the first at frame 24" in note
    done = process_video(identity, source, tmp_path / "out.mp4")
    assert done.num_frames == len(list(open_frames(done.outputs[0]))) == 48
    with av.open(str(done.outputs[0])) as container:
        times = [packet.pts * packet.time_base for packet in container.demux(audio=0) if packet.size]
    assert all(a < b for a, b in pairwise(times))
    assert float(times[-1]) == pytest.approx(2, abs=0.1)


def test_times_that_repeat_are_mended(tmp_path):
    path = film(tmp_path / "a.mkv", bf=0)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    for number in (7, 15):
        data[places[number] + 1 : places[number] + 3] = data[places[number - 1] + 1 : places[number - 1] + 3]
    path.write_bytes(data)
    source = open_frames(path)
    assert [round(frame.time * 24) for frame in source] == list(range(24))
    assert [note for note in source.notes if "times that repeat or go back, the first at frame 7" in note]
    assert process_video(identity, open_frames(path), tmp_path / "out.mp4").num_frames == 24


# ---------------------------------------------------------------- damage


def with_damage(path, number):
    """The same file, but for a packet of noise."""
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][number]
    data = bytearray(path.read_bytes())
    data[place + 12 : place + size] = np.random.default_rng(1).bytes(size - 12)
    damaged = path.with_name(f"damaged{path.suffix}")
    damaged.write_bytes(data)
    return damaged


def test_a_damaged_packet_does_not_cost_the_film(tmp_path):
    whole = film(tmp_path / "a.mp4")
    path = with_damage(whole, 16)
    source = open_frames(path)
    frames, expected = list(source), list(open_frames(whole))
    assert 23 <= len(frames) <= 24
    by_time = {frame.time: frame.image for frame in expected}
    same = sum((by_time[frame.time] == frame.image).all() for frame in frames)
    assert same >= 12 + 3
    (note,) = [note for note in source.notes if "damaged" in note.split(" ", 1)[1]]
    assert "is damaged: " in note
    assert "--strict" in note
    assert process_video(identity, open_frames(path), tmp_path / "out.mp4").notes == [note]
    with pytest.raises(ValueError, match="damaged.mp4: frame [0-9]+ cannot be read, it is damaged"):
        list(open_frames(path, strict=True))


def test_a_stream_that_begins_amid_a_group_of_pictures(tmp_path):
    whole = film(tmp_path / "a.ts", 48, g=24)
    with av.open(str(whole)) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    (tmp_path / "cut.ts").write_bytes(whole.read_bytes()[places[12] // 188 * 188 :])
    source = open_frames(tmp_path / "cut.ts")
    frames = list(source)
    expected = list(open_frames(whole))[24:]
    assert len(frames) == len(expected)
    assert all((a.image == b.image).all() for a, b in zip(frames, expected))
    assert [frame.time for frame in frames] == [Fraction(n, 24) for n in range(24)]
    (note,) = [note for note in source.notes if "begins amid" in note]
    assert ": 12 frames before its first key frame are left out" in note
    assert not any("is damaged" in note for note in source.notes)


# ---------------------------------------------------------------- transparency


@pytest.mark.parametrize(
    ("suffix", "codec", "pix_fmt"),
    [(".mov", "prores_ks", "yuva444p10le"), (".webm", "libvpx-vp9", "yuva420p"), (".mkv", "ffv1", "bgra")],
)
def test_transparency_of_videos(tmp_path, suffix, codec, pix_fmt):
    alpha = np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None], 48, axis=0)
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        stream.height, stream.width, stream.pix_fmt = 48, 64, pix_fmt
        stream.options = {"crf": "4", "b:v": "0"} if suffix == ".webm" else {}
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.dstack([picture(number), alpha]), format="rgba")
            frame = frame.reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    def check(path, tolerance=5, number=0):
        frame = list(open_frames(path, 24 if path.is_dir() else None))[number]
        scale = 257 if frame.alpha.dtype == np.uint16 else 1
        assert np.abs(frame.alpha / scale - alpha).max() <= tolerance
        solid = alpha > 128
        assert np.abs(frame.image[solid] / scale - picture(number)[solid]).mean() < 12

    check(path)
    source = open_frames(path)
    kept = process_video(identity, source, tmp_path / "frames")
    check(kept.outputs[0])
    assert not kept.notes
    check(process_video(identity, source, tmp_path / "out.mov", codec="prores_ks").outputs[0], number=2)
    check(process_video(identity, source, tmp_path / "out.webm").outputs[0], 9)
    check(process_video(identity, source, tmp_path / "out.mkv", lossless=True).outputs[0])
    lost = process_video(identity, source, tmp_path / "out.mp4")
    assert ["alpha channel is dropped" in note for note in lost.notes] == [True]


def test_a_gif_keeps_what_is_transparent(tmp_path):
    frames = [Image.fromarray(np.dstack([picture(n), np.full((48, 64), 255, np.uint8)])) for n in range(3)]
    for frame in frames:
        frame.paste((0, 0, 0, 0), (0, 0, 20, 48))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2)
    for frame in open_frames(tmp_path / "a.gif"):
        assert (frame.alpha[:, :20] == 0).all()
        assert (frame.alpha[:, 20:] == 255).all()


# ---------------------------------------------------------------- grey and deep RGB


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray16le", "gbrp10le", "gbrp12le", "gbrp16le", "bgr0"])
def test_grey_and_deep_rgb_keep_their_values(tmp_path, pix_fmt):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 32, 32, pix_fmt
        image = np.full((32, 32, 3), 65535, np.uint16)
        image[:8, 16:], image[8:, 16:] = 32768, 0
        for number in range(2):
            frame = av.VideoFrame.from_ndarray(image, format="rgb48le").reformat(format=pix_fmt)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    image = next(iter(open_frames(path))).image
    assert image[3, 3].tolist() == [np.iinfo(image.dtype).max] * 3
    assert image[20, 20].tolist() == [0] * 3
    assert np.abs(image[3, 20] / image[3, 3] - 0.5).max() < 0.003


@pytest.mark.parametrize("codec", ["prores_ks", "libx264", "ffv1", "mpeg4"])
def test_encoders_get_a_layout_that_they_take(tmp_path, codec):
    path = film(tmp_path / "a.mp4", 3)
    done = process_video(identity, open_frames(path), tmp_path / "out.mkv", codec=codec)
    frame = next(iter(open_frames(done.outputs[0])))
    scale = 257 if frame.image.dtype == np.uint16 else 1
    assert np.abs(frame.image / scale - picture(0)).mean() < 12


# ---------------------------------------------------------------- from trackers of other tools


def test_sound_of_an_unknown_kind_is_left_out(tmp_path):
    """As the spatial sound of phones (alexheretic/ab-av1 351)."""
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        track = container.add_stream("aac", rate=48000)
        frame = av.VideoFrame.from_ndarray(picture(0), format="rgb24").reformat(format="yuv420p")
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        container.mux(video.encode(frame))
        container.mux(video.encode())
        tone = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        tone.sample_rate, tone.pts, tone.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(track.encode(tone))
        container.mux(track.encode())
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(data.replace(b"mp4a", b"apac").replace(b"esds", b"dapa"))
    done = process_video(identity, open_frames(tmp_path / "b.mp4"), tmp_path / "out.mp4")
    assert any("audio track 1 is left out" in note for note in done.notes)


def test_borders_to_be_cut_off_are_said(tmp_path):
    """Matroska's PixelCrop (mpv-player/mpv 8037)."""
    path = film(tmp_path / "a.mkv")
    assert not [note for note in open_frames(path).notes if "borders are to be" in note]
    data = path.read_bytes()
    at = data.index(b"\x54\xb2\x81\x04")  # DisplayUnit: of as many bytes
    path.write_bytes(data[:at] + b"\x54\xbb\x81\x08" + data[at + 4 :])
    assert [note for note in open_frames(path).notes if "borders are to be cut off" in note]


def test_dolby_vision_is_refused(tmp_path, monkeypatch):
    """Its profile 5 says nothing of PQ, and has colours of its own (mpv-player/mpv 10700)."""
    monkeypatch.setattr("mmtempreg.video.color_tags.side_data", lambda frame: {"DOVI_METADATA": b""})
    with pytest.raises(ValueError, match="is of high dynamic range .Dolby Vision."):
        open_frames(film(tmp_path / "a.mkv"))


def test_a_recording_of_a_browser_has_no_length(tmp_path):
    """streamproc/MediaStreamRecorder 118: nothing can be sought in it, and its header says no duration."""
    with av.open(str(tmp_path / "a.webm"), "w", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=24)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert process_video(identity, open_frames(tmp_path / "a.webm"), tmp_path / "out.mp4").num_frames == 12
