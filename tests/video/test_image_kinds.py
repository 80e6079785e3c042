"""Images as programs and cameras write them: what they hold is read right, kept, or said not to be."""

import io
import zlib

import cv2
import numpy as np
import OpenEXR
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageCms

from mmtempreg.apis import process_video
from mmtempreg.video import open_frames
from mmtempreg.video.color_profile import other_than_srgb
from mmtempreg.video.image_files import read_image, read_picture, write_image

PHOTO = np.ascontiguousarray(skimage.data.astronaut()[100:124, 150:182])
DEEP = PHOTO.astype(np.uint16) * 256 + 77
ALPHA = np.linspace(0, 255, PHOTO[..., 0].size).round().astype(np.uint8).reshape(PHOTO.shape[:2])
RADIANCE = np.random.default_rng(0).uniform(0.1, 4, (24, 32, 3)).astype(np.float32)


def identity(frames):
    return frames


def enlarged(frames):
    return frames.repeat_interleave(2, 2).repeat_interleave(2, 3)


# ---------------------------------------------------------------- OpenEXR


def exr(path, image, names="RGB", **header):
    """An OpenEXR file with a channel for each name."""
    channels = {name: np.ascontiguousarray(image[..., i]) for i, name in enumerate(names)}
    header = dict(compression=OpenEXR.ZIP_COMPRESSION, type=OpenEXR.scanlineimage, **header)
    OpenEXR.File(header, channels).write(str(path))
    return path


def window(left, top, width, height):
    return np.array([left, top], np.int32), np.array([left + width - 1, top + height - 1], np.int32)


def test_data_lie_where_the_window_says(tmp_path):
    path = exr(tmp_path / "a.exr", RADIANCE, dataWindow=window(5, 3, 32, 24), displayWindow=window(0, 0, 48, 40))
    picture = read_picture(path)
    expected = np.zeros((40, 48, 3), np.float32)
    expected[3:27, 5:37] = RADIANCE
    assert (picture.color == expected).all()
    assert not picture.notes
    path = exr(tmp_path / "b.exr", RADIANCE, dataWindow=window(-4, -2, 32, 24), displayWindow=window(0, 0, 24, 20))
    assert (read_image(path) == RADIANCE[2:22, 4:28]).all()
    assert read_picture(path).notes == ("has data beyond its display window, which are cut off",)
    path = exr(tmp_path / "c.exr", RADIANCE, dataWindow=window(90, 0, 32, 24), displayWindow=window(0, 0, 24, 20))
    assert not read_image(path).any()


def test_a_layer_with_a_name_is_read_and_several_are_not_guessed(tmp_path):
    layer = exr(tmp_path / "a.exr", RADIANCE, ["beauty.R", "beauty.G", "beauty.B"])
    assert (read_image(layer) == RADIANCE).all()
    assert read_picture(layer).notes == ("is read by its layer beauty",)
    both = np.concatenate([RADIANCE, RADIANCE / 2], axis=-1)
    exr(tmp_path / "b.exr", both, ["a.R", "a.G", "a.B", "b.R", "b.G", "b.B"])
    with pytest.raises(ValueError, match=r"b.exr holds the channels a.B, a.G, a.R, b.B, .*cannot be told"):
        read_image(tmp_path / "b.exr")
    exr(tmp_path / "c.exr", both, ["R", "G", "B", "b.R", "b.G", "depth.Z"])
    assert (read_image(tmp_path / "c.exr") == RADIANCE).all()
    assert read_picture(tmp_path / "c.exr").notes == ("has channels that are not read: b.G, b.R, depth.Z",)


@pytest.mark.parametrize("names", ["XYZ", "RGZ"])
def test_what_is_no_colour_is_refused(tmp_path, names):
    path = exr(tmp_path / "a.exr", RADIANCE, names)
    with pytest.raises(ValueError, match=f"holds the channels {', '.join(sorted(names))}: .*CIE X, Y, Z"):
        read_image(path)
    with pytest.raises(ValueError, match="whole numbers"):
        read_image(exr(tmp_path / "b.exr", (RADIANCE * 9).astype(np.uint32)))


def test_grey_radiance_and_other_primaries(tmp_path):
    assert (read_image(exr(tmp_path / "a.exr", RADIANCE[..., :1], "Y")) == RADIANCE[..., :1]).all()
    bt2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, 0.3127, 0.329)
    path = exr(tmp_path / "b.exr", RADIANCE, chromaticities=bt2020)
    assert read_picture(path).notes == ("has other primaries than BT.709: its values are taken as they are",)


