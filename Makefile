# Two commands: `make demo` runs the main job once; `make test` runs everything that judges it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NICE   := $(BIN)/python -m
GOOGLE := conformance/validators/google_fhir

# Tests start nodes hundreds of times: they read modules compiled before, also where the shell says otherwise.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test check servers judges vectors bench nightly attacks pictures lock clean

demo: $(VENV)/.installed
	$(BIN)/lienthong demo $(if $(NODES),--nodes $(NODES)) $(if $(SERVE),--serve)

test: $(VENV)/.installed-dev servers judges vectors check
	$(NICE) pytest -n auto --dist loadfile --no-loadscope-reorder

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(NICE) mypy

servers:
	sh deploy/test-servers.sh

judges:
	PYTHON="$(PYTHON)" sh deploy/judges.sh

vectors:
	PYTHON="$(PYTHON)" sh deploy/vectors.sh

bench: $(VENV)/.installed-dev
	$(NICE) benchmarks

nightly: $(VENV)/.installed-dev servers judges vectors
	$(NICE) pytest -m "nightly or not nightly" -o timeout=7200

# Every attack on a signature: the verdict it has to get, and the one it gets.
attacks: $(VENV)/.installed-dev
	$(NICE) docs.generate_attacks --print

# Every DICOM file that pydicom ships, sent by storescu to a node: what it was answered, and what was kept.
pictures: $(VENV)/.installed-dev servers
	$(NICE) tests.pictures

# After a change of dependencies in pyproject.toml. The locks hold hashes and no address of any index.
lock: $(VENV)/.installed-dev
	$(NICE) piptools compile -q --generate-hashes --no-header --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links --extra build -o requirements.lock pyproject.toml
	$(NICE) piptools compile -q --generate-hashes --no-header --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links --extra build --extra dev -c requirements.lock -o requirements-dev.lock pyproject.toml
	$(NICE) piptools compile -q --generate-hashes --no-header --strip-extras --no-emit-index-url --no-emit-trusted-host \
	    --no-emit-find-links -o $(GOOGLE)/requirements.lock $(GOOGLE)/requirements.in

clean:
	rm -rf $(VENV) .judges *.egg-info .mypy_cache .ruff_cache .hypothesis demo-out

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(NICE) pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(NICE) pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(NICE) pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
