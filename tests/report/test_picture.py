"""Trees and fronts as files: what is in them, whatever the names are, and the same bytes every time."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations

import matplotlib
import networkx as nx
import pytest
from hypothesis import given, settings
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from tree_strategies import trees

from nas.errors import InputError
from nas.report import draw_front, draw_tree, save_figure, save_tree
from nas.report.graph_file import plain_graph
from nas.report.palette import CLASSES, TEXT_CONTRAST, contrast, task_colours
from nas.report.summary import summary
from nas.report.theme import DARK, LIGHT
from nas.tree import BranchTree, CostTable

TASKS = ("semseg", "depth", "normals", "edge")
# What TeX, XML, HTML and dot would take for their own.
ODD = ("a_{b}$x^2$", "<b>&amp;</b>", 'say "hi" \\n', "%d {0} #1 ~", "Größe", "x" * 60)
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def tree():
    return BranchTree.from_choices(TASKS, [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 2, 0]])


@pytest.fixture
def table():
    blocks = tuple({"macs": macs, "params": 100} for macs in (4_000_000, 2_000_000, 1_000_000))
    heads = {task: {"macs": 500_000, "params": 10} for task in TASKS}
    return CostTable({"macs": 1_000_000, "params": 20}, blocks, heads, ("early", "middle", "late"))


def svg_texts(path):
    return [element.text for element in ElementTree.parse(path).iter(f"{SVG}text")]


def test_an_svg_holds_names_and_costs_as_text(tree, table, tmp_path):
    save_tree(tree, tmp_path / "tree.svg", table, title="Found in an hour")
    texts = svg_texts(tmp_path / "tree.svg")
    assert {*TASKS, "stem", "early", "middle", "late", "heads", "Found in an hour"} <= set(texts)
    # 1 + 4 + 2 * 2 + 3 * 1 + 4 * 0.5 of 4 * (1 + 7 + 0.5) MMACs; 20 + 100 * 6 + 40 of 4 * 330 parameters.
    assert "14 MMACs, 59 % less than four separate networks" in texts
    assert "660 params, 50 % less" in texts
    assert {"4 MMACs", "2 × 2 MMACs", "3 × 1 MMACs"} <= set(texts)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "dot", "graphml"])
def test_a_file_is_the_same_bytes_every_time(tree, table, tmp_path, suffix):
    for name in ("first", "second"):
        save_tree(tree, tmp_path / f"{name}.{suffix}", table)
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("first", "second"))
    assert first == second
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "dot": b"digraph", "graphml": b"<?xml"}[suffix]
    assert first.startswith(start)
    assert [path.name for path in sorted(tmp_path.iterdir())] == [f"first.{suffix}", f"second.{suffix}"]


def test_the_users_own_style_changes_nothing_and_stays(tree, table, tmp_path):
    save_tree(tree, tmp_path / "plain.svg", table)
    theirs = {"font.size": 30, "figure.facecolor": "black", "svg.fonttype": "path", "savefig.bbox": "tight"}
    with matplotlib.rc_context(theirs):
        save_tree(tree, tmp_path / "styled.svg", table)
        assert matplotlib.rcParams["svg.fonttype"] == "path"
    assert (tmp_path / "styled.svg").read_bytes() == (tmp_path / "plain.svg").read_bytes()


def test_names_are_taken_literally(tmp_path):
    tree = BranchTree(ODD, ((ODD,), (ODD[:2], ODD[2:])), ("$\\frac{1}$ & <x>", 'a "block"'))
    for suffix in ("png", "svg", "dot", "graphml"):
        save_tree(tree, tmp_path / f"tree.{suffix}", title="$a_b$ & <c>")
    texts = svg_texts(tmp_path / "tree.svg")
    assert {*ODD[:5], *tree.blocks, "$a_b$ & <c>"} <= set(texts)
    (shortened,) = (text for text in texts if text.startswith("xx"))
    assert 10 < len(shortened) < 40
    assert "…" in shortened
    names = nx.get_node_attributes(nx.read_graphml(tmp_path / "tree.graphml"), "name")
    assert set(names.values()) == {"stem", *tree.blocks, *ODD}


def test_long_names_do_not_leave_the_page():
    tasks = tuple(f"a_task_with_quite_a_long_name_{i}" for i in range(24))
    tree = BranchTree.shared(tasks, 20)
    blocks = [f"a block with quite a long name {l}" for l in range(20)]
    figure = draw_tree(BranchTree(tasks, tree.partitions, tuple(blocks)), title="title " * 60)
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in axes.texts]
    page = figure.bbox
    for text in texts:
        box = text.get_window_extent()
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
    level = [text for text in texts if not text.get_rotation()]
    assert not any(a.get_window_extent().overlaps(b.get_window_extent()) for a, b in combinations(level, 2))


@given(trees())
@settings(max_examples=30, deadline=None)
def test_graphml_reads_back_as_the_arborescence(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("graph") / "tree.graphml"
    save_tree(tree, path)
    graph = nx.read_graphml(path)
    assert nx.is_arborescence(graph)
    groups = {l: [] for l in range(len(tree.blocks))}
    for _, node in graph.nodes(data=True):
        if node["kind"] == "block":
            groups[node["block"]].append(json.loads(node["tasks"]))
    assert BranchTree(tree.tasks, tuple(groups.values())) == tree
    assert sorted(node["name"] for _, node in graph.nodes(data=True) if node["kind"] == "head") == sorted(tree.tasks)


def test_graphml_carries_the_costs(tree, table, tmp_path):
    save_tree(tree, tmp_path / "tree.graphml", table)
    nodes = nx.read_graphml(tmp_path / "tree.graphml").nodes(data=True)
    assert sum(node["macs"] for _, node in nodes) == table.tree_cost(tree)["macs"]
    assert {node["name"] for _, node in nodes if node["kind"] == "block"} == {"early", "middle", "late"}


def test_dot_quotes_what_is_special(tmp_path):
    tree = BranchTree(('say "hi" \\n', "R&amp;D"), ((('say "hi" \\n', "R&amp;D"),),), ("a\\",))
    save_tree(tree, tmp_path / "tree.dot")
    text = (tmp_path / "tree.dot").read_text(encoding="utf-8")
    assert 'label="say \\"hi\\" \\\\n"' in text
    assert 'label="R&amp;amp;D"' in text
    assert 'label="a\\\\"' in text
    assert text.count("->") == len(plain_graph(tree).edges) == 3
    assert 'color="#0072B2:#E69F00"' in text


@pytest.mark.parametrize("name", ["tree.jpg", "tree", "tree.svg.gz"])
def test_an_unknown_suffix_names_the_known(tree, tmp_path, name):
    with pytest.raises(InputError, match=r"must be one of \.png, \.svg, \.pdf, \.dot, \.graphml"):
        save_tree(tree, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_the_users_mistake(tree, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        save_tree(tree, tmp_path / "missing" / "tree.svg")


def test_a_table_of_another_backbone_or_resource_is_refused(tree, table, tmp_path):
    with pytest.raises(InputError, match="4 blocks"):
        draw_tree(BranchTree.shared(TASKS, 4), table)
    for suffix in ("svg", "dot", "graphml"):
        with pytest.raises(InputError, match="no resource 'ms'; it has macs, params"):
            save_tree(tree, tmp_path / f"tree.{suffix}", table, resource="ms")


def test_summary_without_a_table_counts_blocks(tree):
    assert summary(tree) == ["6 group-blocks, 50 % fewer than four separate networks"]
    assert summary(BranchTree.shared(["a"], 1)) == ["1 group-block"]
    assert summary(BranchTree(TASKS, tree.partitions, cost={"macs": 14e6})) == [
        "14 MMACs",
        "6 group-blocks, 50 % fewer than four separate networks",
    ]
    assert summary(BranchTree.separate(TASKS, 2)) == ["8 group-blocks, as many as four separate networks"]


def test_a_task_has_one_colour_in_every_picture():
    colours = task_colours(40)
    assert len(set(colours)) == 40
    assert task_colours(3) == colours[:3]
    assert not set(colours) & set(CLASSES)
    for theme in (LIGHT, DARK):
        assert all(contrast(theme.text(colour), theme.ground) >= TEXT_CONTRAST for colour in colours)
    assert contrast("#FFFFFF", "#FFFFFF") == 1
    # WCAG's own example of the greatest contrast.
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


def test_graphs_need_no_matplotlib_and_pictures_say_what_to_install(tmp_path):
    program = f"""
