"use strict";
const FOLLOWED_S = 320; // every way of the workflow ends within 5 minutes
const STEPS = ["in the bucket", "decided"];

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

function row(file) {
  const line = element("li"), image = element("img", undefined, { alt: "", width: 120, height: 120 });
  image.src = URL.createObjectURL(file);
  image.addEventListener("error", () => image.replaceWith(element("span", "no preview", { className: "absent" })));
  const steps = element("ol", undefined, { className: "steps" });
  steps.append(...STEPS.map((name) => element("li", name)));
  const told = element("p", "", { className: "told" });
  line.append(image, element("b", file.name, { className: "name" }), steps, told);
  $("tried").prepend(line);
  return {
    line,
    reach: (number) => [...steps.children].forEach((step, at) => { step.dataset.reached = at < number ? "yes" : "no"; }),
    tell: (text, error = false) => { told.textContent = text; told.classList.toggle("alert", error); },
    show: (node) => told.append(" ", node),
  };
}

async function send(file) {
  const shown = row(file);
  try {
    const began = performance.now();
    const path = `/api/try?name=${encodeURIComponent(file.name.toWellFormed())}`;
    const { upload } = await (await ask(path, file)).json();
    shown.reach(1);
    await follow(shown, upload, began);
  } catch (error) {
    shown.tell(why(error), true);
  } finally {
    ready();
  }
}

async function follow(shown, upload, began) {
  const address = encodeURIComponent(upload);
  for (let waited = 0; waited < FOLLOWED_S; waited += 1) {
    const known = await (await ask(`/api/outcome?upload=${address}`)).json();
    if (known.outcome) {
      shown.reach(2);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      shown.tell(`${known.outcome}: ${known.finding}, after ${seconds} s.`);
      shown.line.dataset.upload = upload;
      shown.line.dataset.outcome = known.outcome;
      shown.show(element("a", "Its way through the workflow", { href: `/upload?upload=${address}#${token}` }));
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
