/* Load for an MQTT broker, 3.1.1 or 5: one thread, epoll, packets put together from octets made ahead.
 *
 *     mqtt_load port=1883 mode=load topology=pairs publishers=100 subscribers=100 qos=1 window=20 …
 *
 * Options are name=value. It is neutral and cheap: publisher i writes to bench/i/up; whoever receives
 * it reads the sequence number that this program put into the payload, and compares the whole payload
 * and the topic of every SAMPLED_EVERYth message, so that a broker that loses, repeats, reorders or
 * garbles cannot win. Nobody sends faster than the slowest receiver reads: a publisher has at most
 * `window` messages under way that have not been acknowledged (QoS 1, 2) and arrived at all receivers.
 * On its output: `begin` and `end` around the measured span, then one line of JSON. Exit status 1 and
 * a sentence on the error output when the broker misbehaves.
 */
#include "load_common.h"

enum { PAYLOAD_BYTES_MAX = 1 << 17, SAMPLED_EVERY = 64, STAMP_BYTES = 20, IDS = 1 << 16 };
enum { CONNACK = 2, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK = 9, PINGRESP = 13, DISCONNECT };
enum { FREE, SENT, RELEASED };

typedef struct {
  IS_STREAM;
  int number, is_publisher;
  char topic[128], user[256];
  /* of a publisher */
  uint64_t sent, acknowledged, arrived;    /* `arrived` at all its receivers */
  uint16_t *arrivals, next_id;             /* by sequence: at how many receivers it has arrived */
  uint8_t *id_states;
  int window;
  /* of a subscriber */
  uint64_t *next_sequences, event_count;   /* by publisher */
} peer;

static struct {
  int port, version, publishers, subscribers, qos, window, batch, rate, payload_bytes, keep_alive_s;
  int persistent, connections, messages, feeds;
  double warm_s, run_s, hold_s, settle_s, base_us;
  char host[64], user[256], password[256], mode[16], topology[16], clients[256], datastream[64];
} given = {.host = "127.0.0.1", .mode = "load", .topology = "pairs", .version = 4, .publishers = 1,
           .window = 20, .batch = 1, .payload_bytes = 64, .keep_alive_s = 60, .settle_s = 3};

static peer *peers, *publishers, *subscribers;
static int peer_count, receivers, arrival_mask, is_measured;
static uint8_t filler[PAYLOAD_BYTES_MAX];
static uint64_t sent, acknowledged, delivered, bad;

/* Options */

static void read_option(char *option) {
  char *value = strchr(option, '=');
  if (!value) fail("no value: %s", option);
  *value++ = 0;
#define NUMBER(name) if (!strcmp(option, #name)) { given.name = atof(value); return; }
#define TEXT(name) if (!strcmp(option, #name)) { snprintf(given.name, sizeof given.name, "%s", value); return; }
  NUMBER(port) NUMBER(version) NUMBER(publishers) NUMBER(subscribers) NUMBER(qos) NUMBER(window)
  NUMBER(batch) NUMBER(rate) NUMBER(payload_bytes) NUMBER(keep_alive_s) NUMBER(persistent)
  NUMBER(connections) NUMBER(messages) NUMBER(warm_s) NUMBER(run_s) NUMBER(hold_s) NUMBER(settle_s)
  NUMBER(base_us)
  TEXT(host) TEXT(user) TEXT(password) TEXT(mode) TEXT(topology) TEXT(clients) TEXT(datastream)
  fail("unknown option %s", option);
}

/* Writing */

static uint8_t *put_length(uint8_t *at, size_t length) {
  do { *at = length & 127; length >>= 7; if (length) *at |= 128; at++; } while (length);
  return at;
}

static uint8_t *put_text(uint8_t *at, const char *text) {
  size_t size = strlen(text);
  *at++ = size >> 8; *at++ = size;
  memcpy(at, text, size);
  return at + size;
}

