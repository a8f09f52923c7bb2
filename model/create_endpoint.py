"""Create the SageMaker endpoint that the workflow asks, once; run it again to change the model.

    python -m model.create_endpoint                          the shipped model, real-time
    python -m model.create_endpoint --serverless             paid by the picture, slow first answer
    python -m model.create_endpoint --model out/model        a model of your own
    python -m model.create_endpoint --train s3://BUCKET/data train on SageMaker first (spot)

It tells the price and asks, then makes what is not there yet: a private bucket, a role, the image
of the model server in ECR (needs docker, or --image), SageMaker model, endpoint config, endpoint
and scaling; it waits, and sends a first picture. With another model it updates the endpoint while
the old one serves. `python -m model.delete_endpoint` removes all of it.

--train reads a folder per class under s3://BUCKET/data. Credentials and region come as for every
AWS tool. Exit codes: 0 it serves, 1 you said no, 2 it could not be done, 130 interrupted.
"""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from model.endpoint.hosting import (
    Hosting,
    delete_made,
    ensure_config,
    ensure_endpoint,
    ensure_model,
)
from model.endpoint.image import checked, ensure_image
from model.endpoint.place import (
    ROOT,
    EndpointError,
    Place,
    agreed,
    checked_name,
    default_name,
    guarded,
    place,
    price,
)
from model.endpoint.role import ensure_role, serving
from model.endpoint.scaling import ensure_scaling
from model.endpoint.storage import CAPTURE_DAYS, ensure_bucket, packed_model, upload
from model.endpoint.training_job import Training, image_of, train

SHIPPED = ROOT / "model/pretrained"
SAMPLE = ROOT / "events/images/bicycle.png"


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        "python -m model.create_endpoint",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument("--name", help="of the endpoint (default: EndpointName of template.yaml)")
    found.add_argument("--region", help="(default: that of your AWS configuration)")
    found.add_argument("--yes", action="store_true", help="do not ask")
    what = found.add_argument_group("what is served")
    which = what.add_mutually_exclusive_group()
    which.add_argument(
        "--model", type=Path, default=SHIPPED, help="model folder (default: model/pretrained)"
    )
    which.add_argument("--train", metavar="S3", help="train on the pictures under s3://BUCKET/DATA")
    what.add_argument("--image", help="an image in ECR, instead of building one")
    how = found.add_argument_group("how it is served")
    how.add_argument("--serverless", action="store_true", help="no instances, no captures")
    # Burstable types (ml.t2) cannot scale; two cores keep one free for the decoder.
    how.add_argument("--instance-type", default="ml.c5.large", help="(default: %(default)s)")
    how.add_argument("--min-instances", type=int, default=1, help="(default: 1)")
    how.add_argument("--max-instances", type=int, default=3, help="(default: 3)")
    how.add_argument(
        "--pictures-per-minute",
        type=int,
        default=3000,
        help="for one instance, before another one starts (default: 3000)",
    )
    how.add_argument(
        "--capture-percentage",
        type=int,
        default=100,
        help="of requests and answers kept in s3://BUCKET/captures for"
        f" {CAPTURE_DAYS} days; 0: none (default: 100)",
    )
    job = found.add_argument_group("how --train trains")
    job.add_argument("--test", metavar="S3", help="pictures measured once at the end")
    job.add_argument("--training-type", default="ml.c5.2xlarge", help="(default: %(default)s)")
    job.add_argument("--training-image", help="(default: the AWS PyTorch training container)")
    job.add_argument("--on-demand", action="store_true", help="dearer than spot, never waits")
    job.add_argument("--epochs", type=int, help="(default: that of model.train)")
    return found


