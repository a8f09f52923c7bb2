"""template.yaml as CloudFormation takes it: packaged, and translated by AWS's own SAM transform."""

import hashlib
import json
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.packages import zipped

# The local files that a property of a type names, as `sam package` uploads them.
ARTIFACTS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


def load(path: Path) -> dict[str, Any]:
    """Return a SAM template as a dictionary, CloudFormation's functions in their long form."""
    template: dict[str, Any] = yaml_parse(path.read_text())
    return template


def package(template: dict[str, Any], root: Path, bucket: str) -> dict[str, bytes]:
    """Point a template's local files at a bucket, in place; return what to put there, by key.

    Raises NotInstalled.
    """
    artifacts = {}
    for resource in template["Resources"].values():
        name = ARTIFACTS.get(resource["Type"])
        if name is None:
            continue
        path = root / resource["Properties"][name]
        data = zipped(path) if path.is_dir() else path.read_bytes()
        key = hashlib.sha256(data).hexdigest() + ("" if path.is_file() else ".zip")
        artifacts[key] = data
        resource["Properties"][name] = {"Bucket": bucket, "Key": key}
    return artifacts


def translate(template: dict[str, Any], region: str) -> dict[str, Any]:
    """Return the CloudFormation template that AWS's transform makes of a SAM template.

    Raises samtranslator's InvalidDocumentException, which names resource and property.
    """
    # The session has the region, by which the transform knows the partition; {} are the
    # managed policies that it could look up by name: the template names its own by ARN.
    session = boto3.session.Session(region_name=region)
    translator = Translator({}, Parser(), boto_session=session)
    copy = json.loads(json.dumps(template))  # the transform edits what it is given
    translated: dict[str, Any] = translator.translate(copy, {})
    return translated
