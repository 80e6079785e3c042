import av
import cv2
import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from mmtempreg.functional import Motion
from mmtempreg.video import ResizedFrames, open_frames
from mmtempreg.video.image_files import write_image
from mmtempreg.visualization import plot_temporal_comparison, tone_map, write_comparison_video
from mmtempreg.visualization.comparison_video import edges_by_change
from mmtempreg.visualization.pixel_plot import _read, plot_pixels
from mmtempreg.visualization.temporal_plot import follow


def test_tone_map():
    radiance = torch.tensor([0.0, 1.0, 4.0, 100.0]).view(1, 1, 4).repeat(3, 1, 1)
    expected = np.round(255 * np.array([0, 0.25, 1, 1]) ** (1 / 2.2))
    np.testing.assert_array_equal(tone_map(radiance, stops=-2)[0, :, 0], expected)


def test_video_has_all_frames_panels_and_the_rate(tmp_path):
    rng = np.random.default_rng(0)
    frames = [dict(a=rng.integers(0, 255, (16, 20, 3), np.uint8), b=np.zeros((16, 20, 3), np.uint8)) for _ in range(9)]
    path = tmp_path / "sub" / "v.mp4"
    write_comparison_video(path, frames, fps=24, enlarge=2)
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 24
    assert len(decoded) == 9
    assert decoded[0].shape == (24 + 32, 80, 3)
    assert decoded[0][30:, 44:76].mean() < 5
    assert [p.name for p in path.parent.iterdir()] == ["v.mp4"]


