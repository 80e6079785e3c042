"""Whatever a user may get wrong: each tool says what, where and what to do in its last line, and touches nothing.

A table of bad inputs over all tools. Each is run as a user runs it (in a fork, since MMagic's import takes long), and
what lies in the folder of inputs, in the output's folder and where the tool was started is listed before and after.
"""

import csv
import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import time
from pathlib import Path

import cv2
import pytest
import torch
from mmagic.registry import MODELS
from mmengine.registry import init_default_scope

from mmtempreg.video import open_frames
from tests.bad_inputs import ended, listing, make_files, start_tool

pytestmark = pytest.mark.slow

HDR, COLOR = "configs/tempreg/hdr_finetune.py", "configs/tempreg/color_finetune.py"
PROCESS, MEASURE, TUNE, EQ = "process_video.py", "measure_video.py", "tune_alpha.py", "measure_equivariance.py"
BLEND = "blend_checkpoints.py"
ANALYSIS, CONVERT, DATA = "analysis_tools", "model_converters", "dataset_converters"
NET = "{f}/net.py {f}/net.pth"
IN_OUT = "{f}/clip.mp4 {o}/out.mp4"
DAMAGED = "train_dataloader.dataset.data_root={f}/damaged"

NO_CHECKPOINT = [
    ("none.pth", "there is no checkpoint {f}/none.pth"),
    ("cut.pth", "{f}/cut.pth cannot be read as a checkpoint: it is cut off"),
    ("empty.pth", "{f}/empty.pth is empty"),
    ("text.pth", "{f}/text.pth cannot be read as a checkpoint"),
    ("list.pth", "{f}/list.pth holds a list"),
    ("folder.pth", "{f}/folder.pth is a folder"),
    ("pipe.pth", "{f}/pipe.pth is a pipe"),
    ("evil.pth", "{f}/evil.pth cannot be read as a checkpoint: .*may run code"),
    ("no_weights.pth", "{f}/no_weights.pth holds no weights"),
]
NO_NETWORK = [
    *NO_CHECKPOINT,
    ("other.pth", "{f}/other.pth is of another network"),
    ("nan.pth", "{f}/nan.pth holds weights that are NaN"),
]
NO_CONFIG = [
    ("none.py", "there is no config {f}/none.py"),
    ("broken.py", "{f}/broken.py cannot be read as a config: SyntaxError"),
    ("empty.py", "{f}/empty.py has no model"),
    ("no_model.py", "{f}/no_model.py has no model"),
    ("pipe.py", "{f}/pipe.py is a pipe"),
    ("raises.py", "{f}/raises.py cannot be read as a config: KeyError"),
    ("photo.png", "{f}/photo.png cannot be read as a config"),
    ("plain.py", "{f}/plain.py cannot be read as a config: RuntimeError; a network in it is named {f}/plain.py:Plain"),
    ("plain.py:Plain", "{f}/plain.py:Plain names a network, and a config is needed: .*work_dirs/steady_NAME/config.py"),
]
NO_VIDEO = [
    ("none.mp4", "there is no file or folder {f}/none.mp4"),
    ("empty.mp4", "{f}/empty.mp4 cannot be read as a video"),
    ("text.mp4", "{f}/text.mp4 cannot be read as a video"),
    ("cut.mp4", "{f}/cut.mp4"),
    ("pipe.mp4", "{f}/pipe.mp4 is a pipe, which cannot be read twice: save what comes from it as a file"),
    ("no_images", "{f}/no_images: the folder holds no image"),
    ("frames", "{f}/frames: images do not tell their frame rate; give it"),
    ("none/*.png", "no file matches {f}/none/"),
]
NO_FRAMES = [
    ("gap", "a frame is missing between"),
    ("two_sizes", "{f}/two_sizes/2.png is 64x20 uint8, the frames before it 64x48"),
    ("jpeg", "{f}/jpeg/1.jpg cannot be read as an image: it is cut off"),
    ("huge", "{f}/huge/0.png cannot be read as an image"),
    ("text_images", "{f}/text_images/0.png cannot be read as an image"),
    ("pipes", "{f}/pipes/1.png is a pipe"),
    ("nan", "{f}/nan/1.exr holds NaN or infinite radiance"),
    ("negative", "{f}/negative/1.exr holds negative radiance"),
]

