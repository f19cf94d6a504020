/* Load for a SkyNet server, its sockets and its HTTP: one thread, epoll, texts made ahead.
 *
 *     skynet_load port=3000 mode=sockets wire=0.9 topology=pairs senders=50 receivers=50 clients=FILE …
 *
 * Options are name=value. Each line of the file of clients is a device's uuid and token: first of the
 * senders, then of the receivers. It is neutral and cheap: sender i writes its number, a sequence number
 * and the time into the payload; whoever receives it must get all of them in order, with the whole payload
 * unchanged and the sender's uuid as `fromUuid`, so that a server that loses, repeats, reorders or garbles
 * cannot win. Nobody sends faster than the slowest receiver reads: a sender has at most `window` messages
 * under way; over HTTP one request that has no answer yet, and LAG_MAX messages. On its output: `begin`
 * and `end` around the measured span, then one line of JSON. Exit status 1 and a sentence on the error
 * output when the server misbehaves.
 */
#include "load_common.h"

enum { STAMP_CHARS = 40, DATUM_CHARS = 10, TEXT_BYTES_MAX = 2048, LAG_MAX = 64, NAME_WITHIN = 40 };
#define FILLER "the rest of the payload!"
#define STAMP "########################################"
#define DATUM "##########"
static const uint64_t DATUM_FIRST = 1000000000; /* so that each has as many digits */

typedef struct {
  IS_STREAM;
  char uuid[64], token[128];
  int number, is_http, is_open, is_ready, is_acknowledged;
  /* of a sender */
  uint8_t text[TEXT_BYTES_MAX];          /* what it sends, but for the stamp */
  size_t text_size, stamp_at;
  uint64_t sent, answered, arrived;      /* `arrived` at all its receivers */
  uint16_t *arrivals;                    /* by sequence: at how many receivers it has arrived */
  double sent_at_s;
  /* of a receiver */
  uint64_t *next_sequences;              /* by sender */
} peer;

static struct {
  int port, senders, receivers, window, rate;
  double warm_s, run_s, hold_s, settle_s;
  char mode[16], wire[16], topology[16], target[16], clients[256];
} given = {.mode = "sockets", .wire = "4", .topology = "pairs", .target = "messages", .window = 4, .settle_s = 3};

static peer *peers, *senders, *receivers, desk; /* the desk asks for what is asked before a socket opens */
static int peer_count, is_http, is_0_9, is_self, is_out, is_data, receivers_each, arrival_mask, is_measured;
static uint64_t sent, answered, delivered, bad, heartbeats;

/* Options */

static void read_option(char *option) {
  char *value = strchr(option, '=');
  if (!value) fail("no value: %s", option);
  *value++ = 0;
#define NUMBER(name) if (!strcmp(option, #name)) { given.name = atof(value); return; }
#define TEXT(name) if (!strcmp(option, #name)) { snprintf(given.name, sizeof given.name, "%s", value); return; }
  NUMBER(port) NUMBER(senders) NUMBER(receivers) NUMBER(window) NUMBER(rate)
  NUMBER(warm_s) NUMBER(run_s) NUMBER(hold_s) NUMBER(settle_s)
  TEXT(mode) TEXT(wire) TEXT(topology) TEXT(target) TEXT(clients)
  fail("unknown option %s", option);
}

/* Stamps: sequence, sender, nanoseconds when it was due; of sensor data, the sequence as a number */

static void put_hex(uint8_t *to, uint64_t value, int digits) {
  for (int i = digits; i--; value >>= 4) to[i] = "0123456789abcdef"[value & 15];
}

static uint64_t get_hex(const uint8_t *at, int digits) {
  uint64_t value = 0;
  for (int i = 0; i < digits; i++) {
    int digit = at[i] <= '9' ? at[i] - '0' : at[i] - 'a' + 10;
    if (digit < 0 || digit > 15) return ~0ull;
    value = value << 4 | digit;
  }
  return value;
}

static void put_stamp(uint8_t *at, uint64_t sequence, int number, double due_s) {
  if (is_data) {
    sequence += DATUM_FIRST;
    for (int i = DATUM_CHARS; i--; sequence /= 10) at[i] = '0' + sequence % 10;
    return;
  }
  put_hex(at, sequence, 16);
  put_hex(at + 16, number, 8);
  put_hex(at + 24, due_s * 1e9, 16);
}

/* Texts of a socket: an event with one argument, with the number of an acknowledgement or 0 */

