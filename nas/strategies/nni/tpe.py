"""NNI's TPE, without a pause after each proposal and without a grid in place of repeated ones."""

from nas.strategies.nni.library import TPE


class RepeatingTPE(TPE):
    """TPE that asks its tuner as soon as the engine has taken the last proposal, and may repeat a sample.

    NNI replaces a repeated sample by the next one of a grid. On planted problems most samples soon came from the grid
    and gained no more than random ones. A repeated sample costs nothing here, and its result, told once more, makes the
    next repetition less likely.
    """

    def _run(self) -> None:
        choices = self.model_space.simplify()
        self.tuner.update_search_space({label: choice.as_legacy_dict() for label, choice in choices.items()})
        self.tuner.dedup = lambda sample: sample
        number = 0
        while self.engine.budget_available():
            model = self.model_space.freeze(self.tuner.generate_parameters(number))
            self._model_to_id[model] = number
            number += 1
            self.engine.submit_models(model)
