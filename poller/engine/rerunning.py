"""Invokes a function once with a failed event that is kept. Settles nothing, and moves no position."""

from dataclasses import replace

from poller.engine.failed_events import FailedEvents
from poller.engine.functions import Use
from poller.engine.invoker import FunctionInvoker
from poller.engine.judging import Judged, judge
from poller.engine.plan import Plan
from poller.engine.runner import MappingRunner
from poller.policy.actions import Action, Rerun, effect
from poller.policy.failed_events import FailedEvent
from poller.policy.response import Outcome
from poller.values.errors import ConfigurationError, NotPossible
from poller.values.texts import counted


def use_of(runner: MappingRunner, invoker: FunctionInvoker, name: str | None) -> Use:
    """A function by its key, or without one the mapping's own. Raises NotPossible."""
    own = Use.by(runner.mapping)
    if name is None or name == own.config.key:
        return own
    use = invoker.use(name)
    if use is None:
        known = ", ".join(sorted({own.config.key, *(hosted.key for hosted in invoker.hosted())}))
        raise NotPossible(f"there is no function {name}; there are: {known}")
    return use


async def rerunning(runner: MappingRunner, order: Rerun, events: FailedEvents, invoker: FunctionInvoker) -> Plan:
    """Raises NotPossible and StateError."""
    about, event = await events.one(order.event)
    if about.uuid != runner.mapping.uuid:
        raise NotPossible(f"the failed event {about.id} is of the mapping {about.mapping}")
    use = use_of(runner, invoker, order.function)

    async def perform(action: Action) -> Action:
        judged = judged_by(runner, await invoker.once(use, event), event)
        plan.result.update(settled=judged.settled, lines=judged.lines)
        return replace(action, effect=effect(action.effect, f"It {judged.lines[0]}"))

    plan = Plan((_impact(about, use),), perform)
    return plan


def judged_by(runner: MappingRunner, outcome: Outcome, event: bytes) -> Judged:
    """What an outcome means to the mapping."""
    try:
        return judge(outcome, event, partial=runner.mapping.report_batch_item_failures)
    except ConfigurationError:
        # an event without the records of a source, such as the closing call of a window
        return judge(outcome, event, partial=False)


def _impact(about: FailedEvent, use: Use) -> str:
    hidden = ""
    if about.redacted:
        values = "1 value is" if about.redacted == 1 else f"{about.redacted:,} values are"
        hidden = f" {values} redacted in it, so the function gets REDACTED there."
    records = counted(about.records, "record")
    return (
        f"{use.config.key} is invoked once with the kept event of {records}. It does there what it does, and nothing "
        f"is settled: no position moves, and no message is deleted.{hidden}"
    )
