"""In which words the failures of jobs are told."""

import pytest
from launch.jobs.ray_client import ENTRYPOINT_FAILED, details

from nas.launch.jobs.failure import explain


def test_a_failing_installation_shows_what_pip_said():
    message = (
        "runtime_env setup failed: Failed to set up runtime environment.\nTraceback (most recent call last):\n"
        "ray._private.runtime_env.utils.SubprocessCalledProcessError: Run cmd[9] failed with the following details.\n"
        "Last 50 lines of stdout:\n    Looking in indexes: https://pypi.org/simple\n"
        "    ERROR: Ignored the following versions that require a different python version: 1.21.2 Requires-Python\n"
        "    ERROR: Could not find a version that satisfies the requirement nosuch==9 (from versions: 1.0, 2.0)\n"
        "    ERROR: No matching distribution found for nosuch==9\n"
    )
    failure = explain(details(message=message, error_type="RUNTIME_ENV_SETUP_FAILURE"))
    assert failure.cause == (
        "its environment could not be set up: Could not find a version that satisfies the requirement nosuch==9; "
        "No matching distribution found for nosuch==9"
    )
    assert failure.exit_status == 1


def test_a_failing_environment_without_pip_shows_the_last_line():
    message = "runtime_env setup failed: ...\nTraceback ...\nOSError: No space left on device\n"
    failure = explain(details(message=message, error_type="RUNTIME_ENV_SETUP_FAILURE"))
    assert failure.cause == "its environment could not be set up: OSError: No space left on device"


@pytest.mark.parametrize(
    ("said", "exit_code", "cause", "status"),
    [
        ("error: budget 0.1 is below the smallest tree", 2, "budget 0.1 is below the smallest tree", 2),
        ("error: a\nerror: trial 3 failed", 1, "trial 3 failed", 1),
        ("Segmentation fault", -11, "it was killed (signal 11), perhaps for memory", 1),
        ("", 137, "it was killed (signal 9), perhaps for memory", 1),
        ("sh: python: not found", 127, "it ended with exit status 127: sh: python: not found", 127),
    ],
)
def test_a_search_that_fails_says_its_last_error(said, exit_code, cause, status):
    failure = explain(details(message=ENTRYPOINT_FAILED.format(exit_code) + said, exit_code=exit_code))
    assert (failure.cause, failure.exit_status) == (cause, status)


def test_a_lost_head_points_to_resume():
    failure = explain(details(message="Job supervisor actor died", error_type="JOB_SUPERVISOR_ACTOR_DIED"))
    assert "--resume" in failure.cause
