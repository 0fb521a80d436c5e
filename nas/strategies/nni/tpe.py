"""NNI's TPE without its pause of a second after each proposal."""

from nas.strategies.nni.library import TPE, NoMoreTrialError


class PromptTPE(TPE):
    """TPE that asks its tuner as soon as the engine has taken the last proposal."""

    def _run(self) -> None:
        choices = self.model_space.simplify()
        self.tuner.update_search_space({label: choice.as_legacy_dict() for label, choice in choices.items()})
        number = 0
        while self.engine.budget_available():
            try:
                model = self.model_space.freeze(self.tuner.generate_parameters(number))
            except NoMoreTrialError:
                return
            self._model_to_id[model] = number
            number += 1
            self.engine.submit_models(model)
