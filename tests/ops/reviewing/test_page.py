"""The review page in a browser: pictures are labelled, and found where they belong."""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Decision, Ledger
from ops.stack.outputs import Stack as OpsStack
from tests.support.browser import chromium
from tests.support.cloud import Stack
from tests.support.console import served
from tests.support.ops import Ops
from tests.support.workflow import announced, decided

PATIENCE_S = 20
GUESS = re.compile(r"\w+\s+[01]\.\d{3}\b")  # as the commands show it
SAMPLES = ("cat.jpg", "kick-scooter.png", "car.png")
KEYS = {"2": "motorcycle", "0": "other"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("--window-size=1100,800") as found:
        yield found


def cleared(stack: Stack) -> None:
    """Delete every item of a stack."""
    table, client = stack.outputs["DecisionsTable"], stack.aws.client("dynamodb")
    for item in client.scan(TableName=table)["Items"]:
        client.delete_item(TableName=table, Key={"upload": item["upload"]})


@pytest.fixture
def waiting(ops: Ops, standard: Stack, images: Path) -> list[dict[str, str]]:
    """Three pictures wait, and nothing else does; the newest, which the page shows first, last."""
    del ops
    cleared(standard)
    return [decided(standard, (images / name).read_bytes(), f"page/{name}") for name in SAMPLES]


@pytest.fixture
def reviews(waiting: list[dict[str, str]]) -> Reviews:
    del waiting
    return Reviews(OpsStack("test-standard"), "ann", ["bicycle", "motorcycle"])


@contextlib.contextmanager
def serving(browser: Any, reviews: Reviews) -> Iterator["Page"]:
    """Serve the page, open it, and hold it to complain of nothing but conflicts."""
    browser.get_log("browser")
    with served(reviews, "review") as server:
        page = Page(browser)
        page.after(lambda: browser.get(server.url))
        yield page
        browser.get("about:blank")
    complaints = [entry["message"] for entry in browser.get_log("browser")]
    assert [
        complaint
        for complaint in complaints
        if "409" not in complaint and "favicon" not in complaint
    ] == []


@pytest.fixture
def page(browser: Any, reviews: Reviews) -> Iterator["Page"]:
    with serving(browser, reviews) as found:
        yield found


class Page:
    """The page as a person sees and uses it."""

    def __init__(self, browser: Any) -> None:
        self.browser = browser

    def text(self, name: str) -> str:
        return str(self.browser.find_element("id", name).text)

    def upload(self) -> str:
        return str(self.browser.find_element("tag name", "body").get_attribute("data-upload"))

    def after(self, act: Callable[[], Any]) -> None:
        """Do something and wait until the page is ready again."""
        from selenium.webdriver.support.wait import WebDriverWait

        ready = "return document.body && document.body.dataset.ready || '0'"
        before = self.browser.execute_script(ready) if self.browser.current_url[:4] == "http" else 0
        act()
        WebDriverWait(self.browser, PATIENCE_S, 0.02).until(
            lambda browser: browser.execute_script(ready) not in ("0", before)
        )

    def press(self, key: str) -> None:
        self.after(lambda: self.browser.find_element("tag name", "body").send_keys(key))

    def turn(self, queue: str) -> None:
        """Show another queue."""
        self.click(f"[data-queue={queue}]")

    def click(self, selector: str) -> None:
        self.after(self.browser.find_element("css selector", selector).click)

    def asked(self, path: str) -> int:
        """Return how often the page has asked for a path."""
        code = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
        return sum(path in name for name in self.browser.execute_script(code))

    def json(self, path: str) -> Any:
        """Return what the server answers to the page itself."""
        code = "ask(arguments[0]).then((answer) => answer.json()).then(arguments[1])"
        return self.browser.execute_async_script(code, path)

    def pictured(self) -> bool:
        picture = self.browser.find_element("id", "picture")
        return bool(picture.is_displayed() and int(picture.get_property("naturalWidth")) > 0)


def test_three_labels_reach_the_table_the_announcements_and_the_training_data(
    page: Page, waiting: list[dict[str, str]], standard: Stack
) -> None:
    assert page.text("progress") == "0 labelled, 3 waiting"
    keys = page.text("classes").splitlines()
    assert keys == ["1 bicycle", "2 motorcycle", "0 other"]
    shown = []
    for key in "020":
        assert page.pictured()
        assert GUESS.search(page.text("guesses"))
        shown.append(page.upload())
        page.press(key)
    assert page.text("progress") == "3 labelled, 0 waiting"
    assert page.text("placeholder") == "Nothing waits for review."
    assert shown == [item["upload"] for item in reversed(waiting)]
    before = {item["upload"]: item for item in waiting}
    for upload, label in zip(shown, [KEYS[key] for key in "020"], strict=True):
        item = standard.follower.outcome(upload)
        assert item is not None
        assert (item["outcome"]["S"], item["label"]["S"]) == ("reviewed", label)
        assert item["previous_label"]["S"] == before[upload]["label"]
        assert item["reviewer"]["S"] == "ann"
        heard = announced(standard, upload, 2)[-1]
        assert (heard["outcome"], heard["label"], heard["revision"]) == ("reviewed", label, "2")
        assert before[upload]["etag"] in labelled(standard, label)


def test_what_nobody_can_see_cannot_be_labelled(
    browser: Any, reviews: Reviews, waiting: list[dict[str, str]], standard: Stack
) -> None:
    from selenium.webdriver.common.keys import Keys

    newest = waiting[-1]
    standard.aws.client("s3").delete_object(Bucket=newest["s3_bucket"], Key=newest["s3_key"])
    with served(reviews, "review") as server:
        page = Page(browser)
        page.after(lambda: browser.get(server.url))
        assert "deleted or overwritten: skip it" in page.text("placeholder")
        for key in ("1", Keys.ENTER):
            page.press(key)
            assert page.text("progress") == "0 labelled, 3 waiting"
        page.press("s")
        assert page.pictured()
        browser.get("about:blank")
    browser.get_log("browser")  # the 404
    item = standard.follower.outcome(newest["upload"])
    assert item is not None
    assert item["outcome"]["S"] == "review"


def labelled(stack: Stack, label: str) -> list[str]:
    """Return the etags of the pictures under labelled/LABEL/."""
    answer = stack.aws.client("s3").list_objects_v2(
        Bucket=stack.outputs["UploadBucket"], Prefix=f"labelled/{label}/"
    )
    return [json.loads(entry["ETag"]) for entry in answer.get("Contents", [])]


def test_undo_and_skip(page: Page) -> None:
    first = page.upload()
    page.press("1")
    second = page.upload()
    page.press("u")
    assert (page.upload(), page.text("progress")) == (first, "0 labelled, 3 waiting")
    page.press("s")
    assert page.upload() == second
    page.press("s")
    page.press("s")
    assert page.upload() == first
    page.after(page.browser.find_element("css selector", "[data-label=other]").click)
    assert page.text("progress") == "1 labelled, 2 waiting"
    page.after(page.browser.find_element("id", "undo").click)
    assert page.upload() == first


def test_enter_agrees_with_the_first_guess(page: Page, standard: Stack) -> None:
    from selenium.webdriver.common.keys import Keys

    upload, guess = page.upload(), page.text("guesses").splitlines()[0]
    assert page.text("agree") == f"Enter agree: {guess}"
    page.press(Keys.ENTER)
    item = standard.follower.outcome(upload)
    assert item is not None
    assert (item["outcome"]["S"], item["label"]["S"]) == ("reviewed", guess)
    page.click("#skip")
    second, guess = page.upload(), page.text("guesses").splitlines()[0]
    # The click has left no focus on the button, which Enter would press.
    page.after(lambda: page.browser.switch_to.active_element.send_keys(Keys.ENTER))
    item = standard.follower.outcome(second)
    assert item is not None
    assert (item["outcome"]["S"], item["label"]["S"]) == ("reviewed", guess)
    third, guess = page.upload(), page.text("guesses").splitlines()[0]
    page.click("#agree")
    item = standard.follower.outcome(third)
    assert item is not None
    assert (item["outcome"]["S"], item["label"]["S"]) == ("reviewed", guess)
    assert not page.browser.find_element("id", "agree").is_displayed()
    page.press(Keys.ENTER)
    assert page.text("progress") == "3 labelled, 0 waiting"


def test_the_picture_is_zoomed_by_key_and_by_click(page: Page) -> None:
    browser = page.browser
    body, frame = (browser.find_element("css selector", name) for name in ("body", "#frame"))

    def sizes() -> tuple[int, int, int]:
        """Return the width of the picture as shown, of the frame, and of its own pixels."""
        picture = browser.find_element("id", "picture")
        return (
            picture.size["width"],
            int(frame.get_property("clientWidth")),
            int(picture.get_property("naturalWidth")),
        )

    fits, room, _ = sizes()
    assert fits == room
    body.send_keys("z")
    large, _, own = sizes()
    assert large > room
    assert large >= own
    middle = browser.execute_script(
        "const f = arguments[0]; return (f.scrollLeft + f.clientWidth / 2) / f.scrollWidth", frame
    )
    assert middle == pytest.approx(0.5, abs=0.01)
    body.send_keys("z")
    assert sizes()[0] == room
    frame.click()
    assert sizes()[0] == large
    page.press("s")  # the next one fits
    assert sizes()[0] == room


def test_the_keys_are_explained(page: Page) -> None:
    body = page.browser.find_element("tag name", "body")
    assert "leave this one for later" not in page.text("keys")
    body.send_keys("?")
    assert "leave this one for later" in page.text("keys")
    body.send_keys("?")
    assert "leave this one for later" not in page.text("keys")


def test_new_work_shows_itself_while_somebody_looks(
    page: Page, standard: Stack, images: Path
) -> None:
    for _ in SAMPLES:
        page.press("1")
    assert page.text("placeholder") == "Nothing waits for review."
    decide = "Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true})"
    look = "look().then(arguments[0])"
    page.browser.execute_script(decide, True)
    before = page.asked("/api/counts")
    page.browser.execute_async_script(look)
    assert page.asked("/api/counts") == before
    page.browser.execute_script(decide, False)
    page.browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")
    new = {}

    def upload() -> None:
        new.update(decided(standard, (images / "cat.jpg").read_bytes(), "page/new.jpg"))

    page.after(upload)  # it appears without a word to the page
    assert page.upload() == new["upload"]
    assert page.text("progress") == "3 labelled, 1 waiting"
    decided(standard, (images / "cat.jpg").read_bytes(), "page/newer.jpg")
    page.browser.execute_async_script(look)
    assert page.upload() == new["upload"]  # what is shown stays
    assert page.text("progress") == "3 labelled, 2 waiting"


def test_of_two_browsers_at_once_one_gives_the_label_and_the_other_is_told(
    browser: Any, reviews: Reviews
) -> None:
    bob = Reviews(OpsStack("test-standard"), "bob", ["bicycle", "motorcycle"])
    with (
        chromium("--window-size=1100,800") as another,
        serving(browser, reviews) as first,
        serving(another, bob) as second,
    ):
        upload = first.upload()
        assert second.upload() == upload
        pressing = [
            threading.Thread(target=page.press, args=(key,))
            for page, key in ((first, "1"), (second, "2"))
        ]
        for thread in pressing:
            thread.start()
        for thread in pressing:
            thread.join()
        item = reviews.ledger.get(upload)
        assert item is not None
        assert (item.revision, item.reviewer) in ((2, "ann"), (2, "bob"))
        loser = first if item.reviewer == "bob" else second
        assert f"already reviewed by {item.reviewer}: {item.label}" in loser.text("message")
        assert first.upload() == second.upload() != upload


MANY = 30


def test_many_reviews_by_keys_are_all_recorded(
    browser: Any, ops: Ops, standard: Stack, images: Path
) -> None:
    del ops
    cleared(standard)
    uploads = [
        decided(standard, (images / "cat.jpg").read_bytes(), f"many/{number:02}.jpg")["upload"]
        for number in range(MANY)
    ]
    reviews = Reviews(OpsStack("test-standard"), "ann", ["bicycle", "motorcycle"])
    given = {}
    with serving(browser, reviews) as page:
        for number in range(MANY):
            key = "102"[number % 3]
            given[page.upload()] = {"1": "bicycle", "2": "motorcycle", "0": "other"}[key]
            page.press(key)
        assert page.text("progress") == f"{MANY} labelled, 0 waiting"
    assert set(given) == set(uploads)
    for upload, label in given.items():
        item = reviews.ledger.get(upload)
        assert item is not None
        assert (item.outcome, item.label, item.revision) == ("reviewed", label, 2)


def test_the_tenth_class_has_a_letter(page: Page, reviews: Reviews, standard: Stack) -> None:
    reviews._classes |= {f"class {number}" for number in range(8)}
    address = page.browser.current_url
    page.browser.get("about:blank")
    page.after(lambda: page.browser.get(address))
    keys = page.text("classes").splitlines()
    assert keys[9].startswith("a ")
    upload = page.upload()
    page.press("a")
    item = standard.follower.outcome(upload)
    assert item is not None
    assert item["label"]["S"] == keys[9].removeprefix("a ")


def test_the_first_reviewer_is_named_to_a_second(page: Page, reviews: Reviews) -> None:
    del reviews
    item = Reviews(OpsStack("test-standard"), "bob").ledger.get(page.upload())
    assert item is not None
    Reviews(OpsStack("test-standard"), "bob", ["motorcycle"]).label(item, "motorcycle")
    page.press("1")
    assert "already reviewed by bob: motorcycle" in page.text("message")
    assert page.upload() != item.upload
    assert page.text("progress") == "0 labelled, 2 waiting"


def test_the_key_of_a_class_never_moves(page: Page, reviews: Reviews) -> None:
    assert page.text("classes").splitlines() == ["1 bicycle", "2 motorcycle", "0 other"]
    reviews._classes |= {"aardvark", "zebra"}
    page.turn("audits")
    assert page.text("placeholder") == "No audit is due."
    page.turn("doubtful")
    keys = page.text("classes").splitlines()
    assert keys == ["1 bicycle", "2 motorcycle", "3 aardvark", "4 zebra", "0 other"]


def test_a_comment_is_written_and_kept(page: Page, reviews: Reviews) -> None:
    from selenium.webdriver.common.keys import Keys

    upload = page.upload()
    page.browser.find_element("tag name", "body").send_keys("/")
    comment = page.browser.find_element("id", "comment")
    comment.send_keys("2 wheels, so 1")
    comment.send_keys(Keys.ENTER)
    assert page.upload() == upload
    page.press("1")
    item = reviews.ledger.get(upload)
    assert item is not None
    [change] = item.changes()
    assert (change["label"], change["comment"]) == ("bicycle", "2 wheels, so 1")
    assert comment.get_property("value") == ""


DUE = {"audits/1.png": "bicycle.png", "audits/2.jpg": "large-motorcycle.jpg", "3.jpg": "cat.jpg"}


@pytest.fixture
def due(ops: Ops, audited: Stack, images: Path) -> list[Decision]:
    """Three decisions, whose audits are due, and nothing else; the newest last."""
    del ops
    cleared(audited)
    ledger = Ledger(OpsStack("test-audited"))
    uploads = [
        decided(audited, (images / source).read_bytes(), name)["upload"]
        for name, source in DUE.items()
    ]
    return [found for upload in uploads if (found := ledger.get(upload))]


def auditor(name: str) -> Reviews:
    return Reviews(OpsStack("test-audited"), name, ["bicycle", "motorcycle"])


def test_an_audit_shows_no_guess_before_it_is_answered(browser: Any, due: list[Decision]) -> None:
    from selenium.webdriver.common.keys import Keys

    assert [item.outcome for item in due] == ["accepted", "accepted", "none"]
    with serving(browser, auditor("ann")) as page:
        assert page.browser.find_element("css selector", "[data-queue=audits]").text == "audits 3"
        page.turn("audits")
        told = page.json("/api/queue?name=audits")
        assert [item["upload"] for item in told["items"]] == [item.upload for item in due][::-1]
        for item in told["items"]:
            assert set(item) == {"upload", "key", "revision", "uploaded_at", "queue"}
        pages = set()
        for item in reversed(due):
            assert (page.upload(), page.pictured()) == (item.upload, True)
            html = str(browser.execute_script("return document.documentElement.outerHTML"))
            for own in (item.upload, item.s3_key, item.uploaded_at):
                html = html.replace(own, "")
            pages.add(re.sub(r'blob:[^"]+|data-ready="\d+"', "", html))
            assert not GUESS.search(page.text("model"))
            page.press(Keys.ENTER)  # agrees with nothing
            assert page.upload() == item.upload
            page.press("s")
        assert len(pages) == 1  # whatever the model has guessed
        page.press("2")
        assert page.text("message") == "corrected to motorcycle, was other: uploads/3.jpg"
        page.press("2")
        assert page.text("message").startswith("agreed with the model, motorcycle: ")
        assert page.text("progress") == "2 labelled, 1 waiting"
    found = [Ledger(OpsStack("test-audited")).get(item.upload) for item in due]
    outcomes = [(item.outcome, item.audit) for item in found if item]
    assert outcomes == [("accepted", "due"), ("confirmed", "agreed"), ("reviewed", "corrected")]


def test_what_i_labelled_is_changed_and_taken_back_in_another_session(
    browser: Any, due: list[Decision]
) -> None:
    first, second, third = due
    auditor("ann").audit(first, "motorcycle")
    auditor("bob").audit(second, "motorcycle")
    auditor("ann").audit(third, "other")
    ledger = Ledger(OpsStack("test-audited"))
    with serving(browser, auditor("ann")) as page:
        page.turn("mine")
        assert page.text("progress") == "2 labelled by ann"
        listed = ["other: uploads/3.jpg", "motorcycle: uploads/audits/1.png"]
        assert page.text("list").replace("\nundo", "").splitlines() == listed
        assert GUESS.search(page.text("guesses"))
        page.press("s")
        assert page.upload() == first.upload
        page.press("1")
        now = ledger.get(first.upload)
        assert now is not None
        assert (now.outcome, now.label, now.audit) == ("reviewed", "bicycle", "agreed")
        assert "bicycle: uploads/audits/1.png" in page.text("list")
        page.click(f'li[data-upload="{first.upload}"] .back')
        assert "motorcycle: uploads/audits/1.png" in page.text("list")
        page.click(f'li[data-upload="{first.upload}"] .back')
        assert page.text("progress") == "1 labelled by ann"
        now = ledger.get(first.upload)
        assert now is not None
        assert (now.outcome, now.label, now.audit) == ("accepted", "bicycle", "due")
        page.turn("audits")
        assert page.upload() == first.upload
        page.press("1")
        page.press("u")
        assert (page.upload(), page.text("progress")) == (first.upload, "0 labelled, 1 waiting")


def test_an_address_without_the_token_shows_nothing(page: Page) -> None:
    address = page.browser.current_url.split("#")[0]
    page.browser.get("about:blank")
    page.after(lambda: page.browser.get(address))
    assert "token of another run" in page.text("message")
    assert not page.pictured()
    assert "403" in str(page.browser.get_log("browser"))
