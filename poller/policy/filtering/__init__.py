"""Filter criteria: the event pattern language of EventBridge, as Lambda's event source mappings use it.

`compile_filters` checks and compiles the patterns of one mapping; `Filter.match` judges a record; `explain` says why.
"""

from poller.policy.filtering.compile import MOST_FILTERS
from poller.policy.filtering.errors import PatternError
from poller.policy.filtering.explain import Clause, explain
from poller.policy.filtering.filter import Filter, Members, Verdict, compile_filters
from poller.policy.filtering.payload import Loads

__all__ = [
    "MOST_FILTERS",
    "Clause",
    "Filter",
    "Loads",
    "Members",
    "PatternError",
    "Verdict",
    "compile_filters",
    "explain",
]
