"""Take an important thing out of the engine, run the tests that name it, and see that they fail; then put it back.

    python scripts/take_out.py              all of them, some minutes; writes docs/taken-out.md
    python scripts/take_out.py network nan  only those whose names contain one of the words; writes nothing

The working tree is changed for the time of each run, so nothing else should use it meanwhile; a file with
uncommitted changes is left alone and named.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
PAGE = COURSE / "docs" / "taken-out.md"
TESTS = "tests/autograder"
LONGEST_WALL_SECONDS = 240
INTRODUCTION = """\
# Taken out

A test that passes when the thing it names is gone says nothing. `scripts/take_out.py` takes important things out, one
at a time, and runs the tests that name them: each of these runs must fail. (For the hidden checks themselves,
`tests/autograder/test_hidden_checks_complete.py` holds that each of them has a mistake whose test expects it to fail.)

| taken out | from | tests | what failed |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Part:
    """One thing that is taken out: the text in a file, what stands there instead, and the tests that must notice."""

    file: str
    old: str
    new: str
    tests: str
    chosen: str = ""


PARTS = {
    "the network namespace": Part(
        "autograder/sandbox/namespaces.py", " | linux.CLONE_NEWNET\n", "\n", "test_supervisor.py", "network or listener"
    ),
    "the namespace of processes": Part(
        "autograder/sandbox/namespaces.py", "linux.CLONE_NEWNS | linux.CLONE_NEWPID |", "linux.CLONE_NEWNS |",
        "test_namespaces.py", "invisible_and_can_not_be_signalled",
    ),
    "the read-only mounts": Part(
        "autograder/sandbox/namespaces.py",
        "linux.MOUNT_ATTR_RDONLY | linux.MOUNT_ATTR_NOSUID, recursive=True)\n    return root",
        "linux.MOUNT_ATTR_NOSUID, recursive=True)\n    return root",
        "test_namespaces.py", "read_only",
    ),
    "the dropping of capabilities": Part(
        "autograder/sandbox/namespaces.py", "    linux.drop_capabilities()\n", "", "test_namespaces.py", "capabilities"
    ),
    "the last, full user namespace": Part(
        "autograder/sandbox/namespaces.py", '_write(proc, "sys/user/max_user_namespaces", "0")', "pass",
        "test_supervisor.py", "user_namespaces",
    ),
    "the filter of system calls": Part(
        "autograder/sandbox/launch.py", "            seccomp.install(seccomp.for_namespaces())\n", "            pass\n",
        "test_supervisor.py", "every_interface_to_the_kernel",
    ),
    "the rules of Landlock": Part(
        "autograder/sandbox/landlock.py", "            _allow(ruleset, path, rights & everything)",
        "            _allow(ruleset, Path('/'), everything)", "test_landlock.py", "nothing_of_the_host",
    ),
    "the scopes of Landlock": Part(
        "autograder/sandbox/landlock.py", "_SCOPES if found >= _SCOPE_VERSION else 0", "0",
        "test_landlock.py", "ordinary_user",
    ),
    "the protection of what belongs to the same user": Part(
        "autograder/sandbox/seccomp.py", "    return rules if own_user else [*rules, *_belonging_to_the_same_user()]",
        "    return rules", "test_landlock.py", "ordinary_user",
    ),
    "the gate for forks": Part(
        "autograder/sandbox/forks.py", "        return self._spare >= 0", "        return True",
        "test_landlock.py", "fork_bomb",
    ),
    "the killing of orphans": Part(
        "autograder/sandbox/launch.py", "        more = _kill_orphans(child.identity.user)", "        more = (0.0, 0)",
        "test_landlock.py", "no_detached_process",
    ),
    "the killing of strays": Part(
        "autograder/sandbox/forkserver.py", "            for process in children - self._monitors:",
        "            for process in []:", "test_landlock.py", "loses_its_monitor",
    ),
    "the bound on what is written": Part(
        "autograder/sandbox/scratch.py", "    if sum(taken.values()) > limits.scratch_bytes:", "    if False:",
        "test_landlock.py", "written",
    ),
    "the kernel's group": Part(
        "autograder/sandbox/cgroups.py", 'os.write(folder.entry, b"0")', "pass", "test_limit_edges.py", "memory_bytes"
    ),
    "the bound on open files of all processes": Part(
        "autograder/sandbox/execution.py", "if usage.open_files > limits.all_open_files:", "if False:",
        "test_limit_edges.py", "all_open_files",
    ),
    "the page tables": Part(
        "autograder/sandbox/tree.py", '"RssShmem:", "VmPTE:")', '"RssShmem:")',
        "test_limit_edges.py", "memory_bytes or ordinary_user",
    ),
    "the refusal of core dumps": Part(
        "autograder/sandbox/launch.py", "resource.RLIMIT_CORE: 1,", "resource.RLIMIT_CORE: 0,",
        "test_supervisor.py", "core",
    ),
    "the new server after a child that survived": Part(
        "autograder/sandbox/supervisor.py", "        if not broken and _answers(path):", "        if _answers(path):",
        "test_supervisor.py", "survives_its_kill",
    ),
    "the death of a worker with its parent": Part(
        "autograder/pool.py", "        linux.die_with_parent()\n", "", "test_resume.py", "resumes"
    ),
    "what keeps printed lines from commanding a build": Part(
        "autograder/cli.py", "print(without_commands(text), file", "print(text, file", "test_hostile_class.py"
    ),
    "the early end of reading a faulty record": Part(
        "autograder/evidence.py", "Sequence_ = Annotated[tuple[T, ...], FailFast(), ",
        "Sequence_ = Annotated[tuple[T, ...], ", "test_evidence.py",
    ),
    "the clean environment": Part(
        "autograder/sandbox/supervisor.py", "env=_environment(home),", "env={**os.environ, **_environment(home)},",
        "test_supervisor.py", "environment",
    ),
    "the bound on the tree's memory": Part(
        "autograder/sandbox/execution.py", "if usage.memory_bytes > self._limits.memory_bytes:", "if False:",
        "test_supervisor.py", "memory_of_many",
    ),
    "the bound on a process's memory": Part(
        "autograder/sandbox/launch.py", "        resource.RLIMIT_DATA: limits.memory_bytes,\n", "",
        "test_supervisor.py", "six_gigabytes",
    ),
    "the bound on a cell's CPU time": Part(
        "autograder/sandbox/clock.py", "if in_cell and cpu - self._cell_cpu > limits.cell_cpu_seconds:", "if False:",
        "test_supervisor.py", "computes_too_long_is_interrupted",
    ),
    "the kill after an ignored interruption": Part(
        "autograder/sandbox/execution.py", "elif self._clock.grace_is_over(self.seen.cpu_seconds):", "elif False:",
        "test_supervisor.py", "swallows or last_wall",
    ),
    "the bound on what one child sends": Part(
        "autograder/sandbox/execution.py", "if self._received_bytes > self._limits.stream_bytes:", "if False:",
        "test_supervisor.py", "endless_bytes",
    ),
    "the check of references in evidence": Part(
        "autograder/evidence.py", "        _check_references(evidence, record)\n", "", "test_evidence.py"
    ),
    "the list of types that an array may have": Part(
        "autograder/evidence.py", "if not isinstance(dtype, str) or dtype not in DTYPES:", "if False:",
        "test_evidence.py",
    ),
    "the refusal of numbers that are not finite": Part(
        "autograder/evidence.py", "elif isinstance(item, float) and not math.isfinite(item):", "elif False:",
        "test_evidence.py",
    ),
    "the refusal of unknown activations": Part(
        "autograder/models/layers.py", 'raise ValueError(f"the activation {shown(value)}")\n        return name',
        'return "linear"\n        return name', "test_models_description.py",
    ),
    "the comparison of weights with the layers": Part(
        "autograder/models/rebuild.py", "        if tuple(array.shape) != shape:", "        if False:",
        "test_models_rebuild.py",
    ),
    "the refusal of weights that are nan": Part(
        "autograder/models/rebuild.py", "        if not np.isfinite(array).all():", "        if False:",
        "test_models_rebuild.py",
    ),
    "the limit of the denoising error": Part(
        "autograder/models/training.py", "passed = _lowest(best) < protocol.limit", "passed = True",
        "test_models_training.py",
    ),
    "the restarts of the training": Part(
        "autograder/models/training.py", "while made < allowed and", "while made < 1 and", "test_models_training.py"
    ),
    "the search for leaked statements": Part(
        "autograder/release/leaks.py", "return ast.unparse(syntax.head(node))", 'return "" and str(node)',
        "test_release.py",
    ),
    "the folding of spaces in leaked text": Part(
        "autograder/release/leaks.py", 'return re.sub(r"[\\W_]+", "", text).casefold()', "return text",
        "test_release.py",
    ),
    "the review of a check that stumbles": Part(
        "autograder/checks/plugin.py", 'return "needs_review", OUR_FAULT, None', 'return "failed", OUR_FAULT, None',
        "test_checks_session.py",
    ),
    "the one step that is lost at least": Part(
        "autograder/checks/points.py", "return max(0.0, min(nearest, points - STEP))", "return nearest",
        "test_checks_session.py",
    ),
    "the digest of stored results": Part(
        "autograder/store.py", 'if entry["digest"] != digest:', "if False:", "test_store.py"
    ),
    "the bound on the size of a file": Part(
        "autograder/submission/notebook.py", "if len(content) > FILE_LIMIT:", "if False:", "test_submission.py"
    ),
    "the escaping of pages": Part(
        "autograder/report/html.py", "autoescape=True", "autoescape=False", "test_report_html.py"
    ),
    "the recording of fits": Part(
        "autograder/sandbox/guest/recording.py", '    _wrap(model, "fit", session, fitting.fit)\n', "",
        "test_guest_recording.py",
    ),
    "the models in place of broken builders": Part(
        "autograder/sandbox/runner.py", "for cell in self._stopped:", "for cell in self._stopped[:0]:",
        "test_guest_stand_ins.py",
    ),
    "the digest of the data": Part(
        "autograder/datasets.py", "if found != expected:", "if False:", "test_datasets.py"
    ),
}  # fmt: skip


