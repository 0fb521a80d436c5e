"""The scales of the transfer model, chosen task by task to make the measured results most likely.

For one task the results y_N, less their mean at each length, are jointly Gaussian. With x the features of `sharing_of`,
e the length of a training as a share of the recipe's, and i, j two trainings,

    mean_i = -slope sd (x_i . d)                                                              (similarity's advice)
    cov_ij = wide (1 + [e_i = e_j and i, j are of one search])                                (intercepts)
           + (e_i e_j)^growth r(i, j) [effect^2 (1 - common) x_i R x_j                        (pairs of tasks)
                                       + effect^2 common u_i R u_j                            (sharing at all)
                                       + trust^2 (x_i . d)(x_j . d)]                          (similarity's errors)
           + noise^2 (e_i e_j)^-fading [i, j are one training] r(i, j)

where u sums x over the other tasks, R_lm = 0.8^|l - m| makes neighbouring blocks alike, r(i, j) = alike^|log2(e_i/e_j)|
is the correlation of two lengths, and all scales are in units of sd, the spread of the task's results.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

ALIKE_BLOCKS = 0.8
"""Correlation of the effects at neighbouring blocks. The data of ten trainings cannot tell it."""

_WIDE = 10.0
"""Standard deviation of the intercepts in units of the spread: the references are noisy runs, too."""

_PRIORS = {
    # name: (middle, standard deviation) of the number that is transformed below
    "effect": (math.log(1.0), 1.0),
    "noise": (math.log(0.5), 0.7),
    "common": (0.0, 1.0),
    "trust": (math.log(0.3), 1.0),
    "slope": (math.log(0.5), 1.0),
    "alike": (1.5, 1.0),
    "growth": (0.0, 0.3),
    "fading": (0.0, 0.3),
}
"""Weak priors that keep a scale sensible where few trainings say little about it. Logarithms for scales, logits for
shares; a standard deviation of 1 allows a factor of 7 both ways."""

_OWN = ("effect", "noise")
"""Scales that differ freely from task to task: in short trainings one task has learned, and another is luck."""

_LIKE = 0.5
"""Standard deviation of a task's other scales around their mean over the tasks."""


@dataclass(frozen=True)
class Scales:
    """The scales of every task, each [T], in the units that the module's text gives them."""

    effect: Tensor
    noise: Tensor
    common: Tensor
    trust: Tensor
    slope: Tensor
    alike: Tensor
    growth: Tensor
    fading: Tensor

    @classmethod
    def of(cls, raw_HT: Tensor) -> "Scales":
        raw = dict(zip(_PRIORS, raw_HT, strict=True))
        positive = {name: raw[name].exp() for name in ("effect", "noise", "trust", "slope")}
        shares = {name: raw[name].sigmoid() for name in ("common", "alike")}
        return cls(**positive, **shares, growth=raw["growth"], fading=raw["fading"])

    def effects_prior(self, num_blocks: int, d_LTT: Tensor) -> Tensor:
        """The prior covariance of a task's effects and, last, its intercept, [T, L T + 1, L T + 1] at full length."""
        num_tasks = d_LTT.shape[1]
        effect, common, trust = (s[:, None, None] for s in (self.effect, self.common, self.trust))
        same_TT = torch.eye(num_tasks, dtype=d_LTT.dtype)
        between_TTT = effect.square() * ((1.0 - common) * same_TT + common)
        advice_TD = d_LTT.transpose(0, 1).flatten(1)
        covariance_TDD = torch.einsum("lk,ust->ulskt", between_blocks(num_blocks), between_TTT).flatten(3).flatten(1, 2)
        covariance_TDD = covariance_TDD + trust.square() * advice_TD[:, :, None] * advice_TD[:, None, :]
        whole_TDD = torch.zeros(num_tasks, *[covariance_TDD.shape[1] + 1] * 2, dtype=d_LTT.dtype)
        whole_TDD[:, :-1, :-1], whole_TDD[:, -1, -1] = covariance_TDD, _WIDE**2
        return whole_TDD


def between_blocks(num_blocks: int) -> Tensor:
    """R, the correlation of a pair's effects at two blocks, [L, L]."""
    block_L = torch.arange(num_blocks, dtype=torch.float64)
    return ALIKE_BLOCKS ** (block_L[:, None] - block_L).abs()


@dataclass(frozen=True)
class Trainings:
    """The measured results as the model needs them.

    Args:
        results_NT: results around their mean at each length in units of sd_T, NaN where a tree lacks the task.
        pairs_TNN: x_i R x_j. anyone_TNN: u_i R u_j.
        advice_TN: x_i . d, in units of its own spread; zeros without similarity.
        log_length_N: log2 of the length, as a share of the recipe's.
        search_N: number of the search that a training belongs to.
        same_NN: whether two rows are stages of one training.
    """

    results_NT: Tensor
    pairs_TNN: Tensor
    anyone_TNN: Tensor
    advice_TN: Tensor
    log_length_N: Tensor
    search_N: Tensor
    same_NN: Tensor

    @property
    def references_N2(self) -> Tensor:
        """Length and search of each training: trainings that agree in both have the same reference."""
        return torch.stack([self.log_length_N, self.search_N.to(self.log_length_N)], 1)


def mean_of(scales: Scales, advice_TN: Tensor) -> Tensor:
    """The mean of the results, [T, N], in units of sd_T."""
    return -scales.slope[:, None] * advice_TN


