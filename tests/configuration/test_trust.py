"""Files that nobody named are read only where nobody else can have put them there."""

import os
from pathlib import Path

import pytest

from poller.configuration import Need, load, read_api_leniently
from poller.configuration.watching import Reader
from poller.values.errors import ConfigurationError
from tests.present import present

SOMEBODY = 4242
MAPPING = "event_source_mappings: [{event_source_arn: 'arn:aws:sqs:eu-west-1:123456789012:q', function_name: f}]\n"
HOSTILE = "api: {listen: '127.0.0.1:6666', token: {file: secret}}\n" + MAPPING
SETTING = "POLLER_API__LISTEN=127.0.0.1:6666\n"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away: run it as root")


def given_away(path: Path) -> None:
    os.chown(path, SOMEBODY, SOMEBODY, follow_symlinks=False)


def opened_to_all(path: Path) -> None:
    path.chmod(0o666)


def made_a_link_of_somebody_s(path: Path) -> None:
    path.rename("mine")
    path.symlink_to("mine")
    given_away(path)


WAYS = [
    pytest.param(given_away, f"belongs to user {SOMEBODY}, neither you nor root, ", marks=as_root),
    pytest.param(made_a_link_of_somebody_s, f"belongs to user {SOMEBODY}, neither you nor root, ", marks=as_root),
    pytest.param(opened_to_all, "may be written to by everybody, "),
]


@pytest.mark.parametrize(("make", "reason"), WAYS)
@pytest.mark.parametrize(("name", "text"), [("poller.yaml", HOSTILE), (".env", SETTING)])
def test_a_file_of_the_working_directory_that_others_may_have_written_is_refused(bench, name, text, make, reason):
    bench.write("secret", "s3cret")
    bench.write("poller.yaml", MAPPING)
    make(bench.directory / bench.write(name, text))
    for need in Need:
        with pytest.raises(ConfigurationError) as caught:
            load(None, environ=bench.environ, need=need)
        [problem] = caught.value.problems
        assert problem.startswith(f"{name}: {reason}and is read only because it lies in the working directory; ")
    with pytest.raises(ConfigurationError):
        Reader(None, bench.environ).read()


@pytest.mark.parametrize(("make", "reason"), WAYS)
def test_no_client_command_sends_a_secret_where_such_a_file_says(bench, make, reason):
    bench.write("secret", "s3cret")
    make(bench.directory / bench.write("poller.yaml", HOSTILE))
    api, problems = read_api_leniently(None, environ=bench.environ)
    assert api is None
    assert reason in problems[0]
    (bench.directory / "poller.yaml").unlink()
    make(bench.directory / bench.write(".env", SETTING))
    api, problems = read_api_leniently(None, environ=bench.environ)
    assert present(api).listen == "127.0.0.1:8642"
    assert reason in problems[0]


@pytest.mark.parametrize("make", [pytest.param(way.values[0], marks=way.marks) for way in WAYS])
def test_a_file_that_was_named_is_read_whoever_wrote_it(bench, make):
    make(bench.directory / bench.write("poller.yaml", MAPPING))
    assert len(bench.load("poller.yaml").mappings) == 1
    bench.environ["POLLER_CONFIG"] = "poller.yaml"
    assert len(bench.load().mappings) == 1


@as_root
def test_root_s_files_are_for_everybody(bench, monkeypatch):
    bench.write("poller.yaml", MAPPING)
    bench.write(".env", "POLLER_LOG__LEVEL=debug\n")
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)
    configuration = bench.load()
    assert [str(path) for path in configuration.sources] == ["poller.yaml", ".env"]
    assert configuration.settings.log.level == "debug"
