"""What holds for all tests: the same examples of properties each time, and which files may run beside the others."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# Lest a gate fail by chance; ``make fuzz`` seeks other examples.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", COMMON, derandomize=True)
settings.register_profile("fuzz", COMMON, max_examples=500, print_blob=True)
settings.load_profile("gate")

# Files that start no sandbox: `make test` runs them at the same time as the others.
BESIDE = {
    "test_accuracy", "test_assignment", "test_calibrate", "test_comparison", "test_datasets", "test_discovery",
    "test_evidence", "test_figures", "test_first_step", "test_guest_arrays", "test_guest_export", "test_guest_figures",
    "test_guest_notebook", "test_guest_recording", "test_guest_stand_ins", "test_guest_tolerance",
    "test_pages_in_browser", "test_probes", "test_progress",
    "test_hidden_checks_architecture", "test_hidden_checks_complete",
    "test_hidden_checks_denoising", "test_hidden_checks_records", "test_images", "test_models_description",
    "test_models_rebuild", "test_models_training", "test_observations", "test_pictures", "test_proofreading",
    "test_protocol", "test_report_files", "test_report_html", "test_report_hostile", "test_report_model",
    "test_report_platforms", "test_report_summary", "test_report_text", "test_submission", "test_submission_hostile",
    "test_taking_apart",
}  # fmt: skip


def pytest_configure(config):
    # A shell that runs the tests in the background lets them ignore Ctrl-C, and what they start would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "beside: starts no sandbox, and runs at the same time as what does")
    if config.option.markexpr == "beside":
        from autograder.sandbox import supervisor

        def refused(self, *arguments):
            raise AssertionError("this test starts a sandbox: take its file out of BESIDE in tests/conftest.py")

        supervisor._Server.__init__ = refused


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in BESIDE:
            item.add_marker(pytest.mark.beside)
    # What keeps both cores busy comes last: before it, the files beside run while sandboxes are waited for.
    items.sort(key=lambda item: bool({"attacks", "corpus"} & set(item.path.parts)))
