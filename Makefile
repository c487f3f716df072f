# make demo           drawn layers: teacher, student, distillation, the light net, report, monitor
# make demo DATA=DIR  the light net on your own images and masks; other classes than the paper's:
#                     make demo DATA=DIR CLASSES="Background Scratch Dent"
#                     ITERATIONS=N sets the length of each training, ROI=FILE says where the powder
#                     lies in your frames: polygons in JSON, or a mask image
# make test           the whole test suite
# make install        only make .venv and install
# make lint           style, formatting and types
#
# PYTHON=python3      the interpreter that .venv is made with, 3.10 to 3.13
# VENV=.venv          the environment; an existing one is kept, for example with a compiled mmcv

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.lwam_mm_installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt
WORK_DIR ?= work_dirs/demo
DATA ?=
CLASSES ?=
ITERATIONS ?=
ROI ?=

.PHONY: demo test install lint clean

demo: install
	$(BIN)/python tools/demo.py --work-dir $(WORK_DIR) $(if $(DATA),--data "$(DATA)") $(if $(CLASSES),--classes $(CLASSES)) $(if $(ITERATIONS),--iterations $(ITERATIONS)) $(if $(ROI),--roi "$(ROI)")

# A file is run by one process, since its tests share what they made. Four at most: memory.
test: install
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

install: $(INSTALLED)

lint: install
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# mmcv-lite only where there is no mmcv: it would overwrite a compiled one.
$(INSTALLED): setup.py lwam_mm/version.py requirements/constraints.txt requirements/no-deps.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); this takes a few minutes the first time."
	@if $(BIN)/python -m pip show --quiet mmcv 2>/dev/null; \
	then extras=train,deploy,monitor,dev; \
	else extras=train,lite,deploy,monitor,dev; fi; \
	echo "  torch" && $(PIP) torch \
	&& echo "  lwam_mm[$$extras]" && $(PIP) -e ".[$$extras]" \
	&& echo "  mmdeploy" && $(PIP) --no-deps -r requirements/no-deps.txt \
	&& $(BIN)/python -m lwam_mm.utils.opencv
	@touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
