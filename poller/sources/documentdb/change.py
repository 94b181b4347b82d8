"""One change, read from the server's BSON: its JSON, its place, and what decides its lane."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bson

from poller.sources.documentdb.extended_json import OPTIONS, Flavour, dumps
from poller.sources.documentdb.order import Order, cluster_time, seconds

_SPLIT = b"\x03splitEvent\x00"
"""The member of a fragment, in BSON; a change that has such a member deeper inside is looked at twice."""


@dataclass(slots=True, eq=False)
class Change:
    """A change event. Its JSON is made once, for filters, sizes and every invocation."""

    json: bytes
    position: str
    place: Order
    time: int | None
    """Cluster time."""
    arrival: float
    """Epoch seconds."""
    document_key: Any
    """The key of the document that changed; None for what concerns no document."""
    operation: str
    token: Mapping[str, Any]
    """The resume token."""


class Reading:
    """Reads the changes of one mapping."""

    def __init__(self, flavour: Flavour) -> None:
        self._flavour = flavour

    def whole(self, raw: bytes, parts: list[bytes]) -> tuple[bytes, list[bytes]]:
        """A change, and the fragments that came so far of another; empty before the last fragment.

        A change of several fragments is their BSON documents behind each other. Raises BSONError and ValueError.
        """
        if _SPLIT not in raw or (split := bson.decode(raw, OPTIONS).get("splitEvent")) is None:
            return raw, []
        if split["fragment"] != len(parts) + 1:
            raise ValueError(f"fragment {split['fragment']} of a change follows fragment {len(parts)}")
        parts = [*parts, raw]
        return (b"".join(parts), []) if split["fragment"] == split["of"] else (b"", parts)

    def change(self, raw: bytes, last: Order) -> Change:
        """The change behind that at `last`. Raises BSONError and ValueError, and KeyError for one without token."""
        if int.from_bytes(raw[:4], "little") == len(raw):
            document = bson.decode(raw, OPTIONS)
        else:
            document = {name: value for part in bson.decode_all(raw, OPTIONS) for name, value in part.items()}
            del document["splitEvent"]
        token = document["_id"]
        time = cluster_time(document.get("clusterTime"))
        place = last.following(time)
        return Change(
            json=dumps(document, raw, self._flavour),
            position=place.position(token),
            place=place,
            time=time,
            arrival=seconds(place.time),
            document_key=document.get("documentKey"),
            operation=str(document.get("operationType")),
            token=token,
        )