def failures(part: Part) -> list[str]:
    """Return the tests that fail while the part is taken out."""
    path = COURSE / part.file
    before = path.read_text(encoding="utf-8")
    if before.count(part.old) != 1:
        raise SystemExit(f"{part.file}: the text to take out stands there {before.count(part.old)} times: {part.old!r}")
    if subprocess.run(["git", "diff", "--quiet", "--", part.file], cwd=COURSE, check=False).returncode:
        raise SystemExit(f"{part.file} has uncommitted changes: commit them first")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", f"{TESTS}/{part.tests}"]
    try:
        path.write_text(before.replace(part.old, part.new), encoding="utf-8")
        done = subprocess.run(
            [*command, *(["-k", part.chosen] if part.chosen else [])],
            cwd=COURSE, capture_output=True, text=True, check=False, timeout=LONGEST_WALL_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [f"no end within {LONGEST_WALL_SECONDS} seconds"]
    finally:
        path.write_text(before, encoding="utf-8")
    lines = [line.split() for line in done.stdout.splitlines()]
    return [words[1].partition("::")[2] for words in lines if len(words) > 1 and words[0] in ("FAILED", "ERROR")]


def main() -> int:
    """Take the parts out, one after the other; return 1 when one was not missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="parts of names; all parts without one")
    words = parser.parse_args().words
    chosen = {name: part for name, part in PARTS.items() if not words or any(word in name for word in words)}
    rows, unnoticed = [], []
    for name, part in chosen.items():
        failed = failures(part)
        print(f"{'noticed' if failed else 'NOT NOTICED'}: {name}", flush=True)
        rows.append(f"| {name} | `{part.file}` | `{part.tests}` | `{failed[0] if failed else 'nothing'}` |")
        unnoticed += [] if failed else [name]
    if not words:
        PAGE.write_text(INTRODUCTION + "\n".join(rows) + "\n", encoding="utf-8")
    print(f"{len(chosen) - len(unnoticed)} of {len(chosen)} were noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
