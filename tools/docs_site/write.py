"""Write the pages as Markdown into a folder, with what they link to: pictures, and files of code as pages."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from .contents import ROOT, Page
from .links import links_of, target_of, with_links

_LANGUAGES = {".py": "python", ".yaml": "yaml", ".sh": "sh", ".cfg": "ini"}
_PICTURES = (".png", ".svg")
_THEME = Path(__file__).parent / "theme"


def navigation(sections: Mapping[str, Sequence[Page]]) -> list[dict[str, object]]:
    """As MkDocs reads it: a section of one page is that page."""
    return [
        {name: pages[0].path if len(pages) == 1 else [{page.title: page.path} for page in pages]}
        for name, pages in sections.items()
    ]


def write_pages(sections: Mapping[str, Sequence[Page]], folder: Path) -> None:
    """Write all pages into a new folder.

    A link to a file that is not a page leads to a new page with the file's text.

    Raises:
        ValueError: a link leads to a file that does not exist.
    """
    pages = [page for section in sections.values() for page in section]
    known = {page.path for page in pages}
    files: set[str] = set()
    for page in pages:
        text = page.text()
        files |= {target for target in links_of(text, page.path) if target not in known}
        _write(folder / page.path, with_links(text, lambda link, page=page: _in_site(link, page.path, known)))
    for path in sorted(files):
        if not (ROOT / path).is_file():
            (page, *_) = [page.path for page in pages if path in links_of(page.text(), page.path)]
            raise ValueError(f"{page}: the link to {path} leads nowhere")
        if path.endswith(_PICTURES):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, folder / path)
        else:
            _write(folder / f"{path}.md", _source_page(path))
    shutil.copytree(_THEME, folder / "theme")


def _in_site(link: str, page: str, known: set[str]) -> str:
    target = target_of(link, page)
    if target is None or target in known or target.endswith(_PICTURES):
        return link
    return f"{link}.md"


def _source_page(path: str) -> str:
    """The text of a file in a block of code."""
    language = _LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n````{language}\n{(ROOT / path).read_text()}````\n"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
