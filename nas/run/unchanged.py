"""Check that the recipe of a run, the code it imports and its networks are unchanged since the run began."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.cost import Profile
from nas.errors import InputError
from nas.files import read_json
from nas.recipe import Experiment, changed_modules, describe, recipe_hash
from nas.run.part_shapes import changed_parts, part_shapes
from nas.run.parts import build_backbone, measure_parts
from nas.run.run_folder import RunFolder

_NUM_NAMED = 3
"""A message lists at most so many differences."""


class MeasuredOnce:
    """Calls `nas.run.measure_parts`, which takes seconds for large inputs, only once for each experiment."""

    def __init__(self) -> None:
        self._measured: list[tuple[Experiment, Profile]] = []

    def __call__(self, experiment: Experiment) -> Profile:
        for known, profile in self._measured:
            if known is experiment:
                return profile
        profile = measure_parts(experiment)
        self._measured.append((experiment, profile))
        return profile


def require_unchanged(
    folder: RunFolder,
    source: str | Path | Experiment,
    experiment: Experiment,
    record: Mapping[str, Any],
    costs: MeasuredOnce,
) -> None:
    """InputError unless an experiment and its networks are the same as when the run began.

    It compares the recipe's text, the experiment's fields, the modules that the recipe imports, and the shapes and
    costs of the backbone's parts. What the record of an older run lacks counts as unchanged.

    Args:
        source: the recipe file or Experiment that the experiment comes from.
        record: the run's ``experiment.json``.
    """
    changed = _changed_code(source, experiment, record) or _changed_networks(folder, experiment, costs)
    if changed:
        name = "the experiment" if isinstance(source, Experiment) else f"recipe {source}"
        raise InputError(
            f"{folder.path}: {name} has changed since the run began ({'; '.join(changed)}); "
            "restore it, or accept it with `allow_changed=True`"
        )


def _changed_code(source: str | Path | Experiment, experiment: Experiment, record: Mapping[str, Any]) -> list[str]:
    now, then = describe(experiment), record["experiment"]
    # A field that did not exist when the run began had the effect of its default.
    unknown = {name: describe(field.default) for name, field in type(experiment).model_fields.items()}
    fields = sorted(name for name in now if now[name] != then.get(name, unknown[name]))
    changed = [f"its fields {', '.join(fields)} differ"] if fields else []
    if isinstance(source, Experiment):
        return changed
    if not fields and recipe_hash(Path(source)) != record.get("recipe_sha256"):
        changed.append("its text differs, though no field does")
    if modules := changed_modules(Path(source), record.get("modules", {})):
        changed.append(f"modules that it imports differ or are gone: {_first(modules)}")
    return changed


def _changed_networks(folder: RunFolder, experiment: Experiment, costs: MeasuredOnce) -> list[str]:
    """Differences from the costs and shapes that were recorded by the first trial that has them."""
    trial = next((trial for trial in folder.trials if trial.costs.is_file()), None)
    if trial is None:
        return []
    own = experiment.with_fields(trial.network_changes)
    record, table = read_json(trial.costs), costs(own).table
    changed = changed_parts(record, table, part_shapes(build_backbone(own), own.tasks))
    return [f"its networks differ: {_first(changed)}"] if changed else []


def _first(names: list[str]) -> str:
    more = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {more} more" if more > 0 else "")
