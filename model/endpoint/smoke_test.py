"""The first request to an endpoint that has changed."""

import json

from cli.terminal import own_command
from model.endpoint.place import ROOT, EndpointError, Place

SAMPLE = ROOT / "events/images/bicycle.png"


def smoke_test(place: Place) -> str:
    """Send the sample picture as the workflow does; return what the endpoint says.

    Raises EndpointError if that is no answer of the model server, or a bicycle is called otherwise.
    """
    answer = place.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=place.name, ContentType="image/png", Body=SAMPLE.read_bytes()
    )
    body = answer["Body"].read()
    back = own_command("model.create_endpoint", "--name", place.name, "--rollback")
    again = f"back to the model before: {back}"
    try:
        inferences = json.loads(body)["inferences"]
        confidences = {item["label"]: float(item["confidence"]) for item in inferences}
        best = max(confidences, key=lambda label: confidences[label])
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointError(
            f"{place.name} is in service but does not answer as the model server:"
            f" {body[:200]!r}; {again}"
        ) from error
    if "bicycle" in confidences and best != "bicycle":
        raise EndpointError(f"{place.name} calls {SAMPLE.name} {best}: {confidences}; {again}")
    return f"smoke test: {SAMPLE.name} is {best} ({confidences[best]:.3f})"
