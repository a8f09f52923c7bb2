"""The names of files that training takes for pictures; it looks at the content of these."""

import hashlib
from pathlib import PurePosixPath

# What the workflow reads, so that what was uploaded and labelled can be learnt from. Here by
# itself, since ops names labelled copies by it and needs no numpy and no Pillow for that.
SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif"),
}


def labelled_name(upload: str, key: str) -> str:
    """Return the name of a labelled picture's copy: the same for every label of an upload.

    upload: bucket/key#etag; another has another name. Training takes only files with its suffixes;
    it looks at the content, so any of these will do.
    """
    digest = hashlib.sha256(upload.encode()).hexdigest()[:32]
    suffix = PurePosixPath(key).suffix.lower()
    return digest + (suffix if suffix in SUFFIXES else ".jpg")
