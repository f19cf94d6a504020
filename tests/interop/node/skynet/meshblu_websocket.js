// meshblu-websocket: bare WebSocket frames; an answer is an event, as anything else is.
"use strict";
const Meshblu = require("meshblu-websocket");
const { Session, ready, succeeded } = require("./session.js");

class WebSocketSession extends Session {
  async open({ url, uuid, token }) {
    const { hostname, port } = new URL(url);
    this.client = new Meshblu({ uuid, token, hostname, port });
    this.client.on("error", () => {}); // one is thrown when nobody listens
    this.keep(this.client, "message", "config");
    const connected = succeeded((done) => this.client.connect(done));
    const [answer] = await Promise.all([ready(this.client), connected]);
    this.uuid = answer.uuid;
    return answer;
  }

  status() {
    return this.#ask("status", () => this.client.send("status"));
  }

  register({ properties }) {
    return this.#ask("registered", () => this.client.register(properties));
  }

  whoami() {
    return this.#ask("whoami", () => this.client.whoami());
  }

  update({ properties }) {
    return this.#ask("updated", () => this.client.update({ uuid: this.uuid }, properties));
  }

  devices({ query }) {
    return this.#ask("devices", () => this.client.devices(query));
  }

  message({ message }) {
    this.client.message(message);
  }

  async subscribe({ uuid }) {
    this.client.subscribe(uuid);
    await this.whoami(); // so it has been carried out: it has no answer of its own
  }

  async unsubscribe({ uuid }) {
    this.client.unsubscribe(uuid);
    await this.whoami();
  }

  unregister() {
    return this.#ask("unregistered", () => this.client.unregister(this.uuid));
  }

  close() {
    this.client.close();
  }

  #ask(name, send) {
    const answer = ready(this.client, name, "error");
    send();
    return answer;
  }
}

module.exports = WebSocketSession;
