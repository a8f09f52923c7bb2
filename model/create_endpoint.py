"""Create the SageMaker endpoint that the workflow asks, once; run it again to change the model.

    python -m model.create_endpoint                          at first the shipped model, real-time
    python -m model.create_endpoint --serverless             paid by the picture, slow first answer
    python -m model.create_endpoint --model out/model        a model of your own
    python -m model.create_endpoint --model out/model --labels DIR    compare it first
    python -m model.create_endpoint --train s3://BUCKET/data train on SageMaker first (spot)
    python -m model.create_endpoint --rollback               back to the model before this one

It tells the price and asks, then deploys model/endpoint/template.yaml with CloudFormation: first a
private bucket, a repository and roles; then, when the image of the model server (needs docker, or
--image) and the model are there, SageMaker model, endpoint and scaling. It sends a first picture
and prints the workflow's parameter for the threshold that the model's card promises. What is not
given stays as it is deployed, the model too. With another model the stack is updated: the old one
serves until the new one does, and takes over again if an alarm of the endpoint goes off.
`python -m model.delete_endpoint` removes all of it.

To replace a model: see with `python -m ops quality` whether the deployed one keeps its promise,
compare the two with --labels DIR, a folder of pictures per class that neither was trained on, say
yes, deploy the workflow with the thresholds that are printed, and go back with --rollback. With
--labels, --yes deploys no model that `python -m model.compare` shows to be worse,
or to break its promise.

--train reads a folder per class under s3://BUCKET/data. Credentials and region come as for every
AWS tool. Exit codes: 0 it serves, 1 declined or worse, 2 it could not be done, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

from cli.errors import guarded
from cli.terminal import confirmed, own_command
from model.endpoint import samconfig, stack
from model.endpoint.artifacts import (
    card_of,
    keep_card,
    packed,
    thresholds_of,
    upload,
    uploaded_card,
    version_of,
)
from model.endpoint.image import ensure_image, repository_arn
from model.endpoint.options import OWN, hosting_of, merged_hosting, named, parser
from model.endpoint.place import ROOT, EndpointError, Place, checked_name, default_name, place
from model.endpoint.plan import plan
from model.endpoint.promotion import compared_with_deployed
from model.endpoint.smoke_test import smoke_test
from model.endpoint.training_job import Training, image_of, train

SHIPPED = ROOT / "model/pretrained"
# Parameters that change what serves, and those that --rollback exchanges with the ones before.
GUARDED = ("ModelData", "Image", "InstanceType", "MinInstances", "CapturePercentage")
KEPT = ("ModelData", "Image", "ImageRepositoryArn")

Values = dict[str, str]


def run(options: argparse.Namespace) -> int:
    """Do all of it; return the exit code."""
    given = hosting_of(options)  # what cannot work is refused before AWS is asked
    training = Training.of(options) if options.train else None
    folder = options.model
    model = packed(folder) if folder else None
    where = place(checked_name(options.name or default_name()), options.region)
    # Of an image in ECR; the own repository is not named.
    repository = "" if options.image in (None, OWN) else repository_arn(where, options.image)
    before = stack.parameters(where)
    if options.rollback:
        return roll_back(options, where, before)

    serves = bool(before.get("ModelData"))
    if not (serves or training or folder):
        folder, model = SHIPPED, packed(SHIPPED)
    values = merged_hosting(given, before) | {"Scaling": "ENABLED"}
    values |= {"EndpointName": where.name, "BucketName": where.bucket}
    if serves and values["Serving"] != before["Serving"]:
        raise EndpointError(
            f"{where.name} is {before['Serving'].lower().replace('_', '-')}, and SageMaker cannot"
            f" change that: {where.deletion('--keep-captures')}, then again, or take another --name"
        )
    question = "create or update it?"
    if options.labels:
        if not serves:
            print("no model is deployed yet: there is nothing to compare with")
        elif show_comparison(options, where, before):
            if options.yes:
                print(
                    "nothing was changed: --yes deploys it only without --labels", file=sys.stderr
                )
                return 1
            question = "update it all the same?"
    what = f"the deployed model, {before['ModelData']}" if serves else ""
    if training:
        what = f"a model trained on {options.train}"
    elif model:
        what = f"model {version_of(card_of(folder))} of {folder}"
    print(plan(where, values, training, what), flush=True)
    if not confirmed(question, options.yes):
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
        values["ModelData"] = train(
            where, training, training_image, stack.outputs(where)["TrainingRole"]
        )
    elif model:
        if not before:
            stack.deploy(where, values)
        values["ModelData"] = upload(where, version_of(card_of(folder)), model)
    if repository:
        values |= {"Image": options.image, "ImageRepositoryArn": repository}
    elif options.image == OWN or ((model or training) and not before.get("ImageRepositoryArn")):
        image = ensure_image(where, stack.outputs(where)["Repository"])
        values |= {"Image": image, "ImageRepositoryArn": ""}
    if serves and any(values[name] != before[name] for name in ("ModelData", "Image")):
        values |= {f"Previous{name}": before[name] for name in KEPT}
    if serves and any(values[name] != before[name] for name in GUARDED):
        values["Rollout"] = "GUARDED"
    if serves and values["InstanceType"] != before["InstanceType"]:
        # SageMaker refuses another type while a policy scales the old one.
        stack.deploy(where, before | {"Scaling": "DISABLED"})
    stack.deploy(where, values)
    return finish(options, where, values)


def show_comparison(options: argparse.Namespace, where: Place, before: Values) -> bool:
    """Print the deployed model beside the new one; return whether the new one is worse."""
    report = compared_with_deployed(where, before["ModelData"], options.model, options.labels)
    print(f"OLD is the deployed model, NEW is {options.model}", end="\n\n")
    print(report.as_text(), end="\n\n", flush=True)
    return report.stay


def roll_back(options: argparse.Namespace, where: Place, before: Values) -> int:
    """Serve the model and image before these again, at once; return the exit code."""
    if not before.get("PreviousModelData"):
        raise EndpointError(f"the stack {where.stack} knows no model before this one")
    print(plan(where, before, None, f"back to {before['PreviousModelData']}"), flush=True)
    if not confirmed("update it?", options.yes):
        return 1
    values = before | {"Rollout": "AT_ONCE"}
    values |= {name: before[f"Previous{name}"] for name in KEPT}
    values |= {f"Previous{name}": before[name] for name in KEPT}
    stack.deploy(where, values)
    return finish(options, where, values)


def finish(options: argparse.Namespace, where: Place, values: Values) -> int:
    """Send a first picture, say which thresholds the workflow needs; return the exit code."""
    print(smoke_test(where))
    wanted = {} if where.name == default_name() else {"EndpointName": where.name}
    card = uploaded_card(where, values["ModelData"])
    if card:
        keep_card(where, card)
    wanted |= thresholds_of(card)
    if "ConfidenceThreshold" not in wanted:
        print("warning: the model has no card: the workflow keeps its thresholds")
    if wanted:
        tell_workflow(options, wanted)
    print(f"to remove all of it:\n  {where.deletion()}")
    return 0


def tell_workflow(options: argparse.Namespace, wanted: Mapping[str, str]) -> None:
    """Print how to deploy the workflow with these parameters, or write them for it."""
    print("deploy the workflow with them, in the environment that you use:")
    print("\n".join(f"  {line}" for line in samconfig.deployments(wanted)))
    overrides = " ".join(f"{name}={value}" for name, value in wanted.items())
    asks = sys.stdin.isatty() and not options.yes
    question = f"write {overrides} into samconfig.toml, for every environment?"
    if options.write_samconfig or (asks and confirmed(question, yes=False)):
        print(samconfig.write(wanted))
    else:
        command = own_command("model.create_endpoint", *named(options), "--write-samconfig")
        print(f"or write {overrides} into samconfig.toml, for every environment:\n  {command}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    options = parser(__doc__ or "").parse_args(arguments)
    return guarded(
        lambda: run(options),
        "endpoint",
        "what is being made in AWS goes on, and costs; run this again to go on, or"
        f" {own_command('model.delete_endpoint', *named(options))} to remove it",
    )


if __name__ == "__main__":
    sys.exit(main())
