"""The report's page: what it holds, and what it does in a real browser."""

import base64
import errno
import json
import re
import runpy
import shutil
import tempfile
from argparse import Namespace
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.color import deltaE_cie76, rgb2lab

from mmtempreg.apis import measure_videos
from mmtempreg.apis.video_measurement import Measurement, VideoScores
from mmtempreg.functional import luminance
from mmtempreg.video import Frame, ResizedFrames, VideoWriter, open_frames, open_writer
from mmtempreg.video.image_files import write_image
from mmtempreg.visualization import PageRecorder, report_videos, write_report
from mmtempreg.visualization import page_recorder as recorder_module
from mmtempreg.visualization.report_page import left_out, page_data, verdict

FRAMES, HEIGHT, WIDTH = 30, 48, 64
NAMES = ["flickers", '</script><b>steady & "quoted"</b>']


def scene(t):
    """A smooth pattern that moves by half a pixel per frame."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    grey = 128 + 60 * np.sin((x + t / 2) / 5) * np.cos(y / 7)
    return np.repeat(grey[:, :, None], 3, axis=2)


def write(path, shade):
    with VideoWriter(path, 10, crf=4) as writer:
        for t in range(FRAMES):
            writer.write(Frame(np.clip(np.rint(scene(t) + shade(t)), 0, 255).astype(np.uint8), Fraction(t, 10)))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A reference, one that flickers and has a bad moment at frame 17, and one that is a little darker."""
    folder = tmp_path_factory.mktemp("videos")
    shades = [lambda t: 0, lambda t: 6 * (-1) ** t + 50 * (t == 17), lambda t: -3]
    return [write(folder / f"{n}.mp4", shade) for n, shade in enumerate(shades)]


