"""What InvokeEndpoint answers when something is wrong."""

import pytest

from tests.support.cloud import Cloud, Stack, refusal


def test_an_unknown_endpoint_is_refused(cloud: Cloud) -> None:
    runtime = cloud.aws.client("sagemaker-runtime")
    request = {"EndpointName": "nobody", "Body": b"", "ContentType": "image/png"}
    assert refusal(runtime.invoke_endpoint, **request) == ("ValidationError", 400)


def test_what_the_container_says_reaches_the_caller(standard: Stack) -> None:
    runtime = standard.aws.client("sagemaker-runtime")
    request = {"EndpointName": standard.outputs["EndpointName"], "Body": b"no picture"}
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(**request, ContentType="image/png")
    assert caught.value.response["OriginalStatusCode"] == 400
