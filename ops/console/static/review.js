"use strict";
const asked = new URLSearchParams(location.search).get("queue");
let name = ["audits", "mine"].includes(asked) ? asked : "doubtful"; // the queue that is shown: doubtful, audits, mine
let queue = [];       // its items; the one at `place` is shown
let place = 0;        // 0 but in mine, which is a list to choose from
let labelled = [];    // what was labelled here, the last one can be undone
let waiting = 0;
let counts = {};
let reviewer = "";
const done = new Set(); // upload#revision: the ledger's index lags a moment behind
const skipped = new Set(); // come again when all others have been seen
const FREE = [..."123456789abcdefghijklmnopqrtvwxy"]; // 0 is other's; s, u and z are taken
const keys = new Map([["other", "0"]]); // of the classes: a key once given never changes
const MAX_BEYOND = 2000; // as many skipped ones the server looks past
const WAYS = { doubtful: "/api/label", audits: "/api/audit", mine: "/api/relabel" };
const TITLES = { doubtful: "doubtful", audits: "audits", mine: "my labels" };
const EMPTY = { doubtful: "Nothing waits for review.", audits: "No audit is due.", mine: "You have labelled nothing." };
let busy = false;
let unseen = false;   // the picture did not come: nobody can tell what it shows
let shownUrl = null;
let clicked = null;   // where on the picture, as shares of it: there it is zoomed
const IDLE_S = 10, BUSY_S = 60; // between looks for new work, with nothing to do and with something
let looking = null;   // the timer of the next look

const id = (item) => `${item.upload} ${item.revision}`;
const others = (list, item) => list.filter((other) => other.upload !== item.upload);

async function refill() {
  if (skipped.size > MAX_BEYOND) skipped.clear();
  const reply = await (await ask(`/api/queue?name=${name}&beyond=${skipped.size}`)).json();
  for (const label of reply.classes) if (!keys.has(label)) keys.set(label, FREE.shift() || "");
  ({ reviewer, counts } = reply);
  const fresh = reply.items.filter((item) => !done.has(id(item)));
  place = 0;
  if (name === "mine") {
    const listed = new Set(fresh.map((item) => item.upload));
    queue = [...labelled.filter((item) => !listed.has(item.upload)).reverse(), ...fresh];
    waiting = 0;
    return;
  }
  waiting = Math.max(reply.waiting - (reply.items.length - fresh.length), fresh.length);
  queue = fresh.filter((item) => !skipped.has(id(item)));
  if (!queue.length) {
    skipped.clear();
    queue = fresh;
  }
}

function say(text, error = false) {
  $("message").textContent = text;
  $("message").className = error ? "error" : "";
}

function showProgress() {
  const all = labelled.length + waiting;
  $("progress").textContent = name === "mine"
    ? `${queue.length} labelled by ${reviewer}`
    : `${labelled.length} labelled, ${waiting} waiting`;
  $("bar").max = all || 1;
  $("bar").value = all ? labelled.length : 1;
  if (name !== "mine") counts[name] = waiting;
  for (const button of $("queues").children) {
    button.setAttribute("aria-pressed", button.dataset.queue === name);
    button.textContent = [TITLES[button.dataset.queue], counts[button.dataset.queue] || ""].join(" ").trim();
  }
}

async function show() {
  if (!queue.length) await refill();
  const item = queue[place];
  showProgress();
  $("undo").disabled = !labelled.length;
  $("skip").disabled = !item;
  unseen = false;
  const order = [...keys].filter(([label]) => label !== "other").concat([["other", keys.get("other")]]);
  $("classes").replaceChildren(...order.map(([label, key]) => {
    const button = element("button", undefined, { disabled: !item });
    if (key) button.append(element("kbd", key), " ");
    button.append(label);
    button.dataset.label = label;
    button.addEventListener("click", () => act(() => give(label)));
    return button;
  }));
  $("model").hidden = name === "audits"; // whom a guess leads audits nothing; it did not come, either
  $("guesses").replaceChildren(...(item && item.guesses || []).map((guess) => {
    const line = element("div", undefined, { className: "guess" });
    line.append(element("span", guess.label), element("meter", undefined, { value: guess.confidence }),
      element("span", guess.confidence.toFixed(3)));
    return line;
  }));
  const guess = guessOf(item);
  $("agree").hidden = !guess;
  $("agreed").textContent = guess;
  $("list").replaceChildren(...(name === "mine" ? queue : []).map(entry));
  $("name").textContent = item ? `${item.key}, uploaded ${item.uploaded_at}` : "";
  document.body.dataset.upload = item ? item.upload : "";
  await showPicture(item);
}