@pytest.fixture(scope="module")
def page(videos, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    reference, *processed = map(open_frames, videos)
    found = report_videos(path, dict(zip(NAMES, processed)), reference)
    return path, found


def data_of(path):
    text = path.read_text()
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


# ---------------------------------------------------------------- what it holds


def test_curves_are_what_was_measured(page, videos):
    """Of each frame alone: F, the change along the motion, K; and their means are the table's."""
    path, found = page
    data = data_of(path)
    curves = {chart["id"]: chart["series"] for chart in data["charts"]}
    assert list(curves) == ["F", "change", "R", "K"]
    for number, video in enumerate(found.videos):
        change = np.array(curves["change"][number]["values"][1:], float) / 100  # of a range that is 1 wide
        assert np.mean(change**2) == pytest.approx(video.values["warp_error"], rel=1e-3)
        floor = np.array(curves["change"][2]["values"][1:], float) / 100
        noise = (1 / 255) ** 2 / 6
        expected = np.sqrt((change**2 + noise) / (floor**2 + noise))
        np.testing.assert_allclose(np.array(curves["F"][number]["values"][1:], float), expected, rtol=2e-3)
        assert curves["F"][number]["values"][0] is None
        assert np.mean(np.array(curves["K"][number]["values"])) == pytest.approx(video.values["K"], rel=0.05)
    assert curves["change"][2]["floor"]
    assert data["worst"][0]["moments"][0]["frame"] in (17, 18)


def test_pixels_are_those_of_the_frames(page, videos):
    data = data_of(page[0])
    pictures, grid = data["pictures"], data["pictures"]["grid"]
    assert (grid["columns"], grid["rows"]) == (WIDTH, HEIGHT)  # so small that all are held
    held = np.frombuffer(base64.b64decode(pictures["pixels"]), np.uint8).reshape(3, HEIGHT, WIDTH, FRAMES)
    for number, path in enumerate(videos):
        frames = np.stack([frame.image for frame in open_frames(path)])
        expected = luminance(torch.from_numpy(frames.transpose(0, 3, 1, 2)) / 255)[:, 0].numpy()
        values = pictures["values"]["offset"] + pictures["values"]["scale"] * held[number].transpose(2, 0, 1)
        np.testing.assert_allclose(values, expected, atol=0.5 / 255 + 1e-6)


def test_the_videos_are_in_step_in_one(page, videos, tmp_path):
    path, _ = page
    (tmp_path / "all.mp4").write_bytes(base64.b64decode(re.search(r'id="video">(.*?)</script>', path.read_text())[1]))
    pictures, mosaic = data_of(path)["pictures"], list(open_frames(tmp_path / "all.mp4"))
    assert len(mosaic) == FRAMES
    height, width = pictures["tileHeight"], pictures["tileWidth"]
    for number, video in enumerate(videos):
        row, column = divmod(number, pictures["columns"])
        for frame, own in zip(mosaic, open_frames(video)):
            tile = frame.image[row * height : (row + 1) * height, column * width : (column + 1) * width]
            assert np.abs(tile.astype(int) - own.image).mean() < 4
    # the heat map: bright where it flickers, dark where it does not
    lightness = []
    for row, column in [divmod(3 + number, pictures["columns"]) for number in range(3)]:
        tile = mosaic[17].image[row * height : (row + 1) * height, column * width : (column + 1) * width]
        lightness.append(rgb2lab(tile[10:-10, 10:-10])[..., 0].mean())
    assert lightness[1] > 70 > 40 > max(lightness[0], lightness[2])


def test_the_heat_map_is_even_and_tells_steady_from_unknown():
    """Against CIE Lab: the steps of its scale look alike, brighter is more, what is steady is grey however bright."""
    share = np.linspace(0, 1, 17)
    lab = rgb2lab(recorder_module.heat_colours(share, np.full(17, 128)))
    steps = deltaE_cie76(lab[1:], lab[:-1])
    assert steps.max() < 2 * steps.min()
    assert (np.diff(lab[:, 0]) > -1).all()
    picture = np.repeat(np.array([[0, 130, 255, 255]], np.uint8)[..., None], 3, axis=2)
    shown = recorder_module.heat_map(picture, torch.tensor([[0.0, 0.0, 0.0, float("nan")]]))
    assert (shown[0, :3] == shown[0, :3, :1]).all()
    assert tuple(shown[0, 3]) == recorder_module.NOT_MEASURED
    assert np.abs(rgb2lab(shown[0, 3]) - rgb2lab(shown[0, 2])).max() > 15
    assert (recorder_module.heat_map(picture, None) == recorder_module.NOT_MEASURED).all()


def test_markup_in_names_is_text(page):
    text = page[0].read_text()
    assert "<b>" not in text
    assert data_of(page[0])["names"][2] == NAMES[1]
    assert str(page[0].parent) not in text


def test_no_other_host_is_named_but_in_the_licence(page):
    text = re.sub(r'id="video">.*?</script>', "", page[0].read_text())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy
    found = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert found == {"https://github.com/leeoniya/uPlot"}
    assert re.search("MIT licence", text)


def test_the_best_is_marked(page):
    rows = re.findall(r"<tr.*?</tr>", page[0].read_text(), re.S)
    flickers, steady = (row for row in rows[2:4])
    assert 'class="best"' in steady
    assert flickers.count("★") < steady.count("★")
    assert "★" not in rows[1]  # the reference is no rival


def measured(values, rate=10, **curves):
    """A measurement without pictures: name -> values of measures, and curves of all."""
    curves = {name: np.array(curve, float) for name, curve in curves.items()}
    count = max(map(len, curves.values()), default=1)
    videos = [VideoScores(name, dict(own), series=curves) for name, own in values.items()]
    return Measurement(
        rate=Fraction(rate),
        size=(4, 6),
        num_frames=count,
        domain="luminance",
        positions=np.zeros((0, 2)),
        reference=VideoScores("reference"),
        videos=videos,
    )


def test_what_is_written_alike_is_marked_alike(tmp_path):
    scores = dict(a=dict(S=0.3409), b=dict(S=0.3414), c=dict(S=0.1))
    for name in scores:
        scores[name] |= dict(F=1.001 + 0.001 * len(scores), psnr=30)
    write_report(tmp_path / "r.html", measured(scores))
    rows = re.findall(r"<tr>.*?</tr>", (tmp_path / "r.html").read_text(), re.S)[1:]
    assert [re.findall(r"\b0\.\d+", row) for row in rows[:3]] == [["0.341"], ["0.341"], ["0.100"]]
    assert [row.count("★") for row in rows[:3]] == [1, 1, 0]


def test_it_says_first_who_flickers_and_who_is_sharp():
    both = measured(dict(a=dict(F=2.35, K=0.5, warp_error=1e-4), b=dict(F=1.5, K=0.9), c=dict(F=float("nan"), K=0.7)))
    assert verdict(both) == [
        "b flickers 1.50 times as much as the reference, a 2.35.",
        "b keeps 90\xa0% of the reference's fine detail, c 70\xa0%, a 50\xa0%.",
        "b keeps 180\xa0% of what a has of it, c 140\xa0%.",
    ]
    along = "of the range of values from frame to frame, along the motion"
    assert verdict(measured(dict(a=dict(warp_error=1e-4)))) == [f"a changes by 1\xa0% {along}."]
    many = verdict(measured({f"v{n}": dict(F=1 + n) for n in range(9)}))
    assert many[0].endswith("v5 6.00, and 3 more.")
    assert verdict(measured(dict(a=dict(F=float("nan"))))) == []


def test_without_a_reference_it_speaks_of_none(videos, tmp_path):
    report_videos(tmp_path / "r.html", {"a": open_frames(videos[1]), "b": open_frames(videos[2])})
    text = re.sub(r"<(script|style).*?</\1>", "", (tmp_path / "r.html").read_text(), flags=re.S)
    words = text + json.dumps(data_of(tmp_path / "r.html")["charts"])
    assert not re.search("reference|truth", words.replace("without a reference nothing says", ""))
    assert "<h1>a and b: how much it flickers</h1>" in text
    assert re.search("b changes by .*, a", text)


def test_a_source_that_is_smaller_is_called_by_its_file_and_k_above_1_explained(videos, tmp_path):
    """Its folder is of no interest; of two videos that are sharper than it neither is the best for that."""
    names = ["before", "after"]
    for name, video in zip(names, videos[1:]):
        with VideoWriter(tmp_path / f"{name}.mp4", 10, crf=4) as writer:
            for frame in ResizedFrames(open_frames(video), (2 * HEIGHT, 2 * WIDTH)):
                writer.write(frame)
    large = {name: open_frames(tmp_path / f"{name}.mp4") for name in names}
    found = report_videos(tmp_path / "r.html", large, source=open_frames(videos[0]), metrics=["K", "warp_error"])
    text = (tmp_path / "r.html").read_text()
    assert (found.compared, found.enlarged) == ("0.mp4", 2)
    assert found.table()[0][1] == "K to 0.mp4"
    assert str(videos[0].parent) not in text
    assert "<h1>before and after, made of 0.mp4: how much it flickers</h1>" in text
    assert re.search("has .* of 0.mp4&#39;s fine detail, .*; 0.mp4 was made 2 times as large to compare, ", text)
    kept = found.videos[1].values["K"] / found.videos[0].values["K"]
    assert f"after keeps {100 * kept:.0f}\xa0% of what before has of it." in text
    assert "K is above 1, as 0.mp4 was made 2 times as large" in text
    cells = re.findall(r"<td.*?</td>", text, re.S)  # K and E_warp of one, then of the other
    assert ["★" in cell for cell in cells] == [False, False, False, True]
    assert {chart["unit"] for chart in data_of(tmp_path / "r.html")["charts"] if chart["id"] == "K"} == {"1: as much"}


def test_of_enlarged_videos_what_has_less_detail_than_the_first_is_a_blur():
    both = measured(
        dict(a=dict(K=4.0, warp_error=1e-3), b=dict(K=3.5, warp_error=1e-4), c=dict(K=3.7, warp_error=1e-4))
    )
    both = replace(both, compared="source", reference=None, enlarged=4)
    assert both.blurred == {"b"}
    assert "keeps less than 0.9 of a's detail" in both.notes()[0]
    assert replace(both, enlarged=1).blurred == set()


# ---------------------------------------------------------------- what is left out, and said


def test_long_and_many_are_cut_and_said(videos, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder_module, "EMBEDDED_FRAMES", 8)
    monkeypatch.setattr(recorder_module, "MAX_VIDEOS", 2)
    monkeypatch.setattr("mmtempreg.visualization.report_page.MAX_POINTS", 10)
    reference, *processed = map(open_frames, videos)
    report_videos(tmp_path / "r.html", dict(zip("ab", processed)), reference)
    data, text = data_of(tmp_path / "r.html"), (tmp_path / "r.html").read_text()
    assert data["pictures"]["frames"] == 8
    assert data["pictures"]["videos"] == 2
    assert "Pictures of the first 2 of 3 videos." in text
    assert "Pictures and pixels of the first 8 of 30 frames; --assets FOLDER keeps all beside the page." in text
    assert "Curves show the largest of each 3 frames." in text
    curve = data["charts"][0]["series"][0]["values"]
    assert len(curve) == 10
    assert max(curve) == pytest.approx(
        np.nanmax(measure_videos({"a": processed[0]}, reference).videos[0].series["F"]), rel=1e-3
    )
    report_videos(tmp_path / "r.html", dict(zip("ab", processed)), reference, assets=tmp_path / "beside it")
    assert data_of(tmp_path / "r.html")["pictures"]["frames"] == FRAMES
    assert data_of(tmp_path / "r.html")["videoFile"] == "beside%20it/video.mp4"
    assert len(list(open_frames(tmp_path / "beside it" / "video.mp4"))) == FRAMES
    assert 'id="video"></script>' in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("reference", [True, False])
def test_one_frame_and_no_reference(videos, tmp_path, reference):
    for number in range(2):
        with open_writer(tmp_path / f"{number}.mp4", open_frames(videos[number])) as writer:
            writer.write(next(iter(open_frames(videos[number]))))
    one, two = (open_frames(tmp_path / f"{number}.mp4") for number in range(2))
    found = report_videos(tmp_path / "r.html", {"one": one}, two if reference else None)
    assert found.num_frames == 1
    data = data_of(tmp_path / "r.html")
    assert data["pictures"]["frames"] == 1
    assert "n/a" in (tmp_path / "r.html").read_text()
    assert "NaN" not in json.dumps(data)


def test_a_region_is_held_whole_or_refused(videos, tmp_path):
    found = report_videos(tmp_path / "r.html", {"a": open_frames(videos[0])}, region=(10, 20, 7, 5))
    grid = page_data(found, None)
    assert grid["pictures"] is None
    assert data_of(tmp_path / "r.html")["pictures"]["grid"] == dict(
        x=10, y=20, width=7, height=5, first=[10, 20], pitch=1, columns=7, rows=5
    )
    for region, said in (((60, 0, 9, 9), "is not in 64x48"), ((0, 0, 0, 1), "is not in")):
        with pytest.raises(ValueError, match=said):
            PageRecorder([open_frames(videos[0])], region=region)
    assert left_out(found, None) == []


@pytest.mark.slow
def test_the_input_is_enlarged_or_said_to_be_left_out(videos, tmp_path):
    """What `process_video --report` writes of a super-resolution, and of radiance."""
    write_own = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "process_video.py"))["write_report"]
    source, args = open_frames(videos[1]), Namespace(report=tmp_path / "r.html", input=str(videos[1]), stops=0.0)
    with VideoWriter(tmp_path / "large.mp4", 10) as writer:
        for frame in ResizedFrames(source, (2 * HEIGHT, 2 * WIDTH)):
            writer.write(frame)
    write_own(args, source, [tmp_path / "large.mp4"])
    data = data_of(args.report)
    assert (data["names"], data["size"]) == (["input, resized", "output"], [2 * WIDTH, 2 * HEIGHT])
    assert "<title>1.mp4: how" in args.report.read_text()
    for t in range(3):
        write_image(tmp_path / "radiance" / f"{t}.exr", np.full((HEIGHT, WIDTH, 3), 0.5 + t, np.float32))
    write_own(args, source, [tmp_path / "radiance"])
    assert data_of(args.report)["names"] == ["output"]
    assert "The input is left out" in args.report.read_text()


