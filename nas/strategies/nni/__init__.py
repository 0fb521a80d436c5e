"""NNI's strategies of architecture search, as ways to propose trees (NNI 3.0, archived upstream).

`Evolution`, `TPE` and `PolicyRL` are `nas.strategies.proposals.Proposals`: they spend trainings, serve budgets, resume
and conclude as random trees do. NNI decides only which tree comes next:

- `encoding` describes a tree by independent choices; every combination of them is a tree. `space` is the same in NNI's
  language, with each tree once, and with a budget as a constraint.
- `fitting` changes a proposed tree that breaks the budget or the goal's constraints into a similar one that keeps them.
- `engine` runs a strategy of NNI with an execution engine over the evaluator, without a process or a file of NNI's.

NNI cannot resume a search. A search that is started again lets NNI propose from the beginning, with the same seed and
the results that the evaluator has stored, so it proposes the same trees again. `randomness` keeps NNI's global random
numbers apart from those of the trainings. NNI's TPE waits a second after each proposal, and replaces repeated samples
by those of a grid; `tpe` does neither.

>>> Evolution(trainings=20, population=6).population
6

Importing this package does not import NNI; `library` does, when a search begins. Without NNI a search is refused, with
what to install (``pip install 'branched-nas[nni]'``; for `PolicyRL` ``branched-nas[nni-rl]``).
"""

from nas.strategies.nni.strategies import TPE, Evolution, PolicyRL

__all__ = ["TPE", "Evolution", "PolicyRL"]