static void put_packet(peer *to, int head, const uint8_t *body, size_t size) {
  reserve(&to->out, &to->out_room, to->out_size + size + 5);
  uint8_t *start = to->out + to->out_size, *at = start;
  *at++ = head;
  at = put_length(at, size);
  memcpy(at, body, size);
  to->out_size += at + size - start;
}

static void put_acknowledgement(peer *to, int type, int id) {
  uint8_t body[2] = {id >> 8, id};
  put_packet(to, type << 4 | (type == PUBREL ? 2 : 0), body, 2);
}

static void put_connect(peer *to, int is_clean) {
  uint8_t body[1024], *at = put_text(body, "MQTT");
  char client_id[64];
  snprintf(client_id, sizeof client_id, "bench-%c%d", to->is_publisher ? 'p' : 's', to->number);
  *at++ = given.version;
  *at++ = (is_clean ? 2 : 0) | (to->user[0] ? 0x80 : 0) | (given.password[0] ? 0x40 : 0);
  *at++ = given.keep_alive_s >> 8; *at++ = given.keep_alive_s;
  if (given.version == 5) {
    if (is_clean) *at++ = 0;
    else { memcpy(at, "\x05\x11\x00\x00\x0e\x10", 6); at += 6; } /* session expiry: an hour */
  }
  at = put_text(at, client_id);
  if (to->user[0]) at = put_text(at, to->user);
  if (given.password[0]) at = put_text(at, given.password);
  put_packet(to, 0x10, body, at - body);
}

static void put_subscribe(peer *to, const char *filter) {
  uint8_t body[256], *at = body;
  *at++ = 0; *at++ = 1;
  if (given.version == 5) *at++ = 0;
  at = put_text(at, filter);
  *at++ = given.qos;
  put_packet(to, 0x82, body, at - body);
}

static int free_id(peer *of) {
  do if (++of->next_id == 0) of->next_id = 1; while (of->id_states[of->next_id] != FREE);
  of->id_states[of->next_id] = SENT;
  return of->next_id;
}

/* A row of CSV for the Xively API: datastream, time, value. */
static size_t put_row(uint8_t *to, uint64_t sequence) {
  uint64_t at_us = (uint64_t)given.base_us + sequence * 1000;
  time_t at_s = at_us / 1000000;
  struct tm parts;
  char day[32];
  strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", gmtime_r(&at_s, &parts));
  return sprintf((char *)to, "%s,%s.%06luZ,%lu", given.datastream, day, at_us % 1000000, sequence);
}

static void send_one(peer *from, double due_s) {
  reserve(&from->out, &from->out_room, from->out_size + given.payload_bytes + 512);
  uint8_t row[256], *at = from->out + from->out_size;
  size_t topic_size = strlen(from->topic), payload_size = given.payload_bytes;
  if (given.feeds) payload_size = put_row(row, from->sent);
  *at++ = PUBLISH << 4 | given.qos << 1;
  at = put_length(at, 2 + topic_size + (given.qos ? 2 : 0) + (given.version == 5) + payload_size);
  at = put_text(at, from->topic);
  if (given.qos) { int id = free_id(from); *at++ = id >> 8; *at++ = id; }
  if (given.version == 5) *at++ = 0;
  if (given.feeds) memcpy(at, row, payload_size);
  else {
    memcpy(at, &from->sent, 8);
    memcpy(at + 8, &from->number, 4);
    memcpy(at + 12, &due_s, 8);
    memcpy(at + STAMP_BYTES, filler, payload_size - STAMP_BYTES);
  }
  from->out_size = at + payload_size - from->out;
  from->sent++;
  sent++;
}

/* Reading */

static int is_whole(const uint8_t *payload, size_t size, const uint8_t *topic, size_t topic_size) {
  uint32_t number;
  memcpy(&number, payload + 8, 4);
  const char *wanted = publishers[number].topic;
  return topic_size == strlen(wanted) && !memcmp(topic, wanted, topic_size)
    && !memcmp(payload + STAMP_BYTES, filler, size - STAMP_BYTES);
}

