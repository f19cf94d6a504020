// Sends a form with a list of serials, says how far it is, and hands back the answer.

const PASTE_CHARS_MAX = 200_000; // longer lists travel as a file, for which the server has room

/** What people can be told; other errors mean that the server cannot be reached. */
class Refused extends Error {}

function checkSize(form) {
  const input = form.querySelector("input[type=file]");
  const bytesMax = Number(input.dataset.bytesMax);
  const pasted = new Blob([form.elements.serials.value]);
  if (Math.max(input.files[0]?.size ?? 0, pasted.size) > bytesMax) {
    throw new Refused(`The list is too large: at most ${bytesMax / 1e6} MB are read at once.`);
  }
}

function bodyOf(form) {
  const body = new FormData(form);
  const pasted = body.get("serials");
  const hasFile = body.get("file") instanceof File && body.get("file").name !== "";
  if (typeof pasted === "string" && pasted.length > PASTE_CHARS_MAX && !hasFile) {
    body.set("serials", "");
    body.set("file", new File([pasted], "pasted.txt", { type: "text/plain" }));
  }
  return body;
}

function percent(event) {
  return event.lengthComputable ? Math.round((100 * event.loaded) / event.total) : null;
}

/** POST a form; resolves to { url, text, ok }, and rejects when the server cannot be reached. */
export function send(form) {
  checkSize(form);
  const state = form.querySelector("[data-upload-state]");
  const meter = state.querySelector("progress");
  const words = state.querySelector("p");
  state.hidden = false;
  meter.removeAttribute("value");
  words.textContent = "Sending the list…";
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (event) => {
      const sent = percent(event);
      if (sent === null) return;
      meter.value = sent / 100;
      // In steps, so that a screen reader is not told of each percent.
      if (sent % 25 === 0) words.textContent = `Sending the list: ${sent} %`;
    });
    request.upload.addEventListener("load", () => {
      meter.removeAttribute("value");
      words.textContent = "Checking and adding the serials…";
    });
    request.addEventListener("load", () => {
      const { responseURL: url, responseText: text, status } = request;
      resolve({ url, text, ok: status < 400 });
    });
    for (const name of ["error", "abort", "timeout"]) {
      request.addEventListener(name, () => {
        state.hidden = true;
        reject(new Error("the server cannot be reached"));
      });
    }
    request.send(bodyOf(form));
  });
}

/** Say above a form why it was not sent. */
export function showProblem(form, words) {
  form.querySelector(".form-errors")?.remove();
  const problem = document.createElement("div");
  problem.className = "form-errors";
  problem.setAttribute("role", "alert");
  problem.textContent = words;
  form.prepend(problem);
}

export function wordsOf(error) {
  return error instanceof Refused
    ? error.message
    : "The server cannot be reached. Nothing was saved.";
}

/** A page of its own, not a dialog: the answer takes the form's place. */
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-upload]") || form.closest("dialog")) return;
  event.preventDefault();
  const button = form.querySelector("button:not([type=button])");
  button.disabled = true;
  let answer;
  try {
    answer = await send(form);
  } catch (error) {
    button.disabled = false;
    if (error instanceof Refused) {
      showProblem(form, error.message);
      return;
    }
    form.submit(); // the browser's own page says best what is wrong
    return;
  }
  if (new URL(answer.url).pathname !== location.pathname) {
    location.assign(answer.url);
    return;
  }
  const fresh = new DOMParser().parseFromString(answer.text, "text/html").getElementById("sheet");
  if (!fresh) {
    location.reload();
    return;
  }
  document.getElementById("sheet").replaceWith(document.importNode(fresh, true));
  document.querySelector("#sheet [aria-invalid=true]")?.focus();
});