function entry(item, index) {
  const line = element("li"), open = element("button", `${item.label}: ${item.key}`, { className: "open" });
  const back = element("button", "undo", { className: "back", title: "take this label back" });
  open.setAttribute("aria-current", index === place);
  open.addEventListener("click", () => act(async () => { place = index; }));
  back.addEventListener("click", () => act(() => takeBack(item)));
  line.dataset.upload = item.upload;
  line.append(open, back);
  return line;
}

// What Enter agrees with: the likeliest guess, where guesses are shown.
function guessOf(item) {
  const [guess] = name !== "audits" && item && item.guesses || [];
  return guess && keys.has(guess.label) ? guess.label : "";
}

async function agree() {
  const guess = guessOf(queue[place]);
  if (guess && !$("picture").hidden) await give(guess);
}

async function showPicture(item) {
  zoom(false);
  $("frame").hidden = true;
  $("zoom").disabled = $("agree").disabled = true;
  $("picture").hidden = true;
  $("placeholder").hidden = false;
  if (shownUrl) URL.revokeObjectURL(shownUrl);
  shownUrl = null;
  if (!item) {
    $("placeholder").textContent = EMPTY[name];
    return;
  }
  $("placeholder").textContent = "Loading ...";
  try {
    const blob = await (await ask(pictureAddress(item.upload))).blob();
    shownUrl = URL.createObjectURL(blob);
    $("picture").src = shownUrl;
    await $("picture").decode();
    $("picture").hidden = $("frame").hidden = false;
    $("zoom").disabled = $("agree").disabled = false;
    $("placeholder").hidden = true;
  } catch (error) {
    unseen = Boolean(error.status);
    for (const button of $("classes").children) button.disabled = unseen;
    $("placeholder").textContent = error.status === 404
      ? error.message
      : unseen ? `${error.message}; skip it` : "This browser cannot show the picture; skip it, or open it from S3.";
  }
}

// Zoomed, a picture has its own pixels, or is twice as large as where it fits, whichever is larger.
function zoom(on) {
  const image = $("picture"), frame = $("frame");
  const at = clicked || { x: 0.5, y: 0.5 };
  clicked = null;
  const fits = Math.min(frame.clientWidth / image.naturalWidth, frame.clientHeight / image.naturalHeight);
  frame.classList.toggle("zoomed", on);
  $("zoom").setAttribute("aria-pressed", on);
  image.style.width = on ? `${image.naturalWidth * Math.max(1, 2 * fits)}px` : "";
  if (!on) return;
  frame.focus({ preventScroll: true }); // the arrow keys move it
  frame.scrollTo(at.x * frame.scrollWidth - frame.clientWidth / 2, at.y * frame.scrollHeight - frame.clientHeight / 2);
}

function turnZoom() {
  if (!$("picture").hidden) zoom(!$("frame").classList.contains("zoomed"));
}

function leave(item) {
  done.add(id(item));
  queue.splice(place, 1);
  place = Math.min(place, Math.max(0, queue.length - 1));
}

function verdict(item) {
  if (item.audit === "agreed") return `agreed with the model, ${item.label}: ${item.key}`;
  if (item.audit === "corrected") return `corrected to ${item.label}, was ${item.previous_label}: ${item.key}`;
  return `${item.label}: ${item.key}`;
}