static int event_text(char *to, size_t room, const char *name, const char *argument, int id) {
  char number[8] = "";
  if (id) snprintf(number, sizeof number, is_0_9 ? "%d+" : "%d", id);
  const char *form = is_0_9 ? "5:%s::{\"name\":\"%s\",\"args\":[%s]}" : "42%s[\"%s\",%s]";
  int size = snprintf(to, room, form, number, name, argument);
  if (size >= (int)room) fail("a text of ours is too long");
  return size;
}

static void put_text(peer *to, const uint8_t *text, size_t size, size_t stamp_at, double due_s) {
  reserve(&to->out, &to->out_room, to->out_size + size + 32);
  uint8_t *start = to->out + to->out_size;
  uint8_t *payload = to->is_http ? start : put_ws_head(start, WS_TEXT, size);
  memcpy(payload, text, size);
  if (stamp_at) put_stamp(payload + stamp_at, to->sent, to->number, due_s);
  if (!to->is_http) mask_ws(payload, payload + size);
  to->out_size += payload + size - start;
}

static void emit(peer *from, const char *name, const char *argument, int id) {
  char text[TEXT_BYTES_MAX];
  put_text(from, (uint8_t *)text, event_text(text, sizeof text, name, argument, id), 0, 0);
}

static void put_plain(peer *to, const char *text) { put_text(to, (const uint8_t *)text, strlen(text), 0, 0); }

static void prepare_text(peer *of, const char *recipient) {
  char body[1024];
  int size = is_data
    ? snprintf(body, sizeof body, "{\"temperature\":" DATUM "}")
    : snprintf(body, sizeof body, "{\"devices\":\"%s\",\"payload\":{\"text\":\"" STAMP FILLER "\"}}", recipient);
  if (!is_http) of->text_size = event_text((char *)of->text, TEXT_BYTES_MAX, "message", body, 0);
  else of->text_size = snprintf((char *)of->text, TEXT_BYTES_MAX,
    "POST /%s%s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nmeshblu_auth_uuid: %s\r\nmeshblu_auth_token: %s\r\n"
    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
    given.target, is_data ? "/" : "", is_data ? of->uuid : "", given.port, of->uuid, of->token, size, body);
  if (of->text_size >= TEXT_BYTES_MAX) fail("a text of ours is too long");
  const char *stamp = is_data ? DATUM : STAMP;
  of->stamp_at = (uint8_t *)memmem(of->text, of->text_size, stamp, strlen(stamp)) - of->text;
}

/* Deliveries */

static void count_arrival(peer *of, uint64_t sequence) {
  if (sequence < of->arrived || sequence >= of->sent) return;
  of->arrivals[sequence & arrival_mask]++;
  while (of->arrived < of->sent && of->arrivals[of->arrived & arrival_mask] >= receivers_each)
    of->arrivals[of->arrived++ & arrival_mask] = 0;
}

static int is_from(const peer *of, const uint8_t *text, size_t size) {
  static const char KEY[] = "\"fromUuid\":";
  const uint8_t *end = text + size, *at = memmem(text, size, KEY, sizeof KEY - 1);
  if (!at) return 0;
  for (at += sizeof KEY - 1; at < end && (*at == ' ' || *at == '"'); at++);
  size_t wanted = strlen(of->uuid);
  return (size_t)(end - at) > wanted && !memcmp(at, of->uuid, wanted) && at[wanted] == '"';
}

static void receive_message(peer *by, const uint8_t *text, size_t size) {
  const uint8_t *filler = memmem(text, size, FILLER, sizeof FILLER - 1);
  delivered++;
  if (!filler || filler - text < STAMP_CHARS) { bad++; return; }
  const uint8_t *stamp = filler - STAMP_CHARS;
  uint64_t sequence = get_hex(stamp, 16), number = get_hex(stamp + 16, 8);
  if (number >= (uint64_t)given.senders) { bad++; return; }
  peer *from = &senders[number];
  if (sequence != by->next_sequences[number] || !is_from(from, text, size)) bad++;
  by->next_sequences[number] = sequence + 1;
  count_arrival(from, sequence);
  if (is_measured && !is_http) add_latency((now_s() - get_hex(stamp + 24, 16) / 1e9) * 1e6);
}