def test_the_part_with_a_colour_is_read(tmp_path):
    header = dict(compression=OpenEXR.ZIP_COMPRESSION, type=OpenEXR.scanlineimage)
    colour = {name: np.ascontiguousarray(RADIANCE[..., i]) for i, name in enumerate("RGB")}
    depth = {"Z": np.ascontiguousarray(RADIANCE[..., 0])}
    OpenEXR.File([OpenEXR.Part(dict(header), *part) for part in ((depth, "z"), (colour, "c"))]).write(
        f"{tmp_path}/a.exr"
    )
    assert (read_image(tmp_path / "a.exr") == RADIANCE).all()


# ---------------------------------------------------------------- Radiance


MANTISSA = RADIANCE.max(-1, keepdims=True)
EXPONENT = np.frexp(MANTISSA)[1]
RGBE = np.concatenate([RADIANCE * np.ldexp(256.0, -EXPONENT), EXPONENT + 128], axis=-1).astype(np.uint8)
DECODED = np.ldexp(RGBE[..., :3].astype(np.float32), EXPONENT - 8)


def hdr(path, pixels, head=b"FORMAT=32-bit_rle_rgbe\n", axes=b"-Y %d +X %d"):
    path.write_bytes(b"#?RADIANCE\n" + head + b"\n" + axes % pixels.shape[:2] + b"\n" + pixels.tobytes())
    return path


@pytest.mark.parametrize("first", [b"-Y", b"+Y", b"-X", b"+X"])
@pytest.mark.parametrize("second", [b"-", b"+"])
def test_all_axes_of_radiance_files(tmp_path, first, second):
    """Radiance's manual: -Y 24 is 24 lines from the top, +X 32 says that each goes from left to right."""
    stored = RGBE if first[1:] == b"Y" else RGBE.swapaxes(0, 1)
    names = first, second + (b"X" if first[1:] == b"Y" else b"Y")
    for axis, name in enumerate(names):
        if name in (b"+Y", b"-X"):  # from the bottom, from the right
            stored = np.flip(stored, axis)
    path = hdr(tmp_path / "a.hdr", np.ascontiguousarray(stored), axes=b"%b %%d %b %%d" % names)
    assert (read_image(path) == DECODED).all()


def test_exposure_is_taken_back(tmp_path):
    head = b"FORMAT=32-bit_rle_rgbe\nEXPOSURE=2\nEXPOSURE= 4\nCOLORCORR= 1 2 4\n"
    np.testing.assert_allclose(read_image(hdr(tmp_path / "a.hdr", RGBE, head)) * [8, 16, 32], DECODED)
    with pytest.raises(ValueError, match="holds CIE X, Y, Z"):
        read_image(hdr(tmp_path / "b.hdr", RGBE, b"FORMAT=32-bit_rle_xyze\n"))
    assert read_picture(hdr(tmp_path / "c.hdr", RGBE, b"PIXASPECT=2\n")).notes == (
        "says PIXASPECT=2: its values are taken as they are",
    )


# ---------------------------------------------------------------- TIFF and others


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("kind", ["plain", "planes", "grey", "white is zero", "alpha", "grey alpha", "premultiplied"])
def test_layouts_of_tiff(tmp_path, kind, deep):
    image, white = (DEEP, 65535) if deep else (PHOTO, 255)
    alpha = ALPHA.astype(image.dtype) * (257 if deep else 1)
    grey = np.repeat(image[..., :1], 3, axis=-1)
    premultiplied = np.rint(image * (alpha[..., None] / white)).astype(image.dtype)
    pixels, options, expected = {
        "plain": (image, dict(photometric="rgb"), image),
        "planes": (image.transpose(2, 0, 1), dict(photometric="rgb", planarconfig="separate"), image),
        "grey": (image[..., 0], {}, grey),
        "white is zero": (white - image[..., 0], dict(photometric="miniswhite"), grey),
        "alpha": (np.dstack([image, alpha]), dict(photometric="rgb", extrasamples=["unassalpha"]), image),
        "grey alpha": (np.dstack([image[..., 0], alpha]), dict(extrasamples=["unassalpha"]), grey),
        "premultiplied": (
            np.dstack([premultiplied, alpha]),
            dict(photometric="rgb", extrasamples=["assocalpha"]),
            image,
        ),
    }[kind]
    options.setdefault("photometric", "minisblack")
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    picture = read_picture(tmp_path / "a.tif")
    visible = np.full(alpha.shape, True) if kind != "premultiplied" else alpha > white * 0.9
    assert picture.color.dtype == image.dtype
    assert np.abs(picture.color.astype(int) - expected)[visible].max() <= (1 if kind == "premultiplied" else 0)
    assert (picture.alpha is not None) == ("alpha" in kind or kind == "premultiplied")
    assert picture.alpha is None or (picture.alpha == alpha).all()


