// Programs on clients of SkyNet and Meshblu from npm, unmodified, for tests/interop/skynet:
// commands as JSON lines in, answers as JSON lines out.
"use strict";
const readline = require("readline");

const CLIENTS = {
  skynet: "./connection.js",
  meshblu: "./connection.js",
  "meshblu-http": "./meshblu_http.js",
  "meshblu-mqtt": "./meshblu_mqtt.js",
  "skynet-mqtt": "./skynet_mqtt.js",
  "meshblu-websocket": "./meshblu_websocket.js",
  "socket.io-client": "./socketio.js",
};
const sessions = {};

console.log = () => {}; // skynet-mqtt says there what it does

async function resultOf({ do: verb, session, ...parameters }) {
  if (verb === "open") {
    const Session = require(CLIENTS[parameters.client]);
    const opening = (sessions[session] = new Session());
    return opening.open(parameters).catch((error) => {
      Promise.resolve(opening.close()).catch(() => {}); // else it might try for ever
      throw error;
    });
  }
  if (verb === "events") return sessions[session].inbox.take(parameters.name, parameters.count);
  return sessions[session][verb](parameters);
}

async function carryOut({ id, ...command }) {
  let said;
  try {
    said = { id, result: (await resultOf(command)) ?? null };
  } catch (error) {
    said = { id, error: { message: error?.stack ?? JSON.stringify(error) } };
  }
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => carryOut(JSON.parse(line)));
lines.on("close", () => process.exit(0));
