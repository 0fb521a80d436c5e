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
from matplotlib.colors import to_hex
from tree_strategies import trees

from nas.errors import InputError
from nas.report import draw_tree, save_tree
from nas.report.graph_file import plain_graph
from nas.report.palette import CLASSES, TEXT_CONTRAST, contrast, task_colours, task_line
from nas.report.summary import summary
from nas.report.theme import DARK, LIGHT, THEMES
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


def numbered(tasks, num_blocks, word="block"):
    tree = BranchTree.from_choices(tasks, [[0] * len(tasks)] * (num_blocks - 1) + [[0] * (len(tasks) - 1) + [1]])
    return BranchTree(tree.tasks, tree.partitions, tuple(f"{word}{l}" for l in range(num_blocks)))


def test_many_blocks_are_numbered_level_and_in_full_only_once():
    (axes,) = draw_tree(numbered([f"t{i}" for i in range(8)], 18)).axes
    texts = {text.get_text(): text for text in axes.texts}
    assert {"block0", *(str(i) for i in range(1, 18))} <= set(texts)
    assert "block1" not in texts
    assert not any(text.get_rotation() for text in texts.values())


def test_names_that_are_no_numbers_stay_whole():
    names = tuple(f"{word} of a quite long name" for word in "abcdefghijklmnopqr")
    tree = BranchTree(TASKS, BranchTree.shared(TASKS, 18).partitions, names)
    texts = {text.get_text() for text in draw_tree(tree).axes[0].texts}
    assert set(names) & texts
    assert not {"1", "2"} & texts


def test_a_task_s_name_is_beside_its_head_even_if_another_head_is_long(tree, table):
    heads = {task: {"macs": 4_000_000 if task == "edge" else 10, "params": 1} for task in TASKS}
    (axes,) = draw_tree(tree, CostTable(table.stem, table.blocks, heads, table.block_names)).axes
    starts = {text.get_text(): text.get_position()[0] for text in axes.texts}
    assert starts["edge"] > starts["depth"] + 30
    assert starts["semseg"] == pytest.approx(starts["depth"])


def test_forty_tasks_are_drawn_as_the_groups_that_never_part():
    tasks = [f"attribute_{i:02d}" for i in range(40)]
    tree = BranchTree.from_choices(tasks, [[0] * 40, [0] * 33 + [1] * 6 + [2]])
    table = CostTable({"macs": 5}, ({"macs": 50}, {"macs": 50}), {task: {"macs": 7} for task in tasks}, tree.blocks)
    figure = draw_tree(tree, table)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"33 tasks", "6 tasks", "attribute_39"} <= set(texts)
    # The cost is that of the whole tree: 5 + 50 + 3 * 50 + 40 * 7 of 40 * 112.
    assert "485 MACs, 89 % less than 40 separate networks" in texts
    assert "280 MACs" in texts
    # A group has the colour of its first task.
    colours = {to_hex(patch.get_facecolor()) for patch in figure.axes[0].patches}
    assert {LIGHT.fill(task_colours(40)[i]).lower() for i in (0, 33, 39)} <= colours
    assert figure.get_size_inches()[1] < 3


def test_a_task_keeps_its_colour_in_a_tree_of_some_tasks(table):
    part = BranchTree.shared(["normals", "edge"], 3)
    (axes,) = draw_tree(part, table).axes
    colours = {to_hex(patch.get_facecolor()) for patch in axes.patches} - {to_hex((0, 0, 0, 0))}
    assert {colour.lower() for colour in task_colours(4)[2:]} <= colours
    assert task_colours(4)[0].lower() not in colours


def test_tasks_beyond_the_colours_have_other_lines():
    looks = {(colour, task_line(i)) for i, colour in enumerate(task_colours(130))}
    assert len(looks) == 130


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_can_be_read_on_the_ground(tree, table, theme):
    ground = THEMES[theme].ground
    figure = draw_tree(tree, table, theme=theme)
    assert to_hex(figure.get_facecolor()) == ground.lower()
    inks = [to_hex(text.get_color()) for text in figure.axes[0].texts]
    assert len(inks) > 5
    assert all(contrast(ink, ground) >= TEXT_CONTRAST for ink in inks)


def test_a_transparent_picture_has_no_ground(tree, table, tmp_path):
    for name, transparent in (("with", False), ("without", True)):
        save_tree(tree, tmp_path / f"{name}.svg", table, theme="dark", transparent=transparent)
    assert "fill: #16181d" in (tmp_path / "with.svg").read_text()
    assert "fill: #16181d" not in (tmp_path / "without.svg").read_text()
