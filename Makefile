# `make demo` and `make test` do all the set-up themselves; all they need is Python >= 3.11, git and make.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# The first Python >= 3.11 that really runs (a version manager's stub may be on the path and refuse).
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON = $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: audit claims release demo test lint types imports pytest light lowest lock docs clean

demo: $(VENV)/.demo-installed
	$(BIN)/intarsia demo --overwrite

test: lint types imports pytest light

lint: $(VENV)/.dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev-installed
	$(BIN)/mypy --strict intarsia

imports: $(VENV)/.dev-installed
	$(BIN)/lint-imports

pytest: $(VENV)/.dev-installed $(VENV)/.studio-installed
	$(BIN)/pytest -n 2

# What predicts without PyTorch, in an environment that has none: the tests that need it leave themselves out.
light: $(VENV)-light/.installed
	$(VENV)-light/bin/pytest -n 2 tests/test_without_torch.py tests/runtimes tests/annotations tests/media tests/metrics \
	tests/result tests/evaluation tests/jobs tests/cli

# The tests once more, with the oldest version that pyproject.toml allows of every dependency.
lowest: $(BIN)/python
	$(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
	print(*(d.replace('[binary]', '').replace('[client]', '').replace('>=', '==') for d in sum(p['optional-dependencies'].values(), p['dependencies']) if '>=' in d), sep='\n')" \
	> $(VENV)/lowest.txt
	$(BIN)/python -m venv --clear $(VENV)-lowest
	$(VENV)-lowest/bin/pip install --disable-pip-version-check -q -c $(VENV)/lowest.txt -e '.[dev]'
	$(VENV)-lowest/bin/pytest -n 2

# The site, offline, into build/site, and what is wrong with it: `python -m http.server -d build/site` shows it, with its search.
docs: $(VENV)/.dev-installed
	PYTHONPATH=tools:. $(BIN)/python -m handbook

# What continuous integration installs, from the newest releases of today.
lock: | $(BIN)/python
	mkdir -p build
	$(BIN)/python -m pip install --disable-pip-version-check -q --dry-run --ignore-installed --report build/lock.json -e '.[dev]'
	$(BIN)/python tools/lock.py build/lock.json > build/lock.txt
	mv build/lock.txt tools/locked/$$($(BIN)/python tools/lock.py).txt

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv found (tried: $(PYTHONS))." >&2; \
	echo "Install one (on Debian and Ubuntu also python3-venv), then repeat." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[demo]'
	@touch $@

# Continuous integration takes the files that tools/locked/ names for its kind of Python, and their checksums must fit; `pip install`
# finds all of it there then. Everybody else gets the newest releases.
$(VENV)/.dev-installed: pyproject.toml $(wildcard tools/locked/*.txt) | $(BIN)/python
	locked=tools/locked/$$($(BIN)/python tools/lock.py).txt; if test -n "$(CI)" && test -f $$locked; then \
	$(BIN)/python -m pip install --disable-pip-version-check -q --require-hashes --no-deps -r $$locked; fi
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[dev]'
	# Metrics are compared with it; of what it requires, its viewer's packages and one made for Python 2 are not needed.
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps cityscapesscripts==2.3.0
	@touch $@ $(VENV)/.demo-installed

# What checks the studio's pages comes from npm; without it, and without Chromium, these tests leave themselves out.
$(VENV)/.studio-installed: tests/studio/package-lock.json | $(BIN)/python
	if command -v npm >/dev/null; then npm ci --prefix tests/studio --silent --no-audit --no-fund; fi
	@touch $@

$(VENV)-light/.installed: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(VENV)-light
	$(VENV)-light/bin/pip install --disable-pip-version-check -q -e '.[classical,clouds,geo,large,mat,parquet,video,volumes]' \
	hypothesis pytest pytest-timeout pytest-xdist
	@touch $@

# The field's claims, tested: at most three hours on two cores, of which it says first how many are left; it goes on where it was stopped.
claims: $(VENV)/.dev-installed
	$(BIN)/python -m benchmarks.claims

# Known weaknesses of what is installed: ends well if there is none. Where the index has no list of them, that is an error, not "none".
audit: $(VENV)/.dev-installed build/tools/.installed
	$(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable > build/installed.txt
	$(BIN)/python tools/audit.py build/tools/bin/pip-audit build/installed.txt

# Wheel and sdist of the last commit into dist/, with the bill of materials: built twice, compared, and used in an empty environment.
release: build/tools/.installed
	build/tools/bin/python tools/release.py dist

build/tools/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv found (tried: $(PYTHONS))." >&2; exit 1; }
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --disable-pip-version-check -q 'hatchling>=1.27' pip-audit
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-light $(VENV)-lowest build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
