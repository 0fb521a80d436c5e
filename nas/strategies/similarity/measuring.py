"""Measuring the dissimilarities of own copies, on samples that they were trained on."""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from nas.data import batches, derive_seed
from nas.networks.supernet import Supernet
from nas.strategies.similarity.copy_training import CopyTraining
from nas.strategies.similarity.dissimilarity import Dissimilarity
from nas.strategies.similarity.features import features_by_block
from nas.strategies.similarity.measures import dissimilarity


def measure_dissimilarity(training: CopyTraining, copies: Supernet, num_rows: int | None = None) -> Dissimilarity:
    """Dissimilarities of a warm-up's tasks, on samples that it was trained on; labels do not count.

    Args:
        num_rows: number of rows if it is not that of the settings.
    """
    settings = training.settings
    with torch.random.fork_rng(devices=[training.device] if training.device.type == "cuda" else []):
        features = _features(training, copies, num_rows or settings.num_rows)
        copies_LCC = np.stack([dissimilarity(features_CNW, settings.measure) for features_CNW in features])
    names = [task.name for task in training.tasks]
    return Dissimilarity.of_copies(names, f"{settings.measure} of features", copies_LCC)


def _features(training: CopyTraining, copies: Supernet, num_rows: int) -> Iterator[Tensor]:
    dataset, seed = training.training_set, derive_seed(training.seed, "features")

    def inputs() -> Iterable[Tensor]:
        # Data sets that draw from torch's global generator give the same samples again.
        torch.manual_seed(seed)
        loader = batches(
            dataset,
            training.settings.batch_size,
            seed=seed,
            epoch=0,
            shuffle=True,
            drop_last=False,
            num_workers=training.num_workers,
        )
        return (batch.inputs.to(training.device) for batch in loader)

    return features_by_block(copies, inputs, len(dataset), num_rows, seed=seed)
