// What the programs share: what has arrived, and waiting for an answer.
"use strict";
const { Inbox } = require("../inbox.js");

const WAIT_MS_MAX = 5000;

class Session {
  inbox = new Inbox();

  // Keeps what the client emits until a command asks for it; answers what wants an answer.
  keep(emitter, ...names) {
    for (const name of names) {
      emitter.on(name, (item, answer) => {
        this.inbox.put(name, item);
        if (typeof answer === "function") answer({ heard: item.payload ?? item.message ?? item.method });
      });
    }
  }
}

// The first argument of the callback that `start` is given, whatever it is.
function answered(start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer")), WAIT_MS_MAX);
    start((answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

// The same for callbacks that take an error first.
async function succeeded(start) {
  const [error, result] = await answered((done) => start((...said) => done(said)));
  if (error) throw error;
  return result;
}

// Waits for the one event or the other; throws what comes with the other.
async function ready(emitter, inside = "ready", outside = "notReady") {
  const heard = {};
  const [isIn, said] = await answered((done) => {
    heard[inside] = (answer) => done([true, answer]);
    heard[outside] = (answer) => done([false, answer]);
    for (const name in heard) emitter.on(name, heard[name]);
  });
  for (const name in heard) emitter.removeListener(name, heard[name]);
  if (!isIn) throw new Error(said?.message ?? JSON.stringify(said));
  return said;
}

module.exports = { Session, answered, ready, succeeded };
