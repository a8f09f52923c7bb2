"use strict";
// The token of this run is in the fragment; it goes into a header that no other site can send.
const token = location.hash.slice(1);
const $ = (id) => document.getElementById(id);

async function ask(path, body) {
  const answer = await fetch(path, {
    method: body ? "POST" : "GET",
    headers: { "X-Console-Token": token, ...(body && { "Content-Type": "application/octet-stream" }) },
    body: body instanceof Blob ? body : body && JSON.stringify(body),
  });
  if (!answer.ok) {
    const reply = await answer.json().catch(() => ({ error: answer.statusText }));
    throw Object.assign(new Error(reply.error), { status: answer.status });
  }
  return answer;
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) made.textContent = text;
  return made;
}

const why = (error) => error.status ? error.message : "The console's server does not answer: is it still running?";
const pictureAddress = (upload) => `/api/picture?upload=${encodeURIComponent(upload)}`;

// Each page loads with the token of the one before.
function withToken(root) {
  for (const link of root.querySelectorAll("a[href^='/']")) link.hash = token;
}

async function picture(image) {
  const small = "whole" in image.dataset ? "" : "&small";
  try {
    const blob = await (await ask(pictureAddress(image.dataset.picture) + small)).blob();
    image.src = URL.createObjectURL(blob);
    await image.decode();
    image.dataset.shown = "yes";
  } catch (error) {
    image.replaceWith(element("span", error.status ? error.message : "it cannot be shown", { className: "absent" }));
  }
}
// Thumbnails come when they are nearly in sight: each is a read of the bucket.
const nearly = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((entry) => entry.isIntersecting)) {
    nearly.unobserve(entry.target);
    picture(entry.target);
  }
}, { rootMargin: "200px" });

async function fill(part) {
  try {
    const page = part.id === "main" ? location.search : "";
    part.innerHTML = await (await ask(part.dataset.part + page)).text(); // scripts in it do not run
  } catch (error) {
    const heading = part.querySelector("h1") || "";
    part.replaceChildren(heading, element("p", why(error), { className: "alert", role: "alert" }));
    return;
  }
  withToken(part);
  for (const image of part.querySelectorAll("img[data-picture]")) nearly.observe(image);
  for (const form of part.querySelectorAll("form[data-filter]")) form.addEventListener("submit", filter);
  await Promise.all([...part.querySelectorAll("[data-part]")].map(fill));
}

function filter(event) {
  event.preventDefault();
  const asked = [...new FormData(event.target)].filter(([, value]) => value);
  location.assign(`${event.target.dataset.filter}?${new URLSearchParams(asked)}#${token}`);
}

function ready() {
  document.body.dataset.ready = String(Number(document.body.dataset.ready || 0) + 1);
}

async function load() {
  withToken(document);
  const main = $("main");
  if (!main.dataset.part) return;
  await fill(main);
  ready();
  const live = main.querySelector("[data-every]");
  if (live) setTimeout(again, 1000 * live.dataset.every);
}

function again() {
  if (!document.hidden) load();
  else document.addEventListener("visibilitychange", load, { once: true }); // unseen, it asks nothing
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment is the token's
  $("main").focus();
});
addEventListener("hashchange", () => location.reload());
load();
