// AutobahnJS, unmodified.
"use strict";
const autobahn = require("autobahn");
const { FAILURE_URI, Inbox, Refused, converse } = require("./wamp_conversation.js");

const SERIALIZERS = {
  json: autobahn.serializer.JSONSerializer,
  msgpack: autobahn.serializer.MsgpackSerializer,
  cbor: autobahn.serializer.CBORSerializer,
};

class AutobahnSession {
  constructor(session, details) {
    this.inbox = new Inbox();
    this.welcome = { authid: details.authid, authmethod: details.authmethod };
    this.session = session;
  }

  subscribe({ topic, match }) {
    const heard = (args, kwargs, event) => this.inbox.put(topic, { args, kwargs, topic: event.topic });
    return this.#wait(this.session.subscribe(topic, heard, { match }));
  }

  publish({ topic, args, kwargs, options }) {
    return this.#wait(this.session.publish(topic, args, kwargs, options));
  }

  register({ procedure, endpoint, match }) {
    const endpoints = {
      echo: (args, kwargs) => new autobahn.Result(args, kwargs),
      fail: (args, kwargs) => {
        throw new autobahn.Error(FAILURE_URI, args, kwargs);
      },
      count: ([to], _, details) => {
        for (let number = 0; number < to; number++) details.progress?.([number]);
        return to;
      },
      wait: () => new Promise(() => {}),
    };
    return this.#wait(this.session.register(procedure, endpoints[endpoint], { match }));
  }

  async call({ procedure, args, kwargs, progress: wanted }) {
    const progress = [];
    const pending = this.session.call(procedure, args, kwargs, { receive_progress: wanted });
    const noted = pending.then(undefined, undefined, (result) => progress.push(plain(result).args));
    const result = await this.#wait(wanted ? noted : pending);
    return { ...plain(result), progress };
  }

  async cancel({ procedure, mode }) {
    const pending = this.session.call(procedure);
    pending.cancel(mode ? { mode } : undefined);
    await this.#wait(pending);
  }

  leave() {
    this.session.leave();
  }

  async #wait(promise) {
    try {
      await promise;
      return promise;
    } catch (error) {
      if (!(error instanceof autobahn.Error)) throw error;
      // In every mode but kill it waits for no answer, and says so in its own words.
      const uri = error.error === "Cancelled" ? "wamp.error.canceled" : error.error;
      throw new Refused(uri, error.args, error.kwargs);
    }
  }
}

// AutobahnJS gives a result of one argument as that argument.
function plain(result) {
  if (result instanceof autobahn.Result) return { args: result.args, kwargs: result.kwargs };
  return { args: [result], kwargs: {} };
}

const ANSWERS = {
  ticket: (secret) => secret,
  wampcra: (secret, extra) => {
    const { salt, iterations, keylen } = extra;
    const key = salt ? autobahn.auth_cra.derive_key(secret, salt, iterations, keylen) : secret;
    return autobahn.auth_cra.sign(key, extra.challenge);
  },
  cryptosign: (secret, extra) => autobahn.auth_cryptosign.sign_challenge(keyPair(secret), extra),
};

function keyPair(seed) {
  return autobahn.nacl.sign.keyPair.fromSeed(Buffer.from(seed, "hex"));
}

function join({ url, realm, serializer, auth }) {
  const { hostname, port, protocol } = new URL(url.replace("rs:", "http:"));
  const transport =
    protocol === "http:"
      ? { type: "rawsocket", host: hostname, port: Number(port) }
      : {
          type: "websocket",
          url,
          protocols: [`wamp.2.${serializer}`],
          serializers: [new SERIALIZERS[serializer]()],
        };
  const connection = new autobahn.Connection({
    transports: [transport],
    realm,
    max_retries: 0,
    authmethods: auth.method ? [auth.method] : undefined,
    authid: auth.authid,
    authextra:
      auth.method === "cryptosign"
        ? { pubkey: autobahn.auth_cryptosign.public_key(keyPair(auth.secret)) }
        : undefined,
    onchallenge: (_, method, extra) => ANSWERS[method](auth.secret, extra),
  });
  return new Promise((resolve, reject) => {
    connection.onopen = (session, details) => resolve(new AutobahnSession(session, details));
    connection.onclose = (_, details) => reject(new Refused(details.reason, [details.message]));
    connection.open();
  });
}

converse(join);