def test_compressed_tiff(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.tif", compression="tiff_lzw")
    assert (read_image(tmp_path / "a.tif") == PHOTO).all()
    cv2.imwrite(str(tmp_path / "b.tif"), DEEP[..., ::-1])  # LZW too
    assert (read_image(tmp_path / "b.tif") == DEEP).all()
    tifffile.imwrite(tmp_path / "c.tif", (PHOTO / 255).astype(np.float16), photometric="rgb")
    assert read_image(tmp_path / "c.tif").dtype == np.float32


@pytest.mark.parametrize("white", [255, 1023, 4095, 65535])
def test_white_of_portable_maps(tmp_path, white):
    values = (np.linspace(0, 1, 12).reshape(2, 2, 3) * white).round().astype(">u2" if white > 255 else "u1")
    (tmp_path / "a.ppm").write_bytes(b"P6\n# made by\n2 2\n%d\n" % white + values.tobytes())
    image = read_image(tmp_path / "a.ppm")
    np.testing.assert_allclose(image / np.iinfo(image.dtype).max, values / white, atol=1e-5)


def test_png_of_another_gamma_or_high_dynamic_range(tmp_path):
    def with_chunk(kind, content):
        buffer = io.BytesIO()
        Image.fromarray(PHOTO).save(buffer, "png")
        data, chunk = buffer.getvalue(), kind + content
        chunk = len(content).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        (tmp_path / "a.png").write_bytes(data[:33] + chunk + data[33:])
        return tmp_path / "a.png"

    assert read_picture(with_chunk(b"gAMA", (100000).to_bytes(4, "big"))).notes == (
        "says a gamma of 1: its values are taken as they are, as if they were sRGB's",
    )
    assert not read_picture(with_chunk(b"gAMA", (45455).to_bytes(4, "big"))).notes
    with pytest.raises(ValueError, match="high dynamic range"):
        read_image(with_chunk(b"cICP", bytes([9, 16, 0, 1])))


def test_a_photograph_with_more_than_the_picture(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "a.mpo", save_all=True, append_images=[Image.fromarray(255 - PHOTO)])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert "holds more than the picture" in read_picture(tmp_path / "a.jpg").notes[0]


# ---------------------------------------------------------------- pages


def animated(path, alphas=(255, 128, 64, 32)):
    frames = [Image.fromarray(np.dstack([PHOTO, np.full_like(ALPHA, alpha)])) for alpha in alphas]
    options = dict(lossless=True, exact=True) if path.suffix == ".webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[100, 50, 50, 200], **options)
    return path


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.tif"])
def test_all_frames_of_an_animation_are_read(tmp_path, name):
    path = animated(tmp_path / name)
    source = open_frames(path, 10 if name == "a.tif" else None)
    frames = list(source)
    assert source.count() == len(frames) == 4
    assert [int(frame.alpha[0, 0]) for frame in frames] == [255, 128, 64, 32]
    assert all((frame.image == PHOTO)[frame.alpha > 0].all() for frame in frames)
    if name != "a.tif":
        assert [float(frame.time) for frame in frames] == pytest.approx([0, 0.1, 0.15, 0.2])
        assert float(frames[-1].duration) == pytest.approx(0.2)
    else:
        with pytest.raises(ValueError, match="its pages do not tell their frame rate"):
            open_frames(path)
    again = process_video(identity, source, tmp_path / "out")
    assert again.num_frames == 4
    assert not again.notes
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / name)
    with pytest.raises(ValueError, match=rf"{name} holds 4 pictures, and one is needed"):
        open_frames(folder, 10)


def test_a_thumbnail_is_no_page(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PHOTO, photometric="rgb")
        file.write(PHOTO[::4, ::4], photometric="rgb", subfiletype=1)
    assert (read_image(tmp_path / "a.tif") == PHOTO).all()


def test_other_files_in_a_folder_are_named(tmp_path):
    write_image(tmp_path / "0.png", PHOTO)
    (tmp_path / "1.heic").write_bytes(b"one that is not read")
    assert open_frames(tmp_path, 24).notes == [f"{tmp_path} holds 1 files that are no frames: 1.heic"]


# ---------------------------------------------------------------- transparency


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("deep", [False, True])
def test_transparency_goes_along(tmp_path, suffix, deep):
    image, alpha = (DEEP, ALPHA.astype(np.uint16) * 257) if deep else (PHOTO, ALPHA)
    write_image(tmp_path / "in" / "0.png", image, alpha)
    done = process_video(identity, open_frames(tmp_path / "in", 24), tmp_path / "out", suffix=suffix)
    picture = read_picture(tmp_path / "out" / f"0{suffix}")
    scale = 257 if deep and suffix == ".webp" else 1
    assert np.abs(picture.alpha.astype(int) - alpha / scale).max() <= 0.5
    assert np.abs(picture.color.astype(int) - image / scale)[picture.alpha > 0].max() <= 0.5
    assert len(done.notes) == (scale == 257)
    larger = process_video(enlarged, open_frames(tmp_path / "in", 24), tmp_path / "large", suffix=".png")
    picture = read_picture(larger.outputs[0] / "0.png")
    assert (picture.alpha == cv2.resize(alpha, (64, 48))).all()
    assert (picture.color == image.repeat(2, 0).repeat(2, 1)).all()


