"""Parts of a mapping of DocumentDB or MongoDB as users write them."""

from typing import Literal

from pydantic import Field

from poller.configuration.model.fields import FilledText, Written, shown_default
from poller.configuration.model.mapping import FullDocument
from poller.configuration.reading.secrets import SecretText


class WrittenDocumentDB(Written):
    database_name: str = Field(description="the database whose changes are read")
    collection_name: str | None = Field(
        default=None, description="one collection of it", json_schema_extra=shown_default("every collection")
    )
    full_document: FullDocument = Field(
        default="Default", description="`UpdateLookup` adds to an update the document as it is when the change is read"
    )


class WrittenAccess(Written):
    type: Literal["BASIC_AUTH"] = Field(description="user and password")
    uri: SecretText = Field(
        description=(
            "the ARN of a secret of Secrets Manager with `username` and `password`; or, as `{file: PATH}` or "
            "`{env: NAME}`, such a secret itself"
        )
    )


class WrittenMongoDB(Written):
    uri: SecretText | None = Field(
        default=None,
        description="the connection string; best as `{file: PATH}` or `{env: NAME}`, if a password is in it",
        json_schema_extra=shown_default("the endpoint that DocumentDB has for the ARN"),
    )
    tls_ca_file: FilledText | None = Field(
        default=None,
        description="PEM file of the authorities that signed the server's certificate; relative to this file",
        json_schema_extra=shown_default("those of the system"),
    )
    retention_seconds: int | None = Field(
        default=None,
        ge=60,
        description=(
            "how long the cluster keeps its change log, so that poller can say when changes expire; of DocumentDB its "
            "parameter `change_stream_log_retention_duration`"
        ),
        json_schema_extra=shown_default("not known"),
    )
