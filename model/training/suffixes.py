"""The names of files that training takes for pictures; it looks at the content of these."""

# What the workflow reads, so that what was uploaded and labelled can be learnt from. Here by
# itself, since ops names labelled copies by it and needs no numpy and no Pillow for that.
SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif"),
}
