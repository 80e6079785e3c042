"""Videos and folders of frames, in and out, and what is wrong with them."""

import os
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import skimage.data

from mmtempreg.utils.atomic_write import check_output, replace_when_written
from mmtempreg.video import Frame, FrameFolderWriter, VideoFile, VideoWriter, open_frames, open_writer
from mmtempreg.video.frame_writer import write_frames
from mmtempreg.video.frames import check_steady
from mmtempreg.video.image_files import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]

PHOTO = skimage.data.astronaut()


def frames(count, size=(48, 64), rate=25, dtype=np.uint8, times=None):
    h, w = size
    scale = np.iinfo(dtype).max // 255
    for t in range(count):
        image = PHOTO[100 : 100 + h, 150 + t : 150 + t + w].astype(dtype) * dtype(scale)
        yield Frame(image, Fraction(t, 1) / Fraction(rate) if times is None else times[t])


def write(path, *args, rate=25, **kwargs):
    with VideoWriter(path, rate) as writer:
        for frame in frames(*args, rate=rate, **kwargs):
            writer.write(frame)
    return path


def write_with_sound(path, seconds=2, rate=25, delay=0.0):
    """A clip with a tone of 440 Hz."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sound = container.add_stream("aac", rate=44100)
        sound.codec_context.layout = "mono"
        for t, frame in enumerate(frames(seconds * rate)):
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = t + round(delay * rate), Fraction(1, rate)
            container.mux(video.encode(picture))
        container.mux(video.encode())
        tone = np.sin(2 * np.pi * 440 * np.arange(int((seconds + delay) * 44100)) / 44100).astype(np.float32)
        for start in range(0, len(tone), 1024):
            part = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], format="fltp", layout="mono")
            part.sample_rate, part.pts = 44100, start
            container.mux(sound.encode(part))
        container.mux(sound.encode())
    return path


def sound_of(path):
    """Codec, seconds, and the frequency that is loudest."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        name, rate = stream.codec_context.name, stream.codec_context.sample_rate
        samples = np.concatenate([f.to_ndarray().reshape(-1) for f in container.decode(stream)]).astype(float)
    spectrum = np.abs(np.fft.rfft(samples))
    return name, len(samples) / rate, np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()]


# ---------------------------------------------------------------- what goes in comes out


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".webm"])
@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 24])
def test_a_video_is_read_as_it_was_written(tmp_path, suffix, rate):
    clip = open_frames(write(tmp_path / f"a{suffix}", 20, rate=rate))
    assert clip.size == (48, 64)
    assert float(clip.rate) == pytest.approx(float(rate), rel=1e-3)
    read = list(check_steady(iter(clip), clip.rate, "a"))
    assert len(read) == 20
    for a, b in zip(read, frames(20, rate=rate)):
        assert abs(a.time - b.time) < Fraction(1, 1000)
        difference = a.image.astype(float) - b.image
        assert np.abs(difference).mean() < 6
        assert np.abs(difference.mean(axis=(0, 1))).max() < 0.7  # no shift of colour or brightness


@pytest.mark.parametrize("colour", [(200, 30, 90), (10, 240, 20), (0, 0, 0), (255, 255, 255)])
def test_colours_come_back(tmp_path, colour):
    image = np.broadcast_to(np.array(colour, np.uint8), (32, 32, 3))
    with VideoWriter(tmp_path / "a.mp4", 25) as writer:
        for t in range(2):
            writer.write(Frame(image, Fraction(t, 25)))
    for frame in open_frames(tmp_path / "a.mp4"):
        np.testing.assert_allclose(frame.image[16, 16], colour, atol=3)


def test_odd_sizes_and_16_bits(tmp_path):
    clip = open_frames(write(tmp_path / "odd.mp4", 3, size=(47, 33)))
    assert clip.size == (47, 33)
    assert next(iter(clip)).image.dtype == np.uint8
    deep = list(open_frames(write(tmp_path / "deep.mp4", 3, dtype=np.uint16)))
    assert deep[0].image.dtype == np.uint16
    error = deep[0].image / 65535 - next(frames(1)).image / 255
    assert np.abs(error).mean() < 0.02


