// What has come by name, for commands that wait for it.
"use strict";

const EVENTS_MS_MAX = 5000;

class Inbox {
  #items = new Map();
  #waiting = new Map();

  put(name, item) {
    const waiting = this.#list(this.#waiting, name);
    if (waiting.length) waiting.shift()(item);
    else this.#list(this.#items, name).push(item);
  }

  async take(name, count) {
    const found = [];
    while (found.length < count) found.push(await this.#next(name));
    return found;
  }

  #next(name) {
    const items = this.#list(this.#items, name);
    if (items.length) return items.shift();
    const waiting = this.#list(this.#waiting, name);
    return new Promise((resolve, reject) => {
      const arrived = (item) => {
        clearTimeout(timer);
        resolve(item);
      };
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(arrived), 1);
        reject(new Error(`no event on ${name}`));
      }, EVENTS_MS_MAX);
      waiting.push(arrived);
    });
  }

  #list(map, name) {
    if (!map.has(name)) map.set(name, []);
    return map.get(name);
  }
}

module.exports = { Inbox };
