# `make demo` and `make test` do all the set-up themselves; all they need is Python >= 3.11, git and make.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# The first Python >= 3.11 that really runs (a version manager's stub may be on the path and refuse).
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON = $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: audit claims release-check demo test lint types imports pytest light lowest docs clean

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

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv found (tried: $(PYTHONS))." >&2; \
	echo "Install one (on Debian and Ubuntu also python3-venv), then repeat." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo-installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -e '.[demo]'
	@touch $@

$(VENV)/.dev-installed: pyproject.toml | $(BIN)/python
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

# Known weaknesses of what is installed; the list of them comes from the network, and without it this says so.
audit: $(VENV)/.dev-installed
	$(BIN)/python -m pip install --disable-pip-version-check -q pip-audit || { echo "No audit: pip-audit cannot be had." >&2; exit 1; }
	$(BIN)/pip-audit --skip-editable || { echo "No clean audit: see above; offline, there is no list to compare with." >&2; exit 1; }

# The wheel, built twice from the same commit, is the same bytes; with its bill of materials beside it.
release-check: $(VENV)/.dev-installed
	rm -rf build/twice && mkdir -p build/twice dist
	for at in one two; do SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
	$(BIN)/python -m pip wheel --disable-pip-version-check -q --no-deps -w build/twice/$$at . || exit 1; done
	cmp build/twice/one/*.whl build/twice/two/*.whl
	cp build/twice/one/*.whl dist/
	$(BIN)/python tools/bill.py build/twice/one/*.whl > dist/intarsia.cdx.json

clean:
	rm -rf $(VENV) $(VENV)-light $(VENV)-lowest build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