def test_a_varying_frame_rate_is_kept_and_told(tmp_path):
    times = [Fraction(n, 100) for n in (0, 4, 8, 20, 24, 28)]
    clip = open_frames(write(tmp_path / "a.mp4", 6, times=times))
    assert [frame.time for frame in clip] == times
    with pytest.raises(ValueError, match=r"frame 3 comes .* too late .* the frame rate varies.*--fps"):
        list(check_steady(iter(clip), Fraction(25), clip.name))
    even = open_frames(tmp_path / "a.mp4", rate=10)
    assert [frame.time for frame in even] == [Fraction(n, 10) for n in range(6)]


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".mkv", "aac"), (".webm", "opus")])
@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_sound_stays_with_the_picture(tmp_path, suffix, codec, delay):
    source = open_frames(write_with_sound(tmp_path / "in.mp4", delay=delay))
    assert float(source.start) == pytest.approx(delay)
    with open_writer(tmp_path / f"out{suffix}", source) as writer:
        for frame in source:
            writer.write(frame)
    name, seconds, pitch = sound_of(writer.written)
    assert name == codec
    assert seconds == pytest.approx(2 + (0 if suffix == ".webm" else delay), abs=0.45)
    assert pitch == pytest.approx(440, abs=2)
    with open_writer(tmp_path / f"mute{suffix}", source, audio=False) as writer:
        for frame in source:
            writer.write(frame)
    assert not open_frames(tmp_path / f"mute{suffix}").has_tracks


@pytest.mark.parametrize(
    ("suffix", "dtype"), [(".png", np.uint8), (".png", np.uint16), (".tif", np.uint16), (".exr", np.float32),
                          (".hdr", np.float32)],
)  # fmt: skip
def test_images_come_back(tmp_path, suffix, dtype):
    image = np.random.default_rng(0).uniform(0, 200, (20, 30, 3)).astype(dtype)
    write_image(tmp_path / f"a{suffix}", image)
    tolerance = (
        dict(rtol=0, atol=1.0) if suffix == ".hdr" else dict(rtol=1e-3 if suffix == ".exr" else 0)
    )  # shared exponent
    np.testing.assert_allclose(read_image(tmp_path / f"a{suffix}"), image, **tolerance)
    assert read_image(tmp_path / f"a{suffix}").dtype == dtype


def test_a_folder_keeps_its_names_and_natural_order(tmp_path):
    for t, frame in enumerate(frames(12)):
        write_image(tmp_path / "in" / f"shot_{t}.png", frame.image)
    source = open_frames(tmp_path / "in", rate=25)
    with open_writer(tmp_path / "out", source, suffix=".tif") as writer:
        for frame in source:
            writer.write(frame)
    again = open_frames(str(tmp_path / "out" / "*.tif"), rate=25)
    assert [f.stem for f in again.files] == [f"shot_{t}" for t in range(12)]
    for a, b in zip(again, frames(12)):
        np.testing.assert_array_equal(a.image, b.image)
    with open_writer(tmp_path / "numbered", open_frames(write(tmp_path / "a.mp4", 3))) as writer:
        for frame in frames(3):
            writer.write(frame)
    assert sorted(os.listdir(tmp_path / "numbered")) == ["000000.png", "000001.png", "000002.png"]


# ---------------------------------------------------------------- what is wrong is said


def test_missing_things_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is not a video at all")
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*gone.mp4"):
        open_frames(tmp_path / "gone.mp4")
    with pytest.raises(FileNotFoundError, match="no file matches"):
        open_frames(str(tmp_path / "*.png"))
    with pytest.raises(FileNotFoundError, match="holds no image"):
        open_frames(tmp_path / "empty", rate=25)
    for name in ("none.mp4", "text.mp4"):
        with pytest.raises(ValueError, match=f"{name} cannot be read as a video"):
            open_frames(tmp_path / name)
    write_image(tmp_path / "one" / "0.png", PHOTO)
    with pytest.raises(ValueError, match="--fps"):
        open_frames(tmp_path / "one")
    with pytest.raises(ValueError, match=r"must be in \[0.1, 1000\]"):
        open_frames(tmp_path / "one", rate=0)


