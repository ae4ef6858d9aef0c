# Everything that people do with this repository. Each target says what it does and is safe to repeat.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ASSIGNMENT ?= autoencoders
SUBMITTED ?= examples/submitted
AUTOGRADE_OPTIONS ?=
OUT ?= graded
STUDENT ?= farid-wrong-filters
JOBS ?=
GRADE_OPTIONS ?=
TEST_OPTIONS ?=
# Programs of the system that some tests compare with; without them these tests are skipped.
TEST_PACKAGES := bubblewrap chromium fonts-liberation
ROUNDS ?= 3
# TensorFlow's start-up notes are of no use to anyone here.
export TF_CPP_MIN_LOG_LEVEL := 3
export TF_ENABLE_ONEDNN_OPTS := 1

INSTALLED := $(VENV)/.installed
# Stock nbgrader and stock otter, with which ours is compared: otter wants an older wrapt, and the gate needs neither.
PEERS := .venv-peers
PEERS_INSTALLED := $(PEERS)/.installed

.PHONY: help setup setup-peers grade autograde test test-packages test-gradescope lint release solutions check-release examples benchmark benchmark-peers-quick accuracy-peers benchmark-isolation benchmark-classes benchmark-page simulation soak calibration accuracy mutation take-out attacks fuzz pictures doctor lock clean

help:  ## show the targets
	@echo "make TARGET, where TARGET is one of"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  %-20s %s\n", $$1, $$2}'

setup: $(INSTALLED)  ## make .venv and install the locked packages
	@echo "setup: $(VENV) is ready"

$(INSTALLED): requirements.lock pyproject.toml
	@echo "setup: making $(VENV) and installing the locked packages (some minutes the first time)"
	@bash scripts/setup "$(PYTHON)" "$(VENV)"
	@touch $@

setup-peers: $(PEERS_INSTALLED)  ## make .venv-peers, with the graders that ours is compared with
	@echo "setup-peers: $(PEERS) is ready"

$(PEERS_INSTALLED): requirements-peers.lock
	@echo "setup-peers: making $(PEERS) and installing its locked packages (some minutes the first time)"
	@bash scripts/setup "$(PYTHON)" "$(PEERS)" requirements-peers.lock
	@touch $@

grade: setup  ## grade SUBMITTED (default: the bundled example class) into OUT
	@echo "grade: grading $(SUBMITTED) into $(OUT)"
	$(BIN)/autograder grade $(SUBMITTED) --assignment $(ASSIGNMENT) --out $(OUT) $(if $(JOBS),--jobs $(JOBS)) $(GRADE_OPTIONS)

# nbgrader's pass is serial: it only records what the first command has graded in parallel and kept.
autograde: setup  ## grade submitted/ in parallel, then let nbgrader record it in the gradebook
	@echo "autograde: grading submitted/ into $(OUT)"
	$(BIN)/autograder grade submitted --assignment $(ASSIGNMENT) --out $(OUT) $(if $(JOBS),--jobs $(JOBS)) $(GRADE_OPTIONS) || [ $$? -le 3 ]
	@echo "autograde: recording in nbgrader's gradebook"
	$(BIN)/nbgrader autograde $(ASSIGNMENT) $(AUTOGRADE_OPTIONS)

test: setup test-packages  ## run all tests, the hidden checks on the reference solution included
	@echo "test: running pytest"
	@bash scripts/test $(BIN)/python $(TEST_OPTIONS)

test-gradescope: setup  ## build the package for Gradescope in a clean Debian and grade in it (ten minutes, as root)
	@bash scripts/test-packages debootstrap
	AUTOGRADER_GRADESCOPE_ROOT= $(BIN)/python -m pytest tests/autograder/test_gradescope_root.py $(TEST_OPTIONS)

test-packages:
	@bash scripts/test-packages $(TEST_PACKAGES)
	@bash scripts/test-actionlint $(VENV)

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

solutions: setup  ## execute the reference solution in full (half an hour) into solutions/
	@echo "solutions: executing source/$(ASSIGNMENT) in full; this takes half an hour on two cores"
	$(BIN)/python -m autograder.release.solutions $(ASSIGNMENT)

examples: setup  ## make the example class again from the source notebook
	@echo "examples: writing examples/submitted"
	$(BIN)/python examples/make_examples.py

