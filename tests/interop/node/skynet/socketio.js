// A program on the current socket.io client, which emits the events of SkyNet's documentation.
"use strict";
const { io } = require("socket.io-client");
const { Session, ready } = require("./session.js");

const WAIT_MS_MAX = 5000;

class SocketSession extends Session {
  questions = 0;

  async open({ url, transports, uuid, token }) {
    this.socket = io(url, { forceNew: true, ...(transports.length && { transports }) });
    this.socket.on("identify", () => this.socket.emit("identity", { uuid, token }));
    this.keep(this.socket, "message", "config", "unregistered", "data");
    this.socket.on("message", ({ ack, fromUuid, payload }) => {
      if (ack === undefined) return;
      this.socket.emit("messageAck", { devices: fromUuid, ack, payload: { heard: payload } });
    });
    const answer = await ready(this.socket);
    this.credentials = { uuid: answer.uuid, token: answer.token };
    return answer;
  }

  status() {
    return this.#ask("status");
  }

  register({ properties }) {
    return this.#ask("register", properties);
  }

  whoami() {
    return this.#ask("whoami", {});
  }

  update({ properties }) {
    return this.#ask("update", { ...this.credentials, ...properties });
  }

  devices({ query }) {
    return this.#ask("devices", query);
  }

  message({ message }) {
    this.socket.emit("message", message);
  }

  async question({ message }) {
    const ack = ++this.questions;
    const said = ready(this.socket, "messageAck");
    this.socket.emit("message", { ...message, ack });
    const answer = await said;
    if (answer.ack !== ack) throw new Error(JSON.stringify(answer));
    return answer.payload;
  }

  subscribe({ uuid }) {
    return this.#ask("subscribe", { uuid });
  }

  unsubscribe({ uuid }) {
    return this.#ask("unsubscribe", { uuid });
  }

  data({ values }) {
    return this.#ask("data", { ...this.credentials, ...values });
  }

  getdata({ limit }) {
    return this.#ask("getdata", { ...this.credentials, limit });
  }

  unregister() {
    return this.#ask("unregister", this.credentials);
  }

  close() {
    this.socket.disconnect();
  }

  #ask(event, ...args) {
    return this.socket.timeout(WAIT_MS_MAX).emitWithAck(event, ...args);
  }
}

module.exports = SocketSession;
