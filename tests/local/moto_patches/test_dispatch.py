"""A request finds its service without a look at the disk."""

import os
from pathlib import Path
from unittest.mock import patch

import moto

from tests.support.cloud import Cloud

SERVICES = {"s3": "list_buckets", "sqs": "list_queues", "dynamodb": "list_tables"}


def test_no_request_lists_the_folder_of_modules(cloud: Cloud) -> None:
    clients = {name: cloud.aws.client(name) for name in SERVICES}
    for name, call in SERVICES.items():  # what a first request has to load
        getattr(clients[name], call)()
    with patch.object(os, "listdir", wraps=os.listdir) as listed:
        for name, call in SERVICES.items():
            getattr(clients[name], call)()
    folder = Path(moto.__file__).parent
    assert folder not in [Path(call.args[0]) for call in listed.call_args_list if call.args]


def test_services_are_told_apart(cloud: Cloud) -> None:
    for _ in range(2):  # found, and remembered
        answers = {name: getattr(cloud.aws.client(name), call)() for name, call in SERVICES.items()}
        assert "Buckets" in answers["s3"]
        assert "TableNames" in answers["dynamodb"]
        assert "Buckets" not in answers["sqs"]
