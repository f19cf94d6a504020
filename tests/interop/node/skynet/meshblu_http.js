// meshblu-http, which sends and manages, and has no way to hear.
"use strict";
const MeshbluHttp = require("meshblu-http");
const { Session, succeeded } = require("./session.js");

class HttpSession extends Session {
  async open({ url, uuid, token }) {
    const { hostname, port } = new URL(url);
    this.uuid = uuid;
    this.client = new MeshbluHttp({ uuid, token, protocol: "http", hostname, port });
    await this.whoami();
    return { uuid, token };
  }

  register({ properties }) {
    return succeeded((done) => this.client.register(properties, done));
  }

  whoami() {
    return succeeded((done) => this.client.whoami(done));
  }

  update({ properties }) {
    return succeeded((done) => this.client.update(this.uuid, properties, done));
  }

  devices({ query }) {
    return succeeded((done) => this.client.devices(query, done));
  }

  message({ message }) {
    return succeeded((done) => this.client.message(message, done));
  }

  unregister() {
    return succeeded((done) => this.client.unregister({ uuid: this.uuid }, done));
  }

  // Any of its other functions; each takes a callback last.
  call({ method, parameters }) {
    return succeeded((done) => this.client[method](...parameters, done));
  }

  close() {}
}

module.exports = HttpSession;
