// The WAMP page: its rows fill in the forms that call and listen.
import { say } from "./notices.js";
import { rowOf } from "./router.js";
import { Heard, choose } from "./trying.js";

const session = document.querySelector('#try input[name="session"]'); // what is published goes through it
const listening = new Heard("listen", {
  problemsOf: (terms) => {
    terms.set("topic", terms.get("topic").trim());
    const isBlank = terms.get("topic") === "" && terms.get("match") === "exact";
    return isBlank ? { topic: "Say which topic, or choose another match." } : {};
  },
  hello: (body) => {
    session.value = body.session;
  },
  end: () => {
    session.value = "";
  },
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-listen], [data-call]");
  if (!button) return;
  const uri = button.dataset.call || rowOf(button)?.uri;
  if (uri === undefined) {
    say("It has ended meanwhile.");
  } else if ("listen" in button.dataset) {
    const form = choose("listen");
    form.elements.topic.value = uri;
    form.elements.match.value = rowOf(button).match;
    listening.start();
  } else {
    const form = choose("call");
    form.elements.procedure.value = uri;
    form.elements.args.focus();
  }
});
