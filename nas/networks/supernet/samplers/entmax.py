"""1.5-entmax: a softmax that gives exact zeros."""

from typing import Literal

from torch import Tensor

from nas.networks.supernet.samplers.sampler import Sampler


class Entmax(Sampler):
    """1.5-entmax (Peters, Niculae and Martins, ACL 2019), ``entmax(logits / temperature)``, without noise.

        entmax(z) = argmax_p  <p, z> + 4/3 sum_c (p_c - p_c^1.5)      over probabilities p

    An option whose logit is 2 temperatures below the largest one gets exactly zero, or one that is less far below if
    others are near the largest. So a choice becomes one-hot once its two largest logits differ by 2 temperatures. An
    option at zero gets no gradient.

    Args:
        kind: "entmax".
    """

    kind: Literal["entmax"] = "entmax"

    def probabilities(self, logits_P: Tensor, num_options: int, temperature: float = 1.0) -> Tensor:
        """entmax(logits / temperature), [..., C]."""
        from entmax import entmax15

        probs_C: Tensor = entmax15(logits_P / temperature, dim=-1)
        return probs_C
