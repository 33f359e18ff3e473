# Both commands need only python3 (3.11 or newer), make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8123

.PHONY: crawl test check coverage clean

# Serve the made-up web and crawl it; or crawl a list of your own: make crawl SITES=config/sites.txt
crawl: $(VENV)/.installed
ifdef SITES
	$(BIN)/crawler crawl --sites $(SITES)
else
	$(BIN)/python -m crawler.bench.demo
endif

# Format, lint and types, then all tests, a process for each core; the slow files come first.
test: check
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Which lines the tests reach, in this process and in those that they start: make coverage TESTS=tests/unit/store
TESTS ?= tests
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -q -n auto --dist loadfile --cov=crawler --cov-report=term:skip-covered $(TESTS)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .coverage* build *.egg-info .mypy_cache .pytest_cache .ruff_cache
