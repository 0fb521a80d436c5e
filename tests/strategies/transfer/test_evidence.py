"""The scales' evidence equals the naive density, is finite everywhere, and tells when pairs do not explain results."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_sharing import gains_of, some_effects, some_trees, task_names
from torch.distributions import MultivariateNormal

from nas.strategies.transfer import TransferModel, evidence
from nas.strategies.transfer.evidence import Scales, log_evidence, mean_of, result_covariance
from nas.strategies.transfer.findings import judge_model
from nas.strategies.transfer.preparation import advice_of, log_lengths, search_numbers, trainings_of
from nas.strategies.transfer.sharing import sharing_of

MIDDLE = torch.tensor([[middle] for middle, _ in evidence._PRIORS.values()], dtype=torch.float64)
SPREAD = torch.tensor([[spread] for _, spread in evidence._PRIORS.values()], dtype=torch.float64)


def some_trainings(count, num_tasks=3, num_blocks=3):
    """Full trainings, and the beginnings of all of them."""
    rng = np.random.default_rng(0)
    trees = some_trees(rng, num_tasks, num_blocks, count) * 2
    results_NT = torch.from_numpy(rng.normal(size=(2 * count, num_tasks)))
    results_NT[1, 0] = math.nan
    x_NTLT = sharing_of(trees, task_names(num_tasks))
    d_LTT = advice_of(rng.normal(size=(num_blocks, num_tasks, num_tasks)), x_NTLT)
    log_length_N = log_lengths([1.0] * count + [0.25] * count, 2 * count)
    return trainings_of(trees, x_NTLT, results_NT, d_LTT, log_length_N, search_numbers(None, 2 * count))


def test_the_evidence_equals_the_density_of_the_results():
    data = some_trainings(6)
    scales = Scales.of(MIDDLE + SPREAD * torch.randn(8, 3, generator=torch.Generator().manual_seed(0)).double())
    covariance_TNN, mean_TN = result_covariance(scales, data), mean_of(scales, data.advice_TN)
    for t, found in enumerate(log_evidence(scales, data)):
        rows = data.results_NT[:, t].isfinite().nonzero()[:, 0]
        density = MultivariateNormal(mean_TN[t, rows], covariance_TNN[t][rows][:, rows])
        expected = density.log_prob(data.results_NT[rows, t]) + 0.5 * len(rows) * math.log(2.0 * math.pi)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_extreme_scales_have_covariances():
    """At all corners of the box that the solver keeps to, with trees that occur twice."""
    one = some_trainings(20, num_tasks=3, num_blocks=6)
    corners_HT = MIDDLE + SPREAD * 4.0 * torch.tensor(list(itertools.product((-1.0, 1.0), repeat=8))).double().T
    count = corners_HT.shape[1]
    data = replace(
        one,
        results_NT=one.results_NT[:, 1:2].expand(-1, count),
        pairs_TNN=one.pairs_TNN[1:2].expand(count, -1, -1),
        anyone_TNN=one.anyone_TNN[1:2].expand(count, -1, -1),
        advice_TN=one.advice_TN[1:2].expand(count, -1),
    )
    assert log_evidence(Scales.of(corners_HT), data).isfinite().all()


def test_the_solver_finds_scales_of_at_least_the_evidence_of_others():
    data = some_trainings(10)

    def density(scales):
        """The logarithm of the posterior density, without what ties tasks together."""
        raw = [scales.effect.log(), scales.noise.log()]
        prior = sum(
            ((value - evidence._PRIORS[name][0]) / evidence._PRIORS[name][1]).square().sum()
            for name, value in zip(("effect", "noise"), raw, strict=True)
        )
        return float(log_evidence(scales, data).sum() - 0.5 * prior)

    best = evidence.most_likely_scales(data)
    for name, factor in itertools.product(("effect", "noise"), (0.7, 1.4)):
        assert density(best) > density(replace(best, **{name: getattr(best, name) * factor}))


def judged(seed, size):
    """The tasks that the model says three tasks act on together, if three really do so with this effect on t0."""
    rng = np.random.default_rng(seed)
    trees = some_trees(rng, num_tasks=4, num_blocks=2, count=40)
    results_NT = gains_of(some_effects(rng, 4, 2), trees).numpy() + rng.normal(size=(40, 4))
    results_NT[:, 0] -= [size * any({"t0", "t1", "t2"} <= set(group) for group in tree.partitions[0]) for tree in trees]
    texts = [verdict.text for verdict in judge_model(TransferModel.fit(trees, results_NT))]
    return [text for text in texts if "three tasks together" in text]


@pytest.mark.parametrize(("size", "least", "most"), [(0.0, 0, 2), (8.0, 9, 10)])
def test_what_three_tasks_do_together_is_found(size, least, most):
    """Of ten data sets; by chance one in twenty speaks without a cause, so three in ten would be one case in 90."""
    found = [texts for seed in range(50, 60) if (texts := judged(seed, size))]
    assert least <= len(found) <= most
    assert size == 0.0 or all("the results of t0: three" in text for (text,) in found)
