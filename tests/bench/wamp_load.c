/* Load for a WAMP router: one thread, epoll, messages put together from octets made ahead.
 *
 *     wamp_load port=8080 transport=ws subprotocol=wamp.2.json encoding=json hello=5b31… …
 *
 * Options are name=value; octets are in hexadecimal and made by wamp_load.py, so this program knows
 * no serializer beyond the integers at the head of a message. It is neutral and cheap: it counts
 * messages by their type, reads no payload but the sequence number that it wrote itself, and checks
 * the whole payload of every SAMPLED_EVERYth one, so that a router that loses, repeats, reorders or
 * garbles cannot win. On its output: `begin` and `end` around the measured span, then one line of
 * JSON. Exit status 1 and a sentence on the error output when the router misbehaves.
 */
#include "load_common.h"

enum { SAMPLED_EVERY = 64, SEQUENCE_DIGITS = 16, SENT_SLOTS = 1 << 16 };
enum { ABORT = 3, ERROR = 8, WELCOME = 2, PUBLISHED = 17, SUBSCRIBED = 33, EVENT = 36 };
enum { RESULT = 50, REGISTERED = 65, INVOCATION = 68 };
enum { JSON, MSGPACK, CBOR };

typedef struct { uint8_t *at; size_t size; } octets;

typedef struct {
  IS_STREAM;
  uint64_t event_count, next_sequence;
} peer;

static struct {
  int port, is_ws, encoding, batched, acknowledged, receivers, window, batch, sessions, rate;
  double warm_s, run_s, hold_s, settle_s;
  char mode, path[64], subprotocol[64];
  octets hello, subscribe, register_, publish[3], call[3], yield[2], filler;
} given;

static peer *peers;
static int peer_count;
static uint64_t sent, acknowledgements, events, results, bad, next_id = 1, pings;
static double sent_at_s[SENT_SLOTS];
static int is_measured;

/* Options */

static octets from_hex(const char *text) {
  octets made = {malloc(strlen(text) / 2 + 1), strlen(text) / 2};
  for (size_t i = 0; i < made.size; i++) sscanf(text + 2 * i, "%2hhx", &made.at[i]);
  return made;
}

static void read_option(char *option) {
  char *value = strchr(option, '=');
  if (!value) fail("no value: %s", option);
  *value++ = 0;
#define NUMBER(name, target) if (!strcmp(option, name)) { target = atof(value); return; }
#define HEX(name, target) if (!strcmp(option, name)) { target = from_hex(value); return; }
#define TEXT(name, target) if (!strcmp(option, name)) { snprintf(target, sizeof target, "%s", value); return; }
  NUMBER("port", given.port) NUMBER("batched", given.batched) NUMBER("rate", given.rate)
  NUMBER("acknowledged", given.acknowledged) NUMBER("receivers", given.receivers)
  NUMBER("window", given.window) NUMBER("batch", given.batch) NUMBER("sessions", given.sessions)
  NUMBER("warm_s", given.warm_s) NUMBER("run_s", given.run_s) NUMBER("hold_s", given.hold_s)
  NUMBER("settle_s", given.settle_s)
  TEXT("path", given.path) TEXT("subprotocol", given.subprotocol)
  HEX("hello", given.hello) HEX("subscribe", given.subscribe) HEX("register", given.register_)
  HEX("publish0", given.publish[0]) HEX("publish1", given.publish[1]) HEX("publish2", given.publish[2])
  HEX("call0", given.call[0]) HEX("call1", given.call[1]) HEX("call2", given.call[2])
  HEX("yield0", given.yield[0]) HEX("yield1", given.yield[1]) HEX("filler", given.filler)
  if (!strcmp(option, "mode")) { given.mode = value[0]; return; }
  if (!strcmp(option, "transport")) { given.is_ws = !strcmp(value, "ws"); return; }
  if (!strcmp(option, "encoding")) {
    given.encoding = value[0] == 'j' ? JSON : value[0] == 'm' ? MSGPACK : CBOR;
    return;
  }
  fail("unknown option %s", option);
}

/* Integers as the serializers write them */

