"""The command line: commands, options and exit codes; the work is done elsewhere.

Exit codes: 0 graded; 1 a score below ``--fail-under``; 2 wrong usage or unreadable input; 3 the
grader's own fault or no complete isolation; 130 stopped by Ctrl-C. Nothing heavy is imported
before a command runs.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from autograder import __version__
from autograder.errors import AutograderError, InputError, did_you_mean
from autograder.report.formats import DEFAULT_FORMATS, FORMATS, parse_formats

if TYPE_CHECKING:
    from autograder.assignment import Assignment
    from autograder.grade import Settings
    from autograder.report.summary import Summary

EXIT_BELOW, EXIT_INPUT, EXIT_FAULT, EXIT_INTERRUPTED = 1, 2, 3, 130
PIPED_COLUMNS = 160

NO_ISOLATION_WARNING = (
    "WARNING: --isolation none: the submitted code can read your files and reach the network. "
    "Use it for notebooks that you trust, never for a class."
)
_EXIT_CODES = """\
exit codes:
  0  done
  1  a score is below --fail-under
  2  wrong usage, or input that can not be read (the readable ones are graded all the same)
  3  the grader's own fault, or no complete isolation on this machine
"""
_CHECK_EXIT_CODES = """\
exit codes:
  0  every visible check passed
  1  some did not, or an answer stopped with an error
  2  wrong usage, or a notebook that can not be read
  3  a fault of the autograder or of this machine
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints show no foreign control characters and guess what was meant."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the complaint, and exit with 2."""
        from autograder.report.text import clean, without_commands

        if choice := re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message, re.DOTALL):
            message += "." + did_you_mean(choice[1], re.findall(r"[\w-]+", choice[2]))
        self.print_usage(sys.stderr)
        self.exit(EXIT_INPUT, f"{self.prog}: error: {without_commands(clean(message))}\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Complain of arguments that the command does not know."""
        known = re.findall(r"--[\w-]+", self.format_help())
        options = [did_you_mean(word.partition("=")[0], known) for word in unknown if word.startswith("--")]
        hint = next(filter(None, options), "")
        if any(word.startswith("-") and Path(word).exists() for word in unknown):
            hint = " Write ./ in front of a file whose name begins with a dash."
        self.error(f"unrecognized arguments: {' '.join(unknown)}.{hint}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _mend_streams()
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        options.parser.refuse(unknown)
    command: Callable[[argparse.Namespace], int] = options.run
    # A batch that is told to end keeps what it has, as after Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, _interrupt)
    try:
        _refuse_removed_folder()
        return command(options)
    except AutograderError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _complain("stopped")
        return EXIT_INTERRUPTED
    except Exception as error:
        # Python's own exit code 1 would mean a low score.
        return _unexpected(error)


def _mend_streams() -> None:
    """Let closed standard streams lead nowhere, and show what a stream's encoding lacks as a question mark."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is taken: this one, and no file of ours ever.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _refuse_removed_folder() -> None:
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise InputError("the current folder has been removed: go to another one") from error


def _unexpected(error: Exception) -> int:
    if os.environ.get("AUTOGRADER_TRACEBACK"):
        import traceback

        _say(traceback.format_exc())
    _complain(
        f"unexpected {type(error).__name__}: {error}. This is a fault of the autograder or of this machine, of no "
        "submission; what was graded is kept. AUTOGRADER_TRACEBACK=1 shows where it happened."
    )
    return EXIT_FAULT


def _parser() -> _Parser:
    parser = _Parser(
        prog="autograder",
        description="Grade Keras notebooks: submitted code runs in a sandbox, verdicts are made outside it.",
        epilog=f"Each command explains itself: autograder grade --help\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"autograder {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_grade(commands)
    _add_check(commands)
    _add_release(commands)
    _add_doctor(commands)
    _add_calibrate(commands)
    _add_package(commands)
    _add_cache(commands)
    _add_export(commands)
    return parser


def _add_command(
    commands: argparse._SubParsersAction[_Parser],
    run: Callable[[argparse.Namespace], int],
    name: str,
    text: str,
    examples: str,
    of_course: bool = True,
    exit_codes: str = _EXIT_CODES,
) -> _Parser:
    summary = text.partition(":")[0]
    parser = commands.add_parser(
        name,
        help=summary[0].lower() + summary[1:],
        description=text,
        epilog=f"examples:\n{examples}\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        # Scripts rely on the names of the options; an abbreviation may mean another one tomorrow.
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    if of_course:
        parser.add_argument(
            "--course",
            type=_path,
            metavar="DIR",
            help="the folder that holds source/ and tests/ (default: this one or the nearest above it)",
        )
    return parser


def _add_grade(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _grade,
        "grade",
        "Grade submissions: notebooks, .py exports, folders, an nbgrader tree or zips of these.",
        "  autograder grade submitted/\n"
        "  autograder grade ada.ipynb ben.py --out results\n"
        "  autograder grade class.zip --jobs 8 --format json\n"
        "  autograder grade notebook.ipynb --fail-under 60\n",
    )
    parser.add_argument("paths", nargs="+", type=_path, metavar="PATH", help="what to grade")
    parser.add_argument("--assignment", metavar="NAME", help="the assignment (default: the course's only one)")
    parser.add_argument(
        "--out", type=_path, default=Path("graded"), metavar="DIR", help="where results go (default: graded/)"
    )
    parser.add_argument(
        "--format",
        dest="formats",
        type=_formats,
        default=DEFAULT_FORMATS,
        metavar="NAMES",
        help=f"formats beside each other, of: {', '.join(FORMATS)} (default: {','.join(DEFAULT_FORMATS)})",
    )
    parser.add_argument("--jobs", type=_positive, metavar="N", help="how many at a time (default: the usable cores)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="let the workers of a Dask scheduler grade, such as tcp://10.0.0.1:8786; see docs/scaling.md",
    )
    _add_execution_options(parser)
    parser.add_argument("--no-cache", action="store_true", help="grade again what has been graded before")
    parser.add_argument(
        "--fail-under",
        type=_percent,
        metavar="PERCENT",
        help="exit with 1 if a score, without what waits for a person, is below this share of all points",
    )


def _add_check(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _check,
        "check",
        "Check your own notebook: it is run, and its visible checks say what is right so far; no score is given.\n\n"
        "Nothing but the notebook is needed, be it an .ipynb, a download from Colab or a .py export. It takes seconds: "
        "no fit\nis performed (each is tried on one batch), and without the course's data the digits are made up. "
        "Where this machine has\nno sandbox your code simply runs, as in Jupyter: check no notebook of others there.",
        "  autograder check autoencoders.ipynb\n"
        '  autograder check "Copy of autoencoders.ipynb" --assignment autoencoders\n'
        "  autograder check autoencoders.py && echo ready to hand in\n",
        exit_codes=_CHECK_EXIT_CODES,
    )
    parser.add_argument("notebook", type=_path, metavar="NOTEBOOK", help="the notebook to check")
    parser.add_argument(
        "--assignment", metavar="NAME", help="the assignment (default: the one that the notebook says it is)"
    )
    _add_isolation(parser)


def _add_release(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _release,
        "release",
        "Make the students' version of an assignment: refused when a solution would leak.",
        "  autograder release\n  autograder release autoencoders --check\n",
    )
    parser.add_argument("assignment", nargs="?", metavar="ASSIGNMENT", help="default: the course's only one")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; say whether the committed release is up to date"
    )
    _add_execution_options(parser)


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    _add_command(
        commands,
        _doctor,
        "doctor",
        "Say what this machine can do: isolation, data, versions, and what to install.",
        "  autograder doctor\n",
    )


def _add_calibrate(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _calibrate,
        "calibrate",
        "Measure how often the grader's own training errs: known designs are trained again and again.",
        "  autograder calibrate\n  autograder calibrate autoencoders --seeds 300 --jobs 2\n",
    )
    parser.add_argument("assignment", nargs="?", metavar="ASSIGNMENT", help="default: the course's only one")
    parser.add_argument(
        "--seeds", type=_positive, default=100, metavar="N", help="attempts of each right design (default: 100)"
    )
    parser.add_argument(
        "--other-seeds", type=_positive, default=20, metavar="N", help="attempts of each other design (default: 20)"
    )
    parser.add_argument(
        "--jobs", type=_positive, default=1, metavar="N", help="how many designs at a time (default: 1)"
    )


def _add_package(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _package,
        "package",
        "Make what a platform takes as an autograder: for Gradescope, the zip to upload.",
        "  autograder package gradescope\n  autograder package gradescope autoencoders --out week-7.zip\n",
    )
    parser.add_argument("platform", choices=("gradescope",), metavar="PLATFORM", help="gradescope")
    parser.add_argument("assignment", nargs="?", metavar="ASSIGNMENT", help="default: the course's only one")
    parser.add_argument(
        "--out", type=_path, metavar="FILE", help="the zip to write (default: ASSIGNMENT-gradescope.zip)"
    )


def _add_cache(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _cache,
        "cache",
        "Show or tidy the cache: reports, executions and trainings, none of which is done twice.",
        "  autograder cache\n  autograder cache prune --to 2G\n  autograder cache clear --kind execution\n",
        of_course=False,
    )
    parser.add_argument(
        "action",
        nargs="?",
        choices=("show", "prune", "clear"),
        default="show",
        help="show what is kept; prune what was not used for longest; clear it (default: show)",
    )
    parser.add_argument(
        "--to",
        metavar="SIZE",
        help="prune: how much to keep, as 500M or 8G (default: AUTOGRADER_CACHE_LIMIT, else 8G)",
    )
    parser.add_argument(
        "--kind", choices=("report", "execution", "training", "calibration"), help="clear: one kind alone"
    )


def _add_export(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _add_command(
        commands,
        _export,
        "export",
        "Write the grades of nbgrader's gradebook as CSV: with a column a question, or as Canvas or Moodle take them.",
        "  autograder export\n  autograder export autoencoders --form canvas --out grades-canvas.csv\n",
    )
    parser.add_argument("assignment", nargs="?", metavar="ASSIGNMENT", help="default: the course's only one")
    parser.add_argument(
        "--form", choices=("csv", "canvas", "moodle"), default="csv", help="csv, canvas or moodle (default: csv)"
    )
    parser.add_argument(
        "--out", type=_path, default=Path("grades.csv"), metavar="FILE", help="where to write (default: grades.csv)"
    )
    parser.add_argument("--db", metavar="URL", help="the gradebook (default: that of nbgrader's configuration)")


def _add_execution_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--training",
        choices=("record", "short", "full"),
        default="record",
        help="whether a submission's own fits are recorded, run a few steps or in full (default: record)",
    )
    parser.add_argument(
        "--lane",
        choices=("fast", "full"),
        default="fast",
        help="fast: a submission is run a second time, in full, only where the first run leaves something open; "
        "full: in full at once (default: fast)",
    )
    _add_isolation(parser)


def _add_isolation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--isolation",
        choices=("auto", "namespaces", "landlock", "none"),
        default="auto",
        help="how submitted code is confined (default: auto, the best that this machine can do)",
    )


def _grade(options: argparse.Namespace) -> int:
    from autograder.batch import default_jobs, grade_all
    from autograder.progress import Progress
    from autograder.report.table import render_table
    from autograder.scratch import scratch_folder
    from autograder.submission.discovery import discover
    from autograder.submission.notebook import shown

    assignment = _assignment(options)
    settings = _settings(options)
    with scratch_folder() as scratch:
        found = discover(options.paths, assignment.name, scratch)
        for sentence in (*found.problems, *found.notes):
            _complain(sentence)
        if not found.submissions:
            return EXIT_INPUT
        try:
            summary = grade_all(
                assignment,
                found.submissions,
                settings,
                out=options.out,
                formats=options.formats,
                jobs=options.jobs or default_jobs(),
                progress=Progress(sys.stderr),
                labels=found.labels,
                scheduler=options.scheduler,
            )
        except KeyboardInterrupt:
            return _interrupted(options.out)
    _say(f"results are in {shown(str(_results_page(options)))}")
    _show(render_table(summary, _columns()))
    return _exit_code(summary, bool(found.problems), options.fail_under)


def _check(options: argparse.Namespace) -> int:
    from autograder import selfcheck
    from autograder.report.text import one_line

    if options.notebook.is_dir() and not options.notebook.is_symlink():
        raise InputError(f"{one_line(str(options.notebook))} is a folder: name the notebook in it")
    assignment, data = _assignment_to_check(options)
    checked = selfcheck.check(options.notebook, assignment, data, options.isolation, _complain)
    _show(selfcheck.render(checked, options.notebook.name))
    return 0 if checked.is_right else EXIT_BELOW


def _assignment_to_check(options: argparse.Namespace) -> tuple[Assignment, Path | None]:
    """Return the assignment and its data as a course has them, else as they are installed with this program."""
    from autograder.assignment import load, names
    from autograder.datasets import verify_folder
    from autograder.selfcheck import released

    try:
        root = course_root(options.course)
    except InputError:
        if options.course is not None:
            raise
        return released(options.notebook, options.assignment), None
    if options.course is None and not names(root):
        return released(options.notebook, options.assignment), None
    assignment = load(root, options.assignment)
    if not any(assignment.data.glob("*.npz")):
        return assignment, None
    verify_folder(assignment.data)
    return assignment, assignment.data


def _release(options: argparse.Namespace) -> int:
    from autograder.grade import Grader
    from autograder.release import gate as release

    root = course_root(options.course)
    if options.check:
        differences = release.check_committed(root, options.assignment)
        for difference in differences:
            _complain(difference)
        if not differences:
            _say("the committed release is up to date")
        return EXIT_INPUT if differences else 0
    with Grader(_assignment(options), _settings(options)) as grader, _quiet_libraries():
        released = release.build(root, options.assignment, grade_release=lambda file: grader.grade(file, "release"))
    _say(f"released {released}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from autograder import doctor

    findings = doctor.examine(course_root(options.course))
    _show(doctor.render(findings).rstrip() + "\n")
    return 0 if doctor.can_grade(findings) else EXIT_FAULT


def _calibrate(options: argparse.Namespace) -> int:
    from autograder.calibrate import calibrate, page_of

    assignment = _assignment(options)
    page = page_of(assignment)
    try:
        table = calibrate(
            assignment.tests, assignment.data, page, options.seeds, options.other_seeds, options.jobs, _say
        )
    except KeyboardInterrupt:
        _say("Stopped. Attempts that ended are kept: run the same command again to go on.")
        return EXIT_INTERRUPTED
    _say(f"wrote {assignment.tests / 'calibration.json'}")
    _show(table + "\n")
    return 0


def _package(options: argparse.Namespace) -> int:
    from autograder.gradescope import package

    assignment = _assignment(options)
    target = options.out or Path(f"{assignment.name}-gradescope.zip")
    size = package.write(assignment, target)
    _show(f"wrote {target} ({size / 1e6:.1f} MB)\n{package.ADVICE}\n")
    return 0


def _export(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("nbgrader") is None:
        raise InputError("nbgrader is not installed: pip install 'autoencoders-autograder[instructor]'.")
    from autograder.assignment import load
    from autograder.nbgrader.export import export

    assignment = load(course_root(options.course), options.assignment)
    _show(export(assignment.root, assignment.name, options.form, options.out.absolute(), options.db) + "\n")
    return 0


def _cache(options: argparse.Namespace) -> int:
    from autograder.store import Store, bytes_of, most_bytes

    for option, action in (("to", "prune"), ("kind", "clear")):
        if getattr(options, option) is not None and options.action != action:
            raise InputError(f"--{option} belongs to autograder cache {action}")
    store = Store()
    bound = most_bytes() if options.to is None else bytes_of(options.to)
    if options.action == "prune":
        removed = store.prune(bound)
        _show(f"removed {removed.entries} entries, {_megabytes(removed.bytes)}\n")
    elif options.action == "clear":
        _show(f"removed {store.clear(options.kind)} entries\n")
    else:
        sizes = store.sizes()
        rows = [f"{kind:<12}{size.entries:>8} entries{_megabytes(size.bytes):>14}" for kind, size in sizes.items()]
        total = _megabytes(store.size().bytes)
        _show("\n".join([f"in {store.root}", *rows, f"{total} of at most {_megabytes(bound)}"]) + "\n")
    return 0


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _exit_code(summary: Summary, has_problems: bool, fail_under: float | None) -> int:
    """Return the gravest that happened: our fault, then what could not be read, then a low score."""
    if any(row.fault_of("grader") for row in summary.students):
        return EXIT_FAULT
    if has_problems or any(row.status == "ungradable" for row in summary.students):
        return EXIT_INPUT
    if fail_under is not None:
        shares = (100 * row.score / row.max_score for row in summary.students if row.max_score)
        if any(share < fail_under for share in shares):
            return EXIT_BELOW
    return 0


def _interrupted(out: Path) -> int:
    _say(f"Stopped. What was graded is in {out}/ and is kept: run the same command again to go on.")
    return EXIT_INTERRUPTED


def _results_page(options: argparse.Namespace) -> Path:
    out: Path = options.out
    return out / ("index.html" if "html" in options.formats else "summary.json")


def _assignment(options: argparse.Namespace) -> Assignment:
    from autograder.assignment import load
    from autograder.datasets import verify_folder

    assignment = load(course_root(options.course), options.assignment)
    # Here and not by the first check that needs it: then nothing has been run in vain.
    verify_folder(assignment.data)
    return assignment


def course_root(given: Path | None) -> Path:
    """Return the course folder: the one that was given, or this one, or the nearest above it."""
    candidates = [given] if given is not None else [Path.cwd(), *Path.cwd().parents]
    courses = [folder for folder in candidates if (folder / "source").is_dir() and (folder / "tests").is_dir()]
    for folder in courses:
        # Who hands in folders of these names, with checks of his own in them, is a student all the same.
        if not any(outer / "submitted" in (folder, *folder.parents) for outer in courses):
            return folder.absolute()
    if given is not None:
        raise InputError(f"{given} is no course folder: it does not hold source/ and tests/")
    raise InputError(
        f"no course folder here: neither {Path.cwd()} nor a folder above it holds source/ and tests/; "
        "go there, or name it with --course DIR"
    )


def _settings(options: argparse.Namespace) -> Settings:
    from autograder.grade import Settings

    if options.isolation == "none":
        _say(NO_ISOLATION_WARNING)
    return Settings(
        training=options.training,
        isolation=options.isolation,
        lane=options.lane,
        use_cache=not getattr(options, "no_cache", False),
    )


def _columns() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_COLUMNS


@contextlib.contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Keep what libraries print to descriptor 2 (TensorFlow greets from C++), and show it only after an error."""
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except AutograderError:
            raise
        except BaseException:
            kept.seek(0)
            os.write(shown, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)


def _path(text: str) -> Path:
    """Return a path; an empty text, as an unset variable of a script leaves it, would be the current folder."""
    if not text:
        raise argparse.ArgumentTypeError("an empty text is no path")
    return Path(text)


def _formats(names: str) -> tuple[str, ...]:
    try:
        return parse_formats(names)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of at least 1")
    return int(text)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return value


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _show(text: str) -> None:
    """Write a command's results to the standard output; raise InputError when it takes no more."""
    from autograder.report.text import without_commands

    try:
        sys.stdout.write(without_commands(text))
        sys.stdout.flush()
    except OSError as error:
        # The interpreter would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # Whoever has read enough may go away; that changes nothing.
        if not isinstance(error, BrokenPipeError):
            raise InputError(f"can not write to the standard output: {error.strerror}") from error


def _complain(text: str) -> None:
    from autograder.report.text import clean

    _say(f"autograder: {clean(text)}")


def _say(text: str) -> None:
    from autograder.report.text import without_commands

    print(without_commands(text), file=sys.stderr, flush=True)
