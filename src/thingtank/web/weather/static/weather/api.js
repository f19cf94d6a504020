// The browsable REST API: forms with a method that HTML has not, and bodies as they are typed. The
// answer is a page; it takes this one's place.

const api = document.getElementById("api");


function say(text) {
  const problem = document.getElementById("api-problem"); // comes anew with each answer
  problem.textContent = text;
  problem.hidden = !text;
}

/** Body and content type of a form: as typed, or as a browser encodes it. */
function bodyOf(form) {
  if (form.dataset.raw === undefined) {
    return form.querySelector("[name]") ? { body: new FormData(form), type: null } : { body: undefined, type: null };
  }
  const fields = new FormData(form);
  return { body: fields.get("_content"), type: fields.get("_content_type") };
}

async function send(form, method) {
  const { body, type } = bodyOf(form);
  const headers = { Accept: "text/html", [api.dataset.csrfHeader]: api.dataset.csrfToken };
  if (type) headers["Content-Type"] = type;
  const answer = await fetch(form.action, { method, body, headers, credentials: "same-origin" });
  if (method === "DELETE" && answer.ok) {
    location.assign(new URL("../", form.action)); // the list that it was in
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const shown = page.getElementById("api");
  if (shown) take(shown);
  else say(`The server answered ${answer.status}.`);
}

function take(shown) {
  if (api.dataset.csrfToken !== shown.dataset.csrfToken) api.dataset.csrfToken = shown.dataset.csrfToken;
  api.replaceChildren(...document.importNode(shown, true).childNodes);
  scrollTo(0, 0);
  const answer = document.getElementById("api-answer");
  answer.tabIndex = -1;
  answer.focus({ preventScroll: true });
}

api.addEventListener("submit", (event) => {
  const form = event.target;
  const method = event.submitter?.dataset.method ?? form.dataset.method;
  if (!method) return; // HTML's own POST
  event.preventDefault();
  if (form.dataset.sure && !confirm(form.dataset.sure)) return;
  say("");
  send(form, method).catch(() => say("The server could not be reached."));
});