benchmark: setup setup-peers  ## measure speed and memory, and write docs/performance.md (an hour, on a quiet machine)
	@echo "benchmark: measuring ours"
	$(BIN)/python benchmarks/speed.py
	@echo "benchmark: measuring ours, stock nbgrader and stock otter, which train"
	$(BIN)/python benchmarks/peers_speed.py

benchmark-peers-quick: setup setup-peers  ## try the comparison with the peers without what trains (minutes); writes no page
	@echo "benchmark-peers-quick: measuring notebooks that train nothing"
	$(BIN)/python benchmarks/peers_speed.py --quick

accuracy-peers: setup setup-peers  ## grade the corpus with stock nbgrader and stock otter as well (half an hour); docs/accuracy.md
	@echo "accuracy-peers: grading the corpus with ours, nbgrader and otter"
	$(BIN)/python benchmarks/peers_accuracy.py

benchmark-isolation: setup  ## measure what isolation adds to a submission (some minutes, on a quiet machine)
	@echo "benchmark-isolation: letting the backends take turns"
	$(BIN)/python benchmarks/isolation.py

benchmark-classes: setup  ## grade classes of 25 to 200, again unchanged and with a changed check (half an hour, quiet machine)
	@echo "benchmark-classes: grading classes of several sizes"
	$(BIN)/python benchmarks/classes.py

simulation: setup  ## simulate 10 000 and 100 000 submissions from measured service times (ten minutes, quiet machine)
	@echo "simulation: measuring, checking the model and simulating"
	$(BIN)/python benchmarks/simulation.py

benchmark-page: setup  ## measure the page of a class of a thousand: what writing it costs, and how fast a browser sorts it
	@echo "benchmark-page: writing, loading and sorting"
	$(BIN)/python benchmarks/class_page.py

soak: setup  ## grade 300 mixed submissions twice, see that nothing grows or differs; writes docs/soak.md (an hour or two)
	@echo "soak: grading hundreds of submissions, twice"
	$(BIN)/python benchmarks/soak.py

calibration: setup  ## measure how often the grader's own training errs; writes calibration.json and docs/calibration.md
	@echo "calibration: training each design again and again (some minutes)"
	$(BIN)/autograder calibrate $(ASSIGNMENT)

accuracy: setup  ## measure how often right submissions fail and wrong ones pass, and write docs/accuracy.md
	@echo "accuracy: grading the corpus (some minutes)"
	$(BIN)/python benchmarks/accuracy.py

mutation: setup  ## weaken the hidden checks in one place at a time, see that the corpus notices; writes docs/mutation.md
	@echo "mutation: running the corpus once, then judging it again for each place (half an hour)"
	$(BIN)/python benchmarks/mutation.py

take-out: setup  ## take important things out, one at a time, and see that tests fail; writes docs/taken-out.md
	@echo "take-out: changing the working tree for a while"
	$(BIN)/python scripts/take_out.py

attacks: setup  ## write docs/attacks.md, the table of all hostile submissions that the tests grade
	@echo "attacks: writing docs/attacks.md"
	$(BIN)/python tests/autograder/attacks/table.py

fuzz: setup  ## look for new examples that break a property (the gate tries the same ones each time); writes docs/fuzzing.md
	@echo "fuzz: running the property tests with random examples, ROUNDS times"
	$(BIN)/python benchmarks/fuzz.py --rounds $(ROUNDS)

pictures: grade  ## grade SUBMITTED, then make the README's pictures of it and of STUDENT's page (needs Debian's chromium)
	@echo "pictures: taking pictures of $(OUT)"
	bash scripts/pictures $(OUT) $(STUDENT)

doctor: setup  ## tell what this machine can do
	$(BIN)/autograder doctor

LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header --quiet

# The peers' lock starts from the course's, so that both environments have the same TensorFlow wherever that can be.
lock: setup  ## choose versions again and write requirements.lock and requirements-peers.lock
	@echo "lock: resolving pyproject.toml"
	$(BIN)/$(LOCK) --extra instructor --extra notebooks --extra cluster --extra develop --upgrade --output-file requirements.lock
	cp requirements.lock requirements-peers.lock
	$(BIN)/$(LOCK) --extra peers --extra notebooks --output-file requirements-peers.lock

clean:  ## remove what grading and testing have written (not .venv)
	@echo "clean: removing $(OUT) and caches"
	rm -rf $(OUT) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
