// npm skynet 0.0 (socket.io 0.9) and meshblu 1 (socket.io 1): a connection has the same methods.
"use strict";
const { Session, answered, ready } = require("./session.js");

const OPTIONS = {
  skynet: ({ hostname, port }) => ({ server: `http://${hostname}`, port, forceNew: true }),
  meshblu: ({ hostname, port }, transports) => ({
    server: `ws://${hostname}`,
    port,
    ...(transports.length && { options: { transports } }),
  }),
};

class ConnectionSession extends Session {
  async open({ client, url, transports, uuid, token }) {
    const options = { ...OPTIONS[client](new URL(url), transports), uuid, token };
    this.connection = require(client).createConnection(options);
    this.isMeshblu = client === "meshblu";
    this.keep(this.connection, "message", "config", "unregistered", "tb");
    const answer = await ready(this.connection);
    this.credentials = { uuid: answer.uuid, token: answer.token };
    return answer;
  }

  status() {
    return answered((done) =>
      this.isMeshblu ? this.connection.status({}, done) : this.connection.status(done),
    );
  }

  register({ properties }) {
    return this.#ask("register", properties);
  }

  whoami() {
    return this.#ask("whoami", { uuid: this.credentials.uuid });
  }

  update({ properties }) {
    return this.#ask("update", { ...this.credentials, ...properties });
  }

  devices({ query }) {
    return this.#ask("devices", query);
  }

  message({ message }) {
    this.connection.message(message);
  }

  question({ message }) {
    return answered((done) => this.connection.message(message, done));
  }

  // Any of its other functions with a callback.
  call({ method, parameters }) {
    return this.#ask(method, ...parameters);
  }

  // Any without.
  say({ method, parameters }) {
    this.connection[method](...parameters);
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
    if (this.isMeshblu) return answered((done) => this.connection.close(done));
    // What skynet has for it does nothing.
    return answered((done) => this.connection.once("disconnect", done).socket.disconnect());
  }

  #ask(method, ...data) {
    return answered((done) => this.connection[method](...data, done));
  }
}

module.exports = ConnectionSession;
