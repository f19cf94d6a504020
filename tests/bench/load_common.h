/* What the load generators share: clocks, memory, streams on one epoll loop, a timer for what is sent
 * at a rate, latencies, and WebSocket frames as a client writes and reads them. A program includes it
 * once and defines `take`.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 18, WRITE_BYTES = 1 << 16, LATENCIES_MAX = 1 << 22 };
enum { CONNECTIONS_AN_ADDRESS = 10000, OPEN_S_MAX = 10 };

/* A connection: what has come of a message that is not whole yet, and what could not be written yet.
 * A program's own struct begins with `IS_STREAM;` and so has these fields as well as `stream`. */
#define STREAM struct { \
    int fd, waits_to_write; \
    uint8_t *in; size_t in_size, in_room; \
    uint8_t *out; size_t out_size, out_room; \
  }
typedef STREAM stream;
#define IS_STREAM union { stream stream; STREAM; }

static int epoll_fd, timer_fd = -1;
static uint8_t *read_buffer; /* 2 * READ_BYTES */
static double *latencies_us;
static size_t latency_count;
static double started_s; /* of what is sent at a rate */

/* Take the messages that are whole; answers how many octets they had. */
static size_t take(stream *from, uint8_t *data, size_t size);

static inline _Noreturn void fail(const char *form, ...) {
  va_list words;
  va_start(words, form);
  vfprintf(stderr, form, words);
  fputc('\n', stderr);
  exit(1);
}

static inline double clock_s(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static inline double now_s(void) { return clock_s(CLOCK_MONOTONIC); }
static inline double own_cpu_s(void) { return clock_s(CLOCK_PROCESS_CPUTIME_ID); }

static inline void *made(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) fail("no memory");
  return memory;
}

static inline void reserve(uint8_t **buffer, size_t *room, size_t needed) {
  if (needed <= *room) return;
  while (*room < needed) *room = *room ? *room * 2 : 256;
  if (!(*buffer = realloc(*buffer, *room))) fail("no memory");
}

/* Before anything else: lines leave at once, and as many files may be open as the system lets. */
static inline void prepare(void) {
  struct rlimit files;
  setvbuf(stdout, NULL, _IOLBF, 0);
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  read_buffer = made(2, READ_BYTES);
  latencies_us = made(LATENCIES_MAX, sizeof *latencies_us);
}

/* Latencies */

static inline void add_latency(double us) {
  if (latency_count < LATENCIES_MAX) latencies_us[latency_count++] = us;
}

static inline int ascending(const void *one, const void *other) {
  double difference = *(double *)one - *(double *)other;
  return (difference > 0) - (difference < 0);
}

static inline void sort_latencies(void) {
  qsort(latencies_us, latency_count, sizeof *latencies_us, ascending);
}

static inline double percentile(double share) {
  return latency_count ? latencies_us[(size_t)(share * (latency_count - 1))] : 0;
}

/* Streams */

/* The nth connection to one address; ports of one address of loopback are not enough for many. */
static inline void connect_stream(stream *made, const char *host, int port, int number) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)}, own = {.sin_family = AF_INET};
  struct timeval wait = {OPEN_S_MAX, 0};
  int yes = 1;
  inet_pton(AF_INET, host, &address.sin_addr);
  made->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (made->fd < 0) fail("no socket: %s", strerror(errno));
  setsockopt(made->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(made->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (address.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK + number / CONNECTIONS_AN_ADDRESS);
    setsockopt(made->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
    if (bind(made->fd, (struct sockaddr *)&own, sizeof own)) fail("no address: %s", strerror(errno));
  }
  if (connect(made->fd, (struct sockaddr *)&address, sizeof address)) fail("no connection: %s", strerror(errno));
}

/* While a connection is opened, waiting */
static inline void receive_some(stream *from) {
  reserve(&from->in, &from->in_room, from->in_size + 2048);
  ssize_t count = recv(from->fd, from->in + from->in_size, 2047, 0);
  if (count <= 0) fail("the server closed a connection while it was opened: %s", count ? strerror(errno) : "EOF");
  from->in_size += count;
}

static inline void forget_taken(stream *of, size_t taken) {
  memmove(of->in, of->in + taken, of->in_size -= taken);
}

static inline void watch(stream *of, int to_write) {
  struct epoll_event wish = {.events = EPOLLIN | (to_write ? EPOLLOUT : 0), .data.ptr = of};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, of->fd, &wish);
  of->waits_to_write = to_write;
}

static inline void listen_to(stream *of) {
  struct epoll_event wish = {.events = EPOLLIN, .data.ptr = of};
  fcntl(of->fd, F_SETFL, O_NONBLOCK);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, of->fd, &wish);
  of->waits_to_write = 0;
}

static inline void flush_to(stream *to) {
  size_t done = 0;
  while (done < to->out_size) {
    ssize_t count = send(to->fd, to->out + done, to->out_size - done, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) fail("the server closed a connection: %s", strerror(errno));
    done += count;
  }
  memmove(to->out, to->out + done, to->out_size -= done);
  if (epoll_fd && to->waits_to_write != (to->out_size > 0)) watch(to, to->out_size > 0);
}

