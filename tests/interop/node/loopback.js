"use strict";
// For a server that has no setting for it: have all that it listens on be on loopback.
//
//   node --require ./loopback.js …/main.js

const net = require("node:net");

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (first, ...rest) {
  if (first !== null && typeof first === "object" && first.port !== undefined) {
    return listen.call(this, { ...first, host: "127.0.0.1" }, ...rest);
  }
  if (typeof first === "number" || /^\d+$/.test(first)) {
    const [host, ...others] = rest;
    return listen.call(this, first, "127.0.0.1", ...(typeof host === "string" ? others : rest));
  }
  throw new Error("it listens in a way that this does not know");
};
