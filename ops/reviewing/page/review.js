"use strict";
// The token of this run is in the fragment; it goes into a header that no other site can send.
const token = location.hash.slice(1);
const $ = (id) => document.getElementById(id);

let queue = [];       // what waits, the first one is shown
let classes = [];     // in the order of their keys, which never changes
let labelled = [];    // what was labelled here, the last one can be undone
let waiting = 0;
const done = new Set(); // upload#revision: the ledger's index lags a moment behind
const skipped = new Set(); // come again when all others have been seen
const KEYS = "123456789abcdefghijklmnopqrtvwxyz"; // s and u are taken
const MAX_BEYOND = 2000; // as many skipped ones the server looks past
let busy = false;
let unseen = false;   // the picture did not come: nobody can tell what it shows
let shownUrl = null;

async function ask(path, body) {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: { "X-Review-Token": token, ...(body && { "Content-Type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) {
    const reply = await answer.json().catch(() => ({ error: answer.statusText }));
    throw Object.assign(new Error(reply.error), { status: answer.status });
  }
  return answer;
}

const id = (item) => `${item.upload} ${item.revision}`;

async function fill() {
  if (skipped.size > MAX_BEYOND) skipped.clear();
  const reply = await (await ask(`/api/queue?beyond=${skipped.size}`)).json();
  classes.push(...reply.classes.filter((label) => !classes.includes(label)));
  const fresh = reply.items.filter((item) => !done.has(id(item)));
  waiting = Math.max(reply.waiting - (reply.items.length - fresh.length), fresh.length);
  queue = fresh.filter((item) => !skipped.has(id(item)));
  if (!queue.length) {
    skipped.clear();
    queue = fresh;
  }
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) made.textContent = text;
  return made;
}

function say(text, error = false) {
  $("message").textContent = text;
  $("message").className = error ? "error" : "";
}

async function show() {
  if (!queue.length) await fill();
  const item = queue[0];
  const all = labelled.length + waiting;
  $("progress").textContent = `${labelled.length} labelled, ${waiting} waiting`;
  $("bar").max = all || 1;
  $("bar").value = all ? labelled.length : 1;
  $("undo").disabled = !labelled.length;
  $("skip").disabled = !item;
  unseen = false;
  $("classes").replaceChildren(...classes.map((label, index) => {
    const button = element("button", undefined, { disabled: !item });
    if (index < KEYS.length) button.append(element("kbd", KEYS[index]), " ");
    button.append(label);
    button.dataset.label = label;
    button.addEventListener("click", () => act(() => give(label)));
    return button;
  }));
  $("guesses").replaceChildren(...(item ? item.guesses : []).map((guess) => {
    const line = element("div", undefined, { className: "guess" });
    line.append(element("span", guess.label), element("meter", undefined, { value: guess.confidence }),
      element("span", `${(100 * guess.confidence).toFixed(1)} %`));
    return line;
  }));
  $("name").textContent = item ? `${item.key}, uploaded ${item.uploaded_at}` : "";
  document.body.dataset.upload = item ? item.upload : "";
  await picture(item);
}

async function picture(item) {
  $("picture").hidden = true;
  $("placeholder").hidden = false;
  if (shownUrl) URL.revokeObjectURL(shownUrl);
  shownUrl = null;
  if (!item) {
    $("placeholder").textContent = "Nothing waits for review.";
    return;
  }
  $("placeholder").textContent = "Loading ...";
  try {
    const blob = await (await ask(`/api/picture?upload=${encodeURIComponent(item.upload)}`)).blob();
    shownUrl = URL.createObjectURL(blob);
    $("picture").src = shownUrl;
    await $("picture").decode();
    $("picture").hidden = false;
    $("placeholder").hidden = true;
  } catch (error) {
    unseen = Boolean(error.status);
    for (const button of $("classes").children) button.disabled = unseen;
    $("placeholder").textContent = error.status === 404
      ? error.message
      : unseen ? `${error.message}; skip it` : "This browser cannot show the picture; skip it, or open it from S3.";
  }
}

function drop(item) {
  done.add(id(item));
  queue.shift();
}

async function give(label) {
  const item = queue[0];
  if (!item || unseen) return;
  try {
    const reply = await (await ask("/api/label", { upload: item.upload, revision: item.revision, label })).json();
    labelled.push(reply.item);
    say(reply.note ? `${item.key}: ${reply.note}` : `${label}: ${item.key}`);
  } catch (error) {
    if (error.status !== 409) throw error;
    say(`${item.key}: ${error.message}`, true);
  }
  waiting = Math.max(0, waiting - 1);
  drop(item);
}

async function undo() {
  const last = labelled.pop();
  if (!last) return;
  try {
    const reply = await (await ask("/api/undo", { upload: last.upload, revision: last.revision })).json();
    queue.unshift(reply.item);
    waiting += 1;
    say(`taken back: ${last.label}, ${last.key}`);
  } catch (error) {
    if (error.status !== 409) {
      labelled.push(last);
      throw error;
    }
    say(`${last.key}: ${error.message}`, true);
  }
}

async function skip() {
  if (waiting > 1) skipped.add(id(queue.shift()));
  else say("It is the only one that waits.");
}

async function act(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    await show();
  } catch (error) {
    say(error.status ? error.message : "The page's server does not answer: is it still running?", true);
    if (!queue.length) $("placeholder").textContent = "";
  } finally {
    busy = false;
    document.body.dataset.ready = String(Number(document.body.dataset.ready || 0) + 1);
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const label = event.key.length === 1 ? classes[KEYS.indexOf(event.key)] : undefined;
  if (label !== undefined) act(() => give(label));
  else if (event.key === "u") act(undo);
  else if (event.key === "s") act(skip);
});
$("undo").addEventListener("click", () => act(undo));
$("skip").addEventListener("click", () => act(skip));
act(async () => {});