@pytest.mark.parametrize("size", [(2160, 3840), (7, 4000), (4000, 7), (128, 128)])
@pytest.mark.parametrize("number", [2, 12])
def test_tiles_fit_into_what_browsers_decode(size, number):
    height, width = recorder_module._tile(size, 640, number)
    columns = recorder_module.MOSAIC_EDGE // width
    assert height % 2 == width % 2 == 0
    assert max(height, width) <= 640
    assert -(-number // columns) * height <= recorder_module.MOSAIC_EDGE


def test_what_fails_leaves_nothing(videos, tmp_path):
    with pytest.raises(ValueError, match="differ in length"):
        short = tmp_path / "short.mp4"
        with open_writer(short, open_frames(videos[0])) as writer:
            for _, frame in zip(range(5), open_frames(videos[0])):
                writer.write(frame)
        report_videos(tmp_path / "r.html", {"a": open_frames(short)}, open_frames(videos[0]))
    assert [path.name for path in tmp_path.iterdir()] == ["short.mp4"]


def test_no_space_leaves_nothing(videos, tmp_path, monkeypatch):
    """Neither on the way, nor when the page itself is written; and no temporary folder."""

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for owner, name in ((VideoWriter, "write"), (Path, "write_bytes")):
        with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
            patched.setattr(owner, name, full)
            report_videos(tmp_path / "r.html", {"a": open_frames(videos[1])}, open_frames(videos[0]))
        assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]