def test_a_missing_frame_is_named(tmp_path):
    for t in (8, 9, 11, 12):
        write_image(tmp_path / f"frame_{t}.png", PHOTO[:20, :20])
    with pytest.raises(ValueError, match=r"missing between .*frame_9.png and frame_11.png"):
        open_frames(tmp_path, rate=25)
    os.rename(tmp_path / "frame_9.png", tmp_path / "frame_10.png")
    os.remove(tmp_path / "frame_11.png")
    assert open_frames(tmp_path, rate=25).num_frames == 3  # every second frame is a clip too


def test_a_frame_of_another_size_or_unreadable_is_named(tmp_path):
    for t in range(3):
        write_image(tmp_path / f"{t}.png", PHOTO[: 20 + (t == 2), :20])
    with pytest.raises(ValueError, match=r"2.png is 20x21"):
        list(open_frames(tmp_path, rate=25))
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"1.png cannot be read"):
        list(open_frames(tmp_path, rate=25))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
def test_a_video_that_is_cut_off_is_not_taken_for_a_short_one(tmp_path, suffix):
    whole = write(tmp_path / f"a{suffix}", 250).read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.* (cut off|cannot be read)"):
        list(open_frames(tmp_path / f"cut{suffix}"))


def test_a_damaged_video_is_not_painted_over(tmp_path):
    path = write(tmp_path / "a.mkv", 60)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    middle = len(data) // 2
    data[middle : middle + 400] = rng.integers(0, 256, 400, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a.mkv"):
        list(open_frames(path))


def test_a_file_with_sound_only(tmp_path):
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(ValueError, match="no picture"):
        open_frames(tmp_path / "a.m4a")


# ---------------------------------------------------------------- nothing is half-written


@pytest.mark.parametrize("keep", [False, True])
def test_after_an_error_the_old_file_stands_and_what_is_done_is_kept_if_wanted(tmp_path, keep):
    path = write(tmp_path / "a.mp4", 5)
    old = path.read_bytes()
    with pytest.raises(RuntimeError), VideoWriter(path, 25, keep=keep) as writer:
        writer.write(next(frames(1)))
        raise RuntimeError
    with pytest.raises(RuntimeError), FrameFolderWriter(tmp_path / "out", keep=keep) as writer:
        writer.write(next(frames(1)))
        raise RuntimeError
    for writer in (VideoWriter(tmp_path / "none.mp4", 25, keep=keep), FrameFolderWriter(tmp_path / "none", keep=keep)):
        with pytest.raises(RuntimeError), writer:
            raise RuntimeError
    assert path.read_bytes() == old
    assert sorted(os.listdir(tmp_path)) == sorted(["a.mp4", *["a.interrupted.mp4", "out.interrupted"] * keep])
    if keep:
        assert len(list(VideoFile(tmp_path / "a.interrupted.mp4"))) == 1


def test_an_interrupted_video_can_be_played(tmp_path):
    source = open_frames(write_with_sound(tmp_path / "in.mp4"))
    with pytest.raises(KeyboardInterrupt), open_writer(tmp_path / "out.mp4", source) as writer:
        for t, frame in enumerate(source):
            if t == 30:
                raise KeyboardInterrupt
            writer.write(frame)
    assert writer.written == tmp_path / "out.interrupted.mp4"
    assert len(list(VideoFile(writer.written))) == 30
    assert sound_of(writer.written)[1] == pytest.approx(30 / 25, abs=0.1)
    with pytest.raises(KeyboardInterrupt), FrameFolderWriter(tmp_path / "folder") as writer:
        writer.write(next(frames(1)))
        raise KeyboardInterrupt
    assert os.listdir(tmp_path / "folder.interrupted") == ["000000.png"]
    assert sorted(os.listdir(tmp_path)) == ["folder.interrupted", "in.mp4", "out.interrupted.mp4"]


def test_what_is_there_is_not_overwritten_unasked(tmp_path):
    source = open_frames(write(tmp_path / "a.mp4", 3))
    write(tmp_path / "b.mp4", 1)
    with pytest.raises(FileExistsError, match="--overwrite"):
        open_writer(tmp_path / "b.mp4", source)
    write_image(tmp_path / "folder" / "000001.png", PHOTO)
    with pytest.raises(FileExistsError, match="--overwrite"):
        open_writer(tmp_path / "folder", source)
    with open_writer(tmp_path / "folder", source, overwrite=True) as writer:
        for frame in source:
            writer.write(frame)
    assert sorted(os.listdir(tmp_path / "folder")) == ["000000.png", "000001.png", "000002.png"]
    assert read_image(tmp_path / "folder" / "000001.png").shape[:2] == source.size != PHOTO.shape[:2]


@pytest.mark.parametrize("foreign", ["notes.txt", "000003.png", "x.png", "000001.jpg", "000001.png/"])
def test_a_folder_with_something_else_is_refused(tmp_path, foreign):
    source, folder = open_frames(write(tmp_path / "a.mp4", 3)), tmp_path / "folder"
    folder.mkdir()
    (folder / foreign).mkdir() if foreign.endswith("/") else (folder / foreign).write_text("mine")
    with pytest.raises(FileExistsError, match=f"holds {foreign.rstrip('/')}, which is no frame of this video"):
        open_writer(folder, source, overwrite=True)
    assert os.listdir(folder) == [foreign.rstrip("/")]


def test_older_frames_that_would_remain_are_named(tmp_path):
    for number in range(3):
        write_image(tmp_path / "folder" / f"00000{number}.png", PHOTO)
    with pytest.raises(FileExistsError, match="000001.png of an older video"):
        write_frames(FrameFolderWriter(tmp_path / "folder"), frames(1))
    assert len(os.listdir(tmp_path / "folder")) == 3


def test_inputs_links_and_devices_are_not_written_to(tmp_path):
    path = write(tmp_path / "a.mp4", 3)
    source = open_frames(path)
    with pytest.raises(ValueError, match="a.mp4 is read and would be overwritten"):
        open_writer(path, source, overwrite=True)
    write_image(tmp_path / "images" / "000.png", PHOTO)
    for pattern in (tmp_path / "images", f"{tmp_path}/images/*.png"):
        with pytest.raises(ValueError, match="images is read and would be overwritten"):
            open_writer(tmp_path / "images", open_frames(pattern, 24), overwrite=True)
    (tmp_path / "link.mp4").symlink_to(path)
    for name, where in (("link.mp4", tmp_path), ("null", "/dev")):
        with pytest.raises(OSError, match="would be replaced"):
            check_output(f"{where}/{name}")
        with pytest.raises(OSError, match="would be replaced"), replace_when_written(f"{where}/{name}"):
            pass
    with pytest.raises(OSError, match="symbolic link"):
        open_writer(tmp_path / "link.mp4", open_frames(tmp_path / "images", 24), overwrite=True)
    assert (tmp_path / "link.mp4").is_symlink()


@pytest.mark.parametrize(
    ("codec", "suffix", "crf", "message"),
    [
        ("aac", ".mp4", None, "'aac' is for audio, not for pictures"),
        ("libx264", ".webm", None, ".webm cannot hold"),
        ("libx264", ".mp4", 99, r"crf must be in \[0, 51\]"),
        ("libvpx-vp9", ".webm", -5, r"crf must be in \[0, 63\]"),
    ],
)
def test_encoders_that_cannot_be_used(tmp_path, codec, suffix, crf, message):
    with pytest.raises(ValueError, match=message):
        VideoWriter(tmp_path / f"a{suffix}", 24, codec=codec, crf=crf)
    assert not os.listdir(tmp_path)


def test_a_second_interruption_keeps_the_first(tmp_path):
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt), FrameFolderWriter(tmp_path / "out") as writer:
            writer.write(next(frames(1)))
            raise KeyboardInterrupt
    assert sorted(os.listdir(tmp_path)) == ["out.interrupted", "out.interrupted_2", "out.interrupted_3"]


