"""What the embedded CloudWatch measures, and its alarms."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.cloud import Stack
from tests.support.waiting import until
from tests.support.workflow import decided


def total(stack: Stack, namespace: str, name: str, **dimensions: str) -> float:
    """Return the sum of a metric over the last hours."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    metric = {"Namespace": namespace, "MetricName": name, "Dimensions": named}
    stat = {"Metric": metric, "Period": 3600, "Stat": "Sum"}
    now = datetime.now(UTC)
    answer = stack.aws.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "total", "MetricStat": stat}],
        StartTime=now - timedelta(hours=2),
        EndTime=now + timedelta(minutes=1),
    )
    return float(sum(answer["MetricDataResults"][0]["Values"]))


def alarm(stack: Stack, name: str) -> Any:
    alarms = stack.aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    prefix = f"test-standard-{name}-"
    [found] = [alarm for alarm in alarms if alarm["AlarmName"].startswith(prefix)]
    return found


def state(stack: Stack, name: str) -> str:
    return str(alarm(stack, name)["StateValue"])


def test_a_photo_is_counted_at_every_step(standard: Stack, images: Path) -> None:
    machine = {"StateMachineArn": standard.outputs["StateMachineArn"]}
    endpoint = {"EndpointName": standard.outputs["EndpointName"], "VariantName": "AllTraffic"}
    watched = [
        ("AWS/States", "ExecutionsStarted", machine),
        ("AWS/States", "ExecutionsSucceeded", machine),
        ("AWS/SageMaker", "Invocations", endpoint),
        ("AWS/EventBridge/Pipes", "EventCount", {"PipeName": standard.outputs["AnnouncementPipe"]}),
        ("test-standard", "Decisions", {"Outcome": "accepted"}),
    ]
    before = [total(standard, space, name, **of) for space, name, of in watched]
    assert decided(standard, (images / "bicycle.png").read_bytes())["outcome"] == "accepted"

    def counted() -> list[float]:
        return [total(standard, space, name, **of) for space, name, of in watched]

    until(lambda: counted() == [count + 1 for count in before])
    assert counted() == [count + 1 for count in before]
    # A metric that nothing publishes under these dimensions has no data.
    assert total(standard, "AWS/States", "ExecutionsStarted", StateMachine="x") == 0


def test_an_alarm_goes_off_with_its_metrics(standard: Stack) -> None:
    queue = {"QueueUrl": standard.outputs["UploadEventsDeadLetterQueue"]}
    before = alarm(standard, "UploadEventsDeadLetterAlarm")
    assert before["StateValue"] == "OK"
    sqs = standard.aws.client("sqs")
    sqs.send_message(**queue, MessageBody=json.dumps({"of": str(uuid.uuid4())}))
    gone_off, again = (alarm(standard, "UploadEventsDeadLetterAlarm") for _ in range(2))
    assert gone_off["StateValue"] == "ALARM"
    assert gone_off["StateUpdatedTimestamp"] > before["StateUpdatedTimestamp"]
    assert again["StateUpdatedTimestamp"] == gone_off["StateUpdatedTimestamp"]
    [message] = sqs.receive_message(**queue)["Messages"]
    sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
    assert state(standard, "UploadEventsDeadLetterAlarm") == "OK"
    items = standard.aws.client("cloudwatch").describe_alarm_history(AlarmName=before["AlarmName"])
    newest, older = items["AlarmHistoryItems"][:2]
    assert newest["HistorySummary"] == "Alarm updated from ALARM to OK"
    assert older["HistorySummary"] == "Alarm updated from OK to ALARM"
    assert older["Timestamp"] == gone_off["StateUpdatedTimestamp"]
