"""The commands as functions: every verb of the command line has a function with the same name and meaning.

    nas search RECIPE --out RUN         nas.search("recipe.py", out="run")
    nas compare RUN                     nas.compare("run")

Two names are taken by packages: `nas data` is `data_sheet`, and `nas report` is `write_report`.

- A function takes a recipe file or an `Experiment`, or a run folder, and returns a value: `search` returns a
  `RunFolder`, `compare` a `Comparison`, `choose` a `Choice`. Only the command line prints (`nas.cli`).
- All results are in the run folder. A command that is repeated reads what is finished and does the rest, so each verb
  works on a folder that another process, or another machine, has begun.
- `InputError` means that the caller can fix the problem, `WorkFailed` that the work failed. Messages name a parameter
  in backticks: ```worst` ...``, ``name one with `tree=FILE```. The command line replaces it by the flag of the running
  command (`nas.cli.flags`).

>>> import nas
>>> nas.show("no/such/run", within=0.5, tree="shared")
Traceback (most recent call last):
nas.errors.InputError: `tree` names a tree, but `within` and `worst` choose one; leave one of them out

The package holds one module for each verb, with the verb's name; `nas.show` is the function `show` of the module
`nas.commands.show`, and `show --against` is `tree_difference`. To read one from top to bottom, start with `search`: it
opens or begins a run (`nas.run.opened_run`), runs its trials (`nas.launch.trials`), retrains trees if their quality is
to be measured (`nas.launch.measured_quality`), and draws the result. `compare` adds baselines (`nas.run.comparison` has
the table, `nas.run.safety` the check of a margin).
"""
