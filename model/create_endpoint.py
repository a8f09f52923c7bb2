"""Create the SageMaker endpoint that the workflow asks, once; run it again to change the model.

    python -m model.create_endpoint                          the shipped model, real-time
    python -m model.create_endpoint --serverless             paid by the picture, slow first answer
    python -m model.create_endpoint --model out/model        a model of your own
    python -m model.create_endpoint --train s3://BUCKET/data train on SageMaker first (spot)
    python -m model.create_endpoint --rollback               back to the model before this one

It tells the price and asks, then deploys model/endpoint/template.yaml with CloudFormation: first a
private bucket, a repository and roles; then, when the image of the model server (needs docker, or
--image) and the model are there, SageMaker model, endpoint and scaling. It sends a first picture
and prints the workflow's parameter for the threshold that the model's card promises. With another
model the stack is updated: the old one serves until the new one does, and takes over again if an
alarm of the endpoint goes off. `python -m model.delete_endpoint` removes all of it.

--train reads a folder per class under s3://BUCKET/data. Credentials and region come as for every
AWS tool. Exit codes: 0 it serves, 1 you said no, 2 it could not be done, 130 interrupted.
"""

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.arguments import integer_between, positive
from cli.errors import guarded
from cli.terminal import confirmed, own_command
from model.endpoint import samconfig, stack
from model.endpoint.artifacts import (
    card_of,
    keep_card,
    packed,
    threshold_of,
    upload,
    uploaded_card,
    version_of,
)
from model.endpoint.image import ensure_image, repository_arn
from model.endpoint.place import (
    ROOT,
    TEMPLATE,
    EndpointError,
    Place,
    checked_name,
    declared,
    default_name,
    place,
)
from model.endpoint.prices import price
from model.endpoint.training_job import Training, image_of, train

SHIPPED = ROOT / "model/pretrained"
SAMPLE = ROOT / "events/images/bicycle.png"
# Options that are parameters of the stack, and what changes the endpoint's instances among them.
HOSTING = {
    "instance_type": "InstanceType",
    "min_instances": "MinInstances",
    "max_instances": "MaxInstances",
    "pictures_per_minute": "PicturesPerMinute",
    "capture_percentage": "CapturePercentage",
}
SERVED = ("ModelData", "Image", "InstanceType", "MinInstances", "CapturePercentage")

Values = dict[str, str]


def parser() -> argparse.ArgumentParser:
    """Return the command line; what is not given stays as it is, at first as in the template."""
    found = argparse.ArgumentParser(
        "python -m model.create_endpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--name", help="of the endpoint (default: EndpointName of template.yaml)")
    found.add_argument("--region", help="(default: that of your AWS configuration)")
    found.add_argument("--yes", action="store_true", help="do not ask")
    found.add_argument(
        "--write-samconfig",
        action="store_true",
        help="write the model's threshold into samconfig.toml, without a question",
    )
    what = found.add_argument_group("what is served")
    which = what.add_mutually_exclusive_group()
    which.add_argument(
        "--model", type=Path, default=SHIPPED, help="model folder (default: model/pretrained)"
    )
    which.add_argument("--train", metavar="S3", help="train on the pictures under s3://BUCKET/DATA")
    which.add_argument(
        "--rollback", action="store_true", help="serve the model and image before these again"
    )
    what.add_argument("--image", help="an image in ECR, instead of building one")
    how = found.add_argument_group("how it is served (default: as before, at first as said here)")
    how.add_argument("--serverless", action="store_true", help="no instances, no captures")
    first = {option: declared(TEMPLATE, name) for option, name in HOSTING.items()}
    # Burstable types (ml.t2) cannot scale; two cores keep one free for the decoder.
    how.add_argument("--instance-type", help=f"({first['instance_type']})")
    how.add_argument("--min-instances", type=positive, help=f"({first['min_instances']})")
    how.add_argument("--max-instances", type=positive, help=f"({first['max_instances']})")
    how.add_argument(
        "--pictures-per-minute",
        type=positive,
        help=f"for one instance, before another one starts ({first['pictures_per_minute']})",
    )
    how.add_argument(
        "--capture-percentage",
        type=integer_between(0, 100),
        help="of requests and answers kept for some weeks in s3://BUCKET/captures; 0: none"
        f" ({first['capture_percentage']})",
    )
    job = found.add_argument_group("how --train trains")
    job.add_argument("--test", metavar="S3", help="pictures measured once at the end")
    job.add_argument("--training-type", default="ml.c5.2xlarge", help="(default: %(default)s)")
    job.add_argument("--training-image", help="(default: the AWS PyTorch training container)")
    job.add_argument("--on-demand", action="store_true", help="dearer than spot, never waits")
    job.add_argument("--epochs", type=positive, help="(default: that of model.train)")
    return found


