"""`workers`: how many, and what cannot stand beside several of them."""

import os

import pytest

from poller.configuration.model import workers
from poller.dev.local import DevelopmentReader
from poller.engine.app import Poller
from poller.values.errors import ConfigurationError

SQLITE = "state: sqlite:////x/y.db\n"


def test_one_is_the_default_and_several_may_be_given_by_file_environment_and_command_line(bench):
    assert bench.text("").settings.workers == 1
    assert bench.text(f"{SQLITE}workers: 3").settings.workers == 3
    bench.environ["POLLER_WORKERS"] = "4"
    assert bench.text(SQLITE).settings.workers == 4
    assert bench.load("poller.yaml", overrides={"workers": "5"}).settings.workers == 5


def test_auto_is_the_cpus_that_the_process_may_use_within_its_containers_limit(bench, monkeypatch, tmp_path):
    limit = tmp_path / "cpu.max"
    monkeypatch.setattr(workers, "CPU_LIMIT", limit)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    limit.write_text("max 100000\n")
    assert bench.text(f"{SQLITE}workers: auto").settings.workers == 8
    limit.write_text("250000 100000\n")
    assert bench.text(f"{SQLITE}workers: auto").settings.workers == 3
    limit.write_text("5000 100000\n")
    assert bench.text(f"{SQLITE}workers: auto").settings.workers == 1


@pytest.mark.parametrize("value", ["0", "65", "many", "true", "1.5"])
def test_no_other_number_is_taken(bench, value):
    [problem] = bench.problems_of(f"{SQLITE}workers: {value}")
    assert "poller.yaml:2: workers: " in problem


def test_what_cannot_be_shared_is_refused_where_it_stands(bench):
    [problem] = bench.problems_of("state: 'memory:'\nworkers: 2")
    assert "workers: needs a `state` that processes can share, which memory: is not" in problem
    [problem] = bench.problems_of(f"{SQLITE}workers: 4\nmax_bytes_in_flight: 3 MiB")
    assert "must be at least 1 MiB for each of 4 workers" in problem


def test_a_program_that_embeds_the_engine_is_told_that_it_is_one_process(bench):
    configuration = bench.text(f"{SQLITE}workers: 2")
    with pytest.raises(ConfigurationError, match="one process"):
        Poller(configuration)


def test_a_person_who_develops_has_one_process_whatever_the_files_say(bench):
    queue = "event_source_arn: 'arn:aws:sqs:eu-west-1:123456789012:q', function_name: fn"
    path = bench.write("poller.yaml", f"{SQLITE}workers: 4\nevent_source_mappings: [{{{queue}}}]")
    assert DevelopmentReader([path], None).read().settings.workers == 1
