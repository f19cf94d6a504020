// wampy.js, unmodified. Its callee knows no interruption.
"use strict";
const { FAILURE_URI, Inbox, Refused, converse } = require("./wamp_conversation.js");

const SERIALIZERS = { json: "JsonSerializer", msgpack: "MsgpackSerializer", cbor: "CborSerializer" };

class WampySession {
  constructor(client, welcome) {
    this.inbox = new Inbox();
    this.welcome = { authid: welcome.authid, authmethod: welcome.authmethod };
    this.client = client;
  }

  subscribe({ topic, match }) {
    const heard = ({ argsList, argsDict, details }) =>
      this.inbox.put(topic, { args: argsList, kwargs: argsDict, topic: details.topic });
    return wait(this.client.subscribe(topic, heard, { match }));
  }

  publish({ topic, args, kwargs, options }) {
    // It always asks for an acknowledgement.
    const { exclude_me } = options;
    return wait(this.client.publish(topic, { argsList: args, argsDict: kwargs }, { exclude_me }));
  }

  register({ procedure, endpoint, match }) {
    const endpoints = {
      echo: ({ argsList, argsDict }) => ({ argsList, argsDict }),
      fail: ({ argsList, argsDict, error_handler }) => {
        error_handler({ error: FAILURE_URI, argsList, argsDict });
        return new Promise(() => {});
      },
      count: ({ argsList: [to], details, result_handler }) => {
        for (let number = 0; details.receive_progress && number < to; number++) {
          result_handler({ argsList: [number], options: { progress: true } });
        }
        return { argsList: [to] };
      },
      wait: () => new Promise(() => {}),
    };
    return wait(this.client.register(procedure, endpoints[endpoint], { match }));
  }

  async call({ procedure, args, kwargs, progress: wanted }) {
    const progress = [];
    const noted = ({ argsList }) => progress.push(argsList);
    const options = wanted ? { progress_callback: noted } : {};
    const payload = { argsList: args, argsDict: kwargs };
    const result = await wait(this.client.call(procedure, payload, options));
    return { args: result.argsList ?? [], kwargs: result.argsDict ?? {}, progress };
  }

  async cancel({ procedure, mode }) {
    const pending = this.client.call(procedure);
    this.client.cancel(this.client.getOpStatus().reqId, mode ? { mode } : undefined);
    await wait(pending);
  }

  leave() {
    return wait(this.client.disconnect());
  }
}

async function wait(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error?.errorUri) {
      throw new Refused(error.errorUri, error.argsList, error.argsDict);
    }
    throw error;
  }
}

async function join({ url, realm, serializer, auth }) {
  const { Wampy } = await import("wampy");
  const serializers = await import(`wampy/${SERIALIZERS[serializer]}.js`);
  const { sign } = await import("wampy/cryptosign.js");
  const { signManual, sign: signAuto } = await import("wampy/wampcra.js");
  const plugins = {
    ticket: () => auth.secret,
    wampcra: () => (signAuto ?? signManual)(auth.secret),
    cryptosign: () => sign(auth.secret),
  };
  const client = new Wampy(url, {
    realm,
    ws: globalThis.WebSocket,
    serializer: new serializers[SERIALIZERS[serializer]](),
    autoReconnect: false,
    ...authentication(auth, plugins),
  });
  return new WampySession(client, await wait(client.connect()));
}

function authentication({ method, authid, pubkey, secret }, plugins) {
  if (!method) return {};
  const plugin = method === "ticket" ? plugins.ticket : plugins[method]();
  return {
    authid,
    authmethods: [method],
    authextra: pubkey ? { pubkey } : {},
    authPlugins: { [method]: plugin },
    authMode: "auto",
  };
}

converse(join);
