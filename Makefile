# Everything that people do with this repository. Each target says what it does and is safe to repeat.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ASSIGNMENT ?= autoencoders
SUBMITTED ?= examples/submitted
OUT ?= graded
JOBS ?=
GRADE_OPTIONS ?=
TEST_OPTIONS ?=
# Programs of the system that some tests compare with; without them these tests are skipped.
TEST_PACKAGES := bubblewrap
ROUNDS ?= 3
# TensorFlow's start-up notes are of no use to anyone here.
export TF_CPP_MIN_LOG_LEVEL := 3
export TF_ENABLE_ONEDNN_OPTS := 1

INSTALLED := $(VENV)/.installed

.PHONY: help setup grade test test-packages lint release solutions check-release examples benchmark benchmark-isolation soak calibration take-out attacks fuzz pictures doctor lock clean

help:  ## show the targets
	@echo "make TARGET, where TARGET is one of"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-20s %s\n", $$1, $$2}'

setup: $(INSTALLED)  ## make .venv and install the locked packages
	@echo "setup: $(VENV) is ready"

$(INSTALLED): requirements.lock pyproject.toml
	@echo "setup: making $(VENV) and installing the locked packages (some minutes the first time)"
	@bash scripts/setup "$(PYTHON)" "$(VENV)"
	@touch $@

grade: setup  ## grade SUBMITTED (default: the bundled example class) into OUT
	@echo "grade: grading $(SUBMITTED) into $(OUT)"
	$(BIN)/autograder grade $(SUBMITTED) --assignment $(ASSIGNMENT) --out $(OUT) $(if $(JOBS),--jobs $(JOBS)) $(GRADE_OPTIONS)

test: setup test-packages  ## run all tests, the hidden checks on the reference solution included
	@echo "test: running pytest"
	$(BIN)/python -m pytest $(TEST_OPTIONS)

test-packages:
	@bash scripts/test-packages $(TEST_PACKAGES)

lint: setup  ## check types, style and the lock
	@echo "lint: ruff and mypy"
	$(BIN)/ruff check .
	$(BIN)/mypy

release: setup  ## generate release/ from source/ with nbgrader, then pass the release gate
	@echo "release: generating release/$(ASSIGNMENT)"
	$(BIN)/autograder release $(ASSIGNMENT)

check-release: setup  ## fail unless the committed release/ is what source/ generates
	@echo "check-release: comparing release/$(ASSIGNMENT) with source/$(ASSIGNMENT)"
	$(BIN)/autograder release $(ASSIGNMENT) --check

solutions: setup  ## execute the reference solution in full (about an hour) into solutions/
	@echo "solutions: executing source/$(ASSIGNMENT) in full; this takes about an hour on two cores"
	$(BIN)/python -m autograder.release.solutions $(ASSIGNMENT)

examples: setup  ## make the example class again from the source notebook
	@echo "examples: writing examples/submitted"
	$(BIN)/python examples/make_examples.py

benchmark: setup  ## measure speed and memory, and write docs/performance.md (some minutes, on a quiet machine)
	@echo "benchmark: measuring"
	$(BIN)/python benchmarks/speed.py

benchmark-isolation: setup  ## measure what isolation adds to a submission (some minutes, on a quiet machine)
	@echo "benchmark-isolation: letting the backends take turns"
	$(BIN)/python benchmarks/isolation.py

soak: setup  ## grade 300 mixed submissions twice, see that nothing grows or differs; writes docs/soak.md (an hour or two)
	@echo "soak: grading hundreds of submissions, twice"
	$(BIN)/python benchmarks/soak.py

calibration: setup  ## measure how often the grader's own training errs; writes calibration.json and docs/calibration.md
	@echo "calibration: training each design again and again (some minutes)"
	$(BIN)/autograder calibrate $(ASSIGNMENT)

take-out: setup  ## take important things out, one at a time, and see that tests fail; writes docs/taken-out.md
	@echo "take-out: changing the working tree for a while"
	$(BIN)/python scripts/take_out.py

attacks: setup  ## write docs/attacks.md, the table of all hostile submissions that the tests grade
	@echo "attacks: writing docs/attacks.md"
	$(BIN)/python tests/autograder/attacks/table.py

fuzz: setup  ## look for new examples that break a property (the gate tries the same ones each time); writes docs/fuzzing.md
	@echo "fuzz: running the property tests with random examples, ROUNDS times"
	$(BIN)/python benchmarks/fuzz.py --rounds $(ROUNDS)

pictures: setup  ## make the picture of the README from OUT (needs Debian's chromium)
	@echo "pictures: taking pictures of $(OUT)"
	bash scripts/pictures $(OUT)

doctor: setup  ## tell what this machine can do
	$(BIN)/autograder doctor

lock: setup  ## choose versions again and write requirements.lock
	@echo "lock: resolving pyproject.toml"
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --upgrade --quiet --output-file requirements.lock

clean:  ## remove what grading and testing have written (not .venv)
	@echo "clean: removing $(OUT) and caches"
	rm -rf $(OUT) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
