"""The table of function types: each row agrees with its keys, and is imported without the data plane."""

import subprocess
import sys
from typing import get_args

import pytest

from poller.configuration.model.functions import FunctionConfig
from poller.functions.callable import Callable
from poller.functions.types import FUNCTION_TYPES, IMPLIED, MODELS

HEAVY = ("aiobotocore", "botocore", "aiohttp", "httptools", "awslambdaric")


@pytest.mark.parametrize("name", MODELS)
def test_the_keys_of_a_type_name_the_type(name):
    assert get_args(MODELS[name].model_fields["type"].annotation) == (name,)


def test_a_mapping_can_name_a_function_of_the_implied_type_by_its_name_alone():
    assert [key for key, field in MODELS[IMPLIED.name].model_fields.items() if field.is_required()] == [
        "type",
        "function_name",
    ]


@pytest.mark.parametrize("row", FUNCTION_TYPES.values(), ids=lambda row: row.name)
def test_the_default_limits_of_a_type_are_limits(row):
    assert row.payload_limit > 0
    assert row.concurrency is None or row.concurrency > 0
    assert row.title


@pytest.mark.parametrize("first", ["poller.functions.types", "poller.functions.web", "poller.configuration"])
def test_the_rows_are_imported_in_any_order_and_without_the_data_plane(first):
    code = f"import {first}, sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_two_callables_are_two_functions_and_one_under_two_names_is_one():
    one = FunctionConfig(key="a", type="callable", options=Callable(print))
    other = FunctionConfig(key="b", type="callable", options=Callable(max))
    same = FunctionConfig(key="c", type="callable", options=Callable(print))
    assert not one.same_target(other)
    assert one.same_target(same)
    assert set(one.likely_targets) & set(same.likely_targets)
