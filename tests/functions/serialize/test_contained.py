"""Whatever a decoder does, the function goes on: every end of the child is a rejection."""

import json
import subprocess
import sys

import pytest

from tests.functions.serialize.attacks import ATTACKS, Attack, measured, png_of_one_column
from tests.functions.serialize.outcomes import canonical
from tests.functions.serialize.pictures import Sample, corpus, file_of, quarters
from tests.support.functions import ROOT, load_function
from tests.support.project import template

upload = load_function("serialize", "upload")
contained = load_function("serialize", "contained")
FUNCTION = template()["Resources"]["SerializeFunction"]["Properties"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has fork and bounds of memory"
)

# A decoder that does what a fault in native code would make it do stands in for the real one: no
# file is known that still makes one do it.
PROGRAM = """
import contextlib, ctypes, json, os, resource, signal, sys, time
sys.path.insert(0, "functions/serialize")
import app, contained
from canonical import CanonicalPicture, canonical_picture
from rejection import ImageRejected, Reason

def children(): return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
def files(): return sorted(os.listdir("/proc/self/fd"))
def decode(data):
    {decode}
contained.canonical_picture = decode
{before}
open_before = files()
started = time.monotonic()
try:
    picture = contained.contained_picture(sys.stdin.buffer.read())
    outcome = ["decoded", picture.data.decode("latin-1")]
except ImageRejected as rejected:
    outcome = [rejected.reason, str(rejected)]
except RuntimeError as error:
    outcome = ["failed", str(error)]
assert files() == open_before
with contextlib.suppress(ChildProcessError):
    os.waitpid(-1, os.WNOHANG)
    raise SystemExit("the child is still there")
print(json.dumps([*outcome, children()]))
"""
WEBP = file_of(quarters(), "WEBP")


def run(decode: str, before: str = "", data: bytes = WEBP) -> tuple[str, str, int]:
    """Return outcome, what is said of it, and the peak memory of the child in KiB; 0 without one.

    decode: the body of the decoder. before: what changes before it.
    """
    program = PROGRAM.format(decode=decode, before=before)
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=data,
        cwd=ROOT,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == b""
    outcome, said, peak = json.loads(done.stdout)
    return outcome, said, peak


@pytest.mark.parametrize(
    ("decode", "before", "reason", "said"),
    [
        pytest.param(
            "ctypes.string_at(0)",
            "",
            "decoder_crashed",
            "crashed on the picture (SIGSEGV)",
            id="crash",
        ),
        pytest.param("os.abort()", "", "decoder_crashed", "(SIGABRT)", id="abort"),
        pytest.param("os._exit(0)", "", "decoder_crashed", "(exit code 0)", id="exit"),
        pytest.param(
            "bytearray(2**30)", "", "too_expensive", "takes more than 900 MB of memory", id="memory"
        ),
        pytest.param(
            "os.kill(os.getpid(), signal.SIGKILL)",
            *("", "too_expensive", "900 MB of memory"),
            id="killed-by-the-kernel",
        ),
        pytest.param(
            "time.sleep(50)",
            "contained.MAX_SECONDS = 1",
            "too_expensive",
            "more than 1 s",
            id="sleep",
        ),
        pytest.param(
            "while True: pass",
            "contained.MAX_CPU_SECONDS = 1",
            *("too_expensive", "more than 1 s of a processor"),
            id="loop",
        ),
        pytest.param(
            "os.closerange(3, 99); time.sleep(50)",
            "",
            "too_expensive",
            "",
            id="closes-the-pipe-and-lives",
        ),
        pytest.param(
            "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(50)",
            "contained.MAX_SECONDS = 1",
            *("too_expensive", "more than 1 s"),
            id="ignores-signals",
        ),
        pytest.param(
            'return CanonicalPicture("text/html", b"")',
            "",
            "decoder_crashed",
            "",
            id="another-type",
        ),
        pytest.param(
            'return CanonicalPicture("image/png", bytes(44_001))',
            *("", "decoder_crashed", ""),
            id="too-long-a-picture",
        ),
        pytest.param(
            'return CanonicalPicture("image/png", bytes(9_000_000))',
            *("", "decoder_crashed", ""),
            id="far-too-long-a-picture",
        ),
    ],
)
def test_whatever_ends_a_child_is_a_rejection_with_its_reason(
    decode: str, before: str, reason: str, said: str
) -> None:
    outcome, sentence, _ = run(decode, before)
    assert outcome == reason
    assert said in sentence


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        pytest.param("MAX_MEMORY_MB = 300", "more than 300 MB of memory", id="memory"),
        pytest.param("MAX_CPU_SECONDS = 1", "more than 1 s of a processor", id="processor"),
    ],
)
def test_a_picture_above_a_limit_is_too_expensive(limit: str, said: str) -> None:
    column = png_of_one_column()  # 773 MB and 3 s
    outcome, sentence, _ = run("return canonical_picture(data)", f"contained.{limit}", column)
    assert outcome == "too_expensive"
    assert said in sentence


