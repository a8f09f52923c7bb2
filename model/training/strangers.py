"""Pictures that people upload by mistake and that no data set here has: drawn, from a seed.

Every kind is a function of a random generator. Three kinds are kept back: no training sees them,
so that they tell how a model treats what nobody thought of.
"""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from model.training.pictures import OTHER

SIDES = (96, 256)  # pixels, least and most; training keeps no more
SYLLABLES = (
    *("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wa"),
    *("xe", "yi", "zo", "bran", "stel", "kor", "min", "tal"),
)

Colour = tuple[int, int, int]


def drawn(kind: str, number: int) -> Image.Image:
    """Return a picture of a kind of KINDS, the same for the same number, as RGB."""
    return KINDS[kind](Random(f"{kind} {number}"))


def canvas(rng: Random, shade: Colour = (255, 255, 255), tall: float | None = None) -> Image.Image:
    """Return an empty picture. tall: its height by its width, else anything from 1:2 to 2:1."""
    ratio = tall or 2 ** rng.uniform(-1, 1)
    longest = rng.randint(*SIDES)
    width, height = (longest / max(1, ratio), longest * min(1, ratio))
    return Image.new("RGB", (max(24, int(width)), max(24, int(height))), shade)


def words(rng: Random, count: int) -> str:
    """Return words of no language."""
    made = ("".join(rng.choices(SYLLABLES, k=rng.randint(1, 4))) for _ in range(count))
    return " ".join(word.title() if rng.random() < 0.1 else word for word in made)


def amount(rng: Random) -> str:
    """Return a price, a number, or a date."""
    return rng.choice((f"{rng.uniform(0, 99):.2f}", f"{rng.randint(0, 9999)}", "24.11.2026"))


def colour(rng: Random, least: int = 0, most: int = 255) -> Colour:
    """Return a colour of samples within bounds."""
    return rng.randint(least, most), rng.randint(least, most), rng.randint(least, most)


def font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, in pixels."""
    return ImageFont.load_default(max(5.0, size))


def page(rng: Random) -> Image.Image:
    """Return a page of text: a letter, a book, a form."""
    image = canvas(rng, colour(rng, 225), rng.choice((1.41, 1.41, 0.71, 1.3)))
    draw, ink = ImageDraw.Draw(image), colour(rng, 0, 70)
    size, margin = rng.uniform(5, 11), image.width * rng.uniform(0.04, 0.14)
    y = margin
    if rng.random() < 0.5:
        draw.text((margin, y), words(rng, 2), ink, font(size * 2))
        y += size * 3
    while y < image.height - margin:
        if rng.random() < 0.9:
            line, end = "", image.width - margin * (1 if rng.random() < 0.8 else 3)
            while draw.textlength(line, font(size)) < end - margin:
                line += words(rng, 1) + " "
            draw.text((margin, y), line[:-4], ink, font(size))
        y += size * 1.35
    return scanned(image, rng)


def screenshot(rng: Random) -> Image.Image:
    """Return a window or a phone's screen: bars, buttons, lists."""
    dark = rng.random() < 0.4
    back, front = ((30, 32, 36), (225, 225, 228)) if dark else ((246, 247, 249), (30, 32, 40))
    image = canvas(rng, back, rng.choice((2.0, 2.1, 0.56, 0.62, 0.75)))
    draw, accent = ImageDraw.Draw(image), colour(rng)
    width, height = image.size
    bar = height * rng.uniform(0.05, 0.1)
    draw.rectangle((0, 0, width, bar), accent)
    draw.text((4, 1), words(rng, 2), (255, 255, 255), font(bar * 0.6))
    row, y = height * rng.uniform(0.05, 0.13), bar + 3
    while y < height:
        look = rng.random()
        if look < 0.2:
            draw.rounded_rectangle((6, y, width * rng.uniform(0.3, 0.9), y + row * 0.8), 4, accent)
        elif look < 0.35:
            draw.rectangle((6, y, width - 6, y + row * 2), colour(rng, 120))
            y += row
        else:
            draw.ellipse((6, y, 6 + row * 0.7, y + row * 0.7), colour(rng))
            draw.text((10 + row * 0.8, y), words(rng, 3), front, font(row * 0.4))
            if rng.random() < 0.6:
                grey = (130, 130, 135)
                draw.text((10 + row * 0.8, y + row * 0.45), words(rng, 5), grey, font(row * 0.3))
        y += row
    return image


def receipt(rng: Random) -> Image.Image:
    """Return a receipt: a narrow strip of names and prices, on a table or cut out."""
    strip = canvas(rng, colour(rng, 228), rng.uniform(1.6, 3))
    draw, ink, size = ImageDraw.Draw(strip), colour(rng, 0, 60), strip.width / rng.uniform(13, 20)
    y = size
    draw.text((strip.width * 0.2, y), words(rng, 2).upper(), ink, font(size * 1.3))
    y += size * 2
    while y < strip.height - size:
        draw.text((size * 0.6, y), words(rng, 2)[:14], ink, font(size))
        price = amount(rng)
        draw.text((strip.width - size * 3.4, y), price, ink, font(size))
        y += size * 1.4
        if rng.random() < 0.1:
            draw.line((size * 0.6, y, strip.width - size * 0.6, y), ink)
    if rng.random() < 0.4:
        return strip
    table = texture(rng).resize((int(strip.width * 1.4), int(strip.height * 1.1)))
    turned = strip.convert("RGBA").rotate(rng.uniform(-12, 12), expand=True)
    table.paste(turned, (int(strip.width * 0.15), int(strip.height * 0.03)), turned)
    return scanned(table, rng)


