"""Which keys are names, data or secrets follows from the models, so that a new secret cannot be read once and kept."""

from poller.configuration.model.key_roles import keys
from poller.configuration.reading.spelling import Keys


def test_names_data_and_secrets_are_told_apart_by_the_types_of_the_fields():
    assert keys() == Keys(
        named=frozenset({"functions", "services"}),
        data=frozenset({"headers", "environment", "tags"}),
        opaque=frozenset({"pattern", "on_success"}),
        secrets=frozenset(
            {
                ("api", "token"),
                ("api", "read_token"),
                ("credentials", "secret_access_key"),
                ("mongodb", "uri"),
                ("source_access_configurations", "uri"),
                ("basic_auth", "username"),
                ("basic_auth", "password"),
                ("hmac", "secret"),
                ("bearer_token",),
            }
        ),
        secret_data=frozenset({"headers", "environment"}),
    )
