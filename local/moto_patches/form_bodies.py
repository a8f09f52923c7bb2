"""Patch: moto hangs at an upload of the content type of forms, the default of curl and urllib.

Stock moto reads such a body to find an action in it, and gives it back only if it is UTF-8: whoever
reads the body after that waits for bytes that never come. Its S3 then parses the object as a form.
"""

import contextlib
import io
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.core.request import Request
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.responses import S3Response
from werkzeug.datastructures import ImmutableMultiDict

FORM = "application/x-www-form-urlencoded"


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Take the body of a POST alone for a form, and always give it back, until the context ends."""
    setup = S3Response.setup_class

    def get_body(_: DomainDispatcherApplication, environ: dict[str, Any]) -> str | None:
        is_form = environ.get("CONTENT_TYPE", "").startswith(FORM)
        if environ["REQUEST_METHOD"] != "POST" or not is_form:
            return None
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            return str(body.decode())
        except UnicodeDecodeError:
            return None

    def setup_class(self: S3Response, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method != "POST":
            request.get_data()  # kept, for whoever asks for the body
            vars(request).update(form=ImmutableMultiDict(), files=ImmutableMultiDict())
        setup(self, request, *args, **kwargs)

    with (
        patch.object(DomainDispatcherApplication, "_get_body", get_body),
        patch.object(S3Response, "setup_class", setup_class),
    ):
        yield