def plot(rng: Random) -> Image.Image:
    """Return a chart: lines, bars or points between axes."""
    image = canvas(rng, (255, 255, 255), rng.uniform(0.6, 0.9))
    draw, (width, height) = ImageDraw.Draw(image), image.size
    left, bottom = width * 0.12, height * 0.88
    draw.line((left, height * 0.06, left, bottom, width * 0.97, bottom), (60, 60, 60))
    for step in range(1, 6):
        y = bottom - step * (bottom - height * 0.08) / 6
        draw.line((left, y, width * 0.97, y), (222, 222, 222))
        draw.text((1, y - 4), str(step * 10), (90, 90, 90), font(height / 22))
    form = rng.choice(("lines", "bars", "points"))
    for _ in range(rng.randint(1, 4)):
        shade, count = colour(rng, 0, 210), rng.randint(5, 30)
        level = rng.uniform(0.2, 0.8)
        values = [min(0.97, max(0.02, level := level + rng.gauss(0, 0.08))) for _ in range(count)]
        span = (width * 0.95 - left) / count
        points = [
            (left + (at + 0.5) * span, bottom - value * (bottom - height * 0.08))
            for at, value in enumerate(values)
        ]
        if form == "lines":
            draw.line(points, shade, rng.randint(1, 3))
        for x, y in points if form != "lines" else []:
            if form == "bars":
                draw.rectangle((x - span / 3, y, x + span / 3, bottom), shade)
            else:
                draw.ellipse((x, y, x + 4, y + 4), shade)
    return image


def code(rng: Random) -> Image.Image:
    """Return a square code of modules with its three finders, or a bar code."""
    dark = rng.choice(((0, 0, 0), (0, 0, 0), colour(rng, 0, 90)))
    if rng.random() < 0.25:
        bars = [rng.choice((1, 1, 2, 3)) for _ in range(rng.randint(40, 70))]
        row = np.concatenate([[255 * (at % 2)] * size for at, size in enumerate(bars)])
        drawn_bars = Image.fromarray(np.tile(row.astype(np.uint8), (len(row) // 2, 1)))
        return bordered(drawn_bars.convert("RGB"), rng)
    count = rng.choice((21, 25, 29, 33, 37))
    modules = np.array([[rng.random() < 0.5 for _ in range(count)] for _ in range(count)])
    finder = np.zeros((8, 8), bool)
    finder[:7, :7] = True
    finder[1:6, 1:6] = False
    finder[2:5, 2:5] = True
    modules[:8, :8], modules[:8, -8:], modules[-8:, :8] = (
        finder,
        finder[:, ::-1],
        finder[::-1],
    )
    pixels = np.where(modules[..., None], np.array(dark), 255).astype(np.uint8)
    scale = rng.randint(3, 6)
    square = Image.fromarray(pixels).resize((count * scale,) * 2, Image.Resampling.NEAREST)
    return scanned(bordered(square, rng), rng)


def street_map(rng: Random) -> Image.Image:
    """Return a map: streets, blocks, a river, names."""
    image = canvas(rng, (236, 232, 222))
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(rng.randint(2, 8)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        box = (x, y, x + rng.uniform(10, width / 2), y + rng.uniform(10, height / 2))
        draw.rectangle(box, rng.choice(((200, 224, 184), (222, 216, 204), (190, 212, 232))))
    for _ in range(rng.randint(6, 24)):
        angle, middle = rng.uniform(0, math.pi), (rng.uniform(0, width), rng.uniform(0, height))
        far = (math.cos(angle) * 400, math.sin(angle) * 400)
        ends = (middle[0] - far[0], middle[1] - far[1], middle[0] + far[0], middle[1] + far[1])
        shade = rng.choice(((255, 255, 255), (255, 255, 255), (250, 214, 128)))
        draw.line(ends, (196, 190, 180), size := rng.randint(3, 8))
        draw.line(ends, shade, size - 2)
    for _ in range(rng.randint(2, 8)):
        where = (rng.uniform(0, width * 0.8), rng.uniform(0, height * 0.9))
        draw.text(where, words(rng, 1).title(), (80, 80, 90), font(rng.uniform(6, 11)))
    return image


def blank(rng: Random) -> Image.Image:
    """Return an even frame: a lens cap, a wall, a sky, with grain or a gradient."""
    image = canvas(rng, colour(rng, *rng.choice(((0, 25), (230, 255), (0, 255)))))
    pixels = np.asarray(image, float)
    if rng.random() < 0.5:
        slope = np.linspace(-1, 1, image.height)[:, None, None] * rng.uniform(0, 60)
        pixels = pixels + slope
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(0, 8), pixels.shape)
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))


def blurred(rng: Random) -> Image.Image:
    """Return a frame so far out of focus, or so shaken, that nothing is to be seen."""
    image = canvas(rng, colour(rng))
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(4, 20)):
        x, y = rng.uniform(-20, image.width), rng.uniform(-20, image.height)
        size = rng.uniform(10, max(image.size) / 2)
        draw.ellipse((x, y, x + size, y + size * rng.uniform(0.4, 1.6)), colour(rng))
    return image.filter(ImageFilter.GaussianBlur(max(image.size) * rng.uniform(0.04, 0.12)))


