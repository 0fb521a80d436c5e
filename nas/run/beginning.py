"""The beginning of a trial or training, which `nas watch` reads to say how far it is."""

from pathlib import Path

from nas.files import write_json_atomically


def write_beginning(folder: Path, num_epochs: int, epochs_done: int) -> None:
    """Record that a trial or training of `num_epochs` epochs begins, or continues after `epochs_done` of them.

    The time of the file, ``begun.json``, is that of this beginning.
    """
    write_json_atomically(folder / "begun.json", {"num_epochs": num_epochs, "epochs_done": epochs_done})
