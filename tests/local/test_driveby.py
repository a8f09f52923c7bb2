"""A web page that a user of the embedded AWS happens to visit tries to run code on the machine."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.browser import chromium
from tests.support.cloud import Cloud

SITE = "evil.example"  # its name points to loopback, as after DNS rebinding
HANDLER = "def lambda_handler(event, context):\n    open({path!r}, 'w').write('code of a page')\n"
PAGE = """<!doctype html><title>a page</title><script>
const addresses = ADDRESSES, source = SOURCE, seen = [];
const credential = service =>
  `AWS4-HMAC-SHA256 Credential=embedded/20260101/us-east-1/${service}/aws4_request, Signature=x`;
async function ask(address, options) {
  try {
    const answer = await fetch(address, options);
    seen.push([options.mode || "cors", answer.type, answer.status, await answer.text()]);
  } catch (error) { seen.push([options.mode || "cors", "error", 0, String(error)]); }
}
function createStack(mode) {
  const resources = {F: {Type: "AWS::Lambda::Function", Properties: {
    FunctionName: "driveby", Runtime: "python3.11", Handler: "index.lambda_handler",
    Role: "arn:aws:iam::123456789012:role/any", Code: {ZipFile: source}}}};
  const headers = {"Content-Type": "application/x-www-form-urlencoded"};
  if (mode === "cors") headers.Authorization = credential("cloudformation");
  return {method: "POST", mode, headers, body: new URLSearchParams({
    Action: "CreateStack", Version: "2010-05-15", StackName: "driveby",
    TemplateBody: JSON.stringify({Resources: resources})})};
}
function invoke(mode) {
  const options = {method: "POST", mode, body: "{}"};
  return mode === "cors" ? {...options, headers: {Authorization: credential("lambda")}} : options;
}
(async () => {
  for (const address of addresses) {
    await ask(address, {headers: {Authorization: credential("s3")}});
    await ask(address, {mode: "no-cors"});
    for (const mode of ["cors", "no-cors"]) {
      await ask(address, createStack(mode));
      await ask(address + "2015-03-31/functions/driveby/invocations", invoke(mode));
    }
  }
  document.title = JSON.stringify(seen);
})();
</script>"""


@pytest.fixture
def site() -> Iterator[tuple[str, dict[str, str]]]:
    """A server of pages; yields its port and its pages by path."""
    pages: dict[str, str] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_address[1]), pages
        server.shutdown()


def test_a_web_page_reads_nothing_and_runs_nothing(
    cloud: Cloud, site: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    port, pages = site
    proof = tmp_path / "proof"
    # By its address, and by the page's own name: then the page is of the same origin.
    addresses = [f"{cloud.aws.url}/", cloud.aws.url.replace("127.0.0.1", SITE) + "/"]
    source = HANDLER.format(path=str(proof))
    pages["/"] = PAGE.replace("ADDRESSES", json.dumps(addresses)).replace(
        "SOURCE", json.dumps(source)
    )
    with chromium(f"--host-resolver-rules=MAP {SITE} 127.0.0.1", "--no-proxy-server") as browser:
        browser.get(f"http://{SITE}:{port}/")
        WebDriverWait(browser, 60).until(lambda page: page.title.startswith("["))
        seen = json.loads(browser.title)
    assert len(seen) == 12
    assert [row for row in seen if row[3] and row[1] != "error"] == []
    assert not proof.exists()
    stacks = cloud.aws.client("cloudformation").describe_stacks()["Stacks"]
    assert "driveby" not in {stack["StackName"] for stack in stacks}
    functions = cloud.aws.client("lambda").list_functions()["Functions"]
    assert "driveby" not in {function["FunctionName"] for function in functions}
