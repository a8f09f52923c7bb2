"""Why a picture is refused: reasons for software, a sentence for people.

ImageRejected   trying again cannot help; its message is "reason: sentence"
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why an upload can have no decision. The ledger keeps it beside the sentence."""

    NOT_FOUND = "not_found"  # deleted between the event and its execution
    EMPTY = "empty"  # no bytes
    TOO_LARGE = "too_large"  # more bytes than a picture may have
    TOO_MANY_PIXELS = "too_many_pixels"  # more pixels than the function has memory for
    TOO_EXPENSIVE = "too_expensive"  # decoding takes more memory or time than the function has
    UNSUPPORTED_FORMAT = "unsupported_format"  # no picture, or one whose decoder is not allowed
    TRUNCATED = "truncated"  # it ends early: an upload that broke off
    CORRUPT = "corrupt"  # it contradicts its own format
    DECODER_CRASHED = "decoder_crashed"  # its decoder crashed on it


class ImageRejected(Exception):
    """The picture itself rules out a decision, however often it is tried."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason, self.sentence = reason, sentence


def corrupt(what: str) -> ImageRejected:
    """Return the rejection of a file that contradicts its own format.

    what: a clause that tells what is wrong, without a full stop.
    """
    return ImageRejected(Reason.CORRUPT, f"{what}. Upload the original file again.")


def unsupported(what: str) -> ImageRejected:
    """Return the rejection of a file that may be healthy, but that no decoder here reads."""
    return ImageRejected(
        Reason.UNSUPPORTED_FORMAT, f"{what}, which is not supported. Save it as JPEG or PNG."
    )


def too_expensive(limit: str) -> ImageRejected:
    """Return the rejection of a file that takes more than a limit to decode.

    limit: with its unit.
    """
    return ImageRejected(
        Reason.TOO_EXPENSIVE,
        f"decoding the picture takes more than {limit}. Save it as a smaller JPEG or PNG.",
    )


def crashed(how: str) -> ImageRejected:
    """Return the rejection of a file that ended its decoder's process.

    how: the name of a signal, or an exit code.
    """
    return ImageRejected(
        Reason.DECODER_CRASHED,
        f"the decoder crashed on the picture ({how}). Save it as JPEG or PNG.",
    )


def truncated(name: str, data: bytes) -> ImageRejected:
    """Return the rejection of a file whose end is missing."""
    return ImageRejected(
        Reason.TRUNCATED, f"the {name} ends early, after {len(data):,} bytes. Upload it again."
    )
