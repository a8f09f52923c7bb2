"""The names that pictures have in a table and as keys."""

from pathlib import Path

from local.follow import short_names


def test_files_of_one_name_are_named_with_their_folders() -> None:
    paths = ("a/1.jpg", "b/c/1.jpg", "b/2.jpg", "../b/3.jpg")
    names = short_names([Path(path) for path in paths])
    assert list(names.values()) == ["a/1.jpg", "b/c/1.jpg", "2.jpg", "3.jpg"]
