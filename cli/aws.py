"""Sessions and clients of boto3 that notice when what answers is not AWS.

boto3 is imported with the first session: --help needs none.
"""

from collections.abc import Mapping
from typing import Any

from cli.errors import NOT_AWS, CommandError


def new_session(region: str | None = None, **credentials: str) -> Any:
    """Return a boto3 session whose clients refuse a web page as an answer.

    region: None takes the one that ~/.aws or the environment gives. credentials: as boto3 names
    them, where the usual ones are not meant.
    """
    import boto3

    session = boto3.session.Session(region_name=region, **credentials)
    session.events.register("before-parse", _refuse_page)
    return session


def new_client(session: Any, service: str, **options: Any) -> Any:
    """Return a client of a service; raises CommandError for an address without a scheme."""
    try:
        return session.client(service, **options)
    except ValueError as error:  # botocore's word on it
        raise CommandError(
            f"AWS_ENDPOINT_URL: {error}; write it with http:// or https://"
        ) from error


def _refuse_page(operation_model: Any, response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise CommandError for a page, as a network that wants a login or a proxy sends it.

    botocore would read it as an answer in which every value is missing. A page with an error's
    status is left to botocore: it may be tried again. An object that is asked for may be a page;
    it comes as a stream.
    """
    body = response_dict["body"]
    if response_dict["status_code"] >= 300 or not isinstance(body, bytes):
        return
    start = body.lstrip()[:9].lower()
    is_json = "json" in operation_model.service_model.protocol
    if start.startswith(b"<" if is_json else (b"<html", b"<!doctype")):
        raise CommandError(f"{operation_model.name} was answered by a web page; {NOT_AWS}")
