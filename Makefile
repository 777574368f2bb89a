# Everything that one does with this checkout; `make help` lists it.
# `demo` needs Python >= 3.11 with venv, and make.  `test` installs the rest on Debian and Ubuntu.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
# pytest and the servers write here; an inherited Python path would mix in other people's modules.
unexport PYTHONPATH PYTHONHOME

VENV := .venv
BIN := $(VENV)/bin
# Tests at once: one more than processors, since many wait for a server.  A file's tests stay together,
# because they share what is dear to make.
JOBS ?= $(shell expr $$(nproc) + 1)
SPREAD := --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

# A folder of its own: what a real cutover keeps elsewhere is not the demo's to remove or to sign in
# to, whatever CUTOVER_VAR says.
DEMO := var/demo
EVERYTHING := .[mysql,test]
# Each candidate is tried out: a name on PATH may be a shim that leads nowhere.
FIND_PYTHON := for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))" \
	2>/dev/null && command -v "$$python" && break; done
PYTHON ?= $(shell $(FIND_PYTHON))

# What the demo writes, by name: demo-clean removes nothing else.
DEMO_DATABASES := $(addsuffix .sqlite3,source dest control huey source.unfinished.*)
DEMO_FILES := $(DEMO_DATABASES) $(addsuffix -wal,$(DEMO_DATABASES)) $(addsuffix -shm,$(DEMO_DATABASES)) \
	$(addsuffix -journal,$(DEMO_DATABASES)) demo.json demo.lock secret_key
LOCK := import fcntl, sys; fcntl.flock(open(sys.argv[1], "a"), fcntl.LOCK_EX | fcntl.LOCK_NB)

# Ctrl-C goes to every process in the terminal's foreground.  While make is one of them it ends as
# "interrupted", however well the demo stops; so the demo takes the foreground for itself meanwhile.
SERVE := import atexit, os, runpy, signal; \
	os.isatty(0) and os.tcgetpgrp(0) == os.getpgrp() and ( \
		signal.signal(signal.SIGTTOU, signal.SIG_IGN), \
		atexit.register(os.tcsetpgrp, 0, os.getpgrp()), \
		os.setpgid(0, 0), os.tcsetpgrp(0, os.getpid())); \
	runpy.run_module("dashboard.demo.serve", run_name="__main__")

define install
	@if [ -z "$(PYTHON)" ]; then \
		echo "No Python >= 3.11 with venv was found. On Debian or Ubuntu:" >&2; \
		echo "    apt-get install python3-venv" >&2; \
		echo "or name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; fi
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the Python packages into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--constraint constraints.txt --editable "$(1)" </dev/null
	@touch $@
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/.installed ## serve the dashboard with sample data; PORT=8000 DEMO_ROWS=300000
	@CUTOVER_VAR=$(DEMO) exec $(BIN)/python -c '$(SERVE)'

.PHONY: demo-reset
demo-reset: demo-clean demo ## remove the sample data, then as `demo`

.PHONY: demo-clean
demo-clean: ## remove the files that the demo made, and nothing else
	@[ ! -d $(DEMO) ] || $(PYTHON) -c '$(LOCK)' $(DEMO)/demo.lock 2>/dev/null || \
		{ echo "The demo is running. Stop it first (Ctrl-C where it runs)." >&2; exit 1; }
	@rm -f -- $(addprefix $(DEMO)/,$(DEMO_FILES))

.PHONY: test
test: packages lint types imports unit ## install everything, run every check and all tests

.PHONY: packages
packages: ## install the system packages that the tests need (root or sudo; Debian, Ubuntu)
	@PYTHON="$(PYTHON)" .ci/packages

.PHONY: lint
lint: $(VENV)/.installed-test ## style and likely bugs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.installed-test ## type annotations
	$(BIN)/mypy

.PHONY: imports
imports: $(VENV)/.installed-test ## which module may import which
	$(BIN)/lint-imports --verbose

.PHONY: unit
unit: $(VENV)/.installed-test ## the tests, on private servers; ARGS="-k audit" for some of them, JOBS=1
	$(BIN)/pytest $(SPREAD) $(ARGS)

.PHONY: chaos
chaos: packages $(VENV)/.installed-test ## break things at random while runs are under way; SECONDS=60 SEED=…
	@$(BIN)/python -m tests.faults --seconds "$(or $(SECONDS),60)" $(if $(SEED),--seed "$(SEED)")

.PHONY: bench
bench: packages $(VENV)/.installed-test ## race Cutover against its rivals; SCALE=0.1 ONLY=pg-mariadb,…
	@.ci/packages rivals || echo "Debian's rivals can't be installed; the bench goes on without." >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input \
		--constraint constraints.txt --editable ".[mysql,test,bench]" </dev/null || \
		echo "Python's rivals can't be installed; the bench goes on without." >&2
	@$(BIN)/python -m tests.bench $(if $(SCALE),--scale "$(SCALE)") $(if $(RUNS),--runs "$(RUNS)") \
		--only "$(ONLY)" --against "$(AGAINST)"

$(VENV)/.installed: pyproject.toml constraints.txt
	$(call install,.)

$(VENV)/.installed-test: pyproject.toml constraints.txt
	$(call install,$(EVERYTHING))
	@touch $(VENV)/.installed