static void count_arrival(peer *of, uint64_t sequence) {
  of->arrivals[sequence & arrival_mask]++;
  while (of->arrived < of->sent && of->arrivals[of->arrived & arrival_mask] >= receivers)
    of->arrivals[of->arrived++ & arrival_mask] = 0;
}

static void receive_payload(peer *by, const uint8_t *payload) {
  uint64_t sequence;
  uint32_t number;
  double due_s;
  memcpy(&sequence, payload, 8);
  memcpy(&number, payload + 8, 4);
  memcpy(&due_s, payload + 12, 8);
  if (sequence != by->next_sequences[number]) bad++;
  by->next_sequences[number] = sequence + 1;
  if (sequence >= publishers[number].arrived && sequence < publishers[number].sent)
    count_arrival(&publishers[number], sequence);
  if (given.rate && is_measured) add_latency((now_s() - due_s) * 1e6);
}

static void receive_publish(peer *by, int flags, const uint8_t *body, size_t size) {
  int qos = flags >> 1 & 3;
  size_t topic_size = size < 2 ? size : (size_t)(body[0] << 8 | body[1]), at = 2 + topic_size;
  int id = 0;
  if (qos && at + 2 <= size) { id = body[at] << 8 | body[at + 1]; at += 2; }
  if (given.version == 5 && at < size) at += 1 + (body[at] & 127); /* ours have no properties */
  uint32_t number = ~0u;
  delivered++;
  if (at + given.payload_bytes == size) memcpy(&number, body + at + 8, 4);
  if (qos != given.qos || number >= (uint32_t)given.publishers) bad++;
  else {
    if (by->event_count++ % SAMPLED_EVERY == 0 && !is_whole(body + at, size - at, body + 2, topic_size)) bad++;
    receive_payload(by, body + at);
  }
  if (qos) put_acknowledgement(by, qos == 1 ? PUBACK : PUBREC, id);
}

static void receive_acknowledgement(peer *by, int type, const uint8_t *body, size_t size) {
  int id = size < 2 ? 0 : body[0] << 8 | body[1];
  if (size > 2 && body[2] >= 0x80) fail("the broker refused a message: reason 0x%02x", body[2]);
  if (type == PUBREL) { put_acknowledgement(by, PUBCOMP, id); return; }
  if (!by->is_publisher || by->id_states[id] != (type == PUBCOMP ? RELEASED : SENT)) { bad++; return; }
  if (type == PUBREC) { by->id_states[id] = RELEASED; put_acknowledgement(by, PUBREL, id); return; }
  by->id_states[id] = FREE;
  by->acknowledged++;
  acknowledged++;
}

static void receive_connack(peer *by, const uint8_t *body, size_t size) {
  if (size < 2 || body[1]) fail("the broker refused a connection: code %d", size < 2 ? -1 : body[1]);
  if (given.version != 5) return;
  static const uint8_t value_sizes[] = {[0x11] = 4, [0x13] = 2, [0x21] = 2, [0x22] = 2, [0x24] = 1,
                                        [0x25] = 1, [0x27] = 4, [0x28] = 1, [0x29] = 1, [0x2a] = 1};
  for (size_t at = 3; at < size;) {
    int name = body[at++];
    if (name == 0x21 && at + 2 <= size) { /* receive maximum */
      int receive_maximum = body[at] << 8 | body[at + 1];
      if (given.qos && by->window > receive_maximum) by->window = receive_maximum;
    }
    if (name < (int)sizeof value_sizes && value_sizes[name]) at += value_sizes[name];
    else if (at + 2 <= size) {
      at += 2 + (body[at] << 8 | body[at + 1]);
      if (name == 0x26 && at + 2 <= size) at += 2 + (body[at] << 8 | body[at + 1]);
    }
  }
}