def test_hundreds_of_videos_are_a_table(videos, tmp_path, monkeypatch):
    monkeypatch.setattr("mmtempreg.visualization.report_page.MAX_ROWS", 4)
    many = {f"video {i}": open_frames(videos[i % 2 + 1]) for i in range(8)}
    report_videos(tmp_path / "r.html", many, open_frames(videos[0]), metrics=["F"])
    text, data = (tmp_path / "r.html").read_text(), data_of(tmp_path / "r.html")
    assert "Pictures of the first 6 of 9 videos." in text
    assert "The first 4 of 9 videos in the table and the charts." in text
    assert data["pictures"]["videos"] == 6
    assert text.count("<tr") == 1 + 4


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with playwright.sync_playwright() as p:
        started = p.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser, page):
    """The page in a window without network; what went wrong is told at the end."""
    context = browser.new_context(viewport=dict(width=1280, height=900), offline=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab, wrong = context.new_page(), []
    # but for what it thinks of `pixel` below
    tab.on(
        "console",
        lambda m: wrong.append(m.text) if m.type in ("error", "warning") and "Canvas2D" not in m.text else None,
    )
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda r: None if r.url.startswith(("file:", "blob:", "data:")) else wrong.append(r.url))
    tab.goto(page[0].as_uri())
    until(tab, "document.querySelector('#panes canvas').dataset.frame === '0'")
    yield tab
    context.close()
    assert wrong == []


