"""The reports of real searches in a browser: no errors, no requests, every point shows its tree, in both themes."""

import json

import pytest
from browser import chromium, needs_chromium
from datasets.fixtures_photos import write_photos
from small_digits import RECIPE

from nas.cli.main import run
from nas.run import RunFolder

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def shown(browser):
    """The ids of the trees whose cards are visible."""
    cards = (
        "[...document.querySelectorAll('[data-card]')].filter(card => card.offsetHeight).map(card => card.dataset.card)"
    )
    return browser.run(cards)


def check(browser, folder, *, dark, width=1200):
    """Everything that holds for the report of any run."""
    page, points = folder / "report.html", json.loads((folder / "front.json").read_text())["points"]
    browser.open(page, dark=dark, width=width)
    marks = browser.run("[...document.querySelectorAll('svg.plot [data-tree]')].map(mark => mark.dataset.tree)")
    front = RunFolder(folder).front
    assert sorted(marks) == sorted(point.tree_id for point in front.points)
    assert len(marks) == len(points)
    assert shown(browser) == [front.leading.tree_id]
    for tree in dict.fromkeys(marks):
        browser.click(f"[data-tree='{tree}']")
        assert shown(browser) == [tree]
        assert (
            browser.run(f"document.querySelector(\"[data-card='{tree}'] svg.tree\").getBoundingClientRect().width")
            > 150
        )
    # Nothing is wider than the window.
    assert browser.run("document.documentElement.scrollWidth") <= width
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") != dark
    assert browser.errors == []
    assert browser.requests == [page.as_uri()]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390], ids=["desk", "phone"])
def test_the_report_of_digits(browser, a_run, dark, width):
    check(browser, a_run, dark=dark, width=width)


def test_the_arrow_keys_move_from_tree_to_tree(browser, a_run):
    browser.open(a_run / "report.html")
    marks = browser.run("[...document.querySelectorAll('[data-tree]')].map(mark => mark.dataset.tree)")
    browser.run("document.querySelector('[data-tree]').focus()")
    for tree in marks[1:]:
        browser.press("ArrowRight")
        assert shown(browser) == [tree]
    browser.press("ArrowLeft")
    assert shown(browser) == [marks[-2]]
    assert browser.run("document.querySelectorAll('[data-tree][tabindex=\"0\"]').length") == 1


def test_the_epochs_of_a_gradient_search_can_be_scrubbed(browser, a_run):
    records = [json.loads(line) for line in (a_run / "trials" / "0" / "metrics.jsonl").read_text().splitlines()]
    browser.open(a_run / "report.html")
    for i, record in enumerate(records):
        browser.run(
            f"(s => {{ s.value = {i}; s.dispatchEvent(new Event('input')) }})(document.getElementById('epoch'))"
        )
        opacities = browser.run(
            "[...document.querySelectorAll('#probabilities i')].map(bar => Number(bar.style.opacity))"
        )
        # The table's rows are tasks.
        by_task = [p for t in range(6) for block in record["probabilities"] for p in block[t]]
        assert opacities == pytest.approx(by_task, abs=0.006)
        assert browser.run("document.getElementById('epoch-shown').textContent") == str(i + 1)


def test_a_run_without_recorded_probabilities_has_a_report(own_run, browser):
    path = own_run / "trials" / "0" / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in r.items() if k != "probabilities"}) + "\n" for r in records))
    assert run(["report", str(own_run)]) == 0
    check(browser, own_run, dark=False)
    assert not browser.run("!!document.getElementById('epoch')")
    assert browser.run("document.querySelectorAll('svg.small').length") == 2


@pytest.mark.slow
def test_the_reports_of_a_comparison(own_run, browser):
    assert run(["compare", str(own_run)]) == 0
    browser.open(own_run / "report.html", dark=True)
    marks = browser.run(
        "[...document.querySelector('svg.plot').querySelectorAll('.mark')].map(m => m.classList[1] || '')"
    )
    assert {"shared", "separate", "random"} <= set(marks)
    assert browser.errors == []
    assert browser.requests == [(own_run / "report.html").as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_reports_of_scenes_and_of_pictures_with_a_table(tmp_path, browser, dark):
    root = RECIPE.removesuffix("digits.py")
    small = ["strategy.epochs=1", "num_threads=1"]
    scenes = [*small, 'data.sizes={"train": 64, "architecture": 32, "validation": 16, "test": 16}', "data.cache=null"]
    write_photos(tmp_path / "photos", 40, size=(32, 32), column="weight")
    pictures = [*small, f"data.folder={tmp_path / 'photos'}", 'data.targets=["species","weight"]', "data.size=[32,32]"]
    for name, fields in (("scenes", scenes), ("images_csv", [*pictures, "backbone.width=0.25"])):
        sets = [part for field in fields for part in ("--set", field)]
        assert run(["search", f"{root}{name}.py", "--out", str(tmp_path / name), *sets]) == 0
        check(browser, tmp_path / name, dark=dark)
