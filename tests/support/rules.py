"""A rule of EventBridge for the uploads of one bucket."""

import json
import uuid
from typing import Any

from tests.support.cloud import Cloud


class Rule:
    """A rule for uploads of one bucket, with a queue as its target."""

    def __init__(self, cloud: Cloud, **rule: Any) -> None:
        name = f"rule-{uuid.uuid4().hex[:8]}"
        self.events, self.s3, self.sqs = map(cloud.aws.client, ("events", "s3", "sqs"))
        self.bucket, self.name = name, name
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        self.queue, self.queue_arn = self.make_queue(name)
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
        answer = self.events.put_rule(Name=name, EventPattern=json.dumps(pattern), **rule)
        self.arn = answer["RuleArn"]
        self.let_in(self.queue, self.queue_arn)
        self.target(Arn=self.queue_arn)

    def make_queue(self, name: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, arn["Attributes"]["QueueArn"]

    def let_in(self, url: str, arn: str, source: str = "") -> None:
        """Let a rule, this one if none is named, send to a queue."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": source or self.arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def target(self, **target: Any) -> None:
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "1", **target}])

    def messages(self, url: str) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found: list[Any] = answer.get("Messages", [])
        return found

    def received(self, url: str = "") -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(url or self.queue)]

    def put(self, key: str = "a.png") -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"picture")
