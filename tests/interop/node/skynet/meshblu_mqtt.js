// meshblu-mqtt, whose requests are answered by a callbackId.
"use strict";
const Meshblu = require("meshblu-mqtt");
const { Session, answered, ready, succeeded } = require("./session.js");

class MeshbluMqttSession extends Session {
  async open({ mqtt, uuid, token }) {
    const { hostname, port } = new URL(mqtt);
    this.uuid = uuid;
    this.client = new Meshblu({ uuid, token, hostname, port });
    this.client.on("error", () => {}); // one is thrown when nobody listens
    this.keep(this.client, "message", "config");
    const connected = answered((done) => this.client.connect(done));
    return Promise.race([connected, ready(this.client, "never", "error")]);
  }

  whoami() {
    return succeeded((done) => this.client.whoami(done));
  }

  update({ properties }) {
    return succeeded((done) => this.client.update({ uuid: this.uuid, ...properties }, done));
  }

  // Any of its other functions with a callback.
  call({ method, parameters }) {
    return succeeded((done) => this.client[method](...parameters, done));
  }

  message({ message }) {
    this.client.message(message);
  }

  async subscribe({ uuid }) {
    this.client.subscribe(`${uuid}_bc`);
    await this.whoami(); // so it has been carried out
  }

  async unsubscribe({ uuid }) {
    this.client.unsubscribe(`${uuid}_bc`);
    await this.whoami();
  }

  close() {
    return answered((done) => this.client.client.end(false, done));
  }
}

module.exports = MeshbluMqttSession;
