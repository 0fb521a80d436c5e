"""What a cluster lacks."""

from nas.launch.jobs.probe import missing


def test_the_probe_says_what_is_missing():
    found = missing(["numpy>=1.0", "numpy>=9999", "no-such-package>=1", "pydantic[email]>=2", "pip"])
    assert len(found) == 2
    assert found[0].endswith(", and numpy>=9999 is needed")
    assert found[1] == "no no-such-package"