static inline void read_from(stream *from) {
  for (;;) {
    memcpy(read_buffer, from->in, from->in_size);
    ssize_t count = recv(from->fd, read_buffer + from->in_size, READ_BYTES, MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) fail("the server closed a connection%s%s", count ? ": " : "", count ? strerror(errno) : "");
    size_t size = from->in_size + count, taken = take(from, read_buffer, size);
    from->in_size = size - taken;
    if (from->in_size > READ_BYTES) fail("a message is longer than any of ours");
    reserve(&from->in, &from->in_room, from->in_size + 1);
    memcpy(from->in, read_buffer + taken, from->in_size);
    if (count < READ_BYTES) return;
  }
}

/* Read what has come, write what waits. */
static inline void turn(int wait_ms) {
  struct epoll_event ready[256];
  int count = epoll_wait(epoll_fd, ready, 256, wait_ms);
  for (int i = 0; i < count; i++) {
    stream *of = ready[i].data.ptr;
    if (!of) { uint64_t ticks; if (read(timer_fd, &ticks, 8) < 0) ticks = 0; continue; }
    if (ready[i].events & ~EPOLLOUT) read_from(of);
    if (of->out_size) flush_to(of);
  }
}

/* A tick comes a little before its message is due, as it counts whole nanoseconds. */
static const double TICK_EARLY_S = 20e-6;

/* Wakes the loop so often, from started_s on. */
static inline void start_timer(int rate) {
  long interval_ns = 1000000000l / rate;
  long start_ns = (started_s - (long)started_s) * 1e9;
  struct itimerspec every = {{interval_ns / 1000000000l, interval_ns % 1000000000l}, {(long)started_s, start_ns}};
  struct epoll_event wish = {.events = EPOLLIN, .data.ptr = NULL};
  timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &every, NULL);
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &wish);
}

/* WebSocket, RFC 6455 */

enum { WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
enum { WS_FRAME_BYTES_MAX = 65535 };

static inline uint8_t *put_ws_head(uint8_t *at, int opcode, size_t size) {
  if (size > WS_FRAME_BYTES_MAX) fail("a message of ours is too long");
  *at++ = 0x80 | opcode;
  if (size < 126) *at++ = 0x80 | size;
  else { *at++ = 0x80 | 126; *at++ = size >> 8; *at++ = size; }
  memcpy(at, "\x37\xfa\x21\x3d", 4);
  return at + 4;
}

/* Mask a payload that put_ws_head has announced; there must be room for 8 octets behind it. */
static inline void mask_ws(uint8_t *payload, uint8_t *end) {
  uint64_t mask, word;
  memcpy(&mask, "\x37\xfa\x21\x3d\x37\xfa\x21\x3d", 8);
  memset(end, 0, 8);
  for (uint8_t *at = payload; at < end; at += 8) {
    memcpy(&word, at, 8);
    word ^= mask;
    memcpy(at, &word, 8);
  }
}

/* A frame that is not whole has a head of 0 octets. */
typedef struct { int opcode; size_t head, length; } ws_frame;

static inline ws_frame ws_frame_at(const uint8_t *at, size_t left) {
  ws_frame found = {0, 0, 0};
  if (left < 2) return found;
  size_t head = 2, length = at[1] & 127;
  if (at[0] < 0x80 || at[1] & 0x80) fail("a frame is in fragments or masked: 0x%02x 0x%02x", at[0], at[1]);
  if (length == 126) { if (left < 4) return found; head = 4; length = at[2] << 8 | at[3]; }
  else if (length == 127) {
    if (left < 10) return found;
    head = 10; length = 0;
    for (int i = 2; i < 10; i++) length = length << 8 | at[i];
  }
  if (left - head < length || left < head) return found;
  found.opcode = at[0] & 15;
  found.head = head;
  found.length = length;
  return found;
}

/* Ask for a WebSocket and read the answer; a blank subprotocol is none. */
static inline void upgrade_to_ws(stream *with, int port, const char *path, const char *subprotocol) {
  char text[1024], offer[128] = "";
  if (subprotocol[0]) snprintf(offer, sizeof offer, "Sec-WebSocket-Protocol: %s\r\n", subprotocol);
  int size = snprintf(text, sizeof text,
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n", path, port, offer);
  if (send(with->fd, text, size, MSG_NOSIGNAL) != size) fail("the handshake could not be sent");
  uint8_t *end = NULL;
  while (!end) {
    receive_some(with);
    end = memmem(with->in, with->in_size, "\r\n\r\n", 4);
  }
  with->in[with->in_size] = 0;
  if (!memmem(with->in, end - with->in, " 101 ", 5) || !strcasestr((char *)with->in, subprotocol))
    fail("no upgrade to WebSocket %s: %.200s", subprotocol, with->in);
  forget_taken(with, end + 4 - with->in);
}
