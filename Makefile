# make demo: set up, fine-tune for two minutes, and see the difference in work_dirs/demo/
# make test: set up, and run the tests
PYTHON ?= python3.11
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
NO_DISPLAY_OPENCV := opencv-python-headless==4.11.0.86
export PYTHONWARNINGS := ignore

.PHONY: setup test lint clean

setup: .venv/installed

# mmcv and mmcv-lite are built from source with pkg_resources, which newer setuptools do not have.
.venv/installed: requirements/constraints.txt requirements/pinned.txt requirements/runtime.txt requirements/tests.txt setup.py
	$(PYTHON) -m venv .venv
	$(PIP) install pip==25.0 setuptools==80.9.0 wheel
	@echo "installing PyTorch, MMagic and what they need: about 4 minutes"
	$(PIP) install --no-build-isolation -c requirements/constraints.txt -r requirements/pinned.txt \
	    -r requirements/runtime.txt -r requirements/tests.txt
	$(PIP) install --force-reinstall --no-deps $(NO_DISPLAY_OPENCV)  # the others need libGL
	$(PIP) install --no-build-isolation --no-deps -e .
	touch $@

test: .venv/installed
	$(BIN)/python -m pytest tests

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

include tools/demo.mk

clean:
	rm -rf work_dirs build *.egg-info .pytest_cache .mypy_cache .ruff_cache