/* Any event; where its name stands depends on the wire, but always near the beginning. */
static void receive_event(peer *by, const uint8_t *text, size_t size) {
  size_t near = size < NAME_WITHIN ? size : NAME_WITHIN;
  if (memmem(text, near, "\"message\"", 9)) {
    /* Subscribers are told as well when the sender comes. */
    if (!memmem(text, size, "\"device-status\"", 15)) receive_message(by, text, size);
  }
  else if (memmem(text, near, "\"ready\"", 7)) by->is_ready = 1;
  else if (memmem(text, near, "\"notReady\"", 10)) fail("the server refused a device: %.*s", (int)size, text);
}

static void receive_acknowledgement(peer *by, const uint8_t *text, size_t size) {
  if (memmem(text, size, "false", 5) || memmem(text, size, "\"error\"", 7))
    fail("the server refused: %.*s", (int)(size > 300 ? 300 : size), text);
  by->is_acknowledged = 1;
}

/* Socket.IO 0.9 (protocol 1) */
static void receive_0_9(peer *by, const uint8_t *text, size_t size) {
  switch (text[0]) {
    case '1': by->is_open = 1; break;
    case '2': put_plain(by, "2::"); heartbeats++; break;
    case '5': receive_event(by, text, size); break;
    case '6': receive_acknowledgement(by, text, size); break;
    case '0': case '7': fail("the server ended a socket: %.*s", (int)size, text);
  }
}

/* Engine.IO 4 with Socket.IO 5 inside */
static void receive_4(peer *by, const uint8_t *text, size_t size) {
  int kind = text[0] == '4' && size > 1 ? text[1] : 0;
  if (text[0] == '0') put_plain(by, "40");
  else if (text[0] == '2') { put_plain(by, "3"); heartbeats++; }
  else if (kind == '0') by->is_open = 1;
  else if (kind == '2') receive_event(by, text, size);
  else if (kind == '3') receive_acknowledgement(by, text, size);
  else if (text[0] == '1' || kind == '1' || kind == '4') fail("the server ended a socket: %.*s", (int)size, text);
}

static size_t take_frames(peer *from, uint8_t *data, size_t size) {
  size_t taken = 0;
  for (;;) {
    ws_frame frame = ws_frame_at(data + taken, size - taken);
    if (!frame.head) return taken;
    uint8_t *payload = data + taken + frame.head;
    taken += frame.head + frame.length;
    if (frame.opcode == WS_CLOSE)
      fail("the server closed a WebSocket: %d", frame.length > 1 ? payload[0] << 8 | payload[1] : 0);
    if (frame.opcode == WS_PING) {
      reserve(&from->out, &from->out_room, from->out_size + frame.length + 32);
      uint8_t *start = from->out + from->out_size, *at = put_ws_head(start, WS_PONG, frame.length);
      memcpy(at, payload, frame.length);
      mask_ws(at, at + frame.length);
      from->out_size += at + frame.length - start;
    }
    if (frame.opcode != WS_TEXT || !frame.length) continue;
    if (is_0_9) receive_0_9(from, payload, frame.length);
    else receive_4(from, payload, frame.length);
  }
}

/* HTTP */

typedef struct { int status; const uint8_t *body; size_t body_size, size; } answer;

static size_t head_number(const char *head, const char *name, int base, size_t otherwise) {
  const char *found = strcasestr(head, name);
  return found ? strtoul(found + strlen(name), NULL, base) : otherwise;
}

/* One that is not whole has a size of 0. Of an answer in chunks, the first is the body. */
static answer answer_at(uint8_t *data, size_t size) {
  answer found = {0, NULL, 0, 0};
  uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
  if (!end || end - data < 12) return found;
  found.status = atoi((char *)data + 9);
  found.body = end + 4;
  *end = 0;
  found.body_size = head_number((char *)data, "\ncontent-length:", 10, 0);
  int is_chunked = strcasestr((char *)data, "\ntransfer-encoding: chunked") != NULL;
  *end = '\r';
  size_t left = data + size - found.body;
  if (is_chunked) {
    const uint8_t *last = memmem(found.body, left, "0\r\n\r\n", 5), *line = memmem(found.body, left, "\r\n", 2);
    if (!last || !line) return found;
    found.body_size = strtoul((char *)found.body, NULL, 16);
    found.body = line + 2;
    found.size = last + 5 - data;
  } else if (left >= found.body_size) found.size = found.body + found.body_size - data;
  return found;
}

