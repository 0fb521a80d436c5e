"""The site: its pages exist, its links lead somewhere, and it opens from the disk without a network."""

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from urllib.parse import unquote, urldefrag

import pytest
from browser import chromium, needs_chromium

import nas
from tools.docs_site import __main__ as command
from tools.docs_site.contents import _FOUND_LAST, ROOT, contents
from tools.docs_site.examples import fenced
from tools.docs_site.links import links_of, target_of, with_links
from tools.docs_site.write import navigation, write_pages

HAS_PACKAGES = all(importlib.util.find_spec(name) for name in command.NEEDED)
needs_packages = pytest.mark.skipif(not HAS_PACKAGES, reason="the extra docs is not installed")


@pytest.fixture(scope="module")
def sections():
    return contents()


@pytest.fixture(scope="module")
def written(sections, tmp_path_factory):
    """The folder of Markdown from which MkDocs makes the site."""
    folder = tmp_path_factory.mktemp("pages")
    write_pages(sections, folder)
    return folder


def in_navigation(sections):
    return [page.path for pages in sections.values() for page in pages]


def test_every_page_of_the_navigation_is_written(sections, written):
    assert len(in_navigation(sections)) == len(set(in_navigation(sections)))
    for path in in_navigation(sections):
        text = (written / path).read_text().removeprefix(_FOUND_LAST)
        assert text.startswith(("# ", "::: ")), path
    named = re.findall(r"'([\w/.]+\.md)'", str(navigation(sections)))
    assert named == in_navigation(sections)


def test_every_page_of_the_project_is_in_the_navigation(sections):
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "nas").rglob("*.md")}
    assert found <= set(in_navigation(sections))


def test_every_link_between_pages_leads_to_a_file(written):
    for page in written.rglob("*.md"):
        path = str(page.relative_to(written))
        for target in links_of(page.read_text(), path):
            assert (written / target).is_file(), f"{path}: {target}"


def slug(heading):
    """The name of a heading, as GitHub and the site form it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def test_every_link_to_a_heading_leads_to_one(written):
    for page in written.rglob("*.md"):
        for link in re.findall(r"\]\(([^)\s]*#[^)\s]+)\)", page.read_text()):
            path, _, heading = link.partition("#")
            if "://" not in link:
                text = ((page.parent / path) if path else page).read_text()
                slugs = [slug(one) for one in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
                assert heading in slugs, f"{page}: {link}"


def test_a_link_that_leads_nowhere_is_named(sections, tmp_path):
    (page,) = sections["Start"]
    broken = replace(page, text=lambda: "# Start\n\n[here](nas/howto/nothing.md)\n")
    with pytest.raises(ValueError, match=r"^README\.md: the link to nas/howto/nothing\.md leads nowhere$"):
        write_pages({"Start": [broken]}, tmp_path / "pages")


def test_links_in_code_are_left_alone():
    text = "[a](b.md) `[a](c.md)`\n```py\nx[0](d)\n```\n[e](f.md#g)"
    assert list(links_of(text, "nas/README.md")) == ["nas/b.md", "nas/f.md"]
    assert with_links(text, str.upper) == "[a](B.MD) `[a](c.md)`\n```py\nx[0](d)\n```\n[e](F.MD#G)"
    assert target_of("../README.md", "nas/README.md") == "README.md"
    assert [target_of(link, "a.md") for link in ("https://b.c/d", "#place", "mailto:a@b")] == [None] * 3
    with pytest.raises(ValueError, match="leads out of the project"):
        target_of("../../x", "nas/README.md")


def test_the_settings_are_those_of_the_command(written):
    text = (written / "reference" / "settings.md").read_text()
    for setting in nas.settings():
        assert f"| `{setting.name}` |" in text
    assert text.count("\n## Strategy ") == len(nas.strategies.STRATEGIES)


def test_every_command_and_option_is_listed(written):
    text = (written / "reference" / "commands.md").read_text()
    said = subprocess.run([sys.executable, "-m", "nas", "--help"], capture_output=True, text=True, check=True).stdout
    for name in re.findall(r"^  (\w+) ", said.partition("Commands:")[2], re.MULTILINE):
        assert f"\n## nas {name}\n" in text
    assert "| `--require-safe PERCENT` |" in text


def test_the_public_names_are_listed(written):
    text = (written / "reference" / "nas.md").read_text()
    assert all(f"- {name}\n" in text for name in ("Experiment", "search", "load_bundle", "BranchTree"))
    assert "- discretize\n" in (written / "reference" / "nas.discretize.md").read_text()
    assert "::: search_spaces.heads\n" in (written / "reference" / "search_spaces.md").read_text()


def test_an_example_becomes_a_block():
    text = "Adds.\n\n    >>> 1 + 1\n    2\n\nMore."
    assert fenced(text) == "Adds.\n\n    ```pycon\n    >>> 1 + 1\n    2\n    ```\n\nMore."


def test_without_its_packages_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(command, "NEEDED", ("no_such_package",))
    monkeypatch.setattr(sys, "argv", ["tools/docs"])
    assert command.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "'.[docs]'" in line


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site") / "docs"
    words = [sys.executable, "-m", "tools.docs_site", "--strict", "--out", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@needs_packages
@pytest.mark.slow
def test_every_link_of_the_site_leads_to_a_file(site):
    for page in site.rglob("*.html"):
        for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
            path = urldefrag(unquote(link))[0]
            if path and not re.match(r"[a-z]+:", path):
                assert (page.parent / path).exists(), f"{page}: {link}"


@needs_packages
@needs_chromium
@pytest.mark.slow
def test_it_opens_from_the_disk_and_asks_for_nothing_outside(site, tmp_path):
    with chromium(tmp_path / "profile") as page:
        for file in sorted(site.rglob("*.html")):
            for width in (1280, 390):
                page.open(file, width=width)
                assert page.errors == [], file
                outside = [one for one in page.requests if not one.startswith((site.as_uri(), "data:", "blob:"))]
                assert outside == [], file
                assert page.run("document.documentElement.scrollWidth <= window.innerWidth"), (file, width)


@needs_packages
@needs_chromium
@pytest.mark.slow
def test_the_search_finds_pages_from_the_disk(site, tmp_path):
    found = """new Promise(done => {
        const field = document.querySelector('.md-search__input');
        field.focus(); field.value = 'noise floor'; field.dispatchEvent(new Event('input', {bubbles: true}));
        field.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));
        const look = () => {
            const links = [...document.querySelectorAll('.md-search-result__link')].map(one => one.href);
            links.length ? done(links) : setTimeout(look, 50);
        };
        look();
    })"""
    with chromium(tmp_path / "profile") as page:
        page.open(site / "index.html")
        links = page.run(found)
    assert any("howto/read_a_report.html" in link for link in links), links
    assert all(link.startswith(site.as_uri()) for link in links)
