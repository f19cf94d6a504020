// Runs calls of the npm package `cosm` one after the other and prints what each gave, as JSON.
//
//   node cosm_client.js SERVER KEY '[["create", {"title": "Roof"}], ["get", 1001]]'
//
// `ID` in an argument is the id that the last `create` gave.
'use strict';

const { Cosm, Datastream, Feed } = require('cosm');

const [server, key, plan] = process.argv.slice(2);
const cosm = new Cosm(key, { server });
let id;

function feed(options) {
  return new Feed(cosm, { id, ...options });
}

const CALLS = {
  create: (json, done) => cosm.create(json, (error, made) => done(error, (id = made))),
  list: (params, done) => cosm.list(params, done),
  get: (given, done) => cosm.get(given === 'ID' ? id : given, done),
  feed_get: (_, done) => feed().get(done),
  add_stream: (json, done) => feed().addStream(json, done),
  save_new: (options, done) => new Feed(cosm, options).save(answered(done)),
  save: (options, done) => feed(options).save(answered(done)),
  delete: (_, done) => feed().delete(answered(done)),
  read_tag_and_save: (tag, done) => cosm.get(id, (error, read) => {
    if (error) return done(error);
    read.addTag(tag);
    read.save(answered(done));
  }),
  add_points: ({ stream, points }, done) => {
    const queue = new Datastream(cosm, feed(), { id: stream, queue_size: points.length });
    points.forEach(([value, at]) => queue.addPoint(value, at && new Date(at), answered(done)));
  },
};

function answered(done) {
  return (error, response, body) => done(error, response && [response.statusCode, body || '']);
}

function run(calls, results) {
  if (calls.length === 0) return console.log(JSON.stringify(results));
  const [[name, argument], ...rest] = calls;
  CALLS[name](argument, (error, result) => {
    run(rest, [...results, { error: error && String(error), result: result && strip(result) }]);
  });
}

function strip(result) {
  return result instanceof Feed ? result.toJSON() : result;
}

run(JSON.parse(plan), []);
