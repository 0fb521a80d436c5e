import pytest
import torch
from toys import IN_FEATURES, VectorBackbone, seeded, toy_tasks

from nas.errors import InputError, WorkFailed
from nas.strategies.similarity import features_by_block
from nas.strategies.similarity.copies import make_copies
from search_spaces import DigitsBackbone

TASKS = toy_tasks(2)


class TokenBackbone(VectorBackbone):
    """Blocks give [B, 3 positions, 4 channels]; the channels of position p are p above those of position 0."""

    def make_block(self, l):
        return Tokens()


class Tokens(torch.nn.Module):
    def forward(self, x):
        first = x.flatten(1)[:, :4]
        return first[:, None] + torch.arange(3.0)[None, :, None]


def batches_of(inputs, size=16):
    return lambda: inputs.split(size)


def collect(copies, inputs, num_rows, **options):
    return list(features_by_block(copies, batches_of(inputs), len(inputs), num_rows, seed=0, **options))


def test_vectors_give_a_row_a_sample_of_every_copys_own_path():
    copies = seeded(lambda: make_copies(VectorBackbone(2), TASKS, 2))
    inputs = torch.randn(40, IN_FEATURES)
    blocks = collect(copies, inputs, 100)
    copies.eval()
    for c in range(4):
        x = copies.stem(inputs)
        for l in range(2):
            x = copies.blocks[l][c](x)
            torch.testing.assert_close(blocks[l][c], x)


def test_no_more_samples_than_rows_are_taken():
    copies = seeded(lambda: make_copies(VectorBackbone(2), TASKS, 1))
    inputs = torch.randn(40, IN_FEATURES)
    some, every = collect(copies, inputs, 24), collect(copies, inputs, 40)
    for a, b in zip(some, every, strict=True):
        torch.testing.assert_close(a, b[:, :24])


def test_images_give_the_same_positions_for_all_copies():
    copies = seeded(lambda: make_copies(DigitsBackbone(widths=(4, 4, 6), strided=(2,)), TASKS, 2))
    for block in copies.blocks:
        for other in list(block)[1:]:
            other.load_state_dict(block[0].state_dict())
    inputs = torch.randn(20, 1, 12, 20)
    blocks = collect(copies, inputs, 100)
    # Five positions of each sample; equal copies agree only where they are looked at in the same ones.
    assert [tuple(block.shape) for block in blocks] == [(4, 100, 4), (4, 100, 4), (4, 100, 6)]
    for block in blocks:
        assert all(torch.equal(block[0], other) for other in block[1:])
    copies.eval()
    full = copies.blocks[0][0](copies.stem(inputs)).flatten(2).mT
    for i, rows in enumerate(blocks[0][0].view(20, 5, 4)):
        found = (rows[:, None] == full[i]).all(dim=2)
        # Each row is a position of its sample, and no position is taken twice.
        assert found.any(dim=1).all()
        assert len(set(found.int().argmax(dim=1).tolist())) == 5


def test_a_block_with_few_positions_gives_all_of_them():
    copies = seeded(lambda: make_copies(DigitsBackbone(widths=(4, 4, 6), strided=(2,)), TASKS, 1))
    inputs = torch.randn(4, 1, 4, 4)
    # Of 2 x 2 positions, then 1 x 1.
    assert [block.shape[1] for block in collect(copies, inputs, 64)] == [16, 16, 4]


def test_tokens_have_their_positions_second():
    copies = make_copies(TokenBackbone(2), TASKS, 1)
    (first, _) = collect(copies, torch.randn(5, IN_FEATURES), 100)
    assert first.shape == (2, 15, 4)
    # The three positions of a sample, in whatever order.
    steps = (first - first.view(2, 5, 3, 4).amin(dim=2).repeat_interleave(3, dim=1)).view(2, 5, 3, 4)
    torch.testing.assert_close(steps.sort(dim=2).values, torch.arange(3.0)[:, None].expand(2, 5, 3, 4))


# Rows of a block: 40 samples of 6 channels in 4 copies, 3,840 bytes.
@pytest.mark.parametrize(("max_bytes", "num_passes"), [(1, 3), (8000, 2), (2**30, 1)])
def test_blocks_that_do_not_fit_at_once_come_from_another_pass(max_bytes, num_passes):
    copies = seeded(lambda: make_copies(VectorBackbone(3), TASKS, 2))
    inputs = torch.randn(40, IN_FEATURES)
    passes = []

    def counted():
        passes.append(1)
        return inputs.split(16)

    blocks = list(features_by_block(copies, counted, 40, 40, seed=0, max_bytes=max_bytes))
    for a, b in zip(blocks, collect(copies, inputs, 40), strict=True):
        assert torch.equal(a, b)
    # And one look at the shapes.
    assert len(passes) == 1 + num_passes


def test_the_copies_are_left_as_they_were():
    copies = seeded(lambda: make_copies(VectorBackbone(2), TASKS, 1)).train()
    before = {name: tensor.clone() for name, tensor in copies.state_dict().items()}
    collect(copies, torch.randn(20, IN_FEATURES), 20)
    assert copies.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in copies.state_dict().items())


def test_features_that_are_not_finite_fail_and_name_the_block():
    copies = make_copies(VectorBackbone(2), TASKS, 1)
    with torch.no_grad():
        copies.blocks[1][0][0].weight.fill_(torch.inf)
    with pytest.raises(WorkFailed, match="block 1"):
        collect(copies, torch.randn(20, IN_FEATURES), 20)


def test_a_block_without_channels_is_refused():
    class Scalars(VectorBackbone):
        def make_block(self, l):
            return torch.nn.Flatten(0)

    with pytest.raises(InputError, match=r"block 0 gives \[.*channels"):
        collect(make_copies(Scalars(1), TASKS, 1), torch.randn(8, IN_FEATURES), 8)
