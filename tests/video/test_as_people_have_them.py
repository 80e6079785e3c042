"""Files as people have them: what they say of their picture is followed, kept, or said not to be."""

import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image

from mmtempreg.apis import process_video
from mmtempreg.video import Frame, FrameFolderWriter, VideoWriter, open_frames, open_writer
from mmtempreg.video.image_files import read_image, write_image
from mmtempreg.video.orientation import EXIF, Orientation, of_display_matrix

PHOTO = skimage.data.astronaut()


def encode(
    path, images, rate=24, codec="libx264", pix_fmt="yuv420p", tags=(), times=None, matrix=1, full=False, **options
):
    """A video as other programs write it: values in `matrix`, and only what `tags` name is said of it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = pix_fmt, {"qp": "0"} if codec == "libx264" else {}
        context = stream.codec_context
        for name, value in options.items():
            setattr(context, name, value)
        for name, value in dict(tags).items():
            setattr(context, name, value)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_colorspace=matrix, dst_color_range=2 if full else 1)
            frame.colorspace, frame.color_range = dict(tags).get("colorspace", 2), dict(tags).get("color_range", 0)
            frame.pts = number if times is None else times[number]
            frame.time_base = Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def flat(colour, size=(48, 64)):
    return np.full((*size, 3), colour, np.uint8)


def identity(frames):
    return frames


def first(path, **options):
    return next(iter(open_frames(path, **options))).image


# ---------------------------------------------------------------- colours


@pytest.mark.parametrize(("height", "matrix"), [(720, 1), (1080, 1), (576, 5), (48, 5)])
@pytest.mark.parametrize("colour", [(30, 200, 30), (200, 30, 60), (20, 40, 220)])
def test_untagged_video_is_taken_as_players_take_it(tmp_path, height, matrix, colour):
    path = encode(tmp_path / "a.mp4", [flat(colour, (height, 64))] * 2, matrix=matrix)
    source = open_frames(path)
    name = "bt709" if height >= 720 else "bt601"
    assert [note for note in source.notes if f"taken for {name}" in note and "--input-color" in note]
    assert np.abs(first(path)[20, 20].astype(int) - colour).max() <= 2
    other = first(path, color="bt601" if matrix == 1 else "bt709")
    assert np.abs(other[20, 20].astype(int) - colour).max() > 8
    out = process_video(identity, source, tmp_path / "out.mp4").outputs[0]
    again = open_frames(out)
    assert not again.notes
    assert np.abs(next(iter(again)).image[20, 20].astype(int) - colour).max() <= 3


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize(("matrix", "tag"), [(1, 1), (5, 6), (5, 5), (9, 9)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "yuv444p10le"])
def test_every_pixel_format_is_read_as_it_was_written(tmp_path, pix_fmt, matrix, tag, full):
    colours = [(30, 200, 30), (250, 250, 5), (128, 128, 128), (0, 0, 0), (255, 255, 255), (200, 20, 90)]
    tags = dict(colorspace=tag, color_range=2 if full else 1)
    path = encode(tmp_path / "a.mkv", list(map(flat, colours)), pix_fmt=pix_fmt, matrix=matrix, tags=tags, full=full)
    for frame, colour in zip(open_frames(path), colours):
        deep = frame.image.dtype == np.uint16
        value = frame.image[24, 32] / (257 if deep else 1)
        assert deep == pix_fmt.endswith("10le")
        # 8 bits hold 219 or 255 steps of luma, 224 or 255 of colour, which matrices spread up to 1.9 times
        assert np.abs(value - colour).max() <= (0.8 if deep else 2.1), (pix_fmt, colour, value)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_ten_bits_are_written_and_read_as_they_are(tmp_path, suffix):
    levels = np.linspace(0, 65535, 15).round().astype(np.uint16)
    frames = [Frame(np.full((48, 64, 3), level, np.uint16), Fraction(t, 24)) for t, level in enumerate(levels)]
    with VideoWriter(tmp_path / f"a{suffix}", 24, crf=0) as writer:
        for frame in frames:
            writer.write(frame)
    for frame, again in zip(frames, open_frames(tmp_path / f"a{suffix}"), strict=True):
        assert np.abs(again.image.astype(int) - frame.image).max() <= 65535 / 876  # a step of ten bits
    with av.open(str(tmp_path / f"a{suffix}")) as container:
        luma = [np.frombuffer(bytes(frame.planes[0]), np.uint16)[0] for frame in container.decode(video=0)]
    np.testing.assert_allclose(luma, 64 + 876 * (levels / 65535), atol=1)  # BT.709: black is 64, white 940


@pytest.mark.parametrize(
    ("suffix", "dtype"), [(".mkv", np.uint8), (".mkv", np.uint16), (".mp4", np.uint8), (".mov", np.uint8)]
)
def test_lossless_keeps_every_value(tmp_path, suffix, dtype):
    rng = np.random.default_rng(0)
    frames = [Frame(rng.integers(0, np.iinfo(dtype).max + 1, (33, 47, 3), dtype), Fraction(t, 24)) for t in range(3)]
    with VideoWriter(tmp_path / f"a{suffix}", 24, lossless=True) as writer:
        for frame in frames:
            writer.write(frame)
    for frame, again in zip(frames, open_frames(tmp_path / f"a{suffix}"), strict=True):
        assert (frame.image == again.image).all()


def test_what_lossless_cannot_be(tmp_path):
    for name, options in (("a.webm", {}), ("a.mkv", dict(crf=3)), ("a.mkv", dict(codec="libx264"))):
        with pytest.raises(ValueError, match="lossless video goes into .mkv, .mp4, .mov"):
            VideoWriter(tmp_path / name, 24, lossless=True, **options)
    with (
        pytest.raises(ValueError, match="only .mkv holds 16 bits"),
        VideoWriter(tmp_path / "a.mp4", 24, lossless=True) as w,
    ):
        w.write(Frame(np.zeros((16, 16, 3), np.uint16), Fraction(0)))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused(tmp_path, transfer, name):
    tags = dict(colorspace=9, color_primaries=9, color_trc=transfer, color_range=1)
    path = encode(tmp_path / "a.mkv", [flat((30, 200, 30))] * 2, pix_fmt="yuv420p10le", matrix=9, tags=tags)
    with pytest.raises(ValueError, match=rf"high dynamic range \({name}\), .* convert it first, as with ffmpeg"):
        open_frames(path)


@pytest.mark.parametrize(("primaries", "transfer"), [(9, 14), (6, 6), (5, 4), (1, 13)])
def test_other_colours_keep_their_tags(tmp_path, primaries, transfer):
    tags = dict(colorspace=1, color_primaries=primaries, color_trc=transfer, color_range=1)
    path = encode(tmp_path / "a.mkv", [flat((30, 200, 30))] * 2, tags=tags)
    out = process_video(identity, open_frames(path), tmp_path / "out.mkv").outputs[0]
    with av.open(str(out)) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (primaries, transfer, 1)


# ---------------------------------------------------------------- shape and orientation


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("scale", [1, 2])
def test_pixels_keep_their_shape(tmp_path, suffix, scale):
    path = encode(tmp_path / f"a{suffix}", [PHOTO[:48, :64]] * 2, sample_aspect_ratio=Fraction(32, 27))
    out = process_video(lambda x: x.repeat_interleave(scale, 2).repeat_interleave(scale, 3), open_frames(path),
                        tmp_path / f"out{suffix}").outputs[0]  # fmt: skip
    assert open_frames(out).appearance.pixel_aspect == Fraction(32, 27)
    with av.open(str(out)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(32, 27)
    done = process_video(identity, open_frames(path), tmp_path / "frames")
    assert done.notes == [f"{path} has pixels that are not square (32:27), which images cannot say"]


def with_matrix(path, matrix):
    """Writes a, b, c, d of a display matrix into the picture track's header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


