# `make demo` and `make test` do all their own set-up; a second call is instant. Needs Python >= 3.11 and make, no system package.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup demo test lint lock clean

help:
	@echo "make setup   install everything into $(VENV)"
	@echo "make demo    videos -> clips -> training -> evaluation -> leaderboard page, in a few minutes"
	@echo "make test    the test suite"
	@echo "make lint    ruff and mypy"
	@echo "make lock    resolve pyproject.toml again into requirements.txt"

setup: $(STAMP)

# uv comes through pip when it is absent; the versions and hashes of all packages stand in requirements.txt.
$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is older than 3.11; try: make PYTHON=python3.11"; exit 3; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@command -v uv >/dev/null 2>&1 || test -x $(BIN)/uv || { echo "installing uv"; $(BIN)/python -m pip install --quiet --disable-pip-version-check uv; }
	@echo "installing the pinned packages (torch with its CUDA parts is large: a minute or a few)"
	@UV=$$(test -x $(BIN)/uv && echo $(BIN)/uv || command -v uv); \
	$$UV pip install --quiet --python $(BIN)/python --no-deps --require-hashes --requirement requirements.txt && \
	$$UV pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@$(BIN)/bench demo

test: setup
	@echo "running the test suite"
	@command -v chromium >/dev/null || echo "NOTICE: there is no chromium here, so the tests that use the leaderboard's page in a browser are skipped; apt-get install chromium mends it"
	@$(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: setup
	@UV=$$(test -x $(BIN)/uv && echo $(BIN)/uv || command -v uv); \
	$$UV pip compile pyproject.toml --extra dev --extra openvino --extra ray --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet --output-file requirements.txt

clean:
	rm -rf $(VENV) out runs
