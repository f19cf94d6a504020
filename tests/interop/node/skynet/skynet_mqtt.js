// skynet-mqtt, whose requests are answered by a number.
"use strict";
const { createConnection } = require("skynet-mqtt");
const { Session, answered, ready } = require("./session.js");

class SkynetMqttSession extends Session {
  async open({ mqtt, uuid, token }) {
    const { hostname, port } = new URL(mqtt);
    this.connection = createConnection({ uuid, token, host: hostname, port: Number(port) });
    this.connection.on("error", () => {}); // one is thrown when nobody listens
    this.keep(this.connection, "message", "config", "tb");
    await ready(this.connection, "ready", "error");
    return { uuid, token };
  }

  whoami() {
    return answered((done) => this.connection.whoami({}, done));
  }

  update({ properties }) {
    return answered((done) => this.connection.update(properties, done));
  }

  message({ message }) {
    this.connection.message(message);
  }

  question({ message }) {
    return answered((done) => this.connection.message(message, done));
  }

  // Any of its other functions.
  async say({ method, parameters }) {
    this.connection[method](...parameters);
    await this.whoami();
  }

  async subscribe({ uuid }) {
    this.connection.subscribe(uuid);
    await this.whoami(); // so it has been carried out
  }

  async unsubscribe({ uuid }) {
    this.connection.unsubscribe({ uuid });
    await this.whoami();
  }

  async data({ values }) {
    this.connection.data(values);
    await this.whoami();
  }

  close() {
    return answered((done) => this.connection.mqttclient.once("close", done).end());
  }
}

module.exports = SkynetMqttSession;
