// One connection of server-sent events. It is closed while the tab is hidden: a browser allows few
// connections to one origin, and other tabs may need them.

const RETRY_MS = 5000;
const WORDS = { waiting: "Connecting", live: "Live", lost: "Reconnecting" };

export class Stream {
  #address;
  #state;
  #handlers;
  #source = null;
  #isFirst = true;
  #isOver = false;
  #end = new AbortController(); // of what `start` listens to
  #retry = 0;
  #isKept;

  /**
   * @param handlers by kind of message; `hello` among them, which comes first on each connection.
   * @param isKept whether it goes on while the tab is hidden.
   */
  constructor(address, state, handlers, { isKept = false } = {}) {
    this.#isKept = isKept;
    this.#address = address;
    this.#state = state;
    this.#handlers = handlers;
  }

  start() {
    const { signal } = this.#end;
    document.addEventListener("visibilitychange", () => this.#follow(), { signal });
    addEventListener("pagehide", () => this.#close(), { signal });
    addEventListener("pageshow", () => this.#follow(), { signal });
    this.#follow();
  }

  /** End it for good. */
  stop() {
    this.#isOver = true;
    this.#end.abort();
    this.#close();
    clearTimeout(this.#retry);
  }

  #follow() {
    if (this.#isOver) return;
    if (document.hidden && !this.#isKept) this.#close();
    else if (!this.#source) this.#open();
  }

  #open() {
    clearTimeout(this.#retry);
    this.#source = new EventSource(this.#address);
    for (const kind of Object.keys(this.#handlers)) {
      this.#source.addEventListener(kind, (event) => this.#take(kind, JSON.parse(event.data)));
    }
    this.#source.addEventListener("error", () => {
      this.#show("lost");
      // The browser tries again by itself, except after an answer that was no stream.
      if (this.#source?.readyState === EventSource.CLOSED) {
        this.#close();
        this.#retry = setTimeout(() => this.#follow(), RETRY_MS);
      }
    });
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #take(kind, body) {
    if (kind === "hello") {
      this.#show("live");
      this.#handlers.hello(body, this.#isFirst);
      this.#isFirst = false;
      return;
    }
    if (kind === "gone") this.#close();
    this.#handlers[kind](body);
  }

  #show(state) {
    if (this.#state.dataset.state === state) return;
    this.#state.dataset.state = state;
    this.#state.textContent = WORDS[state];
  }
}
