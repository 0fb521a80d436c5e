"""Two processes that share each batch do what one does on the whole of it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toys import assert_same

from nas.engine import SINGLE_PROCESS, Ranks

sys.path.append(str(Path(__file__).parent))

import shared_work

TIMEOUT = 300
"""Seconds for what takes a few: who waits for a rank that does something else would wait for ever."""

TOLERANCE = 1e-9
"""Relative and absolute, in double precision: sums in another order differ by some 1e-16 a term, and each of the six
steps of a training of a few hundred weights takes on the error of the one before it, amplified by BatchNorm."""


def shared(folder, kind):
    """What both ranks found."""
    command = [sys.executable, shared_work.__file__]
    processes = [
        subprocess.Popen([*command, str(rank), folder, kind], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=TIMEOUT)[0].decode() for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    return shared(tmp_path_factory.mktemp("ranks"), "cpu")


@pytest.fixture(scope="module")
def alone():
    return shared_work.do(SINGLE_PROCESS)


@pytest.mark.parametrize("work", [work.__name__ for work in shared_work.WORK])
def test_two_ranks_give_the_single_process_result(together, alone, work):
    assert_same(together[0][work], alone[work], work, TOLERANCE)


@pytest.mark.parametrize("work", [work.__name__ for work in (*shared_work.WORK, shared_work.drawn)])
def test_ranks_agree_bit_by_bit(together, work):
    assert_same(together[0][work], together[1][work], work)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="each rank needs a GPU of its own")
def test_two_gpus_give_the_result_of_one(tmp_path):
    found = shared(tmp_path, "cuda")
    alone = shared_work.do(Ranks(device=torch.device("cuda", 0)))
    for work in shared_work.WORK:
        assert_same(found[0][work.__name__], found[1][work.__name__], work.__name__, TOLERANCE)
        assert_same(found[0][work.__name__], alone[work.__name__], work.__name__, TOLERANCE)


def test_labels_that_are_spread_unevenly_count_by_their_number():
    one, three = {"t0": torch.zeros(1), "t1": torch.zeros(2)}, {"t0": torch.zeros(3)}
    assert SINGLE_PROCESS.label_shares([one, three], ["t0", "t1", "t2"]) == [{"t0": 0.25, "t1": 1.0}, {"t0": 0.75}]