def hosting_of(options: argparse.Namespace, before: Mapping[str, str]) -> Values:
    """Return the stack's parameters of how to serve.

    before: those of the stack as it is, {} without one. Raises EndpointError for what does not go
    together.
    """
    values = {}
    for option, name in HOSTING.items():
        given = getattr(options, option)
        values[name] = before.get(name) or declared(TEMPLATE, name) if given is None else str(given)
    values["Serving"] = before.get("Serving", "REAL_TIME")
    if options.serverless or options.instance_type:
        values["Serving"] = "SERVERLESS" if options.serverless else "REAL_TIME"
    least, most = values["MinInstances"], values["MaxInstances"]
    if int(least) > int(most):
        raise EndpointError(
            f"--min-instances {least}, --max-instances {most}: the second must not be below the"
            " first"
        )
    if values["Serving"] == "REAL_TIME" and re.match(r"ml\.t\d", values["InstanceType"]):
        raise EndpointError(
            f"--instance-type {values['InstanceType']}: burstable instances cannot scale; take"
            f" {declared(TEMPLATE, 'InstanceType')}, or --serverless"
        )
    return values


def plan(where: Place, values: Values, training: Training | None, what: str) -> str:
    """Return what will be made and what it costs, in lines."""
    lines = [f"endpoint {where.name} in {where.region}, account {where.account}: {what}"]
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
    lines.append(f"  captures: {share}, in s3://{where.bucket}/captures")
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Do all of it; return the exit code."""
    hosting_of(options, {})  # what cannot work is refused before AWS is asked
    training = Training.of(options) if options.train else None
    model = None if training or options.rollback else packed(options.model)
    where = place(checked_name(options.name or default_name()), options.region)
    repository = repository_arn(where, options.image) if options.image else ""
    before = stack.parameters(where)
    if options.rollback:
        return roll_back(options, where, before)

    values = before | hosting_of(options, before) | {"Scaling": "ENABLED"}
    values |= {"EndpointName": where.name, "BucketName": where.bucket}
    serves = bool(before.get("ModelData"))
    if serves and values["Serving"] != before["Serving"]:
        raise EndpointError(
            f"{where.name} is {before['Serving'].lower().replace('_', '-')}, and SageMaker cannot"
            f" change that: {where.deletion('--keep-captures')}, then again, or take another --name"
        )
    what = f"a model trained on {options.train}"
    if model:
        what = f"model {version_of(card_of(options.model))} of {options.model}"
    print(plan(where, values, training, what), flush=True)
    if not confirmed("create or update it?", options.yes):
        return 1

    # First what must be there before an image can be pushed, a model uploaded or trained.
    if training:
        training_image = options.training_image or image_of(where, training.instance_type)
        trains = {
            "TrainingData": training.data.removeprefix("s3://").rstrip("/"),
            "TestData": (training.test or "").removeprefix("s3://").rstrip("/"),
            "TrainingRepositoryArn": repository_arn(where, training_image, "--training-image"),
        }
        stack.deploy(where, (before or values) | trains)
        values |= trains
        data = train(where, training, training_image, stack.outputs(where)["TrainingRole"])
    else:
        if not before:
            stack.deploy(where, values)
        assert model is not None
        data = upload(where, version_of(card_of(options.model)), model)
    image = options.image or ensure_image(where, stack.outputs(where)["Repository"])
    values |= {"Image": image, "ImageRepositoryArn": repository, "ModelData": data}
    if serves and (image, data) != (before["Image"], before["ModelData"]):
        values |= {"PreviousImage": before["Image"], "PreviousModelData": before["ModelData"]}
    if serves and any(values[name] != before[name] for name in SERVED):
        values["Rollout"] = "GUARDED"
    if serves and values["InstanceType"] != before["InstanceType"]:
        # SageMaker refuses another type while a policy scales the old one.
        stack.deploy(where, before | {"Scaling": "DISABLED"})
    stack.deploy(where, values)
    return finish(options, where, values)


def roll_back(options: argparse.Namespace, where: Place, before: Values) -> int:
    """Serve the model and image before these again, at once; return the exit code."""
    if not before.get("PreviousModelData"):
        raise EndpointError(f"the stack {where.stack} knows no model before this one")
    data = before["PreviousModelData"]
    print(plan(where, before, None, f"back to {data}"), flush=True)
    if not confirmed("update it?", options.yes):
        return 1
    values = before | {
        "ModelData": data,
        "Image": before["PreviousImage"],
        "PreviousModelData": before["ModelData"],
        "PreviousImage": before["Image"],
        "Rollout": "AT_ONCE",
    }
    stack.deploy(where, values)
    return finish(options, where, values)


def finish(options: argparse.Namespace, where: Place, values: Values) -> int:
    """Send a first picture, say which threshold the workflow needs; return the exit code."""
    print(smoke_test(where))
    wanted = {} if where.name == default_name() else {"EndpointName": where.name}
    card = uploaded_card(where, values["ModelData"])
    if card:
        keep_card(where, card)
    threshold = threshold_of(card)
    if threshold:
        wanted["ConfidenceThreshold"] = threshold
    else:
        print("warning: the model has no card: the workflow keeps its ConfidenceThreshold")
    if wanted:
        overrides = " ".join(f"{name}={value}" for name, value in wanted.items())
        print(f"deploy the workflow with it:\n  sam deploy --parameter-overrides {overrides}")
        asks = sys.stdin.isatty() and not options.yes
        question = f"write {overrides} into samconfig.toml, for every environment?"
        if options.write_samconfig or (asks and confirmed(question, yes=False)):
            print(samconfig.write(wanted))
    print(f"to remove all of it:\n  {where.deletion()}")
    return 0


def smoke_test(where: Place) -> str:
    """Send the sample picture as the workflow does; return what the endpoint says.

    Raises EndpointError if that is no answer of the model server, or a bicycle is called otherwise.
    """
    answer = where.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=where.name, ContentType="image/png", Body=SAMPLE.read_bytes()
    )
    body = answer["Body"].read()
    back = own_command("model.create_endpoint", "--name", where.name, "--rollback")
    again = f"back to the model before: {back}"
    try:
        inferences = json.loads(body)["inferences"]
        confidences = {item["label"]: float(item["confidence"]) for item in inferences}
        best = max(confidences, key=lambda label: confidences[label])
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointError(
            f"{where.name} is in service but does not answer as the model server:"
            f" {body[:200]!r}; {again}"
        ) from error
    if "bicycle" in confidences and best != "bicycle":
        raise EndpointError(f"{where.name} calls {SAMPLE.name} {best}: {confidences}; {again}")
    return f"smoke test: {SAMPLE.name} is {best} ({confidences[best]:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = parser().parse_args(arguments)
    return guarded(
        lambda: run(options),
        "endpoint",
        "what is being made in AWS goes on, and costs; run this again to go on, or"
        f" {own_command('model.delete_endpoint')} to remove it",
    )


if __name__ == "__main__":
    sys.exit(main())
