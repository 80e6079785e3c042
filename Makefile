# make demo: set up, fine-tune for two minutes, and see the difference in work_dirs/demo/
# make demo-color: colour a grey video before and after, in a minute, in work_dirs/demo-color/
# make demo-sr: make published super-resolution steady, and see that it is still sharp, in ten minutes, in work_dirs/demo-sr/
# make test: set up, and run the tests
# make check: lint, types and the fast tests, for people at work
# make test-newest: the same in another environment, with the newest PyTorch and all else that MMagic lets be new
PYTHON ?= python3.11
VENV ?= .venv
# Pinned for Python 3.11; for another, what has to be held back and no more: make setup PYTHON=python3.13
PYTHON_VERSION = $(shell $(PYTHON) -c 'import sys; print(*sys.version_info[:2], sep=".")')
CONSTRAINTS ?= requirements/$(if $(filter 3.11,$(PYTHON_VERSION)),constraints,newest).txt
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
# Files of tests at a time: most wait for one core, or for MMagic to be imported.
TWO_AT_A_TIME := -n 2 --dist loadfile
NO_DISPLAY_OPENCV := opencv-python-headless==4.11.0.86
export PYTHONWARNINGS := ignore

.DELETE_ON_ERROR:
.PHONY: setup demo demo-color demo-sr test test-newest check lint clean

setup: $(VENV)/installed

# mmcv and mmcv-lite are built from source with pkg_resources, which newer setuptools do not have.
$(VENV)/installed: $(CONSTRAINTS) requirements/pinned.txt requirements/runtime.txt requirements/tests.txt \
    requirements/optional.txt setup.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) install pip==25.0 setuptools==80.9.0 wheel
	@echo "installing PyTorch, MMagic and what they need: about 4 minutes"
	$(PIP) install --no-build-isolation -c $(CONSTRAINTS) -r requirements/pinned.txt \
	    -r requirements/runtime.txt -r requirements/tests.txt
	$(PIP) install --no-deps -c $(CONSTRAINTS) -r requirements/optional.txt
	$(PIP) install --force-reinstall --no-deps $(NO_DISPLAY_OPENCV)  # the others need libGL
	$(PIP) install --no-build-isolation --no-deps -e .
	touch $@

# The tests of the report's page need Chromium (apt install chromium), and are skipped where there is none.
test: $(VENV)/installed
	$(BIN)/python -m pytest tests $(TWO_AT_A_TIME)

test-newest:
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=requirements/newest.txt

check: lint
	$(BIN)/python -m pytest tests -m "not slow" $(TWO_AT_A_TIME)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The demo: a short form, for a CPU, of what the configs do in full.
DEMO := work_dirs/demo
# 2,400 crops of 64x64 in batches of 8; Adam from 1e-4, x 0.99 every iteration; bfloat16 if the processor has it, as the log
# says: as a cell of the sweeps
DEMO_TRAIN := \
    train_dataloader.dataset.num_images=2400 \
    train_dataloader.dataset.pipeline.0.crop_size="(64,64)" \
    train_dataloader.batch_size=8 train_dataloader.num_workers=1 \
    train_cfg.max_epochs=1 train_cfg.val_interval=2 \
    optim_wrapper.type=BFloat16OptimWrapper optim_wrapper.optimizer.lr=1e-4 param_scheduler.by_epoch=False \
    default_hooks.logger.interval=20
# Moving clips that nothing was trained on: pans over real HDR images.
DEMO_CLIPS := configs/tempreg/hdr_transinv_a0.8_images.py
DEMO_TEST := test_dataloader.dataset.num_frames=60