static size_t put_integer(uint8_t *to, uint64_t value) {
  if (given.encoding == JSON) {
    char digits[24];
    size_t count = 0;
    do digits[count++] = '0' + value % 10; while (value /= 10);
    for (size_t i = 0; i < count; i++) to[i] = digits[count - 1 - i];
    return count;
  }
  int is_cbor = given.encoding == CBOR;
  if (value < (is_cbor ? 24 : 128)) { to[0] = value; return 1; }
  int power = value < 1 << 8 ? 0 : value < 1 << 16 ? 1 : value < 1ull << 32 ? 2 : 3;
  to[0] = (is_cbor ? 0x18 : 0xcc) + power;
  for (int i = 0; i < 1 << power; i++) to[1 + i] = value >> 8 * ((1 << power) - 1 - i);
  return 1 + (1 << power);
}

static const uint8_t *get_integer(const uint8_t *at, uint64_t *value) {
  *value = 0;
  if (given.encoding == JSON) {
    while (*at == ' ') at++;
    while (*at >= '0' && *at <= '9') *value = *value * 10 + (*at++ - '0');
    while (*at == ' ' || *at == ',') at++;
    return at;
  }
  int is_cbor = given.encoding == CBOR;
  uint8_t head = *at++;
  if (head < (is_cbor ? 0x18 : 0x80)) { *value = head; return at; }
  int power = head - (is_cbor ? 0x18 : 0xcc);
  if (power < 0 || power > 3) fail("not an unsigned integer: octet 0x%02x", head);
  for (int i = 0; i < 1 << power; i++) *value = *value << 8 | *at++;
  return at;
}

/* Writing */

static void put_frame(peer *to, int opcode, const octets *parts, int part_count) {
  size_t size = 0;
  for (int i = 0; i < part_count; i++) size += parts[i].size;
  int is_data = opcode < 8, in_batch = given.batched && is_data;
  size_t payload_size = size + 4 * in_batch;
  if (payload_size > WS_FRAME_BYTES_MAX) fail("a message of ours is too long");
  reserve(&to->out, &to->out_room, to->out_size + size + 32);
  uint8_t *start = to->out + to->out_size, *at = start, *payload;
  if (given.is_ws) {
    at = put_ws_head(at, opcode, payload_size);
  } else {
    *at++ = is_data ? 0 : opcode == 9 ? 1 : 2;
    *at++ = size >> 16; *at++ = size >> 8; *at++ = size;
  }
  payload = at;
  if (in_batch) { *at++ = 0; *at++ = size >> 16; *at++ = size >> 8; *at++ = size; }
  for (int i = 0; i < part_count; at += parts[i++].size) memcpy(at, parts[i].at, parts[i].size);
  if (given.is_ws) mask_ws(payload, at);
  to->out_size += at - start;
}

static int data_opcode(void) { return given.encoding == JSON ? 1 : 2; }

static void put_message(peer *to, const octets *parts, int part_count) {
  put_frame(to, data_opcode(), parts, part_count);
}

/* A message of ours with a request id and a sequence number in its payload */
static void put_numbered(peer *to, const octets part[3], uint64_t id, uint64_t sequence) {
  uint8_t id_octets[24], digits[SEQUENCE_DIGITS];
  for (int i = 0; i < SEQUENCE_DIGITS; i++)
    digits[i] = "0123456789abcdef"[sequence >> 4 * (SEQUENCE_DIGITS - 1 - i) & 15];
  octets parts[] = {part[0], {id_octets, put_integer(id_octets, id)}, part[1],
                    {digits, SEQUENCE_DIGITS}, part[2]};
  put_message(to, parts, 5);
}

/* Reading */

/* The sequence number in a message that carries our payload, else ~0 */
static uint64_t sequence_of(const uint8_t *message, size_t size, int whole) {
  size_t tail = given.publish[2].size, needed = SEQUENCE_DIGITS + tail;
  const uint8_t *digits = size > needed ? message + size - needed : message;
  if (whole || size <= needed || memcmp(digits + SEQUENCE_DIGITS, given.filler.at, 4)) {
    const uint8_t *filler = memmem(message, size, given.filler.at, given.filler.size);
    if (!filler || filler - message < SEQUENCE_DIGITS) return ~0ull;
    digits = filler - SEQUENCE_DIGITS;
  }
  uint64_t sequence = 0;
  for (int i = 0; i < SEQUENCE_DIGITS; i++) {
    int digit = digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10;
    if (digit < 0 || digit > 15) return ~0ull;
    sequence = sequence << 4 | digit;
  }
  return sequence;
}

static void receive_event(peer *from, const uint8_t *message, size_t size) {
  events++;
  uint64_t sequence = sequence_of(message, size, from->event_count++ % SAMPLED_EVERY == 0);
  if (sequence != from->next_sequence) bad++;
  from->next_sequence = sequence + 1;
}

