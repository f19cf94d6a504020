// kraftfahrstrasse, a client written in TypeScript, unmodified. It keeps only an error's URI.
"use strict";
const kraftfahrstrasse = require("@verkehrsministerium/kraftfahrstrasse");
const { FAILURE_URI, Inbox, Refused, converse } = require("./wamp_conversation.js");

const SERIALIZERS = {
  json: kraftfahrstrasse.JSONSerializer,
  msgpack: kraftfahrstrasse.NodeMSGPackSerializer,
};

class KraftfahrstrasseSession {
  constructor(connection, welcome) {
    this.inbox = new Inbox();
    this.welcome = { authid: welcome.authid, authmethod: welcome.authmethod };
    this.connection = connection;
  }

  async subscribe({ topic, match }) {
    const heard = (args, kwargs, { topic: published }) =>
      this.inbox.put(topic, { args, kwargs, topic: published });
    await wait(this.connection.Subscribe(topic, heard, { match }));
  }

  async publish({ topic, args, kwargs, options }) {
    const publication = await wait(this.connection.Publish(topic, args, kwargs, options));
    if (options.acknowledge) await wait(publication.OnPublished());
  }

  async register({ procedure, endpoint, match }) {
    const endpoints = {
      echo: async (args, kwArgs) => ({ args, kwArgs }),
      fail: async (args, kwargs) => {
        throw new kraftfahrstrasse.WampError(FAILURE_URI, args, kwargs);
      },
      count: async ([to]) => results(0, to),
      wait: (_, __, { onCancel }) =>
        onCancel.then(() => {
          this.inbox.put("interrupted", true);
          throw new kraftfahrstrasse.WampError("wamp.error.canceled");
        }),
    };
    await wait(this.connection.Register(procedure, endpoints[endpoint], { match }));
  }

  async call({ procedure, args, kwargs, progress: wanted }) {
    const progress = [];
    const [pending] = this.connection.Call(procedure, args, kwargs, { receive_progress: wanted });
    let result = await wait(pending);
    while (result.nextResult) {
      progress.push(result.args);
      result = await wait(result.nextResult);
    }
    return { args: result.args, kwargs: result.kwArgs, progress };
  }

  async cancel({ procedure, mode }) {
    const [pending, id] = this.connection.Call(procedure);
    this.connection.CancelCall(id, mode);
    await wait(pending);
  }

  async leave() {
    await this.connection.Close();
  }
}

// It answers in a chain: each result but the last promises the next.
function results(number, to) {
  if (number === to) return { args: [to], kwArgs: {} };
  return { args: [number], kwArgs: {}, nextResult: Promise.resolve(results(number + 1, to)) };
}

async function wait(promise) {
  try {
    return await promise;
  } catch (error) {
    const uri = error instanceof kraftfahrstrasse.ConnectionOpenError ? error.message : error;
    if (typeof uri === "string") throw new Refused(uri);
    throw error;
  }
}

async function join({ url, realm, serializer, auth }) {
  const connection = new kraftfahrstrasse.Connection({
    endpoint: url,
    realm,
    serializer: new SERIALIZERS[serializer](),
    transport: kraftfahrstrasse.NodeWebSocketTransport,
    logFunction: () => {},
    authProvider:
      auth.method === "ticket"
        ? new kraftfahrstrasse.TicketAuthProvider(auth.authid, async () => ({ signature: auth.secret }))
        : new kraftfahrstrasse.AnonymousAuthProvider(),
  });
  return new KraftfahrstrasseSession(connection, await wait(connection.Open()));
}

converse(join);
