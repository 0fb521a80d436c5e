"""Networks and labels of the kinds that people bring: every command works on them, or `nas check` refuses them."""

import pytest
from zoo.label_sets import LABEL_SETS
from zoo.models import MODELS, NOT_EXPORTED, REFUSED_MODELS
from zoo.walk import Walk

WORKING_MODELS = [name for name in MODELS if name not in REFUSED_MODELS]
WORKING_LABELS = [name for name, labels in LABEL_SETS.items() if not labels.refused]
REFUSED = {
    **{("model", name): word for name, word in REFUSED_MODELS.items()},
    **{("label", name): labels.refused for name, labels in LABEL_SETS.items() if labels.refused},
}


@pytest.fixture
def walk(tmp_path, capsys, zoo_table):
    """Makes the walk of a model or a label set, whose exit statuses join the table that pytest prints."""

    def make(kind, name):
        made = Walk(tmp_path, kind, name, capsys)
        zoo_table[kind, name] = made.statuses
        return made

    return make


@pytest.mark.parametrize("name", WORKING_MODELS)
def test_check_accepts_a_model(walk, name):
    walked = walk("model", name)
    assert walked.check() == 0, walked.error


@pytest.mark.parametrize("name", WORKING_LABELS)
def test_check_accepts_labels(walk, name):
    walked = walk("label", name)
    assert walked.check() == 0, walked.error
    assert LABEL_SETS[name].said in walked.output


@pytest.mark.parametrize(("kind", "name"), REFUSED)
def test_what_check_refuses_no_search_begins(walk, kind, name):
    walked = walk(kind, name)
    assert walked.check() == 2
    said = walked.refusal
    assert REFUSED[kind, name] in said
    assert walked.search("search") == 2
    assert walked.refusal == said
    assert walked.gradient() == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING_MODELS)
def test_every_command_works_on_a_model(walk, name):
    walked = walk("model", name)
    assert walked.check() == 0, walked.error
    walked.rest(tuple(format for model, format in NOT_EXPORTED if model == name))


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKING_LABELS)
def test_every_command_works_on_labels(walk, name):
    walked = walk("label", name)
    assert walked.check() == 0, walked.error
    walked.rest()
