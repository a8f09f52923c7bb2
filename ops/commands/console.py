"""See, review and try in the browser: pages over what the other commands know and do.

    python -m ops console                it prints the address to open
    python -m ops console --reviewer ann --class scooter

Today shows the figures of status, Uploads what list and show tell, with pictures and drawn
executions; Review labels; Try uploads photos and follows them; Quality and Monitor
are the reports. Try needs s3:PutObject for the upload bucket's prefix. With the policy of
ViewerPolicyArn everything can be seen, and what would change something is refused.

The console listens on this machine only, and answers only to the address it prints.
"""

import argparse

from ops.commands.review import add_page_arguments
from ops.reviewing import reviewer
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_page_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve the console."""
    from ops.console.run import run as serve  # only here: --help needs no server

    name = arguments.reviewer or reviewer.login_name()
    serve(Reviews(Stack.of(arguments), name, arguments.classes), "newest", arguments.port)
    return 0
