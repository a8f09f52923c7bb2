"use strict";
const FOLLOWED_S = 320; // every way of the workflow ends within 5 minutes
const FIRST = { name: "in the bucket" }, LAST = "recorded"; // until the outcome is known
const BAD = ["failed", "rejected"];

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function row(file) {
  const line = element("li"), image = element("img", undefined, { alt: "", width: 120, height: 120 });
  image.src = URL.createObjectURL(file);
  image.addEventListener("error", () => image.replaceWith(element("span", "no preview", { className: "absent" })));
  const steps = element("ol", undefined, { className: "steps" });
  const told = element("p", "", { className: "told" });
  line.append(image, element("b", file.name, { className: "name" }), steps, told);
  $("tried").prepend(line);
  return {
    line,
    reach: (states, ahead) => showSteps(steps, states, ahead),
    tell: (text, error = false) => {
      if (told.textContent !== text) told.textContent = text; // said again it would be read aloud again
      told.classList.toggle("alert", error);
    },
    show: (node) => told.append(" ", node),
  };
}

// The states that it has entered, with the time in each, and those ahead. A list that is read aloud
// changes only where there is news.
function showSteps(steps, states, ahead) {
  const texts = [...states.map(stepText), ...ahead];
  if ([...steps.children].map((step) => step.textContent).join("\n") !== texts.join("\n")) {
    steps.replaceChildren(...texts.map((text) => element("li", text)));
  }
  [...steps.children].forEach((step, at) => {
    step.dataset.reached = at < states.length ? "yes" : "no";
    step.classList.toggle("bad", Boolean(states[at]?.error || BAD.includes(states[at]?.name)));
  });
}

function stepText({ name, seconds, retries, error }) {
  const parts = [name];
  if (Number.isFinite(seconds)) parts.push(`${Math.round(1000 * seconds)} ms`);
  if (retries) parts.push(retries === 1 ? "1 retry" : `${retries} retries`);
  if (error) parts.push(error);
  return parts.join(", ");
}

// What is left of the planned way; off it nobody knows.
function stillAhead(way, states) {
  const at = states.map((state) => way.indexOf(state.name));
  return at.includes(-1) ? [] : way.slice(Math.max(-1, ...at) + 1);
}

async function send(file) {
  const shown = row(file), most = Number($("files").dataset.most);
  try {
    if (file.size > most) {
      const size = `${file.size.toLocaleString("en")} bytes`, bound = most.toLocaleString("en");
      shown.tell(`It has ${size}; the workflow takes ${bound}. Give a smaller one.`, true);
      return;
    }
    const began = performance.now();
    const path = `/api/try?name=${encodeURIComponent(file.name.toWellFormed())}`;
    shown.reach([], [FIRST.name, LAST]);
    const { upload, way } = await (await ask(path, file)).json();
    shown.reach([FIRST], [...way, LAST]);
    await follow(shown, upload, way, began);
  } catch (error) {
    shown.tell(why(error), true);
  } finally {
    ready();
  }
}

async function follow(shown, upload, way, began) {
  const address = encodeURIComponent(upload);
  for (let waited = 0; waited < FOLLOWED_S; waited += 1) {
    const known = await (await ask(`/api/outcome?upload=${address}`)).json();
    if (!known.outcome) {
      shown.reach([FIRST, ...known.states], [...stillAhead(way, known.states), LAST]);
      shown.tell(known.note);
    } else {
      shown.reach([FIRST, ...known.states, { name: known.outcome }], []);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      const found = `${known.outcome}: ${known.finding}, after ${seconds} s.`;
      shown.tell([found, known.detail.replace(/[^.]$/, "$&."), known.note].filter(Boolean).join(" "));
      shown.line.classList.toggle("bad", BAD.includes(known.outcome));
      shown.line.dataset.upload = upload;
      shown.line.dataset.outcome = known.outcome;
      shown.show(element("a", "Its execution", { href: `/upload?upload=${address}#${token}` }));
      return;
    }
    await pause(1);
  }
  shown.tell("It has no outcome after five minutes: python -m ops reconcile finds out why.", true);
}

function take(files) {
  for (const file of files) send(file);
}
$("files").addEventListener("change", (event) => {
  take(event.target.files);
});
for (const kind of ["dragover", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault(); // beside the field, too: the browser would leave the page for the photo
    if (kind === "drop") take(event.dataTransfer.files);
  });
}
