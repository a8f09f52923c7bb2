"""What create_endpoint will do, for the person who is asked."""

from collections.abc import Mapping

from model.endpoint.place import Place
from model.endpoint.prices import price
from model.endpoint.training_job import Training


def plan(place: Place, values: Mapping[str, str], training: Training | None, what: str) -> str:
    """Return what will be made and what it costs, in lines.

    values: parameters of the stack. what: the model, in words.
    """
    lines = [f"endpoint {place.name} in {place.region}, account {place.account}: {what}"]
    if training:
        kind = "on demand" if training.on_demand else "as spot, often 60 to 70 % less"
        lines.append(f"  training: {price(training.instance_type)}, {kind}; paid by the second")
    if values["Serving"] == "SERVERLESS":
        lines.append("  serving: serverless, paid by the millisecond of work; idle costs nothing")
        return "\n".join(lines)
    least, most = int(values["MinInstances"]), int(values["MaxInstances"])
    lines.append(f"  serving: {price(values['InstanceType'], least)}")
    lines.append("    from now until you delete it, used or not")
    if most > least:
        lines.append(f"    under load up to {most} times one instance")
    share = f"{values['CapturePercentage']} % of the pictures and answers"
    lines.append(f"  captures: {share}, in s3://{place.bucket}/captures")
    return "\n".join(lines)
