// Buttons that copy a text of the page, with its key where one belongs in it.
import { lineWith, secretOf } from "./secrets.js";
import { say } from "./notices.js";

async function textOf(button) {
  const element = document.getElementById(button.dataset.copy);
  const keyId = button.dataset.copySecret;
  if (keyId === undefined) return element.textContent;
  const secret = await secretOf(keyId, true);
  return "secretIn" in element.dataset ? lineWith(element, secret) : secret;
}

async function put(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  // Plain http from another machine has no clipboard object; the old way still works.
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("the browser refused to copy");
}

export function startCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    let text;
    try {
      text = await textOf(button);
    } catch (error) {
      say(error instanceof TypeError ? "The server cannot be reached." : error.message);
      return;
    }
    try {
      await put(text);
    } catch {
      say("The browser did not let the page copy. Select the text and copy it yourself.");
      return;
    }
    button.classList.add("is-copied");
    say("Copied.");
    setTimeout(() => button.classList.remove("is-copied"), 1500);
  });
}