@pytest.mark.parametrize("output", ["out.mp4", "out"])
def test_lost_transparency_is_said(tmp_path, output):
    write_image(tmp_path / "in" / "0.png", PHOTO, ALPHA)
    suffix = None if output.endswith(".mp4") else ".jpg"
    done = process_video(identity, open_frames(tmp_path / "in", 24), tmp_path / output, suffix=suffix)
    assert [note for note in done.notes if "alpha channel is dropped" in note]
    write_image(tmp_path / "opaque" / "0.png", PHOTO, np.full_like(ALPHA, 255))
    assert not process_video(identity, open_frames(tmp_path / "opaque", 24), tmp_path / "o2.mp4").notes


# ---------------------------------------------------------------- profiles


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def display_p3():
    """A profile whose primaries are wider than sRGB's: sRGB's own with the red of Display P3."""
    data = bytearray(SRGB)
    at = data.index(b"rXYZ")
    offset = int.from_bytes(data[at + 4 : at + 8], "big") + 8
    for place, value in enumerate((0.5151, 0.2412, -0.0011)):
        data[offset + 4 * place : offset + 4 * place + 4] = round(value * 65536).to_bytes(4, "big", signed=True)
    return bytes(data)


def test_profiles_are_told_apart():
    assert other_than_srgb(SRGB) is None
    assert other_than_srgb(display_p3()) == "sRGB built-in"  # as it calls itself
    assert "cannot be read" in other_than_srgb(b"no profile" * 20)


@pytest.mark.parametrize("out", [".png", ".jpg", ".tif", ".webp"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_profile_and_exif_are_kept(tmp_path, suffix, out):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 3, "a camera"
    (tmp_path / "in").mkdir()
    Image.fromarray(PHOTO).save(tmp_path / "in" / f"0{suffix}", icc_profile=display_p3(), exif=exif)
    source = open_frames(tmp_path / "in", 24)
    assert "its values are taken as they are, as if they were sRGB's" in source.notes[0]
    done = process_video(identity, source, tmp_path / "out", suffix=out)
    with Image.open(tmp_path / "out" / f"0{out}") as image:
        assert image.info["icc_profile"] == display_p3()
        if out == ".tif":
            assert suffix == ".tif" or done.notes == [
                f"{tmp_path / 'out'} is without the EXIF data of the images: .tif does not hold them here"
            ]
        elif suffix != ".tif":
            assert (image.getexif()[0x010F], image.getexif()[0x0112]) == ("a camera", 1)
    film = process_video(identity, source, tmp_path / "out.mp4")
    assert any("is without what the images say beside their pixels" in note for note in film.notes)


def test_a_deep_png_keeps_its_profile(tmp_path):
    write_image(tmp_path / "0.png", DEEP, metadata=read_picture(make_png(tmp_path)).metadata)
    picture = read_picture(tmp_path / "0.png")
    assert picture.metadata.icc == display_p3()
    assert (picture.color == DEEP).all()


def make_png(folder):
    Image.fromarray(PHOTO).save(folder / "a.png", icc_profile=display_p3())
    return folder / "a.png"


def test_a_profile_of_inks_is_said_to_be_left_out(tmp_path):
    grey = bytearray(SRGB)
    grey[16:20] = b"GRAY"
    Image.fromarray(PHOTO[..., 0]).save(tmp_path / "a.png", icc_profile=bytes(grey))
    picture = read_picture(tmp_path / "a.png")
    assert "which is not of RGB: it is left out" in picture.notes[0]
    assert not picture.metadata.icc


# ---------------------------------------------------------------- from trackers of other tools


@pytest.mark.parametrize("kind", ["gif", "webp", "avif", "png"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_what_a_file_is_counts_and_not_its_name(tmp_path, kind, name):
    """As browsers save them (imageio/imageio 875, opencv/opencv 21835)."""
    Image.fromarray(PHOTO).save(tmp_path / name, format=kind)
    assert np.abs(read_image(tmp_path / name).astype(int) - PHOTO).mean() < 12


def test_avif_animations_are_read_whole(tmp_path):
    """FFmpeg shows their still picture (d2phap/ImageGlass 946)."""
    path = animated(tmp_path / "a.avif")
    assert [frame.alpha[0, 0] // 16 for frame in open_frames(path)] == [15, 8, 4, 2]


def test_phones_photographs_that_are_not_read_are_refused(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"....ftypheic")
    with pytest.raises(ValueError, match=r"a.heic: images of this kind are not read: save it as .png"):
        open_frames(tmp_path / "a.heic", 24)
