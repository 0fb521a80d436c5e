# %% [markdown]
# # A first search
#
# Three tasks on pairs of handwritten digits: which digit is on the left, how much ink there is, and the picture without
# its noise. Which blocks of a network should they share? Everything here runs in seconds, on one core.

# %%
import nas
from nas.datasets.digits import DigitPairs, digit_tasks
from search_spaces import DigitsBackbone

experiment = nas.Experiment(
    tasks=[task for task in digit_tasks() if task.name in ("left", "ink", "restore")],
    backbone=nas.lazy(DigitsBackbone, widths=(8, 8, 12, 16)),
    data=nas.lazy(DigitPairs, num_train=512, num_architecture=128, num_validation=64, num_test=64),
    input_shape=(1, 12, 20),
    goal=nas.Goal(budgets=(0.6, 0.8)),
    strategy=nas.Similarity(epochs=4, batch_size=64),
    retrain=nas.TrainingSettings(epochs=2),
    num_threads=1,
)

# %% [markdown]
# ## What it costs
#
# A network for all tasks that shares everything is the cheapest one, separate networks are the most expensive.

# %%
nas.profile(experiment)

# %% [markdown]
# ## Search
#
# The search trains two networks for each task, and compares their features block by block. One training gives the trees
# of all budgets.

# %%
run = nas.search(experiment, out="runs/out/first_notebook")
run

# %% [markdown]
# How much the tasks differ at each block, above what chance makes. Below zero, they may as well share.

# %%
run.dissimilarity

# %% [markdown]
# The best tree for 80 % of what separate networks cost. Boxes are blocks, sized by their cost. This search was much too
# short, and says so below its table: tasks that have learned nothing make its estimates worthless.

# %%
tree = run.find_tree(next(point.tree_id for point in run.front.points if point.budget == 0.8))
tree

# %% [markdown]
# Every result is a table, too:

# %%
run.front.to_frame()[["tree", "budget", "macs", "quality", "grade"]]

# %% [markdown]
# ## Train the tree
#
# An estimate is not a measurement: this trains the tree's network, and measures it on the test split.

# %%
nas.retrain(run.path, tree=tree.id, recipe=experiment)

# %% [markdown]
# A later session, or another person, opens the same run without the recipe. No code of the run is executed.

# %%
nas.open("runs/out/first_notebook").trained
