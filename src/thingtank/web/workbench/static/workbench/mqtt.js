// The MQTT page: its rows fill in the forms that listen to topics and look at packets.
import { say } from "./notices.js";
import { rowOf } from "./router.js";
import { Heard, choose } from "./trying.js";

const listening = new Heard("listen", {
  problemsOf: (terms) =>
    terms.get("topic_filter") ? {} : { topic_filter: "Say which topic filter; # is for all." },
});
const watching = new Heard("watch", {
  problemsOf: (terms) =>
    terms.get("client_id") ? {} : { client_id: "Say which client, or choose Packets in the list." },
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-listen], [data-watch]");
  if (!button) return;
  const row = rowOf(button);
  if (!row) {
    say("It has ended meanwhile.");
  } else if ("watch" in button.dataset) {
    choose("watch").elements.client_id.value = row.client_id;
    watching.start();
  } else {
    choose("listen").elements.topic_filter.value = row.topic ?? row.topic_filter;
    listening.start();
  }
});
