"""Whose turn it is: the user's, the machine's or ours."""

import errno

import pytest

from nas.errors import InputError, WorkFailed, as_input_errors, machine_failure

MACHINE = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried 40 bytes"),
    RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("DataLoader worker (pid 12) is killed by signal: Killed."),
    RuntimeError("received 0 items of ancdata"),
    RuntimeError("Too many open files. Communication with the workers is no longer possible."),
    OSError(errno.ENOSPC, "No space left on device", "/cache/x.npy"),
    OSError(errno.EIO, "Input/output error"),
]


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [KeyError("depth"), RuntimeError("a\nb"), OSError(errno.ENOENT, "No"), SystemExit(2)])
def test_what_a_recipe_raises_is_blamed_on_the_part_with_its_line(error):
    with pytest.raises(InputError) as raised, as_input_errors("data Photos"):
        fail(error)
    assert str(raised.value).startswith(f"data Photos: {type(error).__name__}")
    assert f"({__file__}:{fail.__code__.co_firstlineno + 1})" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is error


def test_a_librarys_line_is_not_the_place():
    import torch

    with pytest.raises(InputError) as raised, as_input_errors("backbone"):
        torch.nn.Linear(2, 3)(torch.zeros(4))
    assert f"({__file__}:" in str(raised.value)


@pytest.mark.parametrize("error", [InputError("bad"), WorkFailed("nan"), KeyboardInterrupt(), *MACHINE])
def test_what_is_nobodys_code_passes(error):
    with pytest.raises(type(error)) as raised, as_input_errors("data"):
        fail(error)
    assert raised.value is error


@pytest.mark.parametrize("error", MACHINE)
def test_the_machines_failures_have_words(error):
    words = machine_failure(error)
    assert words is not None
    assert words.isprintable()


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("shapes"), OSError(errno.ENOENT, "No such file")])
def test_other_failures_are_not_the_machines(error):
    assert machine_failure(error) is None
