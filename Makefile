# Two commands: `make demo` builds a real dataset from the Python code on this machine, `make test` runs the checks.
# Both create .venv first. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOG := $(VENV)/install.log
DEMO := build/demo
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-all quick lint bench clean sdist deploy deploy-check
.PHONY: input

demo: $(VENV)/.installed
	@stdlib="$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" && \
	site_packages="$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" && \
	$(BIN)/thresher build codex --input "$$stdlib" --input "$$site_packages" --output $(DEMO)

test: $(VENV)/.installed-test
	@$(PYTEST) -m "not long"

test-all: $(VENV)/.installed-test
	@$(PYTEST)

quick: $(VENV)/.installed-test
	@$(PYTEST) -m "not slow and not long"

lint: $(VENV)/.installed-test
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: input $(VENV)/.installed-test
	@for script in $$(grep -l -- '"--input"' benchmarks/bench_*.py); do $(BIN)/python "$$script" --input "$(INPUT)" || exit 1; done

input:
	@test -n "$(INPUT)" || { echo "make bench needs a Parquet file of source code: make bench INPUT=FILE" >&2; exit 2; }

sdist: $(VENV)/.installed-test
	@$(BIN)/python -c 'from setuptools import build_meta; print("dist/" + build_meta.build_sdist("dist"))' | tail -n 1

deploy: $(VENV)/.installed
	@PROJECT="$(PROJECT)" REGION="$(REGION)" INPUT="$(INPUT)" RECIPE="$(RECIPE)" VARS="$(VARS)" \
	PYTHON="$(abspath $(BIN)/python)" sh infra/deploy.sh

deploy-check: $(VENV)/.installed-test
	@OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadgroup tests/infra tests/pipelines/test_dataflow.py tests/pipelines/test_conductor.py

clean:
	@rm -rf $(VENV) build dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@command -v "$(PYTHON)" >/dev/null || \
	{ echo "$(PYTHON) not found: install Python 3.11 or newer, or: make PYTHON=/path/to/python demo" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Thresher needs Python 3.11 or newer, $(PYTHON) is $$("$(PYTHON)" -V 2>&1); try: make PYTHON=python3.12 demo" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
	{ echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }
	@"$(PYTHON)" -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.python
	@echo "installing (first time only, about a minute)…"
	@$(BIN)/pip install -e . >$(LOG) 2>&1 || \
	{ grep ERROR $(LOG) | tail -n 5 >&2; echo "the install failed; its whole log: $(LOG)" >&2; exit 1; }
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt $(VENV)/.python
	@echo "installing with test tools, Ray and torch (first time only, a few minutes)…"
	@$(BIN)/pip install --no-compile -c constraints.txt -e '.[dev,train]' >$(LOG) 2>&1 || \
	{ grep ERROR $(LOG) | tail -n 5 >&2; echo "the install failed; its whole log: $(LOG)" >&2; exit 1; }
	@touch $(VENV)/.installed $@