CASES = [
    # ---------------------------------------------------------------- process_video
    *((PROCESS, f"{{f}}/net.py {{f}}/{name} {IN_OUT}", says) for name, says in NO_NETWORK),
    *((PROCESS, f"{{f}}/{name} {{f}}/net.pth {IN_OUT}", says) for name, says in NO_CONFIG),
    *((PROCESS, f"{NET} {{f}}/{name} {{o}}/out.mp4", says) for name, says in NO_VIDEO),
    *((PROCESS, f"{NET} {{f}}/{name} {{o}}/out.mp4 --fps 24", says) for name, says in NO_FRAMES[:-2]),
    (PROCESS, f"{{f}}/unknown.py {{f}}/net.pth {IN_OUT}", "NoSuchModel is not in"),
    (PROCESS, f"{HDR} checkpoints/color_baseline.pth {IN_OUT}", "is of another network than this HDRReconstruction"),
    (PROCESS, f"{NET} {{f}}/radiance {{o}}/out.mp4 --fps 24", "radiance; models take display values"),
    *(
        (PROCESS, f"{NET} {IN_OUT} {options}", says)
        for options, says in [
            ("--fps 1e9", r"the frame rate must be in \[0.1, 1000\]"),
            ("--fps 1e-5", r"the frame rate must be in \[0.1, 1000\]"),
            ("--fps nan", "the frame rate must be in"),
            ("--fps fast", "invalid float value: 'fast'"),
            ("--crf 99", r"crf must be in \[0, 51\]"),
            ("--crf -5", "crf must be in"),
            ("--codec aac", "'aac' is for audio, not for pictures"),
            ("--codec h266", "has no encoder 'h266'"),
            ("--codec libvpx-vp9x", "has no encoder"),
            ("--device banana", "there is no device 'banana'"),
            ("--device cuda:99", "there is no device 'cuda:99'"),
            ("--tile 1", r"it must be a whole number >= 16, got 1"),
            ("--tile x", r"it must be a whole number >= 16, got 'x'"),
            ("--tile 32 --tile-overlap 16", "tiles of 32 pixels can overlap by less than half"),
            ("--tile-overlap -1", "it must be a whole number >= 0"),
            ("--shifts 0", r"it must be a whole number in \[1, 16\]"),
            ("--shifts 2 --tile 32", "shifts must be from 1 to 16, and 1 with tiles: got shifts=2, tile=32"),
            ("--batch-size 0", r"it must be a whole number in \[1, 1024\]"),
            ("--stops inf", r"it must be a number in \[-50, 50\]"),
            ("--suffix .gif", "argument --suffix: invalid choice: '.gif'"),
            ("--tone-mapped {o}/t.mp4", "tone_mapped is for models that give radiance"),
            ("--original {f}/clip.mp4", "--original VIDEO goes with a config of BlindConsistencyModel"),
            ("--report {o}/r.gif", "a report ends in .html"),
            ("--report {f}/clip.mp4", "a report ends in .html"),
            ("--report {o}/out.mp4/r.html", "one lies in the other|out.mp4"),
            ("--original {f}/pipe.mp4", "pipe.mp4 is a pipe"),
            ("--resume", "a video cannot be resumed, a folder of frames can: leave out --resume"),
            ("--cfg-options model.generator.no_such=1", "unexpected keyword argument 'no_such'"),
            ("--cfg-options model.generator.mid_channels=x", "mid_channels|str|int"),
            ("--no-such-option", "unrecognized arguments: --no-such-option"),
            ("--codec mpeg4 --crf 20", "the codec 'mpeg4' knows no crf"),
            ("--suffix .jpg", "suffix='.jpg' is of images in a folder, and .*out.mp4 is a video"),
            ("--stops 2", "stops=2 is an exposure of radiance, and this model gives display values"),
            ("--\x1b[31mred", r"unrecognized arguments: --\\x1b\[31mred"),
        ]
    ),
    (
        PROCESS,
        f"{NET} {{f}}/sound.mp4 {{o}}/out.mp4 --fps 6",
        "sound.mp4 has 24 .* would not fit 6: .*--no-audio",
    ),
    (
        PROCESS,
        f"{NET} {{f}}/clip.mp4 {{o}}/out --crf 20",
        "codec, crf and lossless are of a video",
    ),
    (PROCESS, f"{NET} {{f}}/clip.mp4 -", "nothing is written to the standard output"),
    (PROCESS, f"{NET} {{f}}/\x1b[31mred.mp4 {{o}}/out.mp4", r"\\x1b\[31mred.mp4"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/clip.mp4 --overwrite", "clip.mp4 is read and would be overwritten"),
    (PROCESS, f"{NET} {{f}}/frames {{f}}/frames --fps 24 --overwrite", "frames is read and would be overwritten"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/mine --overwrite", "mine holds letter.txt, which is no frame of this video"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/mine", "mine is there already"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{o}}/f.html/ --report {{o}}/f.html", "two outputs are both {o}/f.html"),
    (PROCESS, f"{NET} {{f}}/frames {{f}}/frames/ --fps 24 --resume", "frames is read and would be overwritten"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/other.mp4", "other.mp4 is there already"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/link.mp4 --overwrite", "link.mp4 is a symbolic link"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{o}}/out.gif", "videos end in .mp4"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 {{f}}/net.py/out.mp4", "net.py is no folder"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 /dev/null --overwrite", "a folder is to be written"),
    (PROCESS, f"{NET} {{f}}/clip.mp4 /proc/out.mp4", "/proc/out.mp4 cannot be written"),
    (PROCESS, "", "the following arguments are required"),
    # ---------------------------------------------------------------- measure_video
    *((MEASURE, f"{{f}}/clip.mp4 {{f}}/{name}", says) for name, says in NO_VIDEO),
    *((MEASURE, f"--no-reference {{f}}/{name} --fps 24", says) for name, says in NO_FRAMES),
    *(
        (MEASURE, f"{{f}}/clip.mp4 {rest}", says)
        for rest, says in [
            ("", "there must be a reference and a processed video"),
            ("{f}/small.mp4", "differ in size: 64x48 and 32x32"),
            ("{f}/fast.mp4", "differ in frame rate: 24 and 30"),
            ("{f}/short.mp4", "differ in length: 8 and 5"),
            ("{f}/other.mp4 {f}/other.mp4", "is named twice"),
            ("a={f}/other.mp4 a={f}/clip.mp4", r"\['a'\] is named twice"),
            ("{f}/radiance --fps 24", "differ in size"),
            ("{f}/other.mp4 --metrics Q", r"unknown metrics \['Q'\]"),
            ("{f}/other.mp4 --channels hsv", "argument --channels: invalid choice: 'hsv'"),
            ("{f}/other.mp4 --lag nan", "it must be a number in"),
            ("{f}/other.mp4 --lag -1", "it must be a number in"),
            ("{f}/other.mp4 --stops 1e9", "it must be a number in"),
            ("{f}/other.mp4 --stops 2", "stops=2 is an exposure of radiance, and these are display values"),
            ("{f}/other.mp4 --json -", "nothing is written to the standard output"),
            ("{f}/other.mp4 --fps 0", "the frame rate must be in"),
            ("{f}/other.mp4 --flow {f}/none", "must hold .flo files"),
            ("{f}/other.mp4 --report {o}/r.gif", "a report ends in .html"),
            ("{f}/other.mp4 --report {f}/other.mp4", "a report ends in .html"),
            ("{f}/other.mp4 --report {f}/page.html", "page.html is there already: .* or overwrite it"),
            ("p={f}/video/video.mp4 --report {o}/r.html --assets {f}/video --overwrite", "video.mp4 is read and would"),
            ("{f}/other.mp4 --report {o}/r.html --assets {f}/video", "video/video.mp4 is there already"),
            ("{f}/other.mp4 --report {o}/q.html --assets {o}/q.html", "q.html/video.mp4 one lies in the other"),
            ("{f}/other.mp4 --json {o}/a --csv {o}/a", "two outputs are both {o}/a: give each a name of its own"),
            ("{f}/other.mp4 --json {f}/some.json", "some.json is there already: .* or overwrite it"),
            ("{f}/frames --json {f}/frames/0.png --overwrite --fps 24", "0.png is there and lies in {f}/frames, which"),
            ("{f}/pipes --fps 24", "pipes/1.png is a pipe"),
            ("{f}/other.mp4 --report {o}/r.png --assets {o}/a", "--assets and --region are of a page"),
            ("{f}/other.mp4 --region 1,2,3,4", "--assets and --region are of a page"),
            ("{f}/other.mp4 --report {o}/r.html --region 1,2,3", "'1,2,3' is not 4 whole numbers between commas"),
            ("{f}/other.mp4 --report {o}/r.html --region 60,0,9,9", "the region 60,0,9,9 .* is not in 64x48 pixels"),
            ("{f}/other.mp4 --report {o}/r.html --assets {f}/net.py", "net.py is no folder"),
            ("{f}/short.mp4 --report {o}/r.html", "differ in length: 8 and 5"),
            ("{f}/other.mp4 --json {f}/clip.mp4", "clip.mp4 is read and would be overwritten"),
            ("{f}/other.mp4 --csv {f}/mine", "mine is a folder"),
            ("{f}/other.mp4 --json {f}/link.mp4", "link.mp4 is a symbolic link"),
            ("{f}/other.mp4 --json /dev/null", "/dev/null is no file but a device"),
            ("{f}/other.mp4 --json {f}/net.py/x.json", "net.py is no folder"),
        ]
    ),
    # ---------------------------------------------------------------- measure_equivariance
    *((EQ, f"{{f}}/net.py {{f}}/{name} {{f}}/frames", says) for name, says in NO_NETWORK),
    *((EQ, f"{{f}}/{name} {{f}}/net.pth {{f}}/frames", says) for name, says in NO_CONFIG),
    (EQ, f"{NET} {{f}}/none", "there is no folder {f}/none"),
    (EQ, f"{NET} {{f}}/no_images", "{f}/no_images holds no image"),
    (EQ, f"{NET} {{f}}/text_images", "{f}/text_images/0.png cannot be read as an image"),
    (EQ, f"{NET} {{f}}/pipes", "{f}/pipes/1.png is a pipe"),
    (EQ, f"{NET} {{f}}/frames --json {{f}}/some.json", "some.json is there already"),
    (EQ, f"{NET} {{f}}/frames --json {{o}}/a --plot {{o}}/a --why", "two outputs are both"),
    (EQ, f"{NET} {{f}}/jpeg", "{f}/jpeg/1.jpg.* cut off"),
    (EQ, f"{NET} {{f}}/radiance", "holds radiance; display values are needed"),
    (EQ, f"{NET} {{f}}/frames --num-images 0", r"it must be a whole number in \[1, 1e9\]"),
    (EQ, f"{NET} {{f}}/frames --crop 1", "it must be a whole number >= 8"),
    (EQ, f"{NET} {{f}}/frames --transforms 1e9", "it must be a whole number in"),
    (EQ, f"{NET} {{f}}/frames --device tpu9", "there is no device 'tpu9'"),
    (EQ, f"{NET} {{f}}/frames --json {{f}}/mine", "mine is a folder"),
    (EQ, f"{NET} {{f}}/frames --plot {{o}}/a.png", "--plot draws what --why finds"),
    (EQ, f"{NET} {{f}}/frames --transforms 1 --why", "frames/.*.png is 64x48: shifts of up to 32 pixels need"),
    # ---------------------------------------------------------------- blend_checkpoints
    *((BLEND, f"{{f}}/{name} {{f}}/net.pth {{o}}/a.pth --strength 0.5", says) for name, says in NO_CHECKPOINT),
    (BLEND, "{f}/net.pth {f}/nan.pth {o}/a.pth --strength 0.5", "nan.pth holds weights that are NaN"),
    (BLEND, "{f}/net.pth {f}/other.pth {o}/a.pth --strength 0.5", "are of different networks"),
    (BLEND, "{f}/net.pth {f}/net.pth {o}/a.pth --strength 2", r"it must be a number in \[0, 1\]"),
    (BLEND, "{f}/net.pth {f}/net.pth {o}/a.pth", "the following arguments are required: --strength"),
    (BLEND, "{f}/net.pth {f}/net.pth {f}/net.pth --strength 0.5", "net.pth is read and would be overwritten"),
    (BLEND, "{f}/net.pth {f}/net.pth {f}/other.pth --strength 0.5", "other.pth is there already"),
    # ---------------------------------------------------------------- tune_alpha
    *((TUNE, f"{{f}}/train.py {{f}}/{name}", says) for name, says in NO_CHECKPOINT),
    (TUNE, "{f}/train.py {f}/nan.pth", "nan.pth holds weights that are NaN"),
    *((TUNE, f"{{f}}/{name} {{f}}/net.pth", says) for name, says in NO_CONFIG),
    *(
        (TUNE, f"{{f}}/train.py {{f}}/net.pth {options}", says)
        for options, says in [
            ("--num-clips 0", "it must be a whole number in"),
            ("--num-clips -3", "it must be a whole number in"),
            ("--num-clips 9999", "too few to hold out 9999"),
            ("--num-frames 1", "it must be a whole number in"),
            ("--iterations 0", r"it must be a whole number in \[1, 1e9\]"),
            ("--budget 0", "it must be a whole number in"),
            ("--budget 2 --num-clips 2", "a budget of 2 does not suffice"),
            ("--max-psnr-loss nan", "it must be a number in"),
            ("--max-psnr-loss -1", "it must be a number in"),
            ("--min-detail inf", "it must be a number in"),
            ("--seed 1.5", "it must be a whole number >= 0"),
        ]
    ),
    # ---------------------------------------------------------------- train and test
    *(("train.py", f"{{f}}/{name} --work-dir {{o}}/w", says) for name, says in NO_CONFIG),
    ("train.py", "{f}/misspelt.py --work-dir {o}/w", "'custom_hook' does nothing; did you mean 'custom_hooks'"),
    *(
        ("train.py", f"{{f}}/train.py --work-dir {{o}}/w --cfg-options {options}", says)
        for options, says in [
            *((f"load_from={{f}}/{name}", says) for name, says in NO_NETWORK),
            ("model.alpha=2", r"alpha must be a number in \[0, 1\], got 2"),
            ("model.alpha=nan", r"alpha must be a number in \[0, 1\], got"),
            ("model.alpha='0.8x'", r"alpha must be a number in \[0, 1\], got '0.8x'"),
            ("model.seed=1.5", "seed must be a whole number >= 0, got 1.5"),
            (f"model.num_transforms={10**30}", r"num_transforms must be a whole number in \[1, 1000\], got 1000"),
            ("model.single_pass='no'", "single_pass must be True or False, got 'no'"),
            ("model.alhpa=0.5", "unexpected keyword argument 'alhpa'; did you mean 'alpha'"),
            ("model.motion=fast", "motion must be one of"),
            ("model.target=teacher", "go together"),
            ("model.teacher_shift=4", "teacher_shift=4 needs target='teacher'"),
            ("model.model.type=AntiAliasedModel", "missing a required argument|unexpected keyword argument"),
            ("model.transform.translate=1e9", r"translate must be a number in \[0, 10000\]"),
            ("model.transform.zoom=1", r"zoom must be a number in \[0, 1\)"),
            ("model.transform.rotat=1", "unexpected keyword argument 'rotat'; did you mean 'rotate'"),
            ("model.transform.type=NoSuchPair", "NoSuchPair is not in"),
            ("model.regularization.distance.reduction=sum", "distance must have reduction='mean', got 'sum'"),
            ("model.model.type=NoSuchModel", "NoSuchModel is not in"),
            ("train_dataloader.batch_size=99", "an epoch has no batch: a batch is 99 of"),
            ("train_dataloader.dataset.data_root={f}/none", "{f}/none"),
            ("optim_wrapper.optimizer.lr=1e30 train_cfg.max_epochs=9", "the loss is NaN or infinite at iteration"),
            (
                "train_dataloader.batch_size=99 train_cfg.type=IterBasedTrainLoop train_cfg.max_iters=3 "
                "train_cfg.max_epochs=None default_hooks.checkpoint.by_epoch=False",
                "less than a batch|max_epochs",
            ),
        ]
    ),
    *(
        ("train.py", f"{{f}}/train.py --work-dir {{o}}/w --cfg-options {options}", says)
        for options, says in [
            ("train_cfg.max_epochs=0", "train_cfg.max_epochs must be a whole number in .*, got 0"),
            ("train_cfg.max_epochs=x", "train_cfg.max_epochs must be a whole number in .*, got 'x'"),
            ("randomness.seed=1.5", r"randomness.seed must be a whole number in \[0, 4294967295\], got 1.5"),
            ("optim_wrapper.optimizer.lr=abc", "optim_wrapper.optimizer.lr must be a number >= 0.*, got 'abc'"),
            ("optim_wrapper.optimizer.momentum=x", "optim_wrapper.optimizer.momentum must be .*, got 'x'"),
            ("train_dataloader.batch_size=0", "train_dataloader.batch_size must be a whole number in .*, got 0"),
            ("train_dataloader.num_workers=-1", "train_dataloader.num_workers must be a whole number >= 0, got -1"),
            ("optim_wrapper.type=AmpOptimWrapper", "AmpOptimWrapper need a GPU"),
            (DAMAGED, "{f}/damaged/gt/.*.png cannot be read as an image"),
            (f"{DAMAGED} train_dataloader.num_workers=1", "{f}/damaged/gt/.*.png cannot be read as an image"),
            ("resume=True custom_hooks=[]", "net.pth has no meta, optimizer, it holds weights alone"),
        ]
    ),
    ("train.py", "{f}/train.py --work-dir {o}/w --amp", "--amp and AmpOptimWrapper need a GPU"),
    ("train.py", "{f}/train.py --work-dir {o}/w --launcher pytorch", "started by torchrun"),
    ("train.py", "{f}/train.py --no-such", "unrecognized arguments: --no-such"),
    ("test.py", "{f}/train.py {f}/net.pth --work-dir {o}/w --out {f}/mine", "mine is a folder"),
    ("test.py", "{f}/train.py {f}/net.pth --work-dir {o}/w --out {o}/m.txt", "metrics go into .json"),
    ("test.py", "{f}/train.py {f}/net.pth --work-dir {o}/w --out {f}/train.py", "train.py is read and would be"),
    ("test.py", f"{HDR} {{f}}/net.pth --work-dir {{o}}/w", "net.pth is of another network than HDRReconstruction"),
    ("test.py", "{f}/none.py {f}/net.pth --work-dir {o}/w", "there is no config"),
    ("test.py", "{f}/net.py {f}/net.pth --work-dir {o}/w --out {f}/some.json", "some.json is there already"),
    ("test.py", "{f}/net.py {f}/net.pth --work-dir {o}/w --out {f}/net.pth --overwrite", "net.pth is read and would"),
    ("test.py", "{f}/broken.py {f}/net.pth --work-dir {o}/w", "cannot be read as a config"),
    # ---------------------------------------------------------------- converters
    *((f"{CONVERT}/publish_model.py", f"{{f}}/{name} {{o}}/a.pth", says) for name, says in NO_CHECKPOINT[:-1]),
    (f"{CONVERT}/publish_model.py", "{f}/no_weights.pth {o}/a.pth", "holds no state_dict"),
    (f"{CONVERT}/publish_model.py", "{f}/nan.pth {o}/a.pth", "NaN or infinite"),
    (f"{CONVERT}/publish_model.py", "{f}/net.pth {f}/net.pth", "net.pth is read and would be overwritten"),
    (f"{CONVERT}/publish_model.py", "{f}/net.pth {f}/other.pth", "other.pth is there already: .* or overwrite it"),
    (f"{CONVERT}/convert_blind_consistency.py", "{f}/net.pth {f}/other.pth", "other.pth is there already"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/arrays.npz {f}/other.pth", "other.pth is there already"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/pipe.pth {o}/a.pth", "pipe.pth is a pipe"),
    (f"{CONVERT}/convert_realesrgan.py", "realesrgan-x4plus {f}/other.pth", "other.pth is there already"),
    *((f"{CONVERT}/convert_blind_consistency.py", f"{{f}}/{name} {{o}}/a.pth", says) for name, says in NO_CHECKPOINT),
    (f"{CONVERT}/convert_blind_consistency.py", "{f}/net.pth {o}/a.pth", "not the network of Lai et al"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/none.npz {o}/a.pth", "none.npz"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/arrays.npz {o}/a.pth", "expected [0-9]+ arrays of hdrcnn, got 2"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/text.pth {o}/a.pth", "text.pth"),
    (f"{CONVERT}/convert_hdrcnn.py", "{f}/arrays.npz {f}/mine", "mine is a folder"),
    (f"{CONVERT}/convert_realesrgan.py", "realesrgan-x4plus {o}/a.pth --source {f}/none.whl", "none.whl"),
    (f"{CONVERT}/convert_realesrgan.py", "realesrgan-x4plus {o}/a.pth --source {f}/text.pth", "text.pth is no wheel"),
    (f"{CONVERT}/convert_realesrgan.py", "realesrgan-x4plus {o}/a.pth --source {f}/mine", "realesrgan-x4plus.param"),
    (f"{CONVERT}/convert_realesrgan.py", "esrgan {o}/a.pth", "invalid choice: 'esrgan'"),
    # ---------------------------------------------------------------- analysis
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 {f}/clip.mp4", "is not of the form NAME=PATH"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 a={f}/clip.mp4 a={f}/other.mp4", "is named twice"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 a={f}/clip.mp4 b={f}/short.mp4", "differ in length"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 a={f}/clip.mp4 b={f}/small.mp4", "differ in size"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.gif a={f}/clip.mp4", "videos end in"),
    (f"{ANALYSIS}/compare_videos.py", "{f}/clip.mp4 a={f}/clip.mp4", "is read and would be overwritten"),
    (f"{ANALYSIS}/compare_videos.py", "{f}/short.mp4 a={f}/clip.mp4", "short.mp4 is there already: .* or overwrite it"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 a={f}/pipe.mp4", "pipe.mp4 is a pipe"),
    (f"{ANALYSIS}/plot_pixels.py", "{f}/photo.png a={f}/clip.mp4 --pixels 1,1", "photo.png is there already"),
    (f"{ANALYSIS}/plot_contrast_sensitivity.py", "{f}/photo.png", "photo.png is there already"),
    (f"{ANALYSIS}/compare_videos.py", "{o}/a.mp4 a={f}/clip.mp4 --enlarge 0", "it must be a whole number in"),
    (
        f"{ANALYSIS}/compare_videos.py",
        "{o}/a.mp4 --layout split-screen " + " ".join(f"v{n}={{f}}/clip.mp4" for n in range(70)),
        "64 pixels are too few for 70 strips",
    ),
    (
        f"{ANALYSIS}/plot_pixels.py",
        "{o}/a.png a={f}/clip.mp4 --pixels " + " ".join(f"{n % 64},{n // 64}" for n in range(400)),
        "400 pixels do not fit a picture: 64 at most",
    ),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.png {f}/clip.mp4 --pixels 1,1", "is not of the form NAME=PATH"),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.png a={f}/clip.mp4 --pixels 1", "is not 2 whole numbers between commas"),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.png a={f}/clip.mp4 --pixels 999,1", "999"),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.png a={f}/clip.mp4 --region 1,2", "is not 4 whole numbers between commas"),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.png a={f}/clip.mp4 --frames 99", "99"),
    (f"{ANALYSIS}/plot_pixels.py", "{o}/a.xyz a={f}/clip.mp4 --pixels 1,1", "xyz"),
    (f"{ANALYSIS}/compare_checkpoints.py", f"{HDR} {{f}}/net.pth", "is not of the form NAME=PATH"),
    (f"{ANALYSIS}/compare_checkpoints.py", "{f}/none.py a={f}/net.pth", "there is no config"),
    (f"{ANALYSIS}/metrics_table.py", "{f}/some.json", "is not of the form NAME=PATH"),
    (f"{ANALYSIS}/metrics_table.py", "a={f}/none.json", "none.json"),
    (f"{ANALYSIS}/metrics_table.py", "a={f}/no.json", "no.json is no JSON"),
    (f"{ANALYSIS}/metrics_table.py", "a={f}/list.json", "list.json holds a list"),
    (f"{ANALYSIS}/metrics_table.py", "a={f}/some.json", "some.json lacks"),
    (f"{ANALYSIS}/export_clip.py", "{f}/none.py {o}/clip", "there is no config"),
    (f"{ANALYSIS}/export_clip.py", f"{HDR} {{f}}/net.py", "net.py is a file, and a folder is to be written"),
    (f"{ANALYSIS}/remove_color.py", "{f}/none.mp4 {o}/a.mp4", "there is no file or folder"),
    (f"{ANALYSIS}/remove_color.py", "{f}/clip.mp4 {f}/clip.mp4 --overwrite", "is read and would be overwritten"),
    (f"{ANALYSIS}/steady_regions.py", f"{HDR} {{f}}/net.pth", "is not of the form NAME=PATH"),
    (f"{ANALYSIS}/plot_contrast_sensitivity.py", "{f}/mine", "mine is a folder"),
    (f"{ANALYSIS}/plot_contrast_sensitivity.py", "{o}/a.png --sigma 0", "it must be a number in"),
    # ---------------------------------------------------------------- data and experiments
    (f"{DATA}/celeba/preprocess_celeba_dataset.py", "--data-root {f}/none --out-dir {o}/a", "{f}/none"),
    (f"{DATA}/celeba/preprocess_celeba_dataset.py", "--data-root {f}/frames --out-dir {f}/mine", "is there already"),
    (f"{DATA}/celeba/preprocess_celeba_dataset.py", "--data-root {f}/no_images --out-dir {o}/a", "holds no photograph"),
    (f"{DATA}/celeba/preprocess_celeba_dataset.py", "--size 0", "it must be a whole number in"),
    (f"{DATA}/places/preprocess_places_dataset.py", "--data-root {f}/none --out-file {o}/a.txt", "{f}/none"),
    (f"{DATA}/places/preprocess_places_dataset.py", "--data-root {f}/frames --out-file {f}/net.py", "is there already"),
    (f"{DATA}/celeba/preprocess_celeba_dataset.py", "--data-root {f}/pipes --out-dir {o}/a", "1.png is a pipe"),
    (f"{DATA}/places/preprocess_places_dataset.py", "--drop-least-saturated 1", r"it must be a number in \[0, 1\)"),
    (f"{DATA}/youtube_faces/preprocess_youtube_faces_dataset.py", "--data-root {f}/none", "no such folder"),
    (f"{DATA}/hdr_video/preprocess_hdr_video_dataset.py", "--data-root {f}/none", "{f}/none"),
    (f"{DATA}/clip_pairs/make_clip_pairs.py", f"{NET} {{o}}/a", "name --videos, --photographs or both"),
    (f"{DATA}/clip_pairs/make_clip_pairs.py", f"{NET} {{o}}/a --videos {{f}}/none", "{f}/none"),
    ("experiments.table", "{f}/none.csv", "none.csv"),
    ("experiments.table", "{f}/net.py", "net.py"),
    ("experiments.plot_sweep", "{f}/none.csv {o}/a.png", "none.csv"),
    ("experiments.plot_sweep", "{f}/some.json {f}/photo.png", "photo.png is there already"),
    ("experiments.plot_sweep", "{f}/pipe.json {o}/a.png", "pipe.json is a pipe"),
    ("experiments.sweep", "hdr --alphas 2 --out-dir {o}", r"it must be a number in \[0, 1\]"),
    ("experiments.sweep", "hdr --strategies none --out-dir {o}", "there is no strategy 'none'"),
    ("experiments.real_models", "{f}/none.py a={f}/net.pth --work-dir {o}/w", "none.py"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory, images):
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    init_default_scope("mmagic")
    MODELS.get("SiameseEditModel")  # the forks have all imported
    folder = tmp_path_factory.mktemp("inputs")
    make_files(folder, images)
    return folder, listing(folder)


def test_there_are_enough_of_them():
    assert len(CASES) == len(set(CASES)) >= 150
    assert len({tool for tool, *_ in CASES}) >= 20


@pytest.mark.parametrize(("tool", "arguments", "says"), CASES, ids=[f"{Path(c[0]).stem} {c[1]}"[:90] for c in CASES])
def test_it_says_what_where_and_touches_nothing(files, tmp_path, tool, arguments, says):
    folder, before = files
    (tmp_path / "started_in").mkdir()
    (tmp_path / "out").mkdir()
    for name in ("configs", "checkpoints", "mmtempreg"):
        (tmp_path / "started_in" / name).symlink_to(Path(__file__).resolve().parents[2] / name)
    command = [part.format(f=folder, o=tmp_path / "out") for part in arguments.split()]
    start = listing(tmp_path / "started_in")
    done = ended(start_tool(tool, command, tmp_path / "started_in", tmp_path / "log"), tmp_path / "log")
    assert done.status != 0, done.text[-2000:]
    assert done.last.startswith("error: "), done.text[-2000:]
    says = says.replace("{f}", re.escape(str(folder))).replace("{o}", re.escape(str(tmp_path / "out")))
    assert re.search(says, done.last), done.last
    assert "Traceback" not in done.text or "num_workers=1" in arguments  # torch's, of the worker
    assert "\x1b" not in done.last
    assert len(done.last) < 1200
    assert listing(folder) == before
    assert listing(tmp_path / "started_in") == start
    left = {name for name in listing(tmp_path / "out") if not (name == "w" or name.startswith("w/"))}
    if kept := re.search(r"the first \d+ frames are in .*/(out\.interrupted\.mp4)$", done.last):
        left.remove(kept[1])
    assert not left
    if tool == "train.py" and (tmp_path / "out" / "w").exists():
        assert not list((tmp_path / "out" / "w").glob("*.pth"))


# ---------------------------------------------------------------- signals

OUTPUTS = {
    PROCESS: ("{f}/net.py {f}/net.pth {f}/long.mp4 {o}/out.mp4 --overwrite", {"out.mp4"}),
    f"{PROCESS} folder": (
        "{f}/net.py {f}/net.pth {f}/long.mp4 {o}/frames --overwrite",
        {"frames", *(f"frames/{number:06d}.png" for number in range(40))},
    ),
    MEASURE: (
        "{f}/long.mp4 again={f}/long.mp4 --json {o}/a.json --csv {o}/a.csv --report {o}/a.html --overwrite",
        {"a.json", "a.csv", "a.html"},
    ),
    TUNE: (
        "{f}/train.py {f}/net.pth --work-dir {o}/w --num-clips 2 --num-frames 3 --iterations 2 --budget 4",
        {"w"},
    ),
}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sent: sent.name)
@pytest.mark.parametrize("what", OUTPUTS)
def test_stopped_at_random_moments(files, tmp_path, what, sent):
    """Nothing of the user's is touched, what is left has its own names, and the next run succeeds."""
    folder, before = files
    out, log, rng = tmp_path / "out", tmp_path / "log", random.Random(f"{what} {sent}")
    arguments, expected = OUTPUTS[what]
    command = [part.format(f=folder, o=out) for part in arguments.split()]
    out.mkdir()
    (out / "mine.txt").write_text("mine")

    def run(seconds=None):
        child = start_tool(what.split()[0], command, tmp_path, log)
        if seconds is not None:
            time.sleep(seconds)
            os.killpg(child.pid, sent)
        return ended(child, log)

    started = time.monotonic()
    done = run()
    took = time.monotonic() - started
    assert done.status == 0, done.text[-2000:]
    first = listing(out)
    assert {"mine.txt", *expected} <= set(first)
    stopped = 0
    for _ in range(2 if what == TUNE else 4):
        if what == TUNE:  # or all would be done already
            shutil.rmtree(out / "w", ignore_errors=True)
        done = run(rng.uniform(0, took))
        stopped += done.status != 0
        assert listing(folder) == before
        assert (out / "mine.txt").read_text() == "mine"
        left = {name for name in listing(out) if not name.startswith(("w/", "frames.interrupted", "out.interrupted"))}
        partials = {
            name for name in left if name.startswith((".partial_", "frames/.partial_")) or name.endswith(".lock")
        }
        assert left - partials <= set(first)
        if what != TUNE:
            assert left - partials == set(first)  # what was there before is still there
            assert {name: first[name] for name in expected} == {name: listing(out)[name] for name in expected}
        if sent != signal.SIGKILL:
            assert not partials, done.text[-500:]
        if done.status > 0:
            assert "Traceback" not in done.text
    assert stopped
    done = run()
    assert done.status == 0, done.text[-2000:]
    kept = {name for name in listing(out) if ".interrupted" in name}  # not looked into unless they are resumed
    assert not [name for name in set(listing(out)) - kept if ".partial_" in name or name.endswith(".lock")]


# ---------------------------------------------------------------- work that is done


@pytest.fixture
def run(files, tmp_path):
    """Runs a tool to its end, on the files and in this test's folder."""
    folder, _ = files

    def run(tool, arguments, before=None):
        command = [part.format(f=folder, o=tmp_path) for part in arguments.split()]
        return ended(start_tool(tool, command, tmp_path, tmp_path / "log", before), tmp_path / "log")

    return run


def test_numbers_stand_when_the_page_cannot_be_written(run, tmp_path):
    """No file may be longer than 20 kB, as on a disk that is full: the page is, and the numbers are not."""

    def short_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    what = "{f}/clip.mp4 a={f}/other.mp4 --metrics psnr --json {o}/a.json --csv {o}/a.csv"
    done = run(MEASURE, f"{what} --report {{o}}/a.html", short_files)
    assert done.status == 1
    assert re.fullmatch(rf"error: .*; not written: {tmp_path}/a.html; all else that was asked for is", done.last)
    assert "PSNR" in done.text
    assert json.loads((tmp_path / "a.json").read_text())["videos"]["a"]["psnr"] > 0
    assert [row[0] for row in csv.reader((tmp_path / "a.csv").open())] == ["video", "reference", "a"]
    assert not [name for name in os.listdir(tmp_path) if "html" in name or name.startswith(".")]


@pytest.mark.parametrize("report", ["a.html", "a.png"])
def test_any_name_of_a_video_can_be_written(run, tmp_path, report):
    names = ["$x^$", os.fsdecode(b"caf\xe9"), "<b>&"]
    videos = " ".join(f"{name}={{f}}/other.mp4" for name in names)
    done = run(
        MEASURE, f"{{f}}/clip.mp4 {videos} --metrics psnr --json {{o}}/a.json --csv {{o}}/a.csv --report {{o}}/{report}"
    )
    assert done.status == 0, done.text
    assert (tmp_path / report).stat().st_size > 1000
    assert list(json.loads((tmp_path / "a.json").read_text())["videos"]) == ["$x^$", r"caf\xe9", "<b>&"]
    assert [row[0] for row in csv.reader((tmp_path / "a.csv").open())][2:] == ["$x^$", r"caf\xe9", "<b>&"]


def test_names_that_are_no_utf_8_do_not_crash(run, files, tmp_path):
    folder, name = tmp_path / "in", os.fsdecode(b"caf\xe9")
    shutil.copytree(files[0] / "frames", folder / name)
    for image in list((folder / name).iterdir()):
        image.rename(image.with_name(name + image.name))
    shutil.copy(files[0] / "clip.mp4", folder / f"{name}.mp4")
    images = f"{{o}}/in/{name}"
    for tool, arguments in {
        PROCESS: f"{NET} {images} {{o}}/{name} --fps 24 --report {{o}}/{name}.html",
        MEASURE: f"{{f}}/clip.mp4 {images}.mp4 --metrics psnr --csv {{o}}/a.csv --report {{o}}/a.html",
        EQ: f"{NET} {images} --num-images 1 --json {{o}}/{name}.json",
        f"{DATA}/celeba/preprocess_celeba_dataset.py": f"--data-root {images} --out-dir {{o}}/celeba",
        f"{DATA}/places/preprocess_places_dataset.py": f"--data-root {images} --out-file {{o}}/places.txt",
        f"{CONVERT}/publish_model.py": f"{{f}}/net.pth {{o}}/{name}.pth",
    }.items():
        done = run(tool, arguments)
        assert done.status == 0, done.text[-2000:]
    assert sorted(map(os.fsencode, os.listdir(tmp_path / "celeba"))) == [b"caf\xe9%d.png" % n for n in range(4)]
    assert b"caf\xe90.png\n" in (tmp_path / "places.txt").read_bytes()
    assert len(os.listdir(tmp_path / name)) == 4


def test_an_error_late_keeps_frames_and_they_are_resumed(run, files, tmp_path):
    shutil.copytree(files[0] / "frames", tmp_path / "in")
    whole = run(PROCESS, f"{NET} {{o}}/in {{o}}/whole --fps 24")
    assert whole.status == 0, whole.text
    frame = (tmp_path / "in" / "3.png").read_bytes()
    (tmp_path / "in" / "3.png").write_bytes(frame[:100])
    what = f"{NET} {{o}}/in {{o}}/out --fps 24"
    done = run(PROCESS, what)
    assert done.last.endswith(f"; the first 3 frames are in {tmp_path}/out.interrupted: go on with --resume")
    (tmp_path / "in" / "3.png").write_bytes(frame)
    for other in ("--shifts 2", "--suffix .jpg"):
        done = run(PROCESS, f"{what} --resume {other}")
        assert re.search("out.interrupted was made from another input, by another model or", done.last), other
    done = run(PROCESS, f"{what} --resume")
    assert done.status == 0, done.text
    assert listing(tmp_path / "out") == listing(tmp_path / "whole")
    assert not (tmp_path / "out.interrupted").exists()


def test_a_killed_process_leaves_frames_that_are_resumed(run, files, tmp_path):
    what = f"{NET} {{f}}/long.mp4 {{o}}/out"
    whole = run(PROCESS, what)
    assert whole.status == 0, whole.text
    expected = listing(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    command = [part.format(f=files[0], o=tmp_path) for part in what.split()]
    child = start_tool(PROCESS, command, tmp_path, tmp_path / "log")
    while not (tmp_path / "out.interrupted" / "000004.png").exists():
        time.sleep(0.002)
    os.killpg(child.pid, signal.SIGKILL)
    assert ended(child, tmp_path / "log").status == -signal.SIGKILL
    done = run(PROCESS, f"{what} --resume")
    assert done.status == 0, done.text
    assert listing(tmp_path / "out") == expected
    assert not [name for name in os.listdir(tmp_path) if name.startswith((".", "out."))]


@pytest.mark.parametrize("output", ["out", "out.mp4"])
def test_of_two_processes_on_one_target_one_writes_it(files, tmp_path, output):
    command = [part.format(f=files[0], o=tmp_path) for part in f"{NET} {{f}}/long.mp4 {{o}}/{output}".split()]
    children = [start_tool(PROCESS, command, tmp_path, tmp_path / f"log{n}") for n in range(2)]
    first, second = sorted(
        (ended(child, tmp_path / f"log{n}") for n, child in enumerate(children)), key=lambda e: e.status
    )
    assert (first.status, second.status) == (0, 1)
    assert re.search(f"{output} is being written by process|{output} is there already", second.last), second.last
    assert len(list(open_frames(tmp_path / output, 24))) == 40


def test_a_run_s_work_directory_is_its_own(run, files, tmp_path):
    train = "{f}/train.py --work-dir {o}/w"
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    (tmp_path / "w").mkdir()
    child = os.fork()
    if not child:
        file = os.open(tmp_path / "w" / ".lock", os.O_RDWR | os.O_CREAT)
        os.write(file, b"process 7 of elsewhere")
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.write(lock, b"x")
        time.sleep(60)
        os._exit(0)
    try:
        while not os.fstat(lock).st_size:
            time.sleep(0.01)
        done = run("train.py", train)
        assert done.last == (
            f"error: {tmp_path}/w is being written by process 7 of elsewhere: wait until that has ended, or choose "
            "another name"
        )
        assert os.listdir(tmp_path / "w") == [".lock"]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    done = run("train.py", train)
    assert done.status == 0, done.text[-2000:]
    first = (tmp_path / "w" / "epoch_1.pth").read_bytes()
    done = run("train.py", f"{train} --cfg-options load_from={{o}}/w/epoch_1.pth")
    assert re.match(
        rf"error: load_from={tmp_path}/w/epoch_1.pth lies in {tmp_path}/w, where this run writes", done.last
    )
    blocked = tmp_path / "w" / "epoch_2.pth"
    for block in (blocked.mkdir, lambda: os.mkfifo(blocked), lambda: blocked.symlink_to(tmp_path / "elsewhere.pth")):
        block()
        done = run("train.py", f"{train} --resume --cfg-options train_cfg.max_epochs=2")
        assert re.match(rf"error: a checkpoint could not be written: {blocked} is ", done.last), done.last
        assert "Epoch(train)  [2]" not in done.text
        blocked.rmdir() if blocked.is_dir() else blocked.unlink()
    assert (tmp_path / "w" / "epoch_1.pth").read_bytes() == first
    assert not (tmp_path / "w" / ".lock").exists()


def test_names_that_are_markup_or_formulas(files, tmp_path):
    folder, before = files
    names = ["[bold]x[/red]", "[final].mp4", "=1+1.mp4"]
    given = [*(f"{name}={folder}/other.mp4" for name in names[:2]), names[2]]
    command = [f"{folder}/clip.mp4", *given, "--csv", f"{tmp_path}/a.csv", "--report", f"{tmp_path}/a.html"]
    done = ended(start_tool(MEASURE, command, folder, tmp_path / "log"), tmp_path / "log")
    assert done.status == 0, done.text
    for name in names:
        assert name in done.text
    rows = list(csv.reader((tmp_path / "a.csv").open()))
    assert [row[0] for row in rows] == ["video", "reference", *names[:2], "'=1+1.mp4"]
    assert listing(folder) == before
