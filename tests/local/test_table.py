"""The table of pictures fits a terminal of 80 columns."""

import pytest

from local.follow import Followed
from local.table import print_table

ACCEPTED = ["Serialize image", "Classify image", "Filter inferences", "Record decision"]
REJECTED = ["Serialize image", "Image rejected", "Record decision"]


def picture(name: str, states: list[str], **values: object) -> Followed:
    return Followed(f"photos/{name}", "bucket/key#etag", states=states, **values)  # type: ignore[arg-type]


def test_states_are_listed_once_for_each_route(capsys: pytest.CaptureFixture[str]) -> None:
    cause = (
        '{"Cause": "{\\"errorType\\": \\"ImageRejected\\", \\"errorMessage\\": \\"no pixels\\"}"}'
    )
    accepted = {
        "decision": "accepted",
        "label": "motorcycle",
        "confidence": 0.5,
        "milliseconds": 12_345,
    }
    print_table(
        [
            picture("coffee 100% + für zwei.jpg", ACCEPTED, **accepted),
            picture("b.jpg", REJECTED, decision="rejected", reason="empty", detail=cause),
            picture("c.jpg", ACCEPTED, **accepted),
            picture("d.jpg", []),
        ]
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line[:2] in ("b.", "c.", "d.")] == [
        ["b.jpg", "-", "-", "rejected", "2", "-"],
        ["c.jpg", "motorcycle", "0.500", "accepted", "1", "12345"],
        ["d.jpg", "-", "-", "no", "outcome", "-", "-"],
        ["b.jpg:", "ImageRejected:", "no", "pixels"],
    ]
    assert f"  1  {' > '.join(ACCEPTED)}" in lines
    assert f"  2  {' > '.join(REJECTED)}" in lines
    assert max(map(len, lines)) <= 80


def test_without_states_there_is_no_column_of_routes(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([picture("a.jpg", [], decision="review")])
    assert "route" not in capsys.readouterr().out
