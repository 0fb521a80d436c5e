"""A folder with weights, tree and a model card (`nas.deploy.bundle`)."""

from pathlib import Path

import torch

from nas.deploy.backbone_record import BackboneRecord
from nas.deploy.bundle import PICTURE, describe_bundle, load_bundle, takes_other_sizes, write_bundle
from nas.deploy.card import model_card
from nas.deploy.comparison import deviations, verification
from nas.deploy.description import Description
from nas.deploy.formats.format import Export, Run
from nas.errors import WorkFailed
from nas.files import make_folder, new_folder
from nas.networks.backbone import Backbone


class BundleFormat:
    name, suffix = "bundle", ""
    options: frozenset[str] = frozenset()

    def write(self, export: Export, path: Path) -> Description:
        """Write into a hidden folder, load and compare it, and give it its name."""
        network, samples, described = export.network, export.samples, export.description
        backbone = export.make_backbone()
        free = takes_other_sizes(network, samples.inputs)
        described = described.with_input(dynamic_size=free)
        loads = bool(BackboneRecord.of(backbone).args)
        title = f"{', '.join(described.names)} ({described.branch_tree.id})"
        make_folder(path.parent)
        with new_folder(path) as hidden:
            drawn = export.draw(described, hidden / PICTURE)
            card = model_card(described, title, picture=PICTURE if drawn else None, loads=loads)
            write_bundle(hidden, network, backbone, described, card)
            loaded = load_bundle(hidden, backbone=None if loads else backbone)
            with torch.no_grad():
                expected = network(samples.inputs)
            found = deviations(described.tasks, expected, loaded(samples.inputs), are_answers=False)
            if wrong := [name for name, deviation in found.items() if not deviation.acceptable]:
                raise WorkFailed(f"{path}: the bundle gives other outputs than the network for {', '.join(wrong)}")
            verified = verification(found, len(samples.inputs), samples.origin)
            described = described.model_copy(update={"verified": verified})
            describe_bundle(hidden, described)
            export.on_verified()
        return described

    def load(self, path: Path, backbone: Backbone | None) -> tuple[Run, Description]:
        """As `ExportFormat.load`."""
        bundle = load_bundle(path, backbone=backbone)
        return lambda batch: list(bundle(batch).values()), bundle.description