def test_split_screen_shows_a_strip_of_each(tmp_path):
    panels = {name: np.full((20, 90, 3), value, np.uint8) for name, value in (("a", 40), ("b", 120), ("c", 220))}
    write_comparison_video(tmp_path / "v.mp4", [panels] * 3, fps=24, enlarge=1, layout="split-screen")
    with av.open(str(tmp_path / "v.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert frame.shape == (24 + 20, 90, 3)
    for left, value in ((5, 40), (35, 120), (65, 220)):
        np.testing.assert_allclose(frame[28:, left : left + 15], value, atol=6)
    with pytest.raises(ValueError, match="layout"):
        write_comparison_video(tmp_path / "v.mp4", [panels], 24, layout="stacked")


def test_the_screen_is_split_where_the_panels_change_differently(tmp_path):
    """A band flickers in one of two videos that both move: half of it on either side; three have a third each."""
    pattern = np.random.default_rng(0).integers(60, 180, (20, 400, 3))
    steady = [pattern[:, t : t + 200].astype(np.uint8) for t in range(8)]
    flickering = [frame.copy() for frame in steady]
    for t, frame in enumerate(flickering):
        frame[:, 20:60] += np.uint8(40 * (t % 2))
    for number in (2, 3):
        frames = [dict(zip("abc"[:number], (other, frame, frame))) for frame, other in zip(steady, flickering)]
        edges = edges_by_change(frames)
        for k, edge in enumerate(edges, start=1):
            assert edge == pytest.approx(0.2 * k / number + 0.8 * (20 + 40 * k / number) / 200, abs=0.005)
    assert edges_by_change([dict(a=frame, b=frame) for frame in steady]) == [0.5]
    panels = dict(a=np.zeros((20, 100, 3), np.uint8), b=np.full((20, 100, 3), 200, np.uint8))
    write_comparison_video(tmp_path / "v.mp4", [panels], fps=24, enlarge=1, layout="split-screen", edges=[0.3])
    with av.open(str(tmp_path / "v.mp4")) as container:
        frame = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert frame[30:, :24].max() < 40 < 150 < frame[30:, 34:].min()


def test_frames_are_resized(tmp_path):
    ramp = np.repeat(np.arange(16, dtype=np.uint8)[None, :, None] * 10, 12, axis=0).repeat(3, axis=2)
    for t in range(3):
        write_image(tmp_path / "in" / f"{t}.png", ramp + np.uint8(t))
    source = open_frames(tmp_path / "in", rate=25)
    for factor in (2, 0.5):
        resized = ResizedFrames(source, (int(12 * factor), int(16 * factor)))
        assert (resized.rate, resized.count()) == (25, 3)
        for frame, own in zip(resized, source):
            assert frame.image.shape == (*resized.size, 3)
            assert frame.time == own.time
            x = (np.arange(int(16 * factor)) + 0.5) / factor - 0.5  # pixels' middles keep their place
            inner = slice(3, -3) if factor > 1 else slice(None)
            np.testing.assert_allclose(frame.image[4, inner, 0], (10 * x + own.image[0, 0, 0])[inner], atol=1)


def test_nothing_to_show(tmp_path):
    with pytest.raises(ValueError, match="no frame"):
        write_comparison_video(tmp_path / "v.mp4", [], 24)
    panels = dict(a=np.zeros((4, 4, 3), np.uint8), b=np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(ValueError, match="one size"):
        write_comparison_video(tmp_path / "v.mp4", [panels], 24)
    with pytest.raises(ValueError, match="two frames"):
        plot_temporal_comparison(
            tmp_path / "p.png", torch.rand(1, 3, 4, 4), dict(a=torch.rand(1, 3, 4, 4)), fps=24, motions=[None]
        )


def test_plot_is_written_whole(tmp_path):
    truth = 2 * torch.rand(30, 3, 24, 32)
    still = Motion(torch.zeros(2, 24, 32), torch.ones(1, 24, 32))
    plot_temporal_comparison(
        tmp_path / "p.png", truth, dict(a=truth * 1.1, b=truth), fps=24, motions=[None] + 29 * [still]
    )
    image = cv2.imread(str(tmp_path / "p.png"))
    assert image.std() > 10
    assert [p.name for p in tmp_path.iterdir()] == ["p.png"]


def test_a_point_is_followed_along_the_motion():
    """A ramp that moves by a pixel a frame: a point keeps its value, and leaves the mask where that ends."""
    x = torch.arange(64.0).expand(40, 64)
    video = torch.stack([x - t for t in range(9)])
    step = Motion(torch.tensor([-1.0, 0.0]).view(2, 1, 1).expand(2, 40, 64), torch.ones(1, 40, 64))
    first, series = follow([video, 2 * video], torch.ones(9, 1, 40, 64), [None] + 8 * [step])
    assert first == 0
    assert series.shape == (2, 9, 40 * 64)
    seen = series.isfinite().all(dim=1)[0].view(40, 64)
    assert seen[:, 9:].all()
    assert not seen[:, :7].any()
    inside = series.view(2, 9, 40, 64)[:, :, :, 9:]
    torch.testing.assert_close(inside, inside[:, -1:].expand_as(inside))
    mask = torch.ones(9, 1, 40, 64)
    mask[3] = 0
    assert follow([video], mask, [None] + 8 * [step])[0] == 4


def test_pixels_over_time_and_changes(tmp_path):
    video = np.random.default_rng(0).integers(0, 256, (5, 12, 16, 3), dtype=np.uint8)
    for t, image in enumerate(video):
        write_image(tmp_path / "in" / f"{t}.png", image)
    source = open_frames(tmp_path / "in", rate=25)
    values, changes = _read("a", source, [(3, 2), (15, 11)], (4, 1, 6, 5), [1, 4], "luminance")
    np.testing.assert_allclose(values[:, 0], video[:, 2, 3] / 255 @ [0.2126, 0.7152, 0.0722], rtol=1e-3)
    np.testing.assert_allclose(values[:, 1], video[:, 11, 15] / 255 @ [0.2126, 0.7152, 0.0722], rtol=1e-3)
    expected = np.abs(video[4, 1:6, 4:10].astype(float) - video[3, 1:6, 4:10]).mean(axis=-1) / 255
    np.testing.assert_allclose(changes[4], expected)
    lab = rgb2lab(video)
    for number, channel in ((1, "a"), (2, "b")):
        values, _ = _read("a", source, [(3, 2)], None, [], channel)
        np.testing.assert_allclose(values[:, 0], lab[:, 2, 3, number], atol=1e-3)
        _, changes = _read("a", source, [], (4, 1, 6, 5), [4], channel)
        np.testing.assert_allclose(changes[4], np.abs(lab[4] - lab[3])[1:6, 4:10, number], atol=1e-3)
    plot_pixels(tmp_path / "p.png", dict(a=source, b=source), [(3, 2)], frames=[1, 2])
    assert cv2.imread(str(tmp_path / "p.png")).std() > 10
    for arguments in (dict(pixels=[(16, 0)]), dict(pixels=[], frames=[5]), dict(pixels=[(0, 0)], region=(10, 0, 8, 4))):
        with pytest.raises(ValueError, match=r"a: "):
            plot_pixels(tmp_path / "q.png", dict(a=source), **arguments)
    with pytest.raises(ValueError, match="channel must be one of"):
        plot_pixels(tmp_path / "q.png", dict(a=source), [(0, 0)], channel="hue")
    with pytest.raises(ValueError, match="nothing to show"):
        plot_pixels(tmp_path / "q.png", dict(a=source), [])