static void receive_packet(peer *by, int head, const uint8_t *body, size_t size) {
  switch (head >> 4) {
    case PUBLISH: receive_publish(by, head, body, size); break;
    case PUBACK: case PUBREC: case PUBREL: case PUBCOMP: receive_acknowledgement(by, head >> 4, body, size); break;
    case CONNACK: receive_connack(by, body, size); break;
    case SUBACK:
      if (body[size - 1] != given.qos) fail("the broker granted 0x%02x where QoS %d was asked", body[size - 1], given.qos);
      break;
    case PINGRESP: break;
    case DISCONNECT: fail("the broker disconnected a client: reason 0x%02x", size ? body[0] : 0);
    default: fail("the broker sent a packet of type %d", head >> 4);
  }
}

/* Take what is whole; answers how much was taken. */
static size_t take_packets(peer *by, const uint8_t *data, size_t size, int *last_type, int only_one) {
  size_t taken = 0;
  while (size - taken >= 2) {
    const uint8_t *at = data + taken;
    size_t head = 1, length = 0, left = size - taken;
    int shift = 0;
    do {
      if (head >= left || shift > 21) { head = 0; break; }
      length |= (size_t)(at[head] & 127) << shift;
      shift += 7;
    } while (at[head++] & 128);
    if (!head || left < head + length) break;
    *last_type = at[0] >> 4;
    receive_packet(by, at[0], at + head, length);
    taken += head + length;
    if (only_one) break;
  }
  return taken;
}

static size_t take(stream *from, uint8_t *data, size_t size) {
  int type;
  return take_packets((peer *)from, data, size, &type, 0);
}

/* Opening: one connection after the other, waiting */

static void expect(peer *from, int type) {
  int last_type = 0;
  for (;;) {
    size_t taken = take_packets(from, from->in, from->in_size, &last_type, 1);
    forget_taken(&from->stream, taken);
    if (taken && last_type == type) return;
    if (!taken) receive_some(&from->stream); /* what a session had queued may come before */
  }
}

/* What came together with the answer that was expected */
static void take_rest(peer *from) {
  forget_taken(&from->stream, take(&from->stream, from->in, from->in_size));
}

static void open_peer(peer *of, int is_clean, const char *filter) {
  connect_stream(&of->stream, given.host, given.port, of->number);
  put_connect(of, is_clean);
  if (filter) put_subscribe(of, filter);
  flush_to(&of->stream);
  expect(of, CONNACK);
  if (filter) expect(of, SUBACK);
}

static void close_peer(peer *of) {
  uint8_t goodbye[2] = {DISCONNECT << 4, 0}, rest[4096];
  if (send(of->fd, goodbye, 2, MSG_NOSIGNAL) == 2) while (recv(of->fd, rest, sizeof rest, 0) > 0);
  close(of->fd);
  of->in_size = of->out_size = 0;
}

static void add_peer(int is_publisher, int number) {
  peer *of = &peers[peer_count++];
  of->number = number;
  of->is_publisher = is_publisher;
  of->window = given.window;
  snprintf(of->user, sizeof of->user, "%s", given.user);
  snprintf(of->topic, sizeof of->topic, "bench/%d/up", number);
  if (is_publisher) {
    of->id_states = made(IDS, 1);
    of->arrivals = made(arrival_mask + 1, sizeof *of->arrivals);
  } else of->next_sequences = made(given.publishers, sizeof *of->next_sequences);
}

/* Each line: a user name and the topic that this publisher writes to. */
static void read_clients(void) {
  FILE *file = fopen(given.clients, "r");
  if (!file) fail("%s: %s", given.clients, strerror(errno));
  for (int i = 0; i < given.publishers; i++)
    if (fscanf(file, "%255s %127s", publishers[i].user, publishers[i].topic) != 2) fail("too few clients in the file");
  fclose(file);
}

static void add_peers(void) {
  int is_pairs = !strcmp(given.topology, "pairs");
  receivers = is_pairs && given.subscribers ? 1 : given.subscribers;
  for (arrival_mask = 1; arrival_mask < 2 * given.window; arrival_mask *= 2);
  arrival_mask--;
  peers = made(given.publishers + given.subscribers, sizeof *peers);
  publishers = peers;
  subscribers = peers + given.publishers;
  for (int i = 0; i < given.publishers; i++) add_peer(1, i);
  for (int i = 0; i < given.subscribers; i++) add_peer(0, i);
  if (given.clients[0]) read_clients();
}