@pytest.mark.parametrize("part", [0.3, 0.9, 0.999])
def test_a_jpeg_that_is_cut_off_is_refused(tmp_path, part):
    write_image(tmp_path / "a.jpg", PHOTO)
    data = (tmp_path / "a.jpg").read_bytes()
    # the thumbnail in the header ends as an image does
    (tmp_path / "b.jpg").write_bytes(data[:2] + b"\xff\xfe\x00\x06\xff\xda\xff\xd9" + data[2 : int(part * len(data))])
    with pytest.raises(ValueError, match="b.jpg cannot be read as an image: it is cut off"):
        read_image(tmp_path / "b.jpg")
    (tmp_path / "c.jpg").write_bytes(data + b"a camera's notes")
    assert (read_image(tmp_path / "c.jpg") == read_image(tmp_path / "a.jpg")).all()


@pytest.mark.parametrize(
    ("value", "what"), [(np.nan, "NaN or infinite"), (np.inf, "NaN or infinite"), (-9, "negative")]
)
def test_radiance_that_cannot_be_is_named(tmp_path, value, what):
    image = np.ones((4, 4, 3), np.float32)
    image[1, 2, 0] = value
    write_image(tmp_path / "a.exr", image)
    with pytest.raises(ValueError, match=f"a.exr holds {what} radiance"):
        read_image(tmp_path / "a.exr")


