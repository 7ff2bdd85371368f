# Set-up on a fresh machine needs Python 3.11 or newer and a package index, nothing else: with uv where there
# is one, with venv and pip where not. Everything goes into .venv.

SHELL := /bin/sh
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; only used where there is no uv.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
UV := $(shell command -v uv 2>/dev/null)
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

.PHONY: help demo test lint types oracles bench clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

# $(call install,EXTRAS) puts the project and those extras into .venv, and takes nothing away that is there.
ifneq ($(UV),)
install = UV_PROJECT_ENVIRONMENT=$(VENV) "$(UV)" sync --quiet --frozen --inexact --no-default-groups $(foreach extra,$(1),--extra $(extra))
else
empty :=
comma := ,
space := $(empty) $(empty)
install = test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, and none was found."; exit 2; }; \
	test -x $(BIN)/pip || "$(PYTHON)" -m venv $(VENV); \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.$(if $(strip $(1)),[$(subst $(space),$(comma),$(strip $(1)))])'
endif

$(VENV)/.halfopen-%: pyproject.toml uv.lock
	@echo "Installing into $(VENV) ($(if $(UV),uv,pip)) ..."
	@$(call install,$(extras))
	@touch $@

$(VENV)/.halfopen-demo: extras =
$(VENV)/.halfopen-test: extras = test
$(VENV)/.halfopen-dev: extras = dev test
$(VENV)/.halfopen-oracles: extras = test oracles
$(VENV)/.halfopen-bench: extras = test bench

demo: $(VENV)/.halfopen-demo  ## design the checkout saga, let the checker try to break it, write the result to demo/checkout
	@$(BIN)/halfopen saga examples/checkout.saga.yaml --out demo/checkout --overwrite
	@echo
	@echo "The design: demo/checkout/DESIGN.md"
	@echo "A spec that the checker breaks: $(BIN)/halfopen saga examples/checkout-late-charge.saga.yaml"

test: $(VENV)/.halfopen-test  ## the whole suite; what needs a tool that isn't here is skipped and says so
	@$(PYTEST)

lint: $(VENV)/.halfopen-dev  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.halfopen-dev  ## mypy, strict
	@$(BIN)/mypy

oracles: $(VENV)/.halfopen-oracles  ## the tests that need engines and outside tools; a missing tool fails
	@# A test server that loses a call is asked once more; what our own code gets wrong is not.
	@REQUIRE_ORACLES=1 $(PYTEST) -m oracle --reruns 1 --only-rerun RPCError

bench: $(VENV)/.halfopen-bench  ## how fast the checker is, and what the server costs beside a bare one
	@$(BIN)/python -m pytest -q benchmarks --benchmark-columns=median,stddev,rounds --benchmark-timer=time.process_time
	@if command -v spin >/dev/null; then $(BIN)/python benchmarks/spin_side_by_side.py; else echo "No spin here: not raced against it."; fi
	@if test -d /proc/self/task; then $(BIN)/python benchmarks/server_beside_bare.py; else echo "No /proc here: the server is not measured."; fi
	@$(BIN)/python benchmarks/grpc_beside_buf.py
	@$(BIN)/python benchmarks/simulator_beside_simpy.py
	@$(BIN)/python benchmarks/breaker_report.py

clean:  ## take away what make made
	rm -rf $(VENV) demo .cache
