# `make` alone lists the words. Two of them are all a newcomer needs: `make serve` and `make test`.
BIN := .venv/bin
ARGS ?=

# Some environments tell Python to keep nothing of what it compiles. The tests start hundreds of
# programs: each would compile Django and all else again, in three times what it takes to start.
export PYTHONDONTWRITEBYTECODE :=

help:  ## List these words
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

serve: runtime  ## Set up what is needed and start the server: make serve ARGS="--web 8001"
	@exec $(BIN)/thingtank serve $(ARGS)

lint: dev  ## Format, lint, types, imports
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint  ## Lint and unit tests: quick, for every save
	$(BIN)/pytest tests/unit

test: lint  ## Set up what the tests need and run them all
	$(BIN)/pytest -n 4 --dist loadfile --no-loadscope-reorder --ignore=tests/bench --ignore=tests/browser  # much of it waits
	$(BIN)/pytest -n 4 --dist worksteal tests/browser  # apart: Playwright leaves a loop running

interop: dev  ## Only the tests with real clients
	$(BIN)/pytest tests/interop

browser: dev  ## Journeys in headless Chromium; screenshots in build/screenshots
	$(BIN)/pytest tests/browser

bench: dev  ## Measure and print one table: make bench ARGS="--quick archive"
	$(BIN)/python -m tests.bench $(ARGS)

docs: dev  ## Make the site of the pages in docs: build/site/index.html
	$(BIN)/python tools/make_docs.py
	$(BIN)/sphinx-build -qW --keep-going -d build/site-pages docs build/site

lock: dev  ## Write the lock files anew from pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --all-build-deps -o requirements.lock pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --all-build-deps --extra=dev -o requirements-dev.lock pyproject.toml

runtime:
	@tools/setup.sh requirements.lock

dev:
	@tools/setup.sh requirements-dev.lock

.PHONY: help serve lint check test interop browser bench docs lock runtime dev