import sys
sys.modules["matplotlib"] = None
from nas.errors import InputError
from nas.report import save_tree
from nas.tree import BranchTree
tree = BranchTree.shared(["a", "b"], 2)
save_tree(tree, {str(tmp_path / "tree.dot")!r})
def draw():
    from nas.report import draw_front
for picture in (draw, lambda: save_tree(tree, {str(tmp_path / "tree.svg")!r})):
    try:
        picture()
    except InputError as error:
        print(error, isinstance(error, ImportError))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    message = "pictures need matplotlib; install it with: pip install 'branched-nas[plot]' True"
    assert done.stdout.splitlines() == [message, message]
    assert [path.name for path in tmp_path.iterdir()] == ["tree.dot"]


def test_drawing_leaves_pyplot_alone(tmp_path):
    program = f"""
import sys
from nas.report import draw_front, save_tree
from nas.tree import BranchTree
save_tree(BranchTree.shared(["a"], 1), {str(tmp_path / "tree.png")!r})
print("matplotlib.pyplot" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def point(tree_id, macs, value, **changes):
    fields = {"trial": 0, "seed": 0, "budget": 0.6, "cost": {"macs": macs}, "dominated": False}
    quality = {"value": value, "measure": "mean $m_t$ & co", "kind": "estimated"}
    return {"tree": f"trials/0/trees/{tree_id}.json", "quality": quality, **fields, **changes}


def test_a_front_names_trees_measure_and_budgets(table, tmp_path):
    points = [point("aaaa", 9e6, 0.1), point("bbbb", 14e6, 0.4, budget=15e6), point("cccc", 16e6, 0.2, dominated=True)]
    figure = draw_front(points, table, title="A_front")
    save_figure(figure, tmp_path / "front.svg")
    texts = svg_texts(tmp_path / "front.svg")
    labels = {"aaaa", "bbbb", "cccc", "60 %", "15 MMACs", "A_front"}
    measure = "\N{UPWARDS ARROW} mean $m_t$ & co; estimated, higher is better"
    axes = {measure, "MACs per sample", "of the cost of separate networks"}
    assert labels | axes <= set(texts)
    save_figure(draw_front(points, table, title="A_front"), tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "front.svg").read_bytes()


def test_a_curve_is_drawn_as_steps_behind_the_points(table):
    curve = [(9e6, 0.1), (12e6, 0.3), (20e6, 0.5)]
    points = [point("aaaa", 9e6, 0.1), point("bbbb", 12e6, 0.3)]
    (plain,), (axes,) = draw_front(points, table).axes, draw_front(points, table, curves=[curve]).axes
    (line,) = (line for line in axes.lines if len(line.get_xdata()) == len(curve))
    assert list(zip(*line.get_data(), strict=True)) == curve
    assert line.get_drawstyle() == "steps-post"
    marks = [marks for marks in axes.collections if isinstance(marks, PathCollection)]
    assert marks
    assert all(line.get_zorder() < one.get_zorder() for one in marks)
    assert len(axes.lines) == len(plain.lines) + 1
    # The whole curve is in view.
    assert axes.get_xlim()[0] < 9e6
    assert axes.get_xlim()[1] > 20e6


def test_labels_of_a_crowded_front_do_not_overlap():
    points = [
        point(f"{i:08x}", 1e6 * (10 + i % 5 + i), 0.01 * i + 0.05 * (i % 3), dominated=i % 4 == 1) for i in range(40)
    ]
    figure = draw_front(points)
    (axes,) = figure.axes
    figure.draw_without_rendering()
    # The text alone: an annotation's own extent includes its line.
    boxes = [Text.get_window_extent(text) for text in axes.texts if not text.get_rotation()]
    assert len(boxes) > 20
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_a_tree_of_several_budgets_is_one_point_and_the_recommended_one_has_a_ring():
    twice = [point("aaaa", 9e6, 0.1, budget=None, recommended=True), point("aaaa", 9e6, 0.1), point("bbbb", 8e6, 0.0)]
    figure = draw_front(twice)
    (axes,) = figure.axes
    # The first tree was found for a budget, too; without a table, the line of a share cannot be drawn.
    assert sorted(filter(None, (text.get_text() for text in axes.texts))) == [
        "60 %",
        "aaaa",
        "bbbb",
        "recommended, 60 %",
    ]
    ring = axes.collections[-1]
    assert ring.get_facecolor().size == 0
    assert ring.get_offsets().tolist() == [[9e6, 0.1]]
    drawn = [place for marks in axes.collections if marks is not ring for place in marks.get_offsets().tolist()]
    assert sorted(drawn) == [[8e6, 0.0], [9e6, 0.1]]


def test_the_recommended_tree_of_a_crowded_front_has_its_label():
    crowd = [point(f"{i:08x}", 1e6 * (100 + 0.01 * i), 0.001 * i) for i in range(60)]
    for best in (0, 17, 40):
        points = [{**p, "recommended": i == best} for i, p in enumerate(crowd)]
        (axes,) = draw_front(points).axes
        texts = [text.get_text() for text in axes.texts]
        assert sum(len(text) == 8 for text in texts) < len(points)
        assert f"{best:08x}" in texts


def test_a_front_that_cannot_be_drawn(table):
    with pytest.raises(InputError, match="no points"):
        draw_front([])
    with pytest.raises(InputError, match=r"bbbb\.json has no cost in 'macs'; it has params"):
        draw_front([point("aaaa", 1, 1), point("bbbb", 1, 1, cost={"params": 3})])
    with pytest.raises(InputError, match="no resource 'ms'"):
        draw_front([point("aaaa", 1, 1, cost={"ms": 1})], table, resource="ms")
    other = {"value": 1.0, "measure": "other", "kind": "measured"}
    with pytest.raises(InputError, match="several measures"):
        draw_front([point("aaaa", 1, 1), point("bbbb", 1, 1, quality=other)])
