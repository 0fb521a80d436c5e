"""Write the documentation as a static site:

    tools/docs                      into runs/out/docs; open index.html in it, from the disk
    tools/docs --out DIR --strict   a warning (a link that leads nowhere, for instance) is an error

The site needs no network and no server, also for its search.
"""

import argparse
import importlib.util
import logging
import os
import sys
import tempfile
from pathlib import Path

from .contents import ROOT, contents
from .write import navigation, write_pages

HERE = Path(__file__).parent
NEEDED = ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers")
INSTALL = "python -m pip install --constraint tools/constraints.txt --editable '.[docs]'"


def build(out: Path, *, strict: bool = False) -> None:
    """Write the site into a folder, whose files are replaced."""
    os.environ["NO_MKDOCS_2_WARNING"] = "1"
    from mkdocs.commands.build import build as build_site
    from mkdocs.config import load_config

    sections = contents()
    with tempfile.TemporaryDirectory() as folder:
        write_pages(sections, Path(folder))
        config = load_config(
            str(HERE / "mkdocs.yml"),
            docs_dir=folder,
            site_dir=str(out.resolve()),
            nav=navigation(sections),
            strict=strict,
        )
        config.plugins.on_startup(command="build", dirty=False)
        build_site(config)
        config.plugins.on_shutdown()
    # A page for servers: its links begin at their root.
    (out / "404.html").unlink()


def main() -> int:
    parser = argparse.ArgumentParser(prog="tools/docs", description="Write the documentation as a static site.")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "out" / "docs", help="the site's folder")
    parser.add_argument("--strict", action="store_true", help="fail if MkDocs warns")
    wanted = parser.parse_args()
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        print(f"error: the packages of the documentation are missing; {INSTALL}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    from mkdocs.exceptions import MkDocsException

    try:
        build(wanted.out, strict=wanted.strict)
    except MkDocsException as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(wanted.out / "index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