def hosting_of(options: argparse.Namespace) -> Hosting:
    """Return how to serve; raise EndpointError for numbers that do not go together."""
    if not 0 <= options.capture_percentage <= 100:
        raise EndpointError(f"--capture-percentage {options.capture_percentage}: 0 to 100")
    if not 1 <= options.min_instances <= options.max_instances:
        raise EndpointError(
            f"--min-instances {options.min_instances}, --max-instances {options.max_instances}:"
            " at least 1, and the second not below the first"
        )
    if options.pictures_per_minute < 1:
        raise EndpointError(f"--pictures-per-minute {options.pictures_per_minute}: at least 1")
    if not options.serverless and re.match(r"ml\.t\d", options.instance_type):
        raise EndpointError(
            f"--instance-type {options.instance_type}: burstable instances cannot scale; take"
            " ml.c5.large, or --serverless"
        )
    return Hosting(
        None if options.serverless else options.instance_type,
        options.min_instances,
        options.max_instances,
        options.pictures_per_minute,
        options.capture_percentage,
    )


def plan(where: Place, hosting: Hosting, training: Training | None, what: str) -> str:
    """Return what will be made and what it costs, in lines."""
    lines = [f"endpoint {where.name} in {where.region}, account {where.account}: {what}"]
    if training:
        kind = "on demand" if training.on_demand else "as spot, often 60 to 70 % less"
        lines.append(f"  training: {price(training.instance_type)}, {kind}; paid by the second")
    if hosting.instance_type:
        lines.append(f"  serving: {price(hosting.instance_type, hosting.instances)}")
        lines.append("    from now until python -m model.delete_endpoint, used or not")
        if hosting.max_instances > hosting.instances:
            lines.append(f"    under load up to {hosting.max_instances} times one instance")
        share = f"{hosting.capture_percentage} % of the pictures and answers"
        lines.append(
            f"  captures: {share}, in s3://{where.bucket}/captures for {CAPTURE_DAYS} days"
        )
    else:
        lines.append("  serving: serverless, paid by the millisecond of work; idle costs nothing")
    return "\n".join(lines)


def run(options: argparse.Namespace) -> int:
    """Do all of it; return the exit code."""
    hosting = hosting_of(options)
    training = None
    if options.train:
        training = Training.of(options)
        what = f"a model trained on {options.train}"
    else:
        version, packed = packed_model(options.model)
        what = f"model {version} of {options.model}"
    if options.image:
        checked(options.image)
    standard = default_name()
    where = place(checked_name(options.name or standard), options.region)
    print(plan(where, hosting, training, what), flush=True)
    if not agreed("create or update it?", options.yes):
        return 1

    ensure_bucket(where)
    if training:
        data = train(where, training, options.training_image or image_of(where))
    else:
        data = upload(where, "models", "model.tar.gz", packed)
    image = options.image or ensure_image(where)
    role = ensure_role(where, "serving", serving(where, image))
    model = ensure_model(where, image, data, role)
    config = ensure_config(where, model, hosting)
    ensure_endpoint(where, config, hosting)
    if hosting.instance_type:
        ensure_scaling(where, hosting.instances, hosting.max_instances, hosting.target)
    print(smoke_test(where))
    delete_made(where, config, model)  # what an update has replaced
    if where.name != standard:
        print(f'add "EndpointName={where.name}" to parameter_overrides in samconfig.toml')
    print(f"to remove all of it: python -m model.delete_endpoint --name {where.name}")
    return 0


def smoke_test(where: Place) -> str:
    """Send the sample picture as the workflow does; return what the endpoint says.

    Raises EndpointError if that is no answer of the model server, or a bicycle is called otherwise.
    """
    answer = where.client("sagemaker-runtime").invoke_endpoint(
        EndpointName=where.name, ContentType="image/png", Body=SAMPLE.read_bytes()
    )
    body = answer["Body"].read()
    try:
        inferences = json.loads(body)["inferences"]
        confidences = {i["label"]: float(i["confidence"]) for i in inferences}
        best = max(confidences, key=lambda label: confidences[label])
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointError(
            f"{where.name} is in service but does not answer as the model server: {body[:200]!r}"
        ) from error
    if "bicycle" in confidences and best != "bicycle":
        raise EndpointError(f"{where.name} calls {SAMPLE.name} {best}: {confidences}")
    return f"smoke test: {SAMPLE.name} is {best} ({confidences[best]:.3f})"


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    return guarded(
        lambda: run(options),
        "what is being made in AWS goes on, and costs; run this again to go on, or"
        " python -m model.delete_endpoint to remove it",
    )


if __name__ == "__main__":
    sys.exit(main())