static void receive_result(uint64_t id, const uint8_t *message, size_t size) {
  if (results++ % SAMPLED_EVERY == 0 && !memmem(message, size, given.filler.at, given.filler.size)) bad++;
  if (is_measured) add_latency((now_s() - sent_at_s[id % SENT_SLOTS]) * 1e6);
}

static int type_of(const uint8_t *message, uint64_t *second) {
  uint64_t type;
  const uint8_t *rest = get_integer(message + 1, &type);
  if (type == EVENT) return type; /* its second element is not needed */
  if (type != WELCOME && type != ABORT && type != ERROR) get_integer(rest, second);
  return type;
}

static int receive_message(peer *from, const uint8_t *message, size_t size) {
  uint64_t second = 0;
  int type = type_of(message, &second);
  switch (type) {
    case EVENT: receive_event(from, message, size); break;
    case PUBLISHED: acknowledgements++; break;
    case RESULT: receive_result(second, message, size); break;
    case INVOCATION: {
      uint8_t id_octets[24];
      octets parts[] = {given.yield[0], {id_octets, put_integer(id_octets, second)}, given.yield[1]};
      put_message(from, parts, 3);
      break;
    }
    case ABORT: case ERROR: fail("the router refused: %.*s", (int)(size > 300 ? 300 : size), message);
  }
  return type;
}

/* Take what is whole; answers how much was taken. `last_type` is that of the last message. */
static size_t take_frames(peer *from, uint8_t *data, size_t size, int *last_type, int only_one) {
  size_t taken = 0;
  for (;;) {
    uint8_t *at = data + taken;
    size_t left = size - taken, head, length;
    int opcode;
    if (given.is_ws) {
      ws_frame frame = ws_frame_at(at, left);
      if (!(head = frame.head)) break;
      length = frame.length; opcode = frame.opcode;
    } else {
      if (left < 4) break;
      head = 4; length = (at[0] & 8) << 21 | at[1] << 16 | at[2] << 8 | at[3];
      opcode = (at[0] & 7) == 1 ? 9 : (at[0] & 7) == 2 ? 10 : data_opcode();
    }
    if (left < head + length) break;
    uint8_t *payload = at + head;
    taken += head + length;
    if (opcode == 9) { octets echo = {payload, length}; put_frame(from, 10, &echo, 1); pings++; continue; }
    if (opcode == 8) fail("the router closed a WebSocket: %d", length > 1 ? payload[0] << 8 | payload[1] : 0);
    if (opcode > 2) continue;
    if (!given.batched) *last_type = receive_message(from, payload, length);
    else while (length >= 4) {
      size_t part = (size_t)payload[0] << 24 | payload[1] << 16 | payload[2] << 8 | payload[3];
      if (part > length - 4) fail("a batch is cut short");
      *last_type = receive_message(from, payload + 4, part);
      payload += 4 + part; length -= 4 + part;
    }
    if (only_one) break;
  }
  return taken;
}

static size_t take(stream *from, uint8_t *data, size_t size) {
  int type = 0;
  return take_frames((peer *)from, data, size, &type, 0);
}

/* Opening: one connection after the other, waiting */

static void expect(peer *from, int type) {
  int last_type = 0;
  while (last_type != type) {
    size_t taken = take_frames(from, from->in, from->in_size, &last_type, 1);
    forget_taken(&from->stream, taken);
    if (!taken) receive_some(&from->stream);
    else if (last_type && last_type != type) fail("message of type %d where %d is expected", last_type, type);
  }
}

static void shake_hands(peer *with) {
  uint8_t ask[4] = {0x7f, 0xf0 | (given.encoding + 1), 0, 0};
  if (send(with->fd, ask, 4, MSG_NOSIGNAL) != 4) fail("the handshake could not be sent");
  while (with->in_size < 4) receive_some(&with->stream);
  if (with->in[0] != 0x7f || (with->in[1] & 15) != given.encoding + 1) fail("RawSocket was refused: 0x%02x", with->in[1]);
  forget_taken(&with->stream, 4);
}

static peer *open_peer(const octets *then, int then_type) {
  peer *made = &peers[peer_count++];
  memset(made, 0, sizeof *made);
  connect_stream(&made->stream, "127.0.0.1", given.port, 0);
  if (given.is_ws) upgrade_to_ws(&made->stream, given.port, given.path, given.subprotocol);
  else shake_hands(made);
  put_message(made, &given.hello, 1);
  flush_to(&made->stream);
  expect(made, WELCOME);
  if (then) {
    put_message(made, then, 1);
    flush_to(&made->stream);
    expect(made, then_type);
  }
  return made;
}