# Two runs at a time, a core each: half the time of one run on both cores.
demo: $(VENV)/installed
	OMP_NUM_THREADS=1 $(MAKE) --no-print-directory -j2 $(DEMO)/temporal.png $(DEMO)/report.html $(DEMO)/baseline.json \
	    $(DEMO)/anti_aliased.json $(DEMO)/finetune.json $(DEMO)/transinv.json
	@echo
	@echo "F: flicker along the motion, 1 is as steady as the truth. K: fine detail, 1 is as sharp as the truth. Pans over"
	@echo "real HDR images that nothing was trained on, where the camera lost the light:"
	@echo
	@$(BIN)/python tools/analysis_tools/metrics_table.py baseline=$(DEMO)/baseline.json \
	    "anti-aliased strides=$(DEMO)/anti_aliased.json" \
	    "plain fine-tuning=$(DEMO)/finetune.json" "transform invariance=$(DEMO)/transinv.json"
	@echo
	@echo "These are means over all clips, where the camera lost the light. One of the clips is in $(DEMO)/temporal.png, with its"
	@echo "own F there, and in $(DEMO)/report.html, with F of whole frames; $(DEMO)/side_by_side.mp4, $(DEMO)/split_screen.mp4"

$(DEMO)/transinv/epoch_1.pth:
	$(BIN)/python tools/train.py configs/tempreg/hdr_transinv_a0.95.py --work-dir $(DEMO)/transinv \
	    --cfg-options $(DEMO_TRAIN)

$(DEMO)/finetune/epoch_1.pth:
	$(BIN)/python tools/train.py configs/tempreg/hdr_finetune.py --work-dir $(DEMO)/finetune --cfg-options $(DEMO_TRAIN)

$(DEMO)/baseline/epoch_1.pth: checkpoints/hdr_baseline.pth
	mkdir -p $(@D) && cp $< $@

# The shipped one, which was tuned to the frozen baseline: docs/anti_aliasing.md
$(DEMO)/anti_aliased/epoch_1.pth: checkpoints/hdr_anti_aliased.pth
	mkdir -p $(@D) && cp $< $@

$(DEMO)/%.json: $(DEMO)/%/epoch_1.pth
	$(BIN)/python tools/test.py $(DEMO_CLIPS) $< --out $@ --overwrite --work-dir $(DEMO)/$*/test --cfg-options $(DEMO_TEST)

$(DEMO)/temporal.png: $(DEMO)/baseline/epoch_1.pth $(DEMO)/anti_aliased/epoch_1.pth $(DEMO)/finetune/epoch_1.pth \
    $(DEMO)/transinv/epoch_1.pth
	$(BIN)/python tools/analysis_tools/compare_checkpoints.py $(DEMO_CLIPS) --overwrite baseline=$(word 1,$^) \
	    "anti-aliased=$(word 2,$^)" fine-tuned=$(word 3,$^) "transform invariance=$(word 4,$^)" --clip 2 --out-dir $(DEMO) --cfg-options $(DEMO_TEST)

# The same clip as files: exported, processed as anyone's video, measured and drawn.
$(DEMO)/clip/input $(DEMO)/clip/truth &:
	$(BIN)/python tools/analysis_tools/export_clip.py $(DEMO_CLIPS) $(DEMO)/clip --clip 2 --cfg-options $(DEMO_TEST)

$(DEMO)/clip/%: $(DEMO)/%/epoch_1.pth | $(DEMO)/clip/input
	$(BIN)/python tools/process_video.py $(DEMO_CLIPS) $< $(DEMO)/clip/input $@ --fps 24 --stops -2 --tone-mapped $@.mp4

$(DEMO)/report.html: $(DEMO)/clip/baseline $(DEMO)/clip/anti_aliased $(DEMO)/clip/finetune $(DEMO)/clip/transinv
	$(BIN)/python tools/measure_video.py --overwrite "A room=$(DEMO)/clip/truth" baseline=$(DEMO)/clip/baseline \
	    "anti-aliased=$(DEMO)/clip/anti_aliased" fine-tuned=$(DEMO)/clip/finetune "transform invariance=$(DEMO)/clip/transinv" --fps 24 --stops -2 \
	    --flow $(DEMO)/clip/flow --report $@
	$(BIN)/python tools/analysis_tools/compare_videos.py $(DEMO)/split_screen.mp4 --overwrite --layout split-screen --enlarge 4 \
	    baseline=$(DEMO)/clip/baseline.mp4 "transform invariance=$(DEMO)/clip/transinv.mp4"

# The colour demo: a grey clip, coloured by the baseline and by what transform invariance makes of it.
COLOR := work_dirs/demo-color
COLOR_VIDEOS := baseline=$(COLOR)/baseline.mp4 "transform invariance=$(COLOR)/transinv_a0.95.mp4"