def test_an_image_that_no_memory_holds_is_named(tmp_path):
    header = struct.pack(">II5B", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(ValueError, match="a.png cannot be read as an image"):
        read_image(tmp_path / "a.png")


def test_bad_outputs(tmp_path):
    source = open_frames(write(tmp_path / "a.mp4", 3))
    with pytest.raises(ValueError, match=r"videos end in"):
        open_writer(tmp_path / "b.gif", source)
    with pytest.raises(ValueError, match="no encoder 'h266'"):
        open_writer(tmp_path / "b.mp4", source, codec="h266")
    with pytest.raises(ValueError, match="no frame"), VideoWriter(tmp_path / "b.mp4", 25):
        pass
    with pytest.raises(ValueError, match="tone-map"), VideoWriter(tmp_path / "b.mp4", 25) as writer:
        writer.write(Frame(np.zeros((16, 16, 3), np.float32), Fraction(0)))
    with (
        pytest.raises(ValueError, match="the frames before it"),
        VideoWriter(tmp_path / "b.mp4", 25, keep=False) as writer,
    ):
        writer.write(Frame(PHOTO[:16, :16], Fraction(0)))
        writer.write(Frame(PHOTO[:16, :18], Fraction(1)))
    with pytest.raises(ValueError, match="not later"), VideoWriter(tmp_path / "b.mp4", 25, keep=False) as writer:
        writer.write(Frame(PHOTO[:16, :16], Fraction(0)))
        writer.write(Frame(PHOTO[:16, :16], Fraction(0)))
    with pytest.raises(ValueError, match="radiance goes to"):
        write_image(tmp_path / "a.png", np.zeros((4, 4, 3), np.float32))
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("name", ["b.mp4", "folder"])
@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(tmp_path, name):
    """The system refuses to make a file larger than 20 kB, as it would on a full disk."""
    source = write(tmp_path / "a.mp4", 20, size=(240, 320))
    code = (
        "import resource, signal, sys; from mmtempreg.video import open_frames, open_writer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "source = open_frames(sys.argv[1])\n"
        "with open_writer(sys.argv[2], source) as writer:\n"
        "    for frame in source: writer.write(frame)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / name)], capture_output=True, text=True,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert done.returncode != 0
    assert "File too large" in done.stderr or "cannot be written" in done.stderr
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_a_fork_reads_on_where_its_parent_has_read():
    """As a data loader's worker does. FFmpeg's threads are not forked: it would wait for them without an end."""
    code = """if True:
        import os, signal
        from mmtempreg.video import open_frames
        clip = open_frames("resources/video/carphone.mp4")
        signal.alarm(30)  # ends both processes
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(len(list(clip)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "120", done.stderr