static void receive_answer(peer *by, const answer *got) {
  if (got->status >= 300) fail("the server answered %d: %.*s", got->status, (int)got->body_size, got->body);
  answered++;
  by->answered++;
  if (by->answered > by->sent) bad++;
  if (is_measured) add_latency((now_s() - by->sent_at_s) * 1e6);
}

static size_t take(stream *from, uint8_t *data, size_t size) {
  peer *by = (peer *)from;
  if (!by->is_http) return take_frames(by, data, size);
  size_t taken = 0;
  for (;;) {
    answer got = answer_at(data + taken, size - taken);
    if (!got.size) return taken;
    receive_answer(by, &got);
    taken += got.size;
  }
}

/* Opening: one connection after the other, waiting */

static void wait_until(peer *of, const int *flag) {
  while (!*flag) {
    size_t taken = take_frames(of, of->in, of->in_size);
    forget_taken(&of->stream, taken);
    if (of->out_size) flush_to(&of->stream);
    if (!*flag) receive_some(&of->stream);
  }
}

/* Ask for a session of Socket.IO 0.9; all of them are asked for over one connection. */
static void shake_hands(char *path, size_t room) {
  char text[256];
  int size = snprintf(text, sizeof text, "GET /socket.io/1/?t=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", given.port);
  if (!desk.fd) connect_stream(&desk.stream, "127.0.0.1", given.port, 0);
  if (send(desk.fd, text, size, MSG_NOSIGNAL) != size) fail("the handshake could not be sent");
  answer got;
  do {
    receive_some(&desk.stream);
    desk.in[desk.in_size] = 0;
    got = answer_at(desk.in, desk.in_size);
  } while (!got.size);
  if (got.status != 200) fail("the server answered a handshake with %d: %.*s", got.status, (int)got.body_size, got.body);
  size_t sid_size = strcspn((char *)got.body, ":");
  if (sid_size >= got.body_size) fail("no session: %.*s", (int)got.body_size, got.body);
  snprintf(path, room, "/socket.io/1/websocket/%.*s", (int)sid_size, got.body);
  forget_taken(&desk.stream, got.size);
}

static void open_socket(peer *of, const char *emitter) {
  char path[256] = "/socket.io/?EIO=4&transport=websocket", argument[512];
  if (is_0_9) shake_hands(path, sizeof path);
  connect_stream(&of->stream, "127.0.0.1", given.port, of - peers);
  upgrade_to_ws(&of->stream, given.port, path, "");
  wait_until(of, &of->is_open);
  snprintf(argument, sizeof argument, "{\"uuid\":\"%s\",\"token\":\"%s\"}", of->uuid, of->token);
  emit(of, "identity", argument, 0);
  wait_until(of, &of->is_ready);
  if (!emitter) return;
  snprintf(argument, sizeof argument, "{\"uuid\":\"%s\"}", emitter);
  emit(of, "subscribe", argument, 1);
  wait_until(of, &of->is_acknowledged);
}

static void add_peers(void) {
  is_http = !strcmp(given.mode, "http");
  is_0_9 = !strcmp(given.wire, "0.9");
  is_self = !strcmp(given.topology, "self");
  is_out = !strcmp(given.topology, "out");
  is_data = is_http && !strcmp(given.target, "data");
  receivers_each = is_out ? given.receivers : given.receivers > 0;
  int window = is_http ? LAG_MAX : given.window;
  for (arrival_mask = 1; arrival_mask < 2 * window; arrival_mask *= 2);
  arrival_mask--;
  peer_count = given.senders + (is_self ? 0 : given.receivers);
  senders = peers = made(peer_count, sizeof *peers);
  receivers = is_self ? senders : senders + given.senders;
  FILE *file = fopen(given.clients, "r");
  if (!file) fail("%s: %s", given.clients, strerror(errno));
  for (int i = 0; i < peer_count; i++) {
    peer *of = &peers[i];
    if (fscanf(file, "%63s %127s", of->uuid, of->token) != 2) fail("too few clients in the file");
    of->number = i;
    of->is_http = is_http && i < given.senders;
  }
  fclose(file);
  for (int i = 0; i < given.receivers; i++) receivers[i].next_sequences = made(given.senders + 1, sizeof(uint64_t));
  for (int i = 0; i < given.senders; i++) {
    senders[i].arrivals = made(arrival_mask + 1, sizeof(uint16_t));
    prepare_text(&senders[i], is_out ? "*" : given.receivers ? receivers[i % given.receivers].uuid : "");
  }
}

