"""The transfer model: from measured trees, what each task gains or loses by sharing a block with each other task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nas.strategies.transfer.calibration import correlation_of, root, widening
from nas.strategies.transfer.evidence import (
    Scales,
    Trainings,
    intercepts,
    mean_of,
    most_likely_scales,
    only_measured,
    result_covariance,
    unexplained,
)
from nas.strategies.transfer.preparation import (
    advice_of,
    checked_results,
    log_lengths,
    scaled_results,
    search_numbers,
    trainings_of,
)
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree


@dataclass(frozen=True, eq=False)
class TransferModel:
    """A Gaussian posterior over the effects of sharing, which is linear in the features of a tree.

        y_t(tree) = a_t + sum_l 1/|G_l(t)| sum_{s in G_l(t), s != t} b_{l,t,s} + noise_t

    y_t is what task t reaches in percent relative to alone, positive is better; b_{l,t,s} is what it does to t to share
    block l with s; a_t is the error of the reference. `nas.strategies.transfer.evidence` has the prior.

    Attributes:
        tasks: names of the T tasks.
        scales: the scales of the prior, by marginal likelihood.
        mean_TD: posterior mean of b and, last, a; D is L T + 1, block by block.
        covariance_TDD: its covariance, in percent squared.
        noise_T: standard deviation of a result at full length around the tree's own mean.
        residuals_NT: leave-one-out errors of the results that were fitted, in standard deviations; NaN where there was
            no result. They have deviation 1 if the model holds.
        correlation: mean correlation of two tasks' errors: an unlucky training is bad for all tasks.
        unexplained_T: how much the log evidence rises if three tasks together may have effects of their own.
        shortest: the smallest length.
    """

    tasks: tuple[str, ...]
    scales: Scales
    mean_TD: Tensor
    covariance_TDD: Tensor
    noise_T: Tensor
    residuals_NT: Tensor
    correlation: float
    unexplained_T: Tensor
    shortest: float

    @classmethod
    def fit(
        cls,
        trees: Sequence[BranchTree],
        results_NT: ArrayLike,
        *,
        tasks: Sequence[str] | None = None,
        lengths_N: Sequence[float] | None = None,
        searches_N: Sequence[int] | None = None,
        prior: ArrayLike | None = None,
    ) -> "TransferModel":
        """The posterior after N trainings. Cost: T N^3 for the scales, T (L T)^2 N for the effects.

        Args:
            trees: the trees trained; trees of a part of the tasks (a single-task network) count, too.
            results_NT: what each task reached, in percent, higher is better, relative to any fixed reference of the
                task. NaN where the tree lacks the task.
            tasks: names of the T columns; by default those of the first tree.
            lengths_N: length of each training as a share of the recipe's; by default all are full. Predictions are for
                the full length. Rows of one tree with different lengths are stages of one training, whose noise is
                correlated; equal rows are trainings with different seeds.
            searches_N: number of the search of each training; by default all are of one. Each search has references of
                its own, since its seed and its splits are others. Predictions are for the first search.
            prior: dissimilarity of the tasks, [L, T, T], higher is less alike; the prior mean of an effect is minus a
                multiple of it.

        Raises:
            InputError: the arguments do not fit together, or a task has no result.
        """
        names = tuple(trees[0].tasks if tasks is None else tasks) if trees else ()
        results = checked_results(results_NT, trees, names)
        log_length_N = log_lengths(lengths_N, len(trees))
        x_NTLT = sharing_of(trees, names)
        d_LTT = advice_of(prior, x_NTLT)
        search_N = search_numbers(searches_N, len(trees))
        scaled_NT, sd_T, mean_T = scaled_results(results, log_length_N, search_N)
        data = trainings_of(trees, x_NTLT, scaled_NT, d_LTT, log_length_N, search_N)
        scales = most_likely_scales(data)
        return cls._posterior(names, scales, data, x_NTLT, d_LTT, sd_T, mean_T)

    @classmethod
    def _posterior(
        cls,
        names: tuple[str, ...],
        scales: Scales,
        data: Trainings,
        x_NTLT: Tensor,
        d_LTT: Tensor,
        sd_T: Tensor,
        mean_T: Tensor,
    ) -> "TransferModel":
        num_trees, num_tasks, num_blocks, _ = x_NTLT.shape
        prior_TDD = scales.effects_prior(num_blocks, d_LTT)
        measured_TN = data.results_NT.isfinite().T
        x_TND = torch.cat([x_NTLT.transpose(0, 1).flatten(2), torch.ones(num_tasks, num_trees, 1)], 2).double()
        length = data.log_length_N
        # What a training of length e says about the effects at full length.
        shrunk_TN = torch.exp2(scales.growth[:, None] * length) * scales.alike[:, None] ** length.abs()
        cross_TND = x_TND @ prior_TDD * shrunk_TN[..., None]
        full_12 = torch.tensor([[0, int(data.search_N.min())]])
        cross_TND[..., -1] = prior_TDD[:, -1:, -1] * intercepts(data.references_N2, full_12)[:, 0]
        cross_TND = cross_TND * measured_TN[..., None]
        residual_TN = torch.where(measured_TN, data.results_NT.T - mean_of(scales, data.advice_TN), 0.0)
        factor_TNN = torch.linalg.cholesky(only_measured(result_covariance(scales, data), measured_TN))
        weights_TND = torch.cholesky_solve(cross_TND, factor_TNN)
        prior_mean_TD = torch.cat(
            [-scales.slope[:, None] * d_LTT.transpose(0, 1).flatten(1), torch.zeros(num_tasks, 1)], 1
        )
        mean_TD = prior_mean_TD + (weights_TND * residual_TN[..., None]).sum(1)
        covariance_TDD = prior_TDD - cross_TND.transpose(1, 2) @ weights_TND
        inverse_TNN = torch.cholesky_inverse(factor_TNN)
        left_out_TN = (inverse_TNN @ residual_TN[..., None])[..., 0] / inverse_TNN.diagonal(dim1=1, dim2=2).sqrt()
        residuals_NT = torch.where(measured_TN, left_out_TN, torch.nan).T
        wider_T = widening(residuals_NT)
        return cls(
            names,
            scales,
            mean_TD * sd_T[:, None] + torch.cat([torch.zeros(num_tasks, mean_TD.shape[1] - 1), mean_T[:, None]], 1),
            covariance_TDD * (wider_T * sd_T)[:, None, None].square(),
            scales.noise * sd_T * wider_T,
            residuals_NT,
            correlation_of(residuals_NT),
            unexplained(scales, data),
            float(torch.exp2(length.min())),
        )

    def alike(self, length: float) -> Tensor:
        """The correlation, [T], of the effects in trainings of a length with those in full ones."""
        return self.scales.alike ** abs(math.log2(length))

    @property
    def num_blocks(self) -> int:
        return (self.mean_TD.shape[1] - 1) // len(self.tasks)

    @property
    def effects_LTT(self) -> Tensor:
        """The posterior mean of b in percent, [l, t, s]: what it does to t to share block l with s."""
        return self._as_effects(self.mean_TD[:, :-1])

    @property
    def errors_LTT(self) -> Tensor:
        """The posterior standard deviation of b in percent."""
        return self._as_effects(self.covariance_TDD.diagonal(dim1=1, dim2=2)[:, :-1].clamp(min=0.0).sqrt())

    @property
    def covariances_TTLL(self) -> Tensor:
        """The posterior covariance of b at two blocks for each pair, [t, s, l, m], in percent squared."""
        num_tasks, num_blocks = len(self.tasks), self.num_blocks
        shape = (num_tasks, num_blocks, num_tasks, num_blocks, num_tasks)
        found_TLTLT = self.covariance_TDD[:, :-1, :-1].reshape(shape)
        found_TTLL = found_TLTLT.diagonal(dim1=2, dim2=4).permute(0, 3, 1, 2).clone()
        found_TTLL.diagonal().zero_()
        return found_TTLL

    def predict(self, trees: Sequence[BranchTree]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation, [N, T] in percent, of the results of full trainings of these trees."""
        x_TMD = self._features(trees, 1.0)
        variance_TM = ((x_TMD @ self.covariance_TDD) * x_TMD).sum(2) + self.noise_T[:, None].square()
        return (x_TMD @ self.mean_TD[..., None])[..., 0].T, variance_TM.clamp(min=0.0).sqrt().T

    def gains(self, trees: Sequence[BranchTree]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [N, T] in percent of the gains over the single-task networks, without noise."""
        mean_TN, covariance_TNN = self._gains(trees)
        return mean_TN.T, covariance_TNN.diagonal(dim1=1, dim2=2).clamp(min=0.0).sqrt().T

    def mean_gains(self, trees: Sequence[BranchTree]) -> tuple[Tensor, Tensor]:
        """The gains' mean over the tasks: its mean [N] and covariance [N, N], with the tasks' errors correlated."""
        mean_TN, covariance_TNN = self._gains(trees)
        together_NN = root(covariance_TNN).sum(0)
        apart, rho = covariance_TNN.sum(0), self.correlation
        covariance_NN = (1.0 - rho) * apart + rho * together_NN @ together_NN
        return mean_TN.mean(0), covariance_NN / len(self.tasks) ** 2

    def sample(self, generator: torch.Generator) -> Tensor:
        """Effects [L, T, T] in percent, drawn from the posterior."""
        mean_TD = self.mean_TD[:, :-1]
        own_TD, common_D = (
            torch.randn(shape, generator=generator, dtype=mean_TD.dtype) for shape in (mean_TD.shape, mean_TD.shape[1:])
        )
        noise_TD = (1.0 - self.correlation) ** 0.5 * own_TD + self.correlation**0.5 * common_D
        return self._as_effects(mean_TD + (self._root_TDD @ noise_TD[..., None])[..., 0])

    @cached_property
    def _root_TDD(self) -> Tensor:
        return root(self.covariance_TDD[:, :-1, :-1])

    def _gains(self, trees: Sequence[BranchTree]) -> tuple[Tensor, Tensor]:
        x_TMD = self._features(trees, 0.0)
        return (x_TMD @ self.mean_TD[..., None])[..., 0], x_TMD @ self.covariance_TDD @ x_TMD.transpose(1, 2)

    def _as_effects(self, values_TD: Tensor) -> Tensor:
        """[T, L T] as [L, T, T], with zeros for a task with itself."""
        effects_LTT = values_TD.reshape(len(self.tasks), self.num_blocks, -1).transpose(0, 1).clone()
        effects_LTT.diagonal(dim1=1, dim2=2).zero_()
        return effects_LTT

    def _features(self, trees: Sequence[BranchTree], intercept: float) -> Tensor:
        x_TMD = sharing_of(trees, self.tasks).transpose(0, 1).flatten(2)
        return torch.cat([x_TMD, torch.full_like(x_TMD[..., :1], intercept)], 2)
