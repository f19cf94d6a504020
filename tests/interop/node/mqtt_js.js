// Runs MQTT.js for tests/interop/mqtt/js_client.py: commands as JSON lines in, answers as JSON
// lines out. Payloads are in hexadecimal digits.
"use strict";
const readline = require("readline");
const fs = require("fs");
const mqtt = require("mqtt");

const clients = {};

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function published(packet) {
  const properties = packet.properties ?? {};
  const user = Object.entries(properties.userProperties ?? {});
  return {
    topic: packet.topic,
    payload: Buffer.from(packet.payload).toString("hex"),
    qos: packet.qos,
    is_retain: packet.retain,
    user: user.flatMap(([name, values]) => [values].flat().map((value) => [name, value])),
    content_type: properties.contentType ?? "",
    response_topic: properties.responseTopic ?? "",
    correlation_data: Buffer.from(properties.correlationData ?? "").toString("hex"),
  };
}

function propertiesOf({ user, content_type, response_topic, correlation_data }) {
  const userProperties = {};
  for (const [name, value] of user) (userProperties[name] ??= []).push(value);
  return {
    ...(user.length && { userProperties }),
    ...(content_type && { contentType: content_type }),
    ...(response_topic && { responseTopic: response_topic }),
    ...(correlation_data && { correlationData: Buffer.from(correlation_data, "hex") }),
  };
}

const verbs = {
  open({ name, url, version, client_id, session_s, user_name, password, ca, certificate, key, will }) {
    const file = (path) => (path ? fs.readFileSync(path) : undefined);
    const is5 = version === 5;
    const client = (clients[name] = mqtt.connect(url, {
      clientId: client_id,
      protocolVersion: version,
      clean: session_s === 0,
      reconnectPeriod: 100,
      username: user_name || undefined,
      password: password || undefined,
      ca: file(ca),
      cert: file(certificate),
      key: file(key),
      ...(is5 && { properties: { sessionExpiryInterval: session_s } }),
      ...(will && {
        will: {
          topic: will.topic,
          payload: Buffer.from(will.payload, "hex"),
          qos: will.qos,
          retain: will.is_retain,
        },
      }),
    }));
    client.on("message", (topic, payload, packet) => say({ name, message: published(packet) }));
    client.on("connect", () => say({ name, connected: true }));
    return new Promise((resolve, reject) => {
      let isIn = false;
      client.once("connect", (connack) => {
        isIn = true;
        resolve({ is_session_present: connack.sessionPresent });
      });
      client.on("error", (error) => {
        if (isIn) return; // it will connect again
        client.end(true);
        reject(error);
      });
    });
  },
  async subscribe({ name, topic_filter, qos }) {
    const granted = await clients[name].subscribeAsync(topic_filter, { qos });
    if (granted.some((each) => each.qos > 2)) throw new Error("refused");
  },
  async publish({ name, topic, payload, qos, is_retain, ...properties }) {
    const client = clients[name];
    const options = { qos, retain: is_retain };
    if (client.options.protocolVersion === 5) options.properties = propertiesOf(properties);
    await client.publishAsync(topic, Buffer.from(payload, "hex"), options);
  },
  close: ({ name }) => clients[name].endAsync(),
  drop: ({ name }) => clients[name].endAsync(true),
};

async function carryOut({ id, verb, ...parameters }) {
  try {
    say({ id, result: (await verbs[verb](parameters)) ?? null });
  } catch (error) {
    say({ id, error: String(error?.stack ?? error) });
  }
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => carryOut(JSON.parse(line)));
lines.on("close", () => process.exit(0));
