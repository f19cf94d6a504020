// What a check does in the page: call the library, and keep what it hands to callbacks.
"use strict";

const heard = []; // of subscriptions, oldest first

/** Call `path` of `owner` with `words` and a callback; what the callback was given. */
function called(owner, path, words, wait_ms) {
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${path}: no callback within ${wait_ms} ms`)), wait_ms);
    const names = path.split(".");
    const name = names.pop();
    const module = names.reduce((found, next) => found[next], owner);
    module[name](...words, function (...given) {
      resolve(seen(given));
    });
  });
}

/** Of jQuery's (data, text, request), or after a failure (request, text, error). */
function seen(given) {
  const request = given.find((value) => value && value.getAllResponseHeaders);
  return {
    data: given[0] === request ? null : given[0],
    status: request ? request.status : null,
    text: request ? request.responseText : null,
    location: request ? request.getResponseHeader("Location") : null,
  };
}

/** Call `path` of the library, which subscribes and has `hear` for its callback. */
function subscribed(path, words) {
  const names = path.split(".");
  const name = names.pop();
  const module = names.reduce((found, next) => found[next], window.xively);
  module[name](...words, (event, body) => heard.push(body));
}
