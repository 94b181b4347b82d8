"""Nothing is lost under load: failures by plan, throttles, a SIGKILL and a SIGTERM on the way, on two servers."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.load import Load, kill, terminate, throttle, throttle_lambda

pytestmark = pytest.mark.live


def disturbed(load: Load) -> Load:
    """By the share of messages delivered before."""
    throttled = throttle_lambda if load.lambda_function else throttle
    on_the_way = ((0.3, throttled), (0.45, kill), (0.7, terminate))
    load.disturbances += [(int(load.total * share), act) for share, act in on_the_way]
    return load


@pytest.mark.heavy
def test_a_sigkill_in_the_middle_of_load_loses_nothing(ministack, moto, tmp_path):
    """Standard and FIFO on one server, standard on another, at once: after the kill each waits for what was hidden."""
    loads = [
        Load(ministack, tmp_path / "standard", 120),
        Load(ministack, tmp_path / "fifo", 120, groups=12),
        Load(moto, tmp_path / "moto", 60),
    ]
    for load in loads:
        load.disturbances.append((load.total // 6, kill))
    with ThreadPoolExecutor() as at_once:
        for ended in [at_once.submit(load.run) for load in loads]:
            ended.result()


@pytest.mark.slow
def test_ten_thousand_messages_all_arrive_whatever_happens_on_the_way(ministack, tmp_path, capsys):
    """A function behind HTTP, ten lanes, each message failing up to twice."""
    show(disturbed(Load(ministack, tmp_path / "load", 10_000)), capsys)


@pytest.mark.slow
def test_five_hundred_messages_all_arrive_from_another_server(moto, tmp_path, capsys):
    """The same, judged by a second implementation of SQS."""
    show(disturbed(Load(moto, tmp_path / "load", 500)), capsys)


@pytest.mark.slow
def test_two_thousand_messages_of_forty_groups_all_arrive_in_order(ministack, tmp_path, capsys):
    """FIFO: first successes of each group are in the order sent, and no group overlaps itself."""
    show(disturbed(Load(ministack, tmp_path / "load", 2_000, groups=40)), capsys)


@pytest.mark.slow
def test_two_thousand_messages_all_arrive_at_a_lambda_function(ministack, tmp_path, capsys):
    """The function runs in the local AWS and is reached by the Invoke API."""
    show(disturbed(Load(ministack, tmp_path / "load", 2_000, lambda_function=True)), capsys)


def show(load: Load, capsys: pytest.CaptureFixture[str]) -> None:
    load.run()
    with capsys.disabled():
        print(f"\n{load.figures()}")  # noqa: T201  (figures for a person)