def until(tab, expression):
    """Waits for it to be true: the page's policy forbids what playwright's own waiting evaluates."""
    for _ in range(100):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    pytest.fail(f"this never came true: {expression}")


def frame_shown(tab):
    return int(tab.locator("#seek").input_value())


def pixel(tab, x, y):
    """The middle of the canvas's red values around a place, in parts of it."""
    return tab.evaluate(
        """([x, y]) => {
            const c = document.querySelector("#panes canvas");
            return c.getContext("2d").getImageData(x * c.width, y * c.height, 1, 1).data[0];
        }""",
        [x, y],
    )


def test_it_plays_steps_and_loops(opened):
    opened.get_by_role("button", name="Play").click()
    until(opened, "Number(document.getElementById('seek').value) >= 3")
    opened.get_by_role("button", name="Pause").click()
    stopped = frame_shown(opened)
    opened.get_by_role("button", name="Next frame").click()
    assert frame_shown(opened) == stopped + 1
    until(opened, f"document.querySelector('#panes canvas').dataset.frame === '{stopped + 1}'")
    opened.locator("h1").click()
    opened.keyboard.press("ArrowLeft")
    opened.keyboard.press("Shift+ArrowRight")  # a second: 10 frames
    assert frame_shown(opened) == stopped + 10
    opened.locator("#loop").check()
    opened.locator("#speed").select_option("0.5")
    opened.keyboard.press("l")
    opened.keyboard.press("l")
    opened.locator("h1").click()
    opened.keyboard.press("Space")
    seen = set()
    for _ in range(40):
        opened.wait_for_timeout(80)
        seen.add(frame_shown(opened))
    assert min(seen) >= min(stopped + 10, FRAMES - 10)
    assert max(seen) <= stopped + 20
    assert len(seen) >= 6