demo-color: $(COLOR)/report.html $(COLOR)/side_by_side.mp4 $(COLOR)/pixels.png
	@echo "See $(COLOR)/side_by_side.mp4, $(COLOR)/pixels.png and $(COLOR)/report.html"

$(COLOR)/grey.mp4: resources/video/carphone.mp4 | $(VENV)/installed
	$(BIN)/python tools/analysis_tools/remove_color.py $< $@ --overwrite

$(COLOR)/%.mp4: checkpoints/color_%.pth $(COLOR)/grey.mp4
	$(BIN)/python tools/process_video.py configs/tempreg/color_finetune.py $< $(COLOR)/grey.mp4 $@ --overwrite

$(COLOR)/report.html: $(COLOR)/baseline.mp4 $(COLOR)/transinv_a0.95.mp4
	$(BIN)/python tools/measure_video.py resources/video/carphone.mp4 $(COLOR_VIDEOS) --channels ab --report $@ --overwrite

$(COLOR)/side_by_side.mp4: $(COLOR)/baseline.mp4 $(COLOR)/transinv_a0.95.mp4
	$(BIN)/python tools/analysis_tools/compare_videos.py $@ --overwrite grey=$(COLOR)/grey.mp4 $(COLOR_VIDEOS) \
	    truth=resources/video/carphone.mp4 --enlarge 2

# The forehead, a cheek and the roof of the car.
$(COLOR)/pixels.png: $(COLOR)/baseline.mp4 $(COLOR)/transinv_a0.95.mp4
	$(BIN)/python tools/analysis_tools/plot_pixels.py $@ --overwrite truth=resources/video/carphone.mp4 $(COLOR_VIDEOS) \
	    --pixels 78,45 66,80 60,10 --channel a --region 40,10,80,80 --frames 59 60 61

# Published weights (45 MB are downloaded), fine-tuned on photographs that are installed with scikit-image.
SR := work_dirs/demo-sr
SR_CONFIG := configs/real_esrgan/realesrgan_x4plus_anime_steady.py
SR_WEIGHTS := checkpoints/realesrgan-x4plus-anime.pth

demo-sr: $(SR)/side_by_side.mp4 $(SR)/report.html
	@echo
	@echo "See $(SR)/side_by_side.mp4 and $(SR)/report.html"

$(SR_WEIGHTS): | $(VENV)/installed
	$(BIN)/python tools/model_converters/convert_realesrgan.py realesrgan-x4plus-anime $@ --overwrite

$(SR)/photographs: | $(VENV)/installed
	mkdir -p $@
	$(BIN)/python -c "import skimage.data as d, skimage.io as io; [io.imsave(f'$@/{n}.png', getattr(d, n)()) \
	    for n in ('astronaut', 'chelsea', 'coffee', 'rocket')]"

$(SR)/steady/iter_100.pth: $(SR_WEIGHTS) | $(SR)/photographs
	$(BIN)/python tools/train.py $(SR_CONFIG) --work-dir $(@D) \
	    --cfg-options train_dataloader.dataset.data_root=$(SR)/photographs

# Prints F, K, PSNR and JOD.
$(SR)/street: $(SR_WEIGHTS) $(SR)/steady/iter_100.pth
	$(BIN)/python -m experiments.real_models $(SR_CONFIG) --overwrite before=$(word 1,$^) after=$(word 2,$^) \
	    --videos resources/video/street.mp4 --num-frames 24 --vdp --work-dir $(SR) --out $(SR)/measured.json

$(SR)/side_by_side.mp4: $(SR)/street
	$(BIN)/python tools/analysis_tools/compare_videos.py $@ --overwrite before=$</before after=$</after truth=$</truth \
	    --fps 10 --enlarge 3

$(SR)/report.html: $(SR)/street
	$(BIN)/python tools/measure_video.py $</truth before=$</before after=$</after --fps 10 --channels rgb --report $@ --overwrite

clean:
	rm -rf work_dirs build *.egg-info .pytest_cache .mypy_cache .ruff_cache
