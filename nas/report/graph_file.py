"""The tree as a graph for other programs: dot for Graphviz, GraphML for yEd, Gephi, Cytoscape and networkx."""

import io
import json
from typing import Any

import networkx as nx

from nas.report.amounts import format_quantity
from nas.report.palette import colours_of
from nas.report.summary import check_resource
from nas.report.theme import LIGHT
from nas.tree import BranchTree, CostTable


def plain_graph(tree: BranchTree, table: CostTable | None = None) -> "nx.DiGraph[str]":
    """`BranchTree.graph` with strings as nodes (``"stem"``, ``"block2.group0"``, ``"head1"``) and plain attributes.

    Nodes carry ``kind`` ("stem", "block" or "head"), ``block`` (index; -1 for the stem, L for heads), ``name``
    (of the block or of the head's task), ``tasks`` (a JSON list) and each resource of the table.
    """
    graph = (tree if table is None else tree.with_cost(table)).graph(table)
    ids: dict[Any, str] = {}
    count: dict[int, int] = {}
    for node, attributes in graph.nodes(data=True):
        kind, block, tasks = attributes["kind"], attributes["block"], attributes["tasks"]
        i = count[block] = count.get(block, -1) + 1
        ids[node] = {"stem": "stem", "block": f"block{block}.group{i}", "head": f"head{i}"}[kind]
        attributes["name"] = {"stem": "stem", "block": node[0], "head": tasks[0]}[kind]
        attributes["tasks"] = json.dumps(tasks, ensure_ascii=False)
    plain: nx.DiGraph[str] = nx.relabel_nodes(graph, ids)
    return plain


def graphml(tree: BranchTree, table: CostTable | None = None) -> bytes:
    """A GraphML file of `plain_graph`."""
    buffer = io.BytesIO()
    nx.write_graphml_xml(plain_graph(tree, table), buffer)
    return buffer.getvalue()


def dot(tree: BranchTree, table: CostTable | None = None, resource: str = "macs") -> str:
    """A Graphviz file of `plain_graph`: a box per group with its name and cost, and between boxes a line per task.

    Raises:
        InputError: the table is not of this tree or lacks the resource.
    """
    if table is not None:
        check_resource(table, resource)
    colours = colours_of(tree.tasks, table.heads if table else ())
    graph = plain_graph(tree, table)
    lines = ['rankdir="LR"', 'node [shape="box", style="rounded", fontname="Helvetica"]', 'edge [arrowhead="none"]']
    for node, attributes in graph.nodes(data=True):
        tasks = json.loads(attributes["tasks"])
        cost = f"\n{format_quantity(attributes[resource], resource)}" if table else ""
        colour = LIGHT.text(colours[tasks[0]]) if attributes["kind"] == "head" else "#000000"
        label, tooltip = _quoted(attributes["name"] + cost), _quoted(", ".join(tasks))
        lines.append(f'"{node}" [label={label}, tooltip={tooltip}, fontcolor="{colour}"]')
    for parent, child in graph.edges:
        # Graphviz draws a list of colours as parallel lines.
        lanes = ":".join(colours[task] for task in json.loads(graph.nodes[child]["tasks"]))
        lines.append(f'"{parent}" -> "{child}" [color="{lanes}"]')
    return "digraph tree {\n" + "".join(f"  {line};\n" for line in lines) + "}\n"


def _quoted(text: str) -> str:
    """A quoted string of dot, in which a backslash escapes and ``&name;`` is a character."""
    for special, escaped in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(special, escaped)
    return f'"{text}"'