def test_frames_are_those_of_the_videos(opened, videos):
    """What the canvas shows of frame 17 on the right is the reference's frame 17, and not a neighbour's."""
    frames = [frame.image for frame in open_frames(videos[0])]
    opened.locator("#left").select_option("0")
    for frame in (17, 3, 29, 0):
        opened.evaluate(
            "f => { const s = document.getElementById('seek'); s.value = f; s.dispatchEvent(new Event('input')); }",
            frame,
        )
        until(opened, f"document.querySelector('#panes canvas').dataset.frame === '{frame}'")
        opened.wait_for_timeout(150)
        shown = [pixel(opened, (x + 0.5) / WIDTH, 0.3) for x in range(2, WIDTH // 2 - 2)]
        errors = [np.abs(np.array(shown) - f[int(0.3 * HEIGHT), 2 : WIDTH // 2 - 2, 0]).mean() for f in frames]
        assert int(np.argmin(errors)) == frame
        assert min(errors) < 5


def test_the_slider_splits_the_picture(opened):
    opened.evaluate(
        "() => { const s = document.getElementById('seek'); s.value = 17; s.dispatchEvent(new Event('input')); }"
    )
    until(opened, "document.querySelector('#panes canvas').dataset.frame === '17'")
    opened.wait_for_timeout(200)
    place = (0.4, 0.5)
    bright = pixel(opened, *place)  # left of the split: the video that flashes at frame 17
    opened.locator("#split").fill("200")
    dark = pixel(opened, *place)
    assert bright > dark + 25
    box = opened.locator("#panes canvas").bounding_box()
    opened.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.5 * box["height"])
    opened.mouse.down()
    opened.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=5)
    opened.mouse.up()
    assert abs(int(opened.locator("#split").input_value()) - 700) < 15
    assert pixel(opened, *place) == bright
    # above the knob, the line itself; also of an enlarged picture, which does not move then
    opened.get_by_role("button", name="Zoom in").click()
    before = pixel(opened, 0.9, 0.9)
    opened.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.2 * box["height"])
    opened.mouse.down()
    opened.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    opened.mouse.up()
    assert abs(int(opened.locator("#split").input_value()) - 500) < 15
    assert pixel(opened, 0.9, 0.9) == before


def test_side_by_side_with_the_reference_and_the_heat_map(opened):
    opened.locator("#mode").select_option("side")
    assert opened.locator("#panes canvas").count() == 3
    opened.get_by_label("reference", exact=True).uncheck()
    assert opened.locator("#panes canvas").count() == 2
    before = pixel(opened, 0.5, 0.5)
    opened.get_by_role("checkbox", name="heat map").check()
    assert pixel(opened, 0.5, 0.5) != before
    assert opened.locator("#heat-scale").is_visible()
    assert "heat map" in opened.locator("#panes canvas").first.get_attribute("aria-label")
    opened.get_by_role("button", name="Zoom in").click()
    assert "enlarged" in opened.locator("#panes canvas").first.get_attribute("class")


def test_a_click_on_a_chart_goes_there_and_worst_moments_are_links(opened):
    over = opened.locator("#chart-F .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    opened.mouse.move(box["x"] + box["width"] * 20 / (FRAMES - 1), box["y"] + 20)
    opened.mouse.click(box["x"] + box["width"] * 20 / (FRAMES - 1), box["y"] + 20)
    assert frame_shown(opened) == 20
    opened.locator("#worst button").first.click()
    assert frame_shown(opened) in (17, 18)


def test_a_click_on_a_pixel_draws_it_over_time(opened, videos):
    box = opened.locator("#panes canvas").bounding_box()
    opened.mouse.click(box["x"] + (20 + 0.5) / WIDTH * box["width"], box["y"] + (30 + 0.5) / HEIGHT * box["height"])
    assert (opened.locator("#pixel-x").input_value(), opened.locator("#pixel-y").input_value()) == ("20", "30")
    label = opened.locator("#pixel-chart").get_attribute("aria-label")
    values = [frame.image[30, 20].astype(float) / 255 for frame in open_frames(videos[0])]
    grey = [float(luminance(torch.tensor(v).view(3, 1, 1))) for v in values]
    low, high = (float(n) for n in re.search(r"reference from ([\d.]+) to ([\d.]+)", label).groups())
    assert (low, high) == pytest.approx((min(grey), max(grey)), abs=0.01)
    opened.locator("#pixel-x").fill("5")
    opened.locator("#pixel-x").press("Enter")
    assert "(5, 30)" in opened.locator("#pixel-chart").get_attribute("aria-label")


def test_tab_reaches_every_control(opened):
    wanted = opened.evaluate(
        """() => [...document.querySelectorAll("button, select, input, [tabindex='0'], a[href]")]
            .filter((e) => e.offsetParent !== null).length"""
    )
    opened.evaluate("() => document.activeElement.blur()")
    reached = set()
    for _ in range(2 * wanted):
        opened.keyboard.press("Tab")
        reached.add(opened.evaluate(
            """() => { const e = document.activeElement; return e === document.body ? "" :
                [...document.querySelectorAll("*")].indexOf(e).toString(); }"""
        ))  # fmt: skip
    assert len(reached - {""}) == wanted > 15


def test_everything_has_a_name(opened):
    nameless = opened.evaluate(
        """() => [...document.querySelectorAll("button, select, input, #panes canvas, section, [role=img]")]
            .filter((e) => !(e.ariaLabel || e.getAttribute("aria-labelledby") || e.textContent.trim() ||
                e.labels?.length))
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert opened.locator("#chart-F").get_attribute("aria-label").startswith("Flicker F. flickers: mean")


def box_of(tab, selector):
    """(left, top, right, bottom) in the window."""
    box = tab.locator(selector).first.bounding_box()
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_picture_is_in_view_beside_every_curve(opened, width, height):
    opened.set_viewport_size(dict(width=width, height=height))
    if width > 1000:
        assert box_of(opened, "#seek")[3] < height  # above the fold
        assert box_of(opened, "#panes canvas")[2] <= box_of(opened, "#chart-F")[0]
    opened.evaluate("document.getElementById('chart-K').scrollIntoView({ block: 'end' })")
    chart, picture = box_of(opened, "#chart-K .u-over"), box_of(opened, "#panes canvas")
    assert 0 <= picture[1] < picture[3] <= height
    opened.mouse.click((chart[0] + chart[2]) / 2, chart[3] - 20)
    assert frame_shown(opened) in (14, 15)
    # the knob lies on the line
    opened.locator("#split").fill("250")
    knob, picture = box_of(opened, "#split"), box_of(opened, "#panes canvas")
    assert knob[0] + 16 + (knob[2] - knob[0] - 32) / 4 == pytest.approx(
        picture[0] + (picture[2] - picture[0]) / 4, abs=1
    )


def drawn(tab):
    """What is written into canvases from here on: (text, x, y) each, and the charts are drawn again."""
    tab.evaluate(
        """() => {
            window.drawn = [];
            const prototype = CanvasRenderingContext2D.prototype, fillText = prototype.fillText;
            prototype.fillText = function (text, x, y) {
                const at = this.getTransform();
                window.drawn.push([text, at.a * x + at.e, at.d * y + at.f]);
                fillText.call(this, text, x, y);
            };
        }"""
    )
    tab.emulate_media(color_scheme="dark")  # charts follow
    until(tab, "window.drawn.length > 10")
    return tab.evaluate("window.drawn")


@pytest.mark.parametrize("top", [0.0076, 3e-5, 2.6, 0.51, 1234.0])
def test_numbers_of_axes_stand_where_they_belong(browser, tmp_path, top):
    """Their places are proportional to what they say, whatever the range; axes have units."""
    found = measured(dict(a={}), rate=8, K=np.linspace(0, top, 30))
    write_report(tmp_path / "r.html", found)
    tab = browser.new_page()
    tab.goto((tmp_path / "r.html").as_uri())
    texts = drawn(tab)
    tab.close()
    assert {"time [s]", "1: as much"} <= {text for text, _, _ in texts}
    columns = {}
    for text, x, y in texts:
        if re.fullmatch(r"[\d.]+", text):
            columns.setdefault(x, []).append((float(text), y))
    places = np.array(max(columns.values(), key=len))
    assert len(places) >= 3
    assert places[:, 0].max() > 0.5 * top
    slope, offset = np.polyfit(places[:, 1], places[:, 0], 1)
    np.testing.assert_allclose(slope * places[:, 1] + offset, places[:, 0], atol=0.02 * top)


def test_times_and_values_are_written_in_one_way(browser, tmp_path):
    """Frame 13 at 8 per second is 1.625 s: rounded alike everywhere."""
    found = measured(dict(a={}), rate=8, F=1.0 + (np.arange(20) == 13))
    write_report(tmp_path / "r.html", found)
    tab = browser.new_page()
    tab.goto((tmp_path / "r.html").as_uri())
    button, label = tab.locator("#worst button").first.inner_text(), tab.locator("#chart-F").get_attribute("aria-label")
    assert re.search(r"at ([\d.]+ s)", label)[1] == button.split(" (")[0]
    assert tab.locator("#chart-F .u-value").all_inner_texts() == ["0.00 s", "1"]  # without a pointer: at the playhead
    tab.locator("#worst button").first.click()
    assert tab.locator("#chart-F .u-value").all_inner_texts() == [button.split(" (")[0], "2"]
    tab.close()


def test_the_pixel_that_is_named_is_the_one_that_is_drawn(browser, videos, tmp_path, monkeypatch):
    """Of a coarse grid, clicked, stepped or typed."""
    monkeypatch.setattr(recorder_module, "STORED_VALUES", 2 * FRAMES * 200)
    report_videos(tmp_path / "r.html", {"a": open_frames(videos[1])}, open_frames(videos[0]))
    tab = browser.new_page(viewport=dict(width=1280, height=900))
    tab.goto((tmp_path / "r.html").as_uri())
    until(tab, "document.querySelector('#panes canvas').dataset.frame === '0'")
    box = tab.locator("#panes canvas").bounding_box()

    def named():
        fields = tuple(int(tab.locator(f"#pixel-{axis}").input_value()) for axis in "xy")
        label = tab.locator("#pixel-chart").get_attribute("aria-label")
        assert tuple(map(int, re.search(r"\((\d+), (\d+)\)", label).groups())) == fields
        low, high = map(float, re.search(r"reference from ([\d.]+) to ([\d.]+)", label).groups())
        values = [frame.image[fields[1], fields[0]].mean() / 255 for frame in open_frames(videos[0])]
        assert (low, high) == pytest.approx((min(values), max(values)), abs=0.02)
        return fields

    tab.mouse.click(box["x"] + 20.5 / WIDTH * box["width"], box["y"] + 30.5 / HEIGHT * box["height"])
    first = named()
    assert 0 < max(abs(first[0] - 20), abs(first[1] - 30)) <= 2
    tab.locator("#pixel-x").press("ArrowUp")
    assert named() == (first[0] + 4, first[1])
    tab.locator("#pixel-y").fill("7")
    tab.locator("#pixel-y").press("Enter")
    assert abs(named()[1] - 7) <= 2
    tab.close()


def test_the_table_is_copied_as_markdown(opened, page):
    opened.get_by_role("button", name="Copy the table").click()
    until(opened, "document.getElementById('copy-said').textContent === 'copied'")
    head, rule, *rows = opened.evaluate("navigator.clipboard.readText()").strip().split("\n")
    headings, cells = page[1].table()
    assert head == f"| {' | '.join(headings)} |"
    assert rule == f"| --- | {' | '.join(['--:'] * (len(headings) - 1))} |"
    assert [row.replace("**", "") for row in rows] == [f"| {' | '.join(row)} |" for row in cells]
    assert "**" in rows[2]
    assert "**" not in rows[0]


def test_a_link_leads_to_the_moment_and_the_pixel(opened):
    opened.goto(opened.url + "#t=1.6&pixel=38,30")
    until(opened, "document.querySelector('#panes canvas').dataset.frame === '16'")
    assert [opened.locator(f"#pixel-{axis}").input_value() for axis in "xy"] == ["38", "30"]
    opened.get_by_role("button", name="Next frame").click()
    opened.get_by_role("button", name="Copy link").click()
    until(opened, "document.getElementById('link-said').textContent === 'copied'")
    link = opened.evaluate("navigator.clipboard.readText()")
    assert link == opened.url
    assert link.endswith("#t=1.7&pixel=38,30")
    opened.goto("about:blank")
    opened.goto(link)
    until(opened, "document.querySelector('#panes canvas').dataset.frame === '17'")
    assert opened.locator("#pixel-x").input_value() == "38"
    for nonsense in ("#t=&pixel=", "#t=-5&pixel=9999,-3", "#t=x&pixel=1", "#%"):
        opened.goto("about:blank")
        opened.goto(link.split("#")[0] + nonsense)
        until(opened, "document.querySelector('#panes canvas').dataset.frame === '0'")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_phones_and_the_dark(browser, page, width, scheme):
    context = browser.new_context(viewport=dict(width=width, height=800), color_scheme=scheme)
    tab = context.new_page()
    tab.goto(page[0].as_uri())
    until(tab, "document.documentElement.dataset.ready === 'true'")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = tab.evaluate(
        "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
    )
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in (ink, paper)]
    assert (light[0] < light[1]) == (scheme == "light")
    for _ in range(2):
        assert accessible(tab)
        tab.locator("#heat").check()
        tab.locator("#mode").select_option("side")
        tab.evaluate("location.hash = 'pixel=20,20'")
        until(tab, "!document.getElementById('pixel').hidden")
    context.close()


def accessible(tab):
    """By axe-core."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    return True


def test_the_folder_beside_the_page_plays_too(browser, videos, tmp_path):
    report_videos(
        tmp_path / "r.html", {"a": open_frames(videos[1])}, open_frames(videos[0]), assets=tmp_path / "beside"
    )
    tab, wrong = browser.new_page(), []
    tab.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    tab.goto((tmp_path / "r.html").as_uri())
    until(tab, "document.querySelector('#panes canvas').dataset.frame === '0'")
    assert wrong == []
    tab.close()


def test_of_colours_a_is_held(videos, tmp_path):
    """Against OpenCV's Lab."""
    path = tmp_path / "red.mp4"
    with VideoWriter(path, 10, crf=4) as writer:
        writer.write(Frame(np.full((HEIGHT, WIDTH, 3), (200, 40, 60), np.uint8), Fraction(0)))
    report_videos(tmp_path / "r.html", {"red": open_frames(path)}, channels="ab")
    pictures = data_of(tmp_path / "r.html")["pictures"]
    held = np.frombuffer(base64.b64decode(pictures["pixels"]), np.uint8)
    seen = next(iter(open_frames(path))).image.astype(np.float32) / 255
    expected = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)[..., 1].ravel()
    assert pictures["values"]["what"] == "a of Lab"
    np.testing.assert_allclose(pictures["values"]["offset"] + pictures["values"]["scale"] * held, expected, atol=0.6)
