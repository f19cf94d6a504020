// Sends one message by the npm package `sockjs-client` and prints each that comes, a line each.
//
//   node sockjs_client.js URL TRANSPORT '{"method": "subscribe", …}'
'use strict';

const SockJS = require('sockjs-client');

const [url, transport, message] = process.argv.slice(2);
const socket = new SockJS(url, null, { transports: transport });
socket.onopen = () => {
  console.log(JSON.stringify({ open: socket.transport }));
  socket.send(message);
};
socket.onmessage = (event) => console.log(event.data.trim());
socket.onclose = (event) => {
  console.error(`closed: ${event.code} ${event.reason}`);
  process.exit(1);
};
