"""config/README.md says what the models say, no more and no less."""

from poller.configuration.model.function_models import TYPES
from poller.configuration.model.parameters import WrittenMapping
from poller.configuration.model.settings import Settings
from tests.reference.page import PATH, page
from tests.reference.rows import nested_model, owner
from tests.reference.texts import DEFAULTS, TEXTS

AGAIN = "describe new keys in tests/reference/texts.py, then run: python -m tests.reference"


def owners(model):
    for name, field in model.model_fields.items():
        yield owner(model, name)
        if nested := nested_model(field.annotation):
            yield from owners(nested)


def test_every_key_is_described_and_nothing_else():
    known = {key for model in (Settings, WrittenMapping, *TYPES.values()) for key in owners(model)}
    assert sorted(known - set(TEXTS)) == [], AGAIN
    assert sorted(set(TEXTS) - known) == [], AGAIN
    assert {key for key in DEFAULTS if key not in known and f"*.{key.split('.')[1]}" not in known} == set()


def test_the_page_is_the_one_that_is_made_from_the_models():
    assert PATH.read_text(encoding="utf-8") == page(), AGAIN