MATRICES = [
    (1, 0, 0, 1),
    (-1, 0, 0, 1),
    (-1, 0, 0, -1),
    (1, 0, 0, -1),
    (0, 1, 1, 0),
    (0, 1, -1, 0),
    (0, -1, -1, 0),
    (0, -1, 1, 0),
]


@pytest.mark.parametrize("matrix", MATRICES)
def test_all_orientations_of_a_video(tmp_path, matrix):
    image = np.ascontiguousarray(PHOTO[20:68, 180:244])
    plain = first(encode(tmp_path / "a.mp4", [image] * 2))
    path = with_matrix(encode(tmp_path / "b.mp4", [image] * 2), matrix)
    shown, (a, b, c, d) = first(path), matrix
    # ISO 14496-12: the pixel (x, y) is shown at (a x + c y, b x + d y)
    height, width = plain.shape[:2]
    y, x = np.mgrid[:height, :width]
    across, down = a * x + c * y, b * x + d * y
    expected = np.zeros((np.ptp(down) + 1, np.ptp(across) + 1, 3), np.uint8)
    expected[down - down.min(), across - across.min()] = plain
    assert shown.shape == expected.shape
    assert (shown == expected).all()
    assert open_frames(path).size == expected.shape[:2]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_all_orientations_of_an_image(tmp_path, tag, suffix):
    exif = Image.Exif()
    exif[0x0112] = tag
    path = tmp_path / f"a{suffix}"
    options = dict(lossless=True) if suffix == ".webp" else dict(quality=100) if suffix == ".jpg" else {}
    Image.fromarray(PHOTO[20:68, 180:244]).save(path, exif=exif, **options)
    if suffix == ".jpg":  # where OpenCV follows the tag itself, if it may
        assert (read_image(path) == cv2.imread(str(path))[..., ::-1]).all()
    expected = EXIF[tag].apply(PHOTO[20:68, 180:244])
    assert read_image(path).shape == expected.shape
    assert np.abs(read_image(path).astype(int) - expected).mean() < 2


