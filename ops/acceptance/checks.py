"""All checks, in the order in which they are made; none keeps another from being made."""

from collections.abc import Callable, Generator, Mapping
from functools import partial

from cli.errors import CommandError, aws_errors, explained
from ops.acceptance import (
    alarms,
    announcements,
    dashboard,
    decisions,
    delivery,
    endpoint,
    failure,
    metrics,
    permissions,
)
from ops.acceptance.rows import DIFFERS, GOOD, UNCHECKED, NotChecked, Row
from ops.acceptance.run import Run
from ops.acceptance.samples import SAMPLES

Check = Callable[[Run], Row]

CHECKS: dict[str, Check] = {
    "endpoint": endpoint.endpoint,
    "scaling target": endpoint.scaling,
    "pipe": delivery.pipe,
    "policies of queues": delivery.queue_policies,
    "rule that listens": announcements.listen,
    "bucket events": decisions.notifications,
    **{sample.kind: partial(decisions.sample, kind=sample.kind) for sample in SAMPLES},
    "the same upload twice": decisions.duplicate,
    "executions": decisions.executions,
    "announcements": announcements.heard,
    "values of the pipe": announcements.placeholders,
    "audit log": announcements.audit_log,
    "numbers of the log": announcements.numbers,
    "metric Decisions": metrics.outcomes,
    "metric Confidence": metrics.confidence,
    "alarms": alarms.alarms,
    "dimensions watched": alarms.dimensions,
    "dashboard": dashboard.dashboard,
    "captures": endpoint.captures,
    "operator policy": permissions.operator_policy,
    "dead letters": delivery.dead_letters,
}
PROVOKED = {"failure": failure.provoked}


def rows(run: Run, chosen: Mapping[str, Check]) -> Generator[Row, None, None]:
    """Yield the row of each check, and of what was removed; removes it also when interrupted."""
    run.remove_later("pictures and items", run.remove_uploads)
    try:
        for number, (what, check) in enumerate(chosen.items(), 1):
            run.tell(f"{number} of {len(chosen)}: {what}")
            yield checked(run, what, check)
    finally:
        run.tell("removing what this run has made")
        run.removal.close()
    yield removed(run)


def checked(run: Run, what: str, check: Check) -> Row:
    """Return the row of one check, also where it could not be made."""
    try:
        return check(run)
    except (NotChecked, CommandError) as error:
        reason = str(error)
    except aws_errors() as error:
        reason = explained(error)
    except Exception as error:  # its fault is not the stack's, and the others go on
        reason = f"{type(error).__name__}: {error}"
    return Row(what, reason, "", UNCHECKED)


def removed(run: Run) -> Row:
    """Tell what is left of the run."""
    return Row(
        "removed afterwards",
        f"left: {'; '.join(run.left)}"
        if run.left
        else f"{len(run.removed)} thing{'s' * (len(run.removed) != 1)}",
        "all of the run",
        DIFFERS if run.left else GOOD,
        where=f"delete what is named {run.name}" if run.left else "",
    )