static void open_subscriber(peer *of) {
  int is_pairs = !strcmp(given.topology, "pairs"), is_in = !strcmp(given.topology, "in");
  open_peer(of, !given.persistent, is_in ? "bench/+/up" : is_pairs ? of->topic : publishers[0].topic);
}

/* Ends what a persistent session keeps, so that each run begins alike. */
static void forget_session(peer *of) {
  close(of->fd);
  epoll_fd = 0;
  of->in_size = of->out_size = 0;
  open_peer(of, 1, NULL);
  close_peer(of);
}

/* Sending as fast as the window lets, or at a fixed rate */

static uint64_t outstanding(const peer *of) {
  uint64_t done = of->sent;
  if (given.qos && of->acknowledged < done) done = of->acknowledged;
  if (receivers && of->arrived < done) done = of->arrived;
  return of->sent - done;
}

static int is_enough(void) { return given.messages && sent >= (uint64_t)given.messages; }

static void send_more(peer *from) {
  uint64_t under_way = outstanding(from);
  int batch = given.batch < from->window ? given.batch : from->window;
  if (under_way + batch > (uint64_t)from->window) return;
  while (under_way++ < (uint64_t)from->window && from->out_size < WRITE_BYTES && !is_enough()) send_one(from, 0);
}

/* What is due by the clock, each publisher in turn; latency counts from when it was due, sent late or not. */
static void send_due(void) {
  double due_s;
  while ((due_s = started_s + sent / (double)given.rate) <= now_s() + TICK_EARLY_S) {
    peer *from = &publishers[sent % given.publishers];
    if (outstanding(from) >= (uint64_t)from->window) return;
    send_one(from, due_s);
    if (!from->waits_to_write) flush_to(&from->stream);
  }
}

static void send_all(void) {
  if (given.rate) { send_due(); return; }
  for (int i = 0; i < given.publishers; i++) {
    peer *from = &publishers[i];
    send_more(from);
    if (from->out_size && !from->waits_to_write) flush_to(&from->stream);
  }
}

static void run_until(double end_s) {
  double now;
  while ((now = now_s()) < end_s && !is_enough()) {
    send_all();
    turn((int)((end_s - now) * 1000) + 1);
  }
}

/* Until nothing is under way, or nothing has come for so long. */
static void settle(void) {
  double quiet_since_s = now_s();
  uint64_t seen = 0, under_way = 1;
  while (under_way && now_s() - quiet_since_s < given.settle_s) {
    turn(5);
    under_way = 0;
    for (int i = 0; i < given.publishers; i++) under_way += outstanding(&publishers[i]);
    uint64_t now = delivered + acknowledged;
    if (now != seen) quiet_since_s = now_s();
    seen = now;
  }
}

static void report(double took_s, double cpu_s, const uint64_t before[3], const uint64_t after[3], double drain_s) {
  long lost = (long)(sent * receivers - delivered) + (given.qos ? (long)(sent - acknowledged) : 0);
  sort_latencies();
  printf("{\"took_s\":%.6f,\"cpu_s\":%.6f,\"sent\":%lu,\"delivered\":%lu,\"acknowledged\":%lu,\"total\":%lu,"
         "\"lost\":%ld,\"bad\":%lu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"drain_s\":%.6f}\n",
         took_s, cpu_s, after[0] - before[0], after[1] - before[1], after[2] - before[2], sent,
         lost, bad, percentile(0.5), percentile(0.99), percentile(1), drain_s);
}