def effects_covariance(
    scales: Scales, pairs: Tensor, anyone: Tensor, advice: Tensor, far: Tensor, growth: Tensor
) -> Tensor:
    """The covariance [T, N, M] that the effects of sharing cause.

    Args:
        pairs, anyone, advice: x R x, u R u, and (x . d)(x . d), each [T, N, M].
        far: |log2(e_i / e_j)|, and growth: log2(e_i e_j), each [N, M].
    """
    effect, common, trust = (s[:, None, None] for s in (scales.effect, scales.common, scales.trust))
    at_full = effect.square() * ((1.0 - common) * pairs + common * anyone) + trust.square() * advice
    return at_full * scales.alike[:, None, None] ** far * torch.exp2(scales.growth[:, None, None] * growth)


def result_covariance(scales: Scales, data: Trainings) -> Tensor:
    """The covariance of the results, [T, N, N], in units of sd_T squared."""
    length = data.log_length_N
    far, growth = (length[:, None] - length).abs(), length[:, None] + length
    advice = data.advice_TN[:, :, None] * data.advice_TN[:, None, :]
    effects = effects_covariance(scales, data.pairs_TNN, data.anyone_TNN, advice, far, growth)
    fading, alike = scales.fading[:, None, None], scales.alike[:, None, None]
    noise = scales.noise[:, None, None].square() * torch.exp2(-fading * growth) * alike**far * data.same_NN
    jitter = 1e-6 * torch.eye(len(length), dtype=length.dtype)
    return _WIDE**2 * intercepts(data.references_N2, data.references_N2) + effects + noise + jitter


def intercepts(first_N2: Tensor, second_M2: Tensor) -> Tensor:
    """The covariance [N, M] of the intercepts, in units of their own variance: one for all, and one for each length
    and search, which a row names."""
    equal: Tensor = (first_N2[:, None] == second_M2).all(2)
    return 0.5 + 0.5 * equal


def log_evidence(scales: Scales, data: Trainings, more_TNN: Tensor | float = 0.0) -> Tensor:
    """The logarithm of the density of the measured results, [T]; missing results do not count.

    Args:
        more_TNN: covariance of another cause of the results.
    """
    measured_TN = data.results_NT.isfinite().T
    residual_TN = torch.where(measured_TN, data.results_NT.T - mean_of(scales, data.advice_TN), 0.0)
    factor_TNN = torch.linalg.cholesky(only_measured(result_covariance(scales, data) + more_TNN, measured_TN))
    white_TN = torch.linalg.solve_triangular(factor_TNN, residual_TN[..., None], upper=False)[..., 0]
    log_det_T = factor_TNN.diagonal(dim1=1, dim2=2).log().sum(1)
    evidence_T: Tensor = -0.5 * white_TN.square().sum(1) - log_det_T
    return evidence_T


def only_measured(covariance_TNN: Tensor, measured_TN: Tensor) -> Tensor:
    """The covariance with rows and columns of missing results replaced by those of the identity."""
    both = measured_TN[:, :, None] & measured_TN[:, None, :]
    return torch.where(both, covariance_TNN, torch.eye(covariance_TNN.shape[-1], dtype=covariance_TNN.dtype))


def most_likely_scales(data: Trainings) -> Scales:
    """The scales of highest posterior density, by L-BFGS from the middle of the priors; each task has its own.

    The tasks' problems are independent and solved together, so the cost grows as T N^3.
    """
    middle, spread = (
        torch.tensor(column, dtype=torch.float64)[:, None] for column in zip(*_PRIORS.values(), strict=True)
    )
    steps_HT = torch.zeros(len(_PRIORS), data.results_NT.shape[1], dtype=torch.float64, requires_grad=True)
    own_H = torch.tensor([name in _OWN for name in _PRIORS])
    solver = torch.optim.LBFGS([steps_HT], max_iter=30, tolerance_change=1e-4, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        raw_HT = _bounded(steps_HT, middle, spread)
        mean_H = raw_HT.mean(1, keepdim=True)
        free = ((raw_HT - middle) / spread).square().sum(1)
        tied = ((mean_H - middle) / spread).square().sum(1) + ((raw_HT - mean_H) / _LIKE).square().sum(1)
        value = 0.5 * torch.where(own_H, free, tied).sum() - log_evidence(Scales.of(raw_HT), data).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    return Scales.of(_bounded(steps_HT.detach(), middle, spread))


def _bounded(steps_HT: Tensor, middle: Tensor, spread: Tensor) -> Tensor:
    """The numbers that are transformed into scales, at most four standard deviations of their priors from the middle:
    a line search may try anything, and covariances of extreme scales are singular."""
    return middle + spread * 4.0 * torch.tanh(steps_HT / 4.0)


def unexplained(scales: Scales, data: Trainings) -> Tensor:
    """How much the log evidence, [T], rises if products of two pairs' features have effects, too: 0 or more.

    The covariance of such effects is the square of the pairs' one; their scale is the best of a few.
    """
    size_T = data.pairs_TNN.diagonal(dim1=1, dim2=2).mean(1).clamp(min=1e-12)
    square_TNN = (data.pairs_TNN / size_T[:, None, None]).square()
    sizes = [share * scales.effect.square() * size_T for share in (0.1, 0.3, 1.0)]
    raised = [log_evidence(scales, data, size[:, None, None] * square_TNN) for size in sizes]
    return (torch.stack(raised).amax(0) - log_evidence(scales, data)).clamp(min=0.0)