async function give(label) {
  const item = queue[place];
  if (!item || unseen) return;
  const body = { upload: item.upload, revision: item.revision, label, comment: $("comment").value };
  let given = null;
  try {
    const reply = await (await ask(WAYS[name], body)).json();
    given = reply.item;
    labelled = [...others(labelled, given), given];
    $("comment").value = "";
    say(reply.note ? `${item.key}: ${reply.note}` : verdict(given));
  } catch (error) {
    if (error.status !== 409) throw error;
    labelled = others(labelled, item);
    say(`${item.key}: ${error.message}`, true);
  }
  if (name === "mine" && given) {
    if (given.revision !== item.revision) done.add(id(item));
    queue[place] = given;
    return;
  }
  waiting = Math.max(0, waiting - 1);
  leave(item);
}

async function takeBack(item) {
  let back = null;
  try {
    const body = { upload: item.upload, revision: item.revision, comment: $("comment").value };
    back = (await (await ask("/api/undo", body)).json()).item;
    $("comment").value = "";
    say(`taken back: ${item.label}, ${item.key}`);
  } catch (error) {
    if (error.status !== 409) throw error;
    say(`${item.key}: ${error.message}`, true);
  }
  labelled = others(labelled, item);
  done.add(id(item));
  if (name === "mine" && back && back.queue === "mine" && back.reviewer === reviewer) {
    queue = queue.map((other) => other.upload === back.upload ? back : other); // the label before
  } else if (name === "mine") {
    queue = others(queue, item);
    place = 0;
  } else if (back && back.queue === name) {
    queue.unshift(back);
    waiting += 1;
  }
}

async function undo() {
  if (labelled.length) await takeBack(labelled[labelled.length - 1]);
}

async function skip() {
  if (name === "mine") place = queue.length ? (place + 1) % queue.length : 0;
  else if (waiting > 1) skipped.add(id(queue.shift()));
  else say("It is the only one that waits.");
}

async function turn(to) {
  name = to;
  queue = [];
  $("comment").value = "";
  say("");
}

async function act(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    await show();
  } catch (error) {
    say(why(error), true);
    if (!queue.length) $("placeholder").textContent = "";
  } finally {
    busy = false;
    lookLater();
    ready();
  }
}

// New work shows itself: what waits is counted, and only while somebody can see it.
function lookLater() {
  clearTimeout(looking);
  looking = setTimeout(look, 1000 * (queue.length ? BUSY_S : IDLE_S));
}

async function look() {
  clearTimeout(looking);
  if (document.hidden) return; // the page looks when it is seen again
  const before = document.body.dataset.ready;
  try {
    const now = busy ? null : await (await ask("/api/counts")).json();
    if (now && !busy && document.body.dataset.ready === before) { // else they are older than what is shown
      counts = now;
      if (name !== "mine") waiting = Math.max(counts[name], queue.length);
      if (!queue.length && counts[name]) await act(async () => {});
      else showProgress();
    }
  } catch (error) {
    if (!queue.length) say(why(error), true);
    if (error.status === 403) return; // a token of another run stays refused: asking again is no use
  }
  lookLater();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target === $("comment")) {
    if (event.key === "Enter" || event.key === "Escape") $("comment").blur();
    return;
  }
  if (event.key === "/") {
    event.preventDefault();
    $("comment").focus();
    return;
  }
  const found = event.key.length === 1 && [...keys].find(([, key]) => key === event.key);
  if (found) act(() => give(found[0]));
  else if (event.key === "u") act(undo);
  else if (event.key === "s") act(skip);
  else if (event.key === "z") turnZoom();
  else if (event.key === "?") $("keys").open = !$("keys").open;
  else if (event.key === "Enter" && !event.target.closest("button, a, summary")) act(agree);
});
// A click leaves the focus to the keys: Enter would repeat the click.
$("main").addEventListener("click", (event) => {
  const button = event.detail && event.target.closest("button, summary");
  if (button) button.blur();
});
$("frame").addEventListener("click", (event) => {
  const box = $("picture").getBoundingClientRect();
  clicked = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  turnZoom();
});
$("zoom").addEventListener("click", turnZoom);
$("agree").addEventListener("click", () => act(agree));
document.addEventListener("visibilitychange", look);
for (const button of $("queues").children) button.addEventListener("click", () => act(() => turn(button.dataset.queue)));
$("undo").addEventListener("click", () => act(undo));
$("skip").addEventListener("click", () => act(skip));
act(async () => {});