def test_a_child_that_works_is_waited_for() -> None:
    work = "end = time.process_time() + 1.5\n    while time.process_time() < end: pass\n"
    outcome, _, _ = run(work + "    return canonical_picture(data)", "contained.MAX_SECONDS = 0")
    assert outcome == "decoded"


def test_a_child_that_is_seen_asleep_while_it_works_is_waited_for() -> None:
    naps = "while time.process_time() < end:\n        sum(range(2_000_000)); time.sleep(0.2)\n"
    work = "end = time.process_time() + 0.3\n    " + naps
    outcome, _, _ = run(work + "    return canonical_picture(data)", "contained.MAX_SECONDS = 0")
    assert outcome == "decoded"


def test_a_fault_of_the_package_fails_with_its_traceback() -> None:
    outcome, said, _ = run("return {}[data[:4]]")
    assert outcome == "failed"
    assert "KeyError: b'RIFF'" in said


@pytest.mark.parametrize("reason", load_function("serialize", "rejection").Reason)
def test_a_rejection_crosses_the_pipe_unchanged(reason: str) -> None:
    raised = f'raise ImageRejected(Reason("{reason}"), "Größe: 3 × 4.\\nUpload it again.")'
    assert run(raised)[:2] == (reason, f"{reason}: Größe: 3 × 4.\nUpload it again.")


def test_a_child_has_no_file_but_the_pipe_and_writes_nowhere() -> None:
    outcome, said, _ = run(
        "os.write(1, b'out'); os.write(2, b'log')\n"
        "    links = ['/proc/self/fd/' + number for number in files()]\n"
        "    links = [os.readlink(link) for link in links if os.path.islink(link)]\n"
        "    names = ('DATA', 'CPU', 'FSIZE', 'CORE')\n"
        "    limits = [resource.getrlimit(getattr(resource, 'RLIMIT_' + n)) for n in names]\n"
        "    return CanonicalPicture('image/png', json.dumps([links, limits]).encode())",
        before="secret = open('/etc/hostname')",
    )
    assert outcome == "decoded"
    links, limits = json.loads(said)
    assert links[:3] == ["/dev/null"] * 3
    assert [link.partition(":")[0] for link in links[3:]] == ["pipe"]
    memory, seconds = contained.MAX_MEMORY_MB * 2**20, contained.MAX_CPU_SECONDS
    assert limits == [[memory, memory], [seconds, seconds + 1], [0, 0], [0, 0]]


def samples() -> list[Sample]:
    """Return one file of each format and mode that is decoded in a child."""
    kinds = ("AVIF-RGB-64", "BMP-RGBA-400", "GIF-64", "HEIF-RGBA-400", "TIFF-LAB", "WEBP-RGBA-64")
    names = (*kinds, "JPEG-CMYK-64x48-progressive", "JPEG-profile", "HEIF-400-orientation-6")
    return [sample for sample in corpus() if sample.name in names]


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_a_child_gives_the_same_picture(sample: Sample) -> None:
    outcome, picture, peak = run("return canonical_picture(data)", data=sample.data)
    assert outcome == "decoded"
    assert picture.encode("latin-1") == canonical.canonical_picture(sample.data).data
    assert peak > 0


@pytest.mark.parametrize(
    ("data", "in_a_child"),
    [
        pytest.param(file_of(quarters(32, 32), "PNG"), False, id="small-PNG"),
        pytest.param(file_of(quarters(2_000, 1_500), "JPEG"), False, id="3-megapixel-JPEG"),
        pytest.param(b"a text", False, id="no-picture"),
        pytest.param(file_of(quarters(2_001, 2_000), "JPEG"), True, id="over-4-megapixel-JPEG"),
        pytest.param(file_of(quarters(), "JPEG", progressive=True), True, id="progressive-JPEG"),
        pytest.param(file_of(quarters(), "JPEG") + bytes(1_048_576), True, id="1-MB-JPEG"),
        pytest.param(file_of(quarters(), "GIF"), True, id="small-GIF"),
    ],
)
def test_only_what_is_plain_is_decoded_without_a_child(data: bytes, in_a_child: bool) -> None:
    _, _, peak = run("return canonical_picture(data)", data=data)
    assert (peak > 0) == in_a_child


def test_where_nothing_can_contain_the_picture_is_decoded_all_the_same() -> None:
    outcome, _, peak = run("return canonical_picture(data)", "contained.CAN_CONTAIN = False")
    assert (outcome, peak) == ("decoded", 0)


def test_the_limits_leave_room_within_the_function_s() -> None:
    connecting = 2 * (upload.CONNECT_TIMEOUT_S + upload.READ_TIMEOUT_S)
    reading = max(connecting, upload.READ_DEADLINE_S) + upload.READ_TIMEOUT_S
    assert reading + contained.MAX_SECONDS < FUNCTION["Timeout"]
    assert contained.MAX_CPU_SECONDS < contained.MAX_SECONDS
    assert FUNCTION["MemorySize"] >= contained.MAX_MEMORY_MB + 100


# --- Attacks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_ends_in_an_outcome_within_the_function_s_memory(attack: Attack) -> None:
    found = measured(attack.make())
    assert found.outcome in attack.outcomes
    assert found.peak_mib < FUNCTION["MemorySize"]
