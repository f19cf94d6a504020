// What every WAMP client program in Node shares: commands as JSON lines in, answers as JSON lines
// out, as tests/interop/wamp/drivers/conversation.py describes them.
"use strict";
const readline = require("readline");
const { Inbox } = require("./inbox.js");

// Before Node 22 there is no WebSocket of Node's own.
globalThis.WebSocket ??= require("ws").WebSocket;

const FAILURE_URI = "com.example.error.failed";

class Refused extends Error {
  constructor(uri, args, kwargs) {
    super(uri);
    this.answer = { uri, args: args ?? [], kwargs: kwargs ?? {} };
  }
}

function read(_, value) {
  return value && value.$bytes !== undefined ? Buffer.from(value.$bytes, "hex") : value;
}

// Octets as their hexadecimal digits, whatever class the client has for them.
function written(value) {
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return { $bytes: Buffer.from(value).toString("hex") };
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(written);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, written(item)]));
}

async function resultOf(join, sessions, verb, session, parameters) {
  if (verb === "join") {
    sessions[session] = await join(parameters);
    return sessions[session].welcome;
  }
  if (verb === "events") return sessions[session].inbox.take(parameters.name, parameters.count);
  const result = await sessions[session][verb](parameters);
  return verb === "call" ? result : null;
}

async function carryOut(join, sessions, { id, do: verb, session, ...parameters }) {
  let answer;
  try {
    const result = await resultOf(join, sessions, verb, session, parameters);
    answer = { id, result: written(result ?? null) };
  } catch (error) {
    const other = { uri: null, args: [String(error?.stack ?? error)], kwargs: {} };
    answer = { id, error: error instanceof Refused ? written(error.answer) : other };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

// Carries out commands until there are no more. A session has the methods that
// conversation.Session names; each takes one object of parameters.
function converse(join) {
  const sessions = {};
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => carryOut(join, sessions, JSON.parse(line, read)));
  lines.on("close", () => process.exit(0));
}

module.exports = { FAILURE_URI, Inbox, Refused, converse };
