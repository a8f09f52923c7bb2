"""Serve the console until Ctrl-C."""

from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews


def run(reviews: Reviews, order: str, port: int, page: str = "") -> None:
    """Serve it and print the address to open; at the end, how many were labelled.

    order: of what waits for review. port: 0 takes a free one. page: that the address leads to.
    """
    with ConsoleServer(reviews, order, port, page) as server:
        counts = reviews.counts()
        print(
            f"{reviews.stack.name}: {counts['doubtful']:,} wait, {counts['audits']:,} audits are"
            f" due. Open\n\n  {server.url}\n\n"
            f"as {reviews.reviewer}; Ctrl-C ends it.",
            flush=True,
        )
        try:
            server.serve_forever()
        finally:
            print(f"\n{len(server.labelled):,} labelled")