static void measure(void) {
  add_peers();
  for (int i = 0; i < given.subscribers; i++) open_subscriber(&subscribers[i]);
  for (int i = 0; i < given.publishers; i++) open_peer(&publishers[i], 1, NULL);
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < peer_count; i++) listen_to(&peers[i].stream);
  started_s = now_s();
  if (given.rate) start_timer(given.rate);
  run_until(started_s + given.warm_s);
  uint64_t before[] = {sent, delivered, acknowledged};
  double before_cpu_s = own_cpu_s(), begun_s = now_s();
  puts("begin");
  is_measured = 1;
  run_until(begun_s + given.run_s);
  is_measured = 0;
  puts("end");
  double took_s = now_s() - begun_s, cpu_s = own_cpu_s() - before_cpu_s;
  uint64_t after[] = {sent, delivered, acknowledged};
  settle();
  if (given.persistent) for (int i = 0; i < given.subscribers; i++) forget_session(&subscribers[i]);
  report(took_s, cpu_s, before, after, 0);
}

/* A persistent subscriber goes away, `messages` are published and acknowledged, it comes back. */
static void publish_to_absent(void) {
  given.persistent = 1;
  add_peers();
  for (int i = 0; i < given.subscribers; i++) { open_subscriber(&subscribers[i]); close_peer(&subscribers[i]); }
  for (int i = 0; i < given.publishers; i++) open_peer(&publishers[i], 1, NULL);
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < given.publishers; i++) listen_to(&publishers[i].stream);
  uint64_t before[3] = {0, 0, 0};
  int receivers_once_back = receivers;
  receivers = 0;
  double before_cpu_s = own_cpu_s(), begun_s = now_s();
  puts("begin");
  run_until(begun_s + given.run_s);
  settle();
  double took_s = now_s() - begun_s, cpu_s = own_cpu_s() - before_cpu_s;
  uint64_t after[] = {sent, delivered, acknowledged};
  puts("end");
  receivers = receivers_once_back;
  double back_s = now_s();
  for (int i = 0; i < given.subscribers; i++) {
    open_peer(&subscribers[i], 0, NULL);
    listen_to(&subscribers[i].stream);
    take_rest(&subscribers[i]);
    if (subscribers[i].out_size) flush_to(&subscribers[i].stream);
  }
  double last_s = now_s();
  for (uint64_t seen = 0; delivered < sent * receivers && now_s() - last_s < given.settle_s;) {
    turn(5);
    if (delivered != seen) { seen = delivered; last_s = now_s(); }
  }
  puts("drained");
  double drain_s = now_s() - back_s;
  for (int i = 0; i < given.subscribers; i++) forget_session(&subscribers[i]);
  report(took_s, cpu_s, before, after, drain_s);
}

static void hold_connections(void) {
  given.publishers = 0;
  given.subscribers = given.connections;
  add_peers();
  double started = now_s();
  for (int i = 0; i < peer_count; i++) {
    open_peer(&peers[i], 1, peers[i].topic);
    free(peers[i].in); free(peers[i].out);
    peers[i].in = peers[i].out = NULL;
    peers[i].in_room = peers[i].out_room = 0;
  }
  double took_s = now_s() - started;
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < peer_count; i++) listen_to(&peers[i].stream);
  run_until(now_s() + given.hold_s);
  puts("end");
  getchar(); /* until the one who measures has looked */
  printf("{\"took_s\":%.6f,\"connections\":%d}\n", took_s, peer_count);
}

int main(int count, char **options) {
  prepare();
  for (int i = 1; i < count; i++) read_option(options[i]);
  if (given.payload_bytes < STAMP_BYTES || given.payload_bytes > PAYLOAD_BYTES_MAX) fail("payloads have 20 to 131072 octets");
  if (given.window < 1 || given.window >= IDS / 2) fail("the window is 1 to 32767");
  given.feeds = given.datastream[0] != 0;
  for (int i = 0; i < PAYLOAD_BYTES_MAX; i++) filler[i] = "the rest of a payload "[i % 22];
  if (!strcmp(given.mode, "idle")) hold_connections();
  else if (!strcmp(given.mode, "absent")) publish_to_absent();
  else measure();
  return 0;
}