static void open_loop(void) {
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < peer_count; i++) listen_to(&peers[i].stream);
}

/* Sending as fast as the window lets, or at a fixed rate */

static uint64_t outstanding(void) {
  if (given.mode == 'c') return sent - results;
  uint64_t delivered = given.receivers ? events / given.receivers : sent;
  if (given.acknowledged && acknowledgements < delivered) delivered = acknowledgements;
  return sent - delivered;
}

static void send_one(peer *from, double at_s) {
  if (given.mode == 'c') {
    sent_at_s[next_id % SENT_SLOTS] = at_s;
    put_numbered(from, given.call, next_id++, sent++);
  } else put_numbered(from, given.publish, next_id++, sent++);
}

static void send_more(peer *from) {
  if (outstanding() + given.batch > (uint64_t)given.window) return;
  double at_s = now_s();
  while (outstanding() < (uint64_t)given.window && from->out_size < WRITE_BYTES) send_one(from, at_s);
}

/* What is due by the clock; a call's latency counts from when it was due, sent late or not. */
static void send_due(peer *from) {
  double at_s;
  while ((at_s = started_s + sent / (double)given.rate) <= now_s() + TICK_EARLY_S && sent - results < SENT_SLOTS)
    send_one(from, at_s);
}

static void run_until(double end_s, peer *sender) {
  double now;
  while ((now = now_s()) < end_s) {
    if (sender) {
      if (given.rate) send_due(sender); else send_more(sender);
      if (sender->out_size && !sender->waits_to_write) flush_to(&sender->stream);
    }
    turn((int)((end_s - now) * 1000) + 1);
  }
}

static void measure(void) {
  const octets *then = given.mode == 'p' ? &given.subscribe : &given.register_;
  int then_type = given.mode == 'p' ? SUBSCRIBED : REGISTERED;
  int receivers = given.mode == 'p' ? given.receivers : 1;
  for (int i = 0; i < receivers; i++) open_peer(then, then_type);
  peer *sender = open_peer(NULL, 0);
  open_loop();
  started_s = now_s();
  if (given.rate) start_timer(given.rate);
  run_until(started_s + given.warm_s, sender);
  uint64_t before[] = {sent, events, acknowledgements, results};
  double before_cpu_s = own_cpu_s(), begun_s = now_s();
  puts("begin");
  is_measured = 1;
  run_until(begun_s + given.run_s, sender);
  is_measured = 0;
  puts("end");
  double took_s = now_s() - begun_s, cpu_s = own_cpu_s() - before_cpu_s;
  uint64_t after[] = {sent, events, acknowledgements, results};
  double quiet_since_s = now_s();
  for (uint64_t seen = 0; outstanding() && now_s() - quiet_since_s < given.settle_s;) { /* what is under way */
    if (sender->out_size) flush_to(&sender->stream);
    turn(20);
    uint64_t now = events + acknowledgements + results;
    if (now != seen) quiet_since_s = now_s();
    seen = now;
  }
  uint64_t lost = given.mode == 'c' ? sent - results : sent * receivers - events + (given.acknowledged ? sent - acknowledgements : 0);
  sort_latencies();
  printf("{\"took_s\":%.6f,\"cpu_s\":%.6f,\"sent\":%lu,\"events\":%lu,\"acknowledged\":%lu,\"results\":%lu,"
         "\"lost\":%ld,\"bad\":%lu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
         took_s, cpu_s, after[0] - before[0], after[1] - before[1], after[2] - before[2], after[3] - before[3],
         (long)lost, bad, percentile(0.5), percentile(0.99), percentile(1));
}

static void hold_sessions(void) {
  double started = now_s();
  for (int i = 0; i < given.sessions; i++) open_peer(NULL, 0);
  double took_s = now_s() - started;
  open_loop();
  puts("begin");
  run_until(now_s() + given.hold_s, NULL);
  puts("end");
  getchar(); /* until the one who measures has looked */
  printf("{\"took_s\":%.6f,\"sessions\":%d,\"pings\":%lu}\n", took_s, peer_count, pings);
}

int main(int count, char **options) {
  prepare();
  for (int i = 1; i < count; i++) read_option(options[i]);
  peers = made((given.sessions > given.receivers ? given.sessions : given.receivers) + 2, sizeof *peers);
  if (given.mode == 'i') hold_sessions(); else measure();
  return 0;
}