def noise(rng: Random) -> Image.Image:
    """Return noise of any grain: a broken sensor, a broken file."""
    image = canvas(rng)
    grain = 2 ** rng.randint(0, 5)
    shape = (max(2, image.height // grain), max(2, image.width // grain), 3)
    samples = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, shape, np.uint8)
    if rng.random() < 0.3:
        samples[...] = samples[..., :1]
    how = rng.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC))
    return Image.fromarray(samples).resize(image.size, how)


def drawing(rng: Random) -> Image.Image:
    """Return a doodle: circles, boxes and strokes of a pen, wheels without a vehicle too."""
    image = canvas(rng, colour(rng, 235))
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(rng.randint(3, 14)):
        shade, thick = colour(rng, 0, 160), rng.randint(1, 4)
        x, y, size = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(8, width / 2)
        form = rng.random()
        if form < 0.35:
            draw.ellipse(
                (x - size / 2, y - size / 2, x + size / 2, y + size / 2), None, shade, thick
            )
        elif form < 0.55:
            draw.rectangle((x, y, x + size, y + size * rng.uniform(0.3, 1.5)), None, shade, thick)
        else:
            points = [(x, y)]
            for _ in range(rng.randint(1, 12)):
                x, y = x + rng.gauss(0, size / 3), y + rng.gauss(0, size / 3)
                points.append((x, y))
            draw.line(points, shade, thick)
    return image


def texture(rng: Random) -> Image.Image:
    """Return an even surface with a grain in one direction: wood, cloth, asphalt."""
    shape = (32, rng.choice((1, 4, 32)), 1)
    grain = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(4, 22), shape)
    base = np.array(colour(rng, 60, 200), float)
    pixels = np.clip(base + np.broadcast_to(grain, (32, shape[1], 1)), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((128, 128), Image.Resampling.BICUBIC)


def label(rng: Random) -> Image.Image:
    """Return a parcel's or a shop's label: large digits and words on a plain ground."""
    ground = colour(rng)
    image = canvas(rng, ground)
    draw = ImageDraw.Draw(image)
    ink = (0, 0, 0) if sum(ground) > 380 else (255, 255, 255)
    y = image.height * rng.uniform(0.02, 0.3)
    while y < image.height * 0.9:
        size = image.height * rng.uniform(0.08, 0.4)
        text = rng.choice((amount(rng), words(rng, 1).upper(), f"{rng.randint(1, 40)} of 40"))
        draw.text((image.width * rng.uniform(0.02, 0.3), y), text, ink, font(size))
        y += size * 1.2
    return image


def bordered(image: Image.Image, rng: Random) -> Image.Image:
    """Return the picture with a white border."""
    border = int(max(image.size) * rng.uniform(0.03, 0.2))
    framed = Image.new("RGB", (image.width + 2 * border, image.height + 2 * border), "white")
    framed.paste(image, (border, border))
    return framed


def scanned(image: Image.Image, rng: Random) -> Image.Image:
    """Return the picture as a scanner or a phone would take it: often turned, lit unevenly."""
    if rng.random() < 0.4:
        shade = colour(rng)
        image = image.rotate(
            rng.uniform(-20, 20), Image.Resampling.BICUBIC, True, None, None, shade
        )
    if rng.random() < 0.4:
        light = np.linspace(rng.uniform(0.5, 1), 1, image.width)[None, :, None]
        image = Image.fromarray((np.asarray(image) * light).astype(np.uint8))
    return image


KINDS: dict[str, Callable[[Random], Image.Image]] = {
    "page": page,
    "screenshot": screenshot,
    "plot": plot,
    "code": code,
    "blank": blank,
    "blurred": blurred,
    "noise": noise,
    "drawing": drawing,
    "texture": texture,
    "receipt": receipt,
    "street_map": street_map,
    "label": label,
}
KEPT_BACK = ("receipt", "street_map", "label")  # no training sees these


def lay_out(folder: Path, count: int, unseen: int) -> None:
    """Write pictures of each kind to train/other/KIND, and of those kept back to unseen/other/KIND.

    count: of each kind to train with. unseen: of each kept back.
    """
    for kind in KINDS:
        back = kind in KEPT_BACK
        place = folder / ("unseen" if back else "train") / OTHER / kind
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        for number in range(unseen if back else count):
            drawn(kind, number).save(place / f"{number:04}.png")
