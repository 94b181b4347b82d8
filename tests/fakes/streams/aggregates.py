"""Aggregates as the Kinesis Producer Library writes them: its message definition, encoded by protobuf itself."""

import functools
import hashlib
from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

MAGIC = b"\xf3\x89\x9a\xc2"
_OPTIONAL, _REQUIRED, _REPEATED = 1, 2, 3
_UINT64, _STRING, _MESSAGE, _BYTES = 4, 9, 11, 12
_MESSAGES: dict[str, tuple[tuple[str, int, int, str], ...]] = {
    "Tag": (("key", _REQUIRED, _STRING, ""), ("value", _OPTIONAL, _STRING, "")),
    "Record": (
        ("partition_key_index", _REQUIRED, _UINT64, ""),
        ("explicit_hash_key_index", _OPTIONAL, _UINT64, ""),
        ("data", _REQUIRED, _BYTES, ""),
        ("tags", _REPEATED, _MESSAGE, ".kpl.Tag"),
    ),
    "AggregatedRecord": (
        ("partition_key_table", _REPEATED, _STRING, ""),
        ("explicit_hash_key_table", _REPEATED, _STRING, ""),
        ("records", _REPEATED, _MESSAGE, ".kpl.Record"),
    ),
}


@functools.cache
def _aggregated_record() -> Any:
    definition = descriptor_pb2.FileDescriptorProto(name="kpl.proto", package="kpl", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = definition.message_type.add(name=name)
        for number, (field, label, kind, type_name) in enumerate(fields, 1):
            message.field.add(name=field, number=number, label=label, type=kind, type_name=type_name or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(definition)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("kpl.AggregatedRecord"))


def aggregate(records: Sequence[tuple[str, bytes]], *, hash_key: str | None = None) -> bytes:
    """Keys and data as the data of one record; `hash_key` is the explicit one of each."""
    message = _aggregated_record()()
    table: dict[str, int] = {}
    for key, data in records:
        if key not in table:
            table[key] = len(table)
            message.partition_key_table.append(key)
        record = message.records.add(partition_key_index=table[key], data=data)
        if hash_key is not None:
            record.explicit_hash_key_index = 0
            record.tags.add(key="by", value="test")
    if hash_key is not None:
        message.explicit_hash_key_table.append(hash_key)
    return sealed(message.SerializeToString())


def sealed(message: bytes) -> bytes:
    """With magic and digest."""
    return MAGIC + message + hashlib.md5(message).digest()
