"""Tables are atomic."""

import threading
import uuid

from botocore.exceptions import ClientError

from tests.support.cloud import Cloud


def test_of_many_conditional_writes_at_once_one_succeeds(cloud: Cloud) -> None:
    dynamodb = cloud.aws.client("dynamodb")
    table = f"patch-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    outcomes: list[str] = []
    ready = threading.Barrier(8)

    def write(writer: int) -> None:
        ready.wait()
        try:
            dynamodb.put_item(
                TableName=table,
                Item={"id": {"S": "one"}, "writer": {"N": str(writer)}},
                ConditionExpression="attribute_not_exists(id)",
            )
            outcomes.append("written")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ConditionalCheckFailedException"] * 7 + ["written"]
