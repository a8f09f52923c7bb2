"""ICC profiles of colours that a file describes by numbers: code points, or PNG's gamma.

What is made is a matrix and three equal curves (ICC.1, 8.3.3), which LittleCMS turns into sRGB.
"""

from collections.abc import Callable
from math import exp
from struct import error, pack

from stripped import Coding

Matrix = list[list[float]]

# White, red, green and blue as x and y, by code points of ITU-T H.273, table 2. What is not here is
# near enough to sRGB's.
D65 = (0.3127, 0.3290)
SRGB = (*D65, 0.640, 0.330, 0.300, 0.600, 0.150, 0.060)
PRIMARIES = {
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # cinemas' P3
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # displays' P3
}
LINEAR, PQ, HLG = 8, 16, 18  # H.273, table 3
GAMMAS = {4: 2.2, 5: 2.8, LINEAR: 1.0}

# PNG's gamma of pictures that are sRGB, 1/2.2 in 100,000ths, and what is as good as it.
SRGB_GAMMA, NEAR_SRGB_GAMMA = 45_455, 2_000

# The brightness of white paper in HDR pictures (ITU-R BT.2408), and up to where it is kept as it
# is; what is brighter, up to the sun, is pressed into the rest.
WHITE_NITS, PQ_NITS, HLG_NITS = 203, 10_000, 1_000
KNEE = 0.8

STEPS = 1_024  # of a curve
D50 = (0.9642, 1.0, 0.8249)  # the white of ICC's connection space
BRADFORD = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]


def profile_of(coding: Coding) -> bytes | None:
    """Return an ICC profile of the colours, or None if they are sRGB's or make no sense."""
    primaries: tuple[float, ...] | None = PRIMARIES.get(coding.primaries)
    curve: Callable[[float], float] | None = {PQ: from_pq, HLG: from_hlg}.get(coding.transfer)
    gamma = GAMMAS.get(coding.transfer)
    if coding.gamma:
        if abs(coding.gamma - SRGB_GAMMA) > NEAR_SRGB_GAMMA:
            gamma = 100_000 / coding.gamma
        primaries = tuple(part / 100_000 for part in coding.chromaticities or ()) or None
    if gamma:
        curve = lambda signal: signal**gamma  # noqa: E731
    if primaries and max(abs(a - b) for a, b in zip(primaries, SRGB, strict=True)) < 0.002:
        primaries = None
    if not (curve or primaries):
        return None
    try:
        return icc_profile(to_d50(primaries or SRGB), curve or from_srgb)
    except (ZeroDivisionError, OverflowError, error):  # no primaries of any display
        return None


def from_srgb(signal: float) -> float:
    """Return light, 0..1, of a sample in sRGB (IEC 61966-2-1)."""
    return signal / 12.92 if signal <= 0.04045 else ((signal + 0.055) / 1.055) ** 2.4


def from_pq(signal: float) -> float:
    """Return light, 0..1, of a sample in PQ (SMPTE ST 2084), tone-mapped."""
    power = signal ** (1 / 78.84375)
    light = max(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return toned(PQ_NITS / WHITE_NITS * light ** (1 / 0.1593017578125))


def from_hlg(signal: float) -> float:
    """Return light, 0..1, of a sample in HLG (ITU-R BT.2100), tone-mapped."""
    scene = (
        signal**2 / 3
        if signal <= 0.5
        else (exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    )
    return toned(HLG_NITS / WHITE_NITS * scene**1.2)


def toned(light: float) -> float:
    """Return light of any brightness in 0..1: as it is up to the knee, then ever slower."""
    return light if light <= KNEE else 1 - (1 - KNEE) * exp((KNEE - light) / (1 - KNEE))


def to_d50(chromaticities: tuple[float, ...]) -> Matrix:
    """Return what turns red, green and blue light into XYZ under D50."""
    (white, *primaries) = (
        [x / y, 1.0, (1 - x - y) / y]
        for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)
    )
    columns = transposed(primaries)
    scales = times(inverse(columns), transposed([white]))
    matrix = [
        [value * scale[0] for value, scale in zip(row, scales, strict=True)] for row in columns
    ]
    cone_white = times(BRADFORD, transposed([white]))
    cone_d50 = times(BRADFORD, transposed([list(D50)]))
    ratios = [[cone_d50[i][0] / cone_white[i][0] * (i == j) for j in range(3)] for i in range(3)]
    return times(times(times(inverse(BRADFORD), ratios), BRADFORD), matrix)


def transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def times(first: Matrix, second: Matrix) -> Matrix:
    columns = transposed(second)
    return [
        [sum(a * b for a, b in zip(row, column, strict=True)) for column in columns]
        for row in first
    ]


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a matrix of 3 x 3; ZeroDivisionError if it has none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    adjugate = [
        [e * i - f * h, c * h - b * i, b * f - c * e],
        [f * g - d * i, a * i - c * g, c * d - a * f],
        [d * h - e * g, b * g - a * h, a * e - b * d],
    ]
    determinant = a * adjugate[0][0] + b * adjugate[1][0] + c * adjugate[2][0]
    return [[value / determinant for value in row] for row in adjugate]


def icc_profile(matrix: Matrix, curve: Callable[[float], float]) -> bytes:
    """Return a display profile, version 2.4 (ICC.1:2001-04)."""
    samples = [round(65_535 * min(max(curve(i / (STEPS - 1)), 0), 1)) for i in range(STEPS)]
    tags = {b"wtpt": xyz(list(D50))}
    tags |= {
        name: xyz(column)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), transposed(matrix), strict=True)
    }
    table = pack(f">4s4xL{STEPS}H", b"curv", STEPS, *samples)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), table)
    start = 128 + 4 + 12 * len(tags)
    directory, body = pack(">L", len(tags)), b""
    for name, content in tags.items():
        directory += pack(">4sLL", name, start + len(body), len(content))
        body += content
    header = pack(
        ">L4xL4s4s4s12x4s28x12s48x",
        *(start + len(body), 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", xyz(list(D50))[8:]),
    )
    return header + directory + body


def xyz(values: list[float]) -> bytes:
    """Return a tag of three numbers."""
    return pack(">4s4x3l", b"XYZ ", *(round(value * 65_536) for value in values))
