"""config/README.md says what the models say, no more and no less."""

from poller.configuration.model.mapping_keys import WrittenMapping
from poller.configuration.model.settings import Settings
from poller.functions.types import MODELS
from tests.reference.page import PATH, page
from tests.reference.rows import nested_model


def fields(model):
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        if nested := nested_model(field.annotation):
            yield from fields(nested)


def test_every_key_is_described_where_it_is_declared():
    found = [each for model in (Settings, WrittenMapping, *MODELS.values()) for each in fields(model)]
    assert [key for key, field in found if not field.description] == [], "give them Field(description=…)"


def test_the_page_is_the_one_that_is_made_from_the_models():
    assert PATH.read_text(encoding="utf-8") == page(), "run: python -m tests.reference"
