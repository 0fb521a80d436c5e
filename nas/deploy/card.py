"""The model card: what a person should know of a network before using it."""

import math
from collections.abc import Sequence

from nas.cost import format_quantity
from nas.deploy.description import Description, TaskRecord
from nas.tree import render_text

_KINDS = {
    "classes": "one class of {n}",
    "binary": "yes or no, {n} at a time",
    "directions": "unit vectors",
    "depth": "depth",
    "values": "numbers",
}
_MOST_LABELS = 40


def model_card(description: Description, title: str, *, picture: str | None, loads: bool) -> str:
    """Markdown: tasks, tree, cost, metrics, input, how to load it, versions.

    Args:
        picture: name of the tree's picture beside the card, if there is one.
        loads: whether the backbone is made again from the bundle alone.
    """
    parts = [
        f"# {title}\n\nA branched network for {_list(description.names)}: the tasks share the first blocks and part "
        "where the tree below says.",
        "## Tasks\n\n" + _table(("task", "output", "shape of one sample"), [_task(task) for task in description.tasks]),
        *(_labels(task) for task in description.tasks if task.labels),
        _tree(description, picture),
    ]
    if description.measured:
        rows = [
            (name, ", ".join(f"{metric} {_measured(value)}" for metric, value in values.items()))
            for name, values in description.measured.metrics.items()
            if name in description.names
        ]
        parts.append(
            f"## Measured\n\nOn the {description.measured.split} split:\n\n" + _table(("task", "metrics"), rows)
        )
    versions = ", ".join(f"{name} {version}" for name, version in description.versions.items() if version)
    parts += [_input(description), _use(description, loads=loads), f"## Made with\n\n{versions}."]
    return "\n\n".join(parts) + "\n"


def _task(task: TaskRecord) -> tuple[str, str, str]:
    return task.name, _KINDS[task.kind].format(n=task.num_outputs), " x ".join(map(str, task.shape))


def _labels(task: TaskRecord) -> str:
    assert task.labels
    named = ((str(i), _plain(label)) for i, label in enumerate(task.labels[:_MOST_LABELS]))
    shown = ", ".join(label if label == number else f"{number} {label}" for number, label in named)
    more = f", and {len(task.labels) - _MOST_LABELS} more (bundle.json)" if len(task.labels) > _MOST_LABELS else ""
    return f"Classes of {task.name}: {shown}{more}."


def _tree(description: Description, picture: str | None) -> str:
    drawn = f"![The tree]({picture})\n\n" if picture else ""
    text = render_text(description.branch_tree, in_words=format_quantity)
    return f"## Tree\n\n{drawn}```text\n{text}\n```\n\nThe cost is that of one sample."


def _input(description: Description) -> str:
    given = description.input
    free = " Height and width may be others." if given.dynamic_size else ""
    lines = [f"float32, batch x {' x '.join(map(str, given.shape))}.{free}"]
    if given.pixels:
        mean, std = (
            ", ".join(f"{number:.6g}" for number in numbers) for numbers in (given.pixels.mean, given.pixels.std)
        )
        lines.append(f"Pictures: `(bytes / 255 - mean) / std` per channel, mean {mean}, std {std}.")
    if given.range:
        lines.append(f"The samples that it was verified on are in [{given.range[0]:.4g}, {given.range[1]:.4g}].")
    return "## Input\n\n" + " ".join(lines)


def _use(description: Description, *, loads: bool) -> str:
    argument = "" if loads else ", backbone=MyBackbone(...)"
    own = "" if loads else " Its backbone is not one of `search_spaces`, so pass yours (`nas predict --recipe`)."
    return (
        f'## Use\n\n```python\nimport nas\n\nbundle = nas.load_bundle("."{argument})\n'
        f"outputs = bundle(inputs)  # by task: {', '.join(description.names)}\n```\n\n"
        f"Nothing is unpickled, and nothing that the files name is imported.{own} Outputs are logits, vectors and "
        "numbers as the heads give them; `nas predict` makes classes, probabilities and pictures of them."
    )


def _measured(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no value"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() and c not in "|<>`" else " " for c in text)


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
