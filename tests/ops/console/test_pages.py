"""The console in a browser: what was uploaded is seen, filtered, tried, and understood."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT

from ops.console import app, pages
from ops.console.app import MAX_UPLOAD
from ops.drawing.layout import spine_of
from ops.reviewing.reviews import Reviews
from ops.stack.glance import midnight
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.console import Console
from tests.support.functions import load_function
from tests.support.ops import Ops
from tests.support.project import ROOT, state_machine
from tests.support.workflow import announced, decided

SAMPLES = ROOT / "events" / "images"
SCRIPT = "<img src=x onerror=document.title='ran'>"
# Of each kind of character that S3 takes in a key, the hard ones: marks, escapes, spaces, a
# tab, marks of direction, other alphabets, and what has two units in UTF-16.
ODD = (
    f"{SCRIPT}'\"`${{1}}{{{{7*7}}}} &amp;&#60; #%25%2F?+=;:@!*()[]^|~\\\t\u202e\u0645\u05d0\u00e9"
    " \u65e5\u672c \U0001f6b2 .png"
)


def test_today_counts_and_links_to_what_it_counts(
    console: Console, standard: Stack, images: Path
) -> None:
    decided(standard, (images / "bicycle.png").read_bytes())
    decided(standard, (images / "cat.jpg").read_bytes())
    shown = console.open("")
    assert "decided without a person" in shown
    assert "announcements RUNNING" in shown
    console.until(lambda _: "for the real-time endpoint" in console.text())
    displays = [part.value_of_css_property("display") for part in console.all(".tiles .moment")]
    assert displays == ["inline", "inline"], "a time breaks where its place is not narrow"
    console.shoot("today")
    [link] = console.all('.small a[href*="/uploads?outcome=accepted"]')
    count = int(link.find_element("tag name", "b").text.replace(",", ""))
    link.click()
    console.until(lambda browser: "/uploads" in browser.current_url)
    console.settled()
    cards = console.all(".cards > li")
    assert len(cards) == min(count, 24)
    assert {card.find_element("class name", "badge").text for card in cards} == {"accepted"}


def test_an_audit_does_not_change_what_was_decided_without_a_person(
    audited: Stack, ops: Ops, images: Path
) -> None:
    del ops
    items = [decided(audited, (images / "bicycle.png").read_bytes()) for _ in range(2)]
    items.append(decided(audited, (images / "coffee 100% + für zwei.jpg").read_bytes()))
    doubtful = {"inferences": [{"label": "bicycle", "confidence": 0.5}], "model": "1"}
    audited.container.tell((200, "application/json", json.dumps(doubtful).encode()))
    items.append(decided(audited, (images / "bicycle.png").read_bytes()))
    assert [item["decision"] for item in items] == ["accepted", "accepted", "none", "review"]
    reviews = Reviews(OpsStack("test-audited"), "ann", ["bicycle", "motorcycle"])
    client = app.application(app.Console(reviews, "newest", "token", {"localhost"})).test_client()

    def alone() -> tuple[str, str]:
        shown = client.get("/pages/today", headers={"X-Console-Token": "token"}).text
        [found] = re.findall(r"(\d+) of (\d+): decided accepted or none", shown)
        return found[0], found[1]

    before = alone()
    for item, label in zip(items, ("bicycle", "motorcycle", "other", "bicycle"), strict=True):
        read = reviews.ledger.get(item["upload"])
        assert read is not None
        reviews.relabel(read, label)
    assert alone() == before


@pytest.fixture
def asked(ops: Ops, standard: Stack) -> Callable[[str], str]:
    """Return a function that returns a part of a page, of a console that has just been started."""
    del ops, standard

    def ask(path: str) -> str:
        pages._months.clear()
        reviews = Reviews(OpsStack("test-standard"), "ann", [])
        client = app.application(app.Console(reviews, "newest", "token", {"localhost"}))
        answer = client.test_client().get(path, headers={"X-Console-Token": "token"})
        return " ".join(answer.text.split())

    return ask


def test_the_month_s_bill_begins_with_the_stack(
    asked: Callable[[str], str], standard: Stack
) -> None:
    region = standard.aws.client("cloudformation").meta.region_name
    made = cloudformation_backends[ACCOUNT][region].get_stack("test-standard")
    created, first = made.creation_time, midnight().replace(day=1)
    [told] = re.findall(r"</b> since ([\d: -]+) UTC", asked("/pages/month"))
    assert told == f"{max(created.replace(tzinfo=UTC), first):%Y-%m-%d %H:%M}"
    made.creation_time = datetime(2020, 1, 1)
    try:
        assert f"</b> since {first:%Y-%m}-01 00:00 UTC" in asked("/pages/month")
    finally:
        made.creation_time = created


def test_the_month_s_bill_has_the_endpoint_that_there_is(
    asked: Callable[[str], str], standard: Stack
) -> None:
    assert "for the real-time endpoint of 1 instance." in asked("/pages/month")
    sagemaker, name = standard.aws.client("sagemaker"), standard.outputs["EndpointName"]
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    [variant] = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
    serverless = {key: variant[key] for key in ("VariantName", "ModelName")}
    serverless["ServerlessConfig"] = {"MemorySizeInMB": 2048, "MaxConcurrency": 10}
    sagemaker.create_endpoint_config(
        EndpointConfigName="serverless", ProductionVariants=[serverless]
    )
    sagemaker.delete_endpoint(EndpointName=name)
    try:
        assert "nothing for an endpoint: there is none." in asked("/pages/month")
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="serverless")
        assert re.search(r"\$0\.\d\d for the serverless endpoint\.", asked("/pages/month"))
        sagemaker.delete_endpoint(EndpointName=name)
    finally:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        sagemaker.delete_endpoint_config(EndpointConfigName="serverless")


def test_uploads_go_on_where_a_page_ends_and_each_is_shown_once(
    console: Console, standard: Stack, images: Path
) -> None:
    mine = [
        decided(standard, (images / "bicycle.png").read_bytes(), f"many/{number:02}.png")["upload"]
        for number in range(26)
    ]
    seen = []
    console.open("uploads?search=many/")
    console.shoot("uploads")
    while True:
        seen += [
            image.get_attribute("data-picture") for image in console.all(".cards img[data-picture]")
        ]
        older = console.all("a[rel=next]")
        if not older or len(seen) > len(mine):
            break
        before = console.browser.current_url
        older[0].click()
        console.until(lambda browser, before=before: browser.current_url != before)
        console.settled()
    assert seen == mine[::-1]


def test_an_upload_shows_its_pictures_guesses_way_and_commands(
    console: Console, standard: Stack, images: Path
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes(), "way.png")
    shown = console.open(f"upload?upload={quote(item['upload'])}")
    console.until(lambda _: console.all("img[data-shown]"))
    canonical, way = console.all("img.canonical, img.way")
    for image in (canonical, way):
        console.until(lambda _, image=image: image.get_property("naturalWidth"))
    assert canonical.get_property("naturalWidth") == 256
    assert "SUCCEEDED in" in shown
    assert f"bicycle\n{float(item['confidence']):.3f}" in shown
    commands = [box.text for box in console.all("pre")]
    assert any(" show " in command for command in commands)
    assert any(item["execution"] in command for command in commands)
    announced(standard, item["upload"], 1)
    console.open(f"upload?upload={quote(item['upload'])}")
    console.until(lambda _: "revision 1: accepted bicycle" in console.text())
    console.shoot("upload")


def test_the_command_that_labels_does_not_suggest_what_a_person_has_yet_to_say(
    audited: Stack, ops: Ops, images: Path
) -> None:
    del ops
    reviews = Reviews(OpsStack("test-audited"), "ann", ["bicycle"])
    client = app.application(app.Console(reviews, "newest", "token", {"localhost"})).test_client()

    def label(item: dict[str, Any]) -> str:
        path = f"/pages/upload?upload={quote(item['upload'])}"
        shown = client.get(path, headers={"X-Console-Token": "token"}).text
        [found] = re.findall(r"ops relabel \S+ (\w+) --stack", shown)
        return str(found)

    audit = decided(audited, (images / "bicycle.png").read_bytes())
    doubtful = {"inferences": [{"label": "bicycle", "confidence": 0.5}], "model": "1"}
    audited.container.tell((200, "application/json", json.dumps(doubtful).encode()))
    review = decided(audited, (images / "bicycle.png").read_bytes())
    assert (audit["outcome"], audit["audit"], review["outcome"]) == ("accepted", "due", "review")
    assert (label(audit), label(review)) == ("CLASS", "CLASS")
    for item in (audit, review):
        read = reviews.ledger.get(item["upload"])
        assert read is not None
        reviews.relabel(read, "bicycle")
    assert (label(audit), label(review)) == ("bicycle", "bicycle")


@pytest.mark.parametrize("name", [SCRIPT, ODD], ids=["script", "odd"])
def test_a_name_that_is_hard_to_write_is_shown_as_text_and_its_links_work(
    console: Console, standard: Stack, images: Path, name: str
) -> None:
    item = decided(standard, (images / "cat.jpg").read_bytes(), name)
    console.open("uploads?search=onerror")
    link = console.all(".cards a")[0]
    assert "<img src=x onerror=document.title" in link.text
    link.click()
    console.until(lambda browser: "/upload?" in browser.current_url)
    console.settled()
    console.until(lambda _: console.all("img[data-shown]"))
    assert item["etag"][:8] in console.all("h1")[0].text
    assert console.browser.title == "Upload - Scones Unlimited"
    assert not console.all("img[src=x]")
    console.open("review")
    assert console.browser.find_element("id", "name").text.startswith(f"uploads/{SCRIPT}")
    assert console.browser.find_element("id", "picture").is_displayed()
    console.all("[data-label=motorcycle]")[0].click()
    console.until(
        lambda browser: "motorcycle: uploads/" in browser.find_element("id", "message").text
    )
    assert not console.all("img[src=x]")
    assert console.browser.title == "Review - Scones Unlimited"
    labelled = Ledger(OpsStack("test-standard")).get(item["upload"])
    assert labelled is not None
    assert (labelled.outcome, labelled.label) == ("reviewed", "motorcycle")
    assert labelled.s3_key == f"uploads/{name}"


def test_a_photo_that_is_dropped_in_is_decided(
    console: Console, standard: Stack, images: Path
) -> None:
    console.browser.get(f"{console.address}try#{console.token}")
    photo = images / "coffee 100% + für zwei.jpg"
    console.all("#files")[0].send_keys(str(photo.resolve()))
    console.settled()
    [line] = console.all("#tried > li")
    upload = line.get_attribute("data-upload")
    item = standard.follower.outcome(upload)
    assert item is not None
    assert line.get_attribute("data-outcome") == item["outcome"]["S"] == "review"
    assert item["s3_key"]["S"].startswith("uploads/console/")
    assert item["s3_key"]["S"].endswith(photo.name)
    assert json.loads(item["event"]["S"])["detail"]["reason"] == "PutObject"
    steps = line.find_elements("css selector", ".steps li")
    names = [step.text.partition(",")[0] for step in steps]
    assert names == ["in the bucket", *spine_of(state_machine()), "review"]
    assert {step.get_attribute("data-reached") for step in steps} == {"yes"}
    assert not console.all("#tried .bad")


def test_a_photo_that_fails_or_is_rejected_says_where_and_why_in_the_colour_of_failures(
    console: Console, standard: Stack, images: Path, tmp_path: Path
) -> None:
    def tried(photo: Path, outcome: str) -> Any:
        [files] = console.all("#files")
        console.browser.execute_script("arguments[0].value = ''", files)
        files.send_keys(str(photo.resolve()))
        console.until(lambda _: console.all(f"#tried [data-outcome={outcome}]"))
        return console.all("#tried > li")[0]

    console.browser.get(f"{console.address}try#{console.token}")
    tried(images / "bicycle.png", "accepted")
    standard.container.tell((400, "application/json", b'{"error": "broken"}'))
    line = tried(images / "bicycle.png", "failed")
    marked = [step.text.partition(",")[0] for step in line.find_elements("css selector", ".bad")]
    assert marked == ["Classify image", "failed"]
    told = line.find_element("class name", "told").text
    assert told.startswith("failed: EndpointRefused, after ")
    assert "broken" in told
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    assert " supported are JPEG, " in tried(text, "rejected").text
    rejected, failed, accepted = console.all("#tried > li")
    colours = [line.value_of_css_property("border-color") for line in (rejected, failed, accepted)]
    assert colours[0] == colours[1] != colours[2]
    console.shoot("try")
    console.open("uploads?outcome=failed")
    [badge, *_] = console.all(".badge.failed")
    assert badge.value_of_css_property("border-color") == colours[0]


def test_each_state_lights_up_as_it_happens(console: Console, standard: Stack) -> None:
    console.browser.get(f"{console.address}try#{console.token}")
    with standard.container.held():
        console.all("#files")[0].send_keys(str((SAMPLES / "bicycle.png").resolve()))
        read = "return [...document.querySelectorAll('.steps li')].map(step =>"
        read += " [step.textContent, step.dataset.reached])"
        console.until(lambda browser: ["Classify image", "yes"] in browser.execute_script(read))
        steps = console.browser.execute_script(read)
    lit, ahead = ([text for text, now in steps if now == known] for known in ("yes", "no"))
    assert lit[0] == "in the bucket"
    assert re.fullmatch(r"Serialize image, \d+ ms", lit[1])
    assert lit[2:] == ["Classify image"]
    assert ahead == ["Filter inferences", "Record decision", "recorded"]
    console.settled()


def test_of_express_only_the_decision_is_shown(ops: Ops, express: Stack) -> None:
    del ops
    item = decided(express, (SAMPLES / "bicycle.png").read_bytes())
    reviews = Reviews(OpsStack("test-express"), "ann", [])
    asked = app.application(app.Console(reviews, "newest", "token", {"localhost"})).test_client()
    answer = asked.get(
        f"/api/outcome?upload={quote(item['upload'])}", headers={"X-Console-Token": "token"}
    ).get_json()
    assert (answer["outcome"], answer["states"]) == (item["outcome"], [])
    assert answer["note"].startswith("EXPRESS keeps no history")


def test_what_the_workflow_takes_can_be_tried_and_nothing_larger(
    console: Console, tmp_path: Path
) -> None:
    assert load_function("serialize", "upload").MAX_BYTES == MAX_UPLOAD
    large = tmp_path / "large.jpg"
    with large.open("wb") as file:
        file.truncate(MAX_UPLOAD + 1)
    console.browser.get(f"{console.address}try#{console.token}")
    console.all("#files")[0].send_keys(str(large))
    console.settled()
    [line] = console.all("#tried > li")
    assert "It has 26,214,401 bytes; the workflow takes 26,214,400." in line.text
    assert not line.get_attribute("data-upload")


@pytest.mark.parametrize(
    ("page", "told"),
    [("quality", "Promise: at most 1 % wrong"), ("monitor", "The whole period")],
)
def test_a_report_is_shown(
    console: Console, standard: Stack, images: Path, page: str, told: str
) -> None:
    for _ in range(5):
        decided(standard, (images / "bicycle.png").read_bytes())
    assert told in console.open(page)
    for image in console.all(".plots img"):
        assert image.get_property("naturalWidth")
    console.shoot(page)


PHONE = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}


@pytest.mark.parametrize(("page", "verdict"), [("quality", "promise"), ("monitor", "change")])
def test_a_phone_shows_the_verdicts_of_a_report_and_breaks_no_word(
    console: Console, standard: Stack, images: Path, page: str, verdict: str
) -> None:
    for _ in range(30):
        decided(standard, (images / "cat.jpg").read_bytes())
    decided(standard, (images / "bicycle.png").read_bytes())
    console.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        console.open(page)
        [column] = [cell for cell in console.all("table th") if cell.text == verdict]
        end = "return arguments[0].getBoundingClientRect().right"
        assert console.browser.execute_script(end, column) <= 360
        wraps = {cell.value_of_css_property("overflow-wrap") for cell in console.all(".scroll td")}
        assert wraps == {"normal"}
        for box in console.all("pre"):
            assert box.get_property("scrollWidth") <= box.get_property("clientWidth")
    finally:
        console.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    console.shoot(page)


def test_the_review_page_fits_a_phone(console: Console, standard: Stack, images: Path) -> None:
    decided(standard, (images / "cat.jpg").read_bytes())
    console.open("review")
    console.shoot("review")


def test_a_page_that_does_not_exist_leads_to_those_that_do(console: Console) -> None:
    console.browser.get(f"{console.address}nonsense#{console.token}")
    assert "No such page" in console.text()
    console.shoot("missing")
    console.all("#menu a")[0].click()
    console.settled()
    assert "decided without a person" in console.text()
    complaints = [entry["message"] for entry in console.browser.get_log("browser")]
    assert [text for text in complaints if "nonsense" not in text] == []  # of the 404


@pytest.mark.parametrize("page", ["", "uploads", "try", "quality", "review"])
def test_no_page_is_wider_than_a_phone(
    console: Console, standard: Stack, images: Path, page: str
) -> None:
    decided(standard, (images / "cat.jpg").read_bytes(), f"{'wide' * 40}.jpg")
    console.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    try:
        if page == "try":
            console.browser.get(f"{console.address}try#{console.token}")
        else:
            console.open(page)
        width = console.browser.execute_script("return document.documentElement.scrollWidth")
    finally:
        console.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 360