def test_orientations_are_eight():
    matrices = [np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32).tobytes() for a, b, c, d in MATRICES]
    assert len({of_display_matrix(matrix) for matrix in matrices}) == len(set(EXIF.values())) == 8
    assert of_display_matrix(matrices[0]) == Orientation()


def test_interlaced_video_is_said(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 64, "yuv420p"
        stream.options = {"x264-params": "tff=1"}
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(PHOTO[:64, number : 64 + number]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    assert any("is interlaced" in note and "bwdif" in note for note in open_frames(tmp_path / "a.mkv").notes)


# ---------------------------------------------------------------- frames and tracks


def test_an_edit_list_that_hides_frames_is_followed(tmp_path):
    images = [flat((10 * number, 100, 100)) for number in range(16)]
    with av.open(str(tmp_path / "a.mov"), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.options, stream.codec_context.gop_size, stream.codec_context.max_b_frames = {"crf": "0"}, 1, 0
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path = tmp_path / "a.mov"
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(video=0)]
    data = bytearray(path.read_bytes())
    at = data.index(b"mvhd") + 4
    (scale,) = struct.unpack(">I", data[at + 12 : at + 16])
    shown = scale * 4 // 25
    data[at + 16 : at + 20] = struct.pack(">I", shown)
    at = data.index(b"tkhd") + 4
    data[at + 20 : at + 24] = struct.pack(">I", shown)
    at = data.index(b"mdhd") + 4
    (media_scale,) = struct.unpack(">I", data[at + 12 : at + 16])
    at = data.index(b"elst") + 4
    data[at + 8 : at + 16] = struct.pack(">Ii", shown, media_scale * 6 // 25)
    path.write_bytes(data)
    frames = list(open_frames(path))
    assert [round((int(frame.image[20, 20, 0])) / 10) for frame in frames] == [6, 7, 8, 9]
    # one that is really cut off is still found: the header comes first, the frames that are shown are not all there
    path.write_bytes(data[: places[8]])
    with pytest.raises(ValueError, match="is cut off: .* of 16 frames are there"):
        list(open_frames(path))


def test_frames_without_data_are_no_loss(tmp_path):
    path = encode(
        tmp_path / "a.avi", [PHOTO[:48, t : t + 64] for t in range(6)], codec="mpeg4", times=[0, 1, 4, 5, 9, 10]
    )
    frames = list(open_frames(path))
    assert [round(frame.time * 24) for frame in frames] == [0, 1, 4, 5, 9, 10]
    data = path.read_bytes()
    (tmp_path / "cut.avi").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="cut off|cannot be read"):
        list(open_frames(tmp_path / "cut.avi"))


def with_tracks(path, codecs):
    """A clip with tones in English and French."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.height, video.width, video.pix_fmt = 48, 64, "yuv420p"
        sounds = []
        for codec, language in zip(codecs, ("eng", "fra")):
            stream = container.add_stream(codec, rate=48000, layout="mono")
            stream.metadata["language"] = language
            sounds.append(stream)
        for number in range(24):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(PHOTO[:48, number : 64 + number]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode())
        for number, stream in enumerate(sounds):
            tone = np.sin(2 * np.pi * 440 * (number + 1) * np.arange(48000) / 48000).astype(np.float32)
            size = 960
            for start in range(0, 48000, size):
                kind = stream.codec_context.format.name
                chunk = tone[None, start : start + size]
                if "s16" in kind:
                    chunk = (chunk * 32767).astype(np.int16)
                elif "s32" in kind:
                    chunk = (chunk * 2**31 * 0.99).astype(np.int32)
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(chunk), format=kind, layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def tracks_of(path):
    with av.open(str(path)) as container:
        return [(s.type, s.codec_context.name, s.metadata.get("language")) for s in container.streams]


@pytest.mark.parametrize(
    ("suffix", "codecs", "expected", "said"),
    [
        (".mkv", ("aac", "flac"), ["aac", "flac"], 0),
        (".mp4", ("aac", "aac"), ["aac", "aac"], 0),
        (".mov", ("flac", "libopus"), ["aac", "aac"], 2),
        (".webm", ("aac", "libopus"), ["opus", "opus"], 1),
    ],
)
def test_all_tracks_go_along_with_their_languages(tmp_path, suffix, codecs, expected, said):
    source = open_frames(with_tracks(tmp_path / "in.mkv", codecs))
    done = process_video(identity, source, tmp_path / f"out{suffix}")
    assert [(kind, name) for kind, name, _ in tracks_of(done.outputs[0])[1:]] == [("audio", name) for name in expected]
    assert [language for *_, language in tracks_of(done.outputs[0])[1:]] == ["eng", "fra"]
    assert len(done.notes) == said
    assert all("is encoded anew, since" in note for note in done.notes)
    with av.open(str(done.outputs[0])) as container:
        for number, stream in enumerate(container.streams.audio):
            container.seek(0)
            sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=number)]).astype(float)
            peak = np.abs(np.fft.rfft(sound[:48000])).argmax() * 48000 / min(len(sound), 48000)
            assert abs(peak - 440 * (number + 1)) < 3, stream


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_text_goes_along_or_is_said_not_to(tmp_path, suffix):
    (tmp_path / "a.srt").write_text("1\n00:00:00,100 --> 00:00:00,500\nHallo\n\n")
    encode(tmp_path / "a.mkv", [PHOTO[:48, t : t + 64] for t in range(24)])
    files = (av.open(str(tmp_path / name)) for name in ("a.mkv", "a.srt"))
    with next(files) as video, next(files) as text, av.open(str(tmp_path / "b.mkv"), "w") as container:
        streams = [container.add_stream_from_template(s) for s in (video.streams[0], text.streams[0])]
        streams[1].metadata["language"] = "deu"
        for opened, stream in zip((video, text), streams):
            for packet in opened.demux():
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
    done = process_video(identity, open_frames(tmp_path / "b.mkv"), tmp_path / f"out{suffix}")
    if suffix == ".mkv":
        assert not done.notes
        assert tracks_of(done.outputs[0])[1][::2] == ("subtitle", "deu")
        with av.open(str(done.outputs[0])) as container:
            (line,) = [packet for packet in container.demux(subtitles=0) if packet.size]
            assert (bytes(line), float(line.pts * line.time_base)) == (b"Hallo", 0.1)
    else:
        assert len(tracks_of(done.outputs[0])) == 1
        (note,) = done.notes
        assert "the deu subtitle track 1 is left out: .mp4 cannot hold it" in note


# ---------------------------------------------------------------- names


def folder_of(folder, names, image=PHOTO[:16, :24]):
    for number, name in enumerate(names):
        write_image(folder / name, np.full_like(image, 10 * number))
    return folder


def order(source):
    return [int(frame.image[0, 0, 0]) // 10 for frame in source]


@pytest.mark.parametrize(
    "names",
    [
        ["0.033.png", "0.067.png", "0.1.png", "1.5.png", "10.25.png"],
        ["1403636579763555584.png", "1403636579813555456.png", "1403636579863555584.png", "1403636580000000000.png"],
        ["f-2.png", "f-1.png", "f0.png", "f1.png"],
        ["shot-1.png", "shot-2.png", "shot-10.png"][:2],
        ["1\u00b21.png", "1\u00b22.png"],
        ["a9.webp", "a10.webp", "a11.webp"],
    ],
)
def test_names_in_their_order(tmp_path, names):
    folder_of(tmp_path / "in", names)
    assert order(open_frames(tmp_path / "in", 24)) == list(range(len(names)))


def test_gaps_and_doubles_and_the_way_round(tmp_path):
    folder_of(tmp_path / "gap", ["1.png", "2.png", "5.png"])
    with pytest.raises(ValueError, match="a frame is missing between .*2.png and 5.png.*--any-order"):
        open_frames(tmp_path / "gap", 24)
    assert order(open_frames(tmp_path / "gap", 24, any_order=True)) == [0, 1, 2]
    folder_of(tmp_path / "twice", ["f1.jpg", "f1.png", "f2.jpg"])
    with pytest.raises(ValueError, match=r"f1.jpg and f1.png have the same number: .*/\*.jpg.*--any-order"):
        open_frames(tmp_path / "twice", 24)
    assert order(open_frames(f"{tmp_path}/twice/*.jpg", 24)) == [0, 2]


def test_folders_and_files_with_odd_names(tmp_path):
    folder_of(tmp_path / "[shot 1] take", ["0.png", "1.png"])
    assert order(open_frames(f"{tmp_path}/[shot 1] take/*.png", 24)) == [0, 1]
    path = encode(tmp_path / "clip:1.mp4", [PHOTO[:48, :64]] * 3)
    assert len(list(open_frames(path))) == open_frames(path).count() == 3
    done = process_video(identity, open_frames(path), tmp_path / "out:2.mp4")
    assert len(list(open_frames(done.outputs[0]))) == 3


@pytest.mark.parametrize("name", ["out_v1.2", "out.gif/", "plain", "there.avi"])
def test_names_of_folders(tmp_path, name):
    (tmp_path / "there.avi").mkdir()
    source = open_frames(folder_of(tmp_path / "in", ["0.png", "1.png"]), 24)
    writer = open_writer(f"{tmp_path}/{name}", source)
    assert isinstance(writer, FrameFolderWriter)
    with pytest.raises(ValueError, match="for a folder end its name in /"):
        open_writer(tmp_path / "out.avi", source)


@pytest.mark.parametrize("names", [["a.jpg", "a.png"], ["shots/1/still.png", "shots/2/still.png"]])
def test_as_many_files_as_frames(tmp_path, names):
    folder_of(tmp_path / "in", names)
    pattern = "*" if "/" not in names[0] else "shots/*/still.png"
    source = open_frames(f"{tmp_path}/in/{pattern}", 24, any_order=True)
    done = process_video(identity, source, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["000000.png", "000001.png"]
    assert done.notes == [f"{tmp_path}/in/{pattern}: several frames have the same name: they are numbered instead"]
    assert order(open_frames(tmp_path / "out", 24)) == order(source)


@pytest.mark.parametrize("suffix", [".webp", ".jp2", ".ppm", ".bmp", ".tif"])
def test_kinds_of_images(tmp_path, suffix):
    cv2.imwrite(str(tmp_path / f"0{suffix}"), PHOTO[:40, :60, ::-1])
    assert np.abs(first(tmp_path, rate=24).astype(int) - PHOTO[:40, :60]).mean() < 6