static void open_peers(void) {
  for (int i = peer_count; i--;) { /* receivers first */
    peer *of = &peers[i];
    if (of->is_http) connect_stream(&of->stream, "127.0.0.1", given.port, i);
    else open_socket(of, is_out && of >= receivers ? senders[0].uuid : NULL);
  }
  epoll_fd = epoll_create1(0);
  for (int i = 0; i < peer_count; i++) listen_to(&peers[i].stream);
}

/* Sending as fast as the window lets, or at a fixed rate */

static int may_send(const peer *of) {
  uint64_t lag = receivers_each ? of->sent - of->arrived : 0;
  if (is_http) return of->sent == of->answered && lag < LAG_MAX;
  return lag < (uint64_t)given.window && of->out_size < WRITE_BYTES;
}

static uint64_t under_way(void) {
  uint64_t count = 0;
  for (int i = 0; i < given.senders; i++)
    count += (receivers_each ? senders[i].sent - senders[i].arrived : 0) + (is_http ? senders[i].sent - senders[i].answered : 0);
  return count;
}

static void send_one(peer *from, double due_s) {
  from->sent_at_s = due_s;
  put_text(from, from->text, from->text_size, from->stamp_at, due_s);
  from->sent++;
  sent++;
}

/* What is due by the clock, each sender in turn; latency counts from when it was due, sent late or not. */
static void send_due(void) {
  double due_s;
  while ((due_s = started_s + sent / (double)given.rate) <= now_s() + TICK_EARLY_S) {
    peer *from = &senders[sent % given.senders];
    if (!may_send(from)) return;
    send_one(from, due_s);
    if (!from->waits_to_write) flush_to(&from->stream);
  }
}

static void send_all(void) {
  if (given.rate) { send_due(); return; }
  double at_s = now_s();
  for (int i = 0; i < given.senders; i++) {
    peer *from = &senders[i];
    while (may_send(from)) send_one(from, at_s);
    if (from->out_size && !from->waits_to_write) flush_to(&from->stream);
  }
}

static void run_until(double end_s) {
  double now;
  while ((now = now_s()) < end_s) {
    send_all();
    turn((int)((end_s - now) * 1000) + 1);
  }
}

/* Until nothing is under way, or nothing has come for so long. */
static void settle(void) {
  double quiet_since_s = now_s();
  uint64_t seen = 0;
  while (under_way() && now_s() - quiet_since_s < given.settle_s) {
    turn(5);
    uint64_t now = delivered + answered;
    if (now != seen) quiet_since_s = now_s();
    seen = now;
  }
}

static void measure(void) {
  add_peers();
  open_peers();
  started_s = now_s();
  if (given.rate) start_timer(given.rate);
  run_until(started_s + given.warm_s);
  uint64_t before[] = {sent, delivered, answered};
  double before_cpu_s = own_cpu_s(), begun_s = now_s();
  puts("begin");
  is_measured = 1;
  run_until(begun_s + given.run_s);
  is_measured = 0;
  puts("end");
  double took_s = now_s() - begun_s, cpu_s = own_cpu_s() - before_cpu_s;
  uint64_t after[] = {sent, delivered, answered};
  settle();
  long lost = (long)(sent * receivers_each - delivered) + (is_http ? (long)(sent - answered) : 0);
  sort_latencies();
  printf("{\"took_s\":%.6f,\"cpu_s\":%.6f,\"sent\":%lu,\"delivered\":%lu,\"answered\":%lu,\"total\":%lu,"
         "\"lost\":%ld,\"bad\":%lu,\"heartbeats\":%lu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
         took_s, cpu_s, after[0] - before[0], after[1] - before[1], after[2] - before[2], sent,
         lost, bad, heartbeats, percentile(0.5), percentile(0.99), percentile(1));
}

static void hold_sockets(void) {
  given.senders = 0;
  add_peers();
  double started = now_s();
  open_peers();
  double took_s = now_s() - started;
  puts("begin");
  run_until(now_s() + given.hold_s);
  puts("end");
  getchar(); /* until the one who measures has looked */
  printf("{\"took_s\":%.6f,\"sockets\":%d,\"heartbeats\":%lu}\n", took_s, peer_count, heartbeats);
}

int main(int count, char **options) {
  prepare();
  for (int i = 1; i < count; i++) read_option(options[i]);
  if (given.window < 1 || given.window > 10000) fail("the window is 1 to 10000");
  if (!strcmp(given.mode, "idle")) hold_sockets(); else measure();
  return 0;
}
