import PIL  # noqa: F401 - installed here, but neither in the package nor in Lambda's runtime
