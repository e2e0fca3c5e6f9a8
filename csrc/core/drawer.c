/* SPDX-License-Identifier: BSD-3-Clause */
#include "drawer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

extern char **environ;

/* Both ends are this one build on this one machine: numbers go as they are. */

/* Text is cut anyway when it is read; a little more is sent, so that it is seen to be
 * longer than it may be. */
enum { MOST_SENT = NBP_ATTRIBUTE_BYTES + 100 };
static const uint64_t most_answered = UINT64_C(1) << 28;

static void
write_number(nbp_bytes *bytes, uint64_t number)
{
    nbp_bytes_append(bytes, (const uint8_t *)&number, sizeof(number));
}

static void
write_text(nbp_bytes *bytes, const char *text)
{
    size_t length = strnlen(text, MOST_SENT);
    write_number(bytes, length);
    nbp_bytes_append(bytes, (const uint8_t *)text, length);
    nbp_bytes_push(bytes, '\0');
}

static void
write_attributes(nbp_bytes *bytes, const nbp_attributes_list *attributes)
{
    write_number(bytes, attributes->count);
    for (size_t i = 0; i < attributes->count; i++) {
        write_text(bytes, attributes->rows[i].name);
        write_text(bytes, attributes->rows[i].value);
    }
}

static uint64_t
count_rows(const nbp_picture *picture)
{
    uint64_t rows = picture->attributes.count;
    for (size_t i = 0; i < picture->node_count; i++) {
        rows += picture->nodes[i].count;
    }
    for (size_t i = 0; i < picture->edge_count; i++) {
        rows += picture->edges[i].attributes.count;
    }
    return rows;
}

void
nbp_request_write(nbp_bytes *bytes, const nbp_picture *picture)
{
    write_number(bytes, picture->node_count);
    write_number(bytes, picture->edge_count);
    write_number(bytes, count_rows(picture));
    write_number(bytes, picture->hurried);
    write_attributes(bytes, &picture->attributes);
    for (size_t i = 0; i < picture->node_count; i++) {
        write_attributes(bytes, &picture->nodes[i]);
    }
    for (size_t i = 0; i < picture->edge_count; i++) {
        write_number(bytes, picture->edges[i].tail);
        write_number(bytes, picture->edges[i].head);
        write_attributes(bytes, &picture->edges[i].attributes);
    }
}

/* What is left to be read; once `failed`, everything reads as nothing. */
typedef struct {
    const uint8_t *at, *end;
    bool failed;
} reader;

static uint64_t
read_number(reader *self)
{
    uint64_t number = 0;
    if ((size_t)(self->end - self->at) < sizeof(number)) {
        self->failed = true;
        return 0;
    }
    memcpy(&number, self->at, sizeof(number));
    self->at += sizeof(number);
    return number;
}

/* A count of things of which each takes 8 bytes or more. */
static size_t
read_count(reader *self)
{
    uint64_t count = read_number(self);
    if (count > (size_t)(self->end - self->at) / 8) {
        self->failed = true;
        return 0;
    }
    return (size_t)count;
}

static const char *
read_text(reader *self)
{
    uint64_t length = read_number(self);
    const char *text = (const char *)self->at;
    if (self->failed || length >= (size_t)(self->end - self->at) ||
        text[length] != '\0') {
        self->failed = true;
        return "";
    }
    self->at += length + 1;
    return text;
}

static nbp_attributes_list
read_attributes(reader *self, nbp_attribute **row, const nbp_attribute *last)
{
    nbp_attributes_list list = {*row, 0};
    size_t count = read_count(self);
    if (count > (size_t)(last - *row)) {
        self->failed = true;
    }
    for (; list.count < count && !self->failed; list.count++) {
        (*row)->name = read_text(self);
        (*row)->value = read_text(self);
        ++*row;
    }
    return list;
}

nbp_status
nbp_request_read(const uint8_t *data, size_t size, nbp_request *request)
{
    reader self = {data, data + size, false};
    size_t nodes = read_count(&self);
    size_t edges = read_count(&self);
    size_t rows = read_count(&self);
    bool hurried = read_number(&self) != 0;
    *request = (nbp_request){0};
    if (self.failed) {
        return NBP_INVALID;
    }
    request->rows = calloc(rows + 1, sizeof(*request->rows));
    request->nodes = calloc(nodes + 1, sizeof(*request->nodes));
    request->edges = calloc(edges + 1, sizeof(*request->edges));
    if (request->rows == NULL || request->nodes == NULL || request->edges == NULL) {
        nbp_request_free(request);
        return NBP_NO_MEMORY;
    }
    nbp_attribute *row = request->rows;
    const nbp_attribute *last = row + rows;
    nbp_attributes_list of_graph = read_attributes(&self, &row, last);
    for (size_t i = 0; i < nodes && !self.failed; i++) {
        request->nodes[i] = read_attributes(&self, &row, last);
    }
    for (size_t i = 0; i < edges && !self.failed; i++) {
        request->edges[i].tail = (size_t)read_number(&self);
        request->edges[i].head = (size_t)read_number(&self);
        request->edges[i].attributes = read_attributes(&self, &row, last);
    }
    if (self.failed || self.at != self.end) {
        nbp_request_free(request);
        return NBP_INVALID;
    }
    request->picture = (nbp_picture){
        .attributes = of_graph,
        .nodes = request->nodes,
        .node_count = nodes,
        .edges = request->edges,
        .edge_count = edges,
        .hurried = hurried,
    };
    return NBP_OK;
}

void
nbp_request_free(nbp_request *request)
{
    free(request->rows);
    free(request->nodes);
    free(request->edges);
    *request = (nbp_request){0};
}

/* --- The answer: status, nodes, edges, boxes, the text --- */

static void
write_answer(nbp_bytes *bytes, nbp_status status, const nbp_drawn *drawn)
{
    write_number(bytes, (uint64_t)(int64_t)status);
    write_number(bytes, drawn->nodes);
    write_number(bytes, drawn->edges);
    nbp_bytes_append(bytes, (const uint8_t *)drawn->boxes,
                     drawn->nodes * sizeof(*drawn->boxes));
    if (drawn->svg != NULL) {
        nbp_bytes_append(bytes, (const uint8_t *)drawn->svg, strlen(drawn->svg));
    }
    nbp_bytes_push(bytes, '\0');
}

static nbp_status
read_answer(const nbp_bytes *bytes, nbp_drawn *drawn)
{
    reader self = {bytes->data, bytes->data + bytes->size, false};
    nbp_status status = (nbp_status)(int64_t)read_number(&self);
    size_t nodes = read_count(&self);
    size_t edges = (size_t)read_number(&self);
    size_t size = nodes * sizeof(*drawn->boxes);
    bool known = status <= NBP_OK && status >= NBP_CRASHED;
    if (self.failed || !known || size >= (size_t)(self.end - self.at) ||
        self.end[-1] != '\0') {
        return NBP_CRASHED;
    }
    *drawn = (nbp_drawn){.nodes = nodes, .edges = edges};
    if (status != NBP_OK) {
        return status;
    }
    drawn->boxes = malloc(size + 1);
    drawn->svg = strdup((const char *)self.at + size);
    if (drawn->boxes == NULL || drawn->svg == NULL) {
        nbp_drawn_free(drawn);
        return NBP_NO_MEMORY;
    }
    memcpy(drawn->boxes, self.at, size);
    return NBP_OK;
}

/* --- The parent --- */

/* A pair of sockets rather than pipes: writing to one that nobody reads any more is an
 * error and not a signal, whatever the process does with SIGPIPE. */
static int
connect_pair(int ends[2])
{
#ifdef SOCK_CLOEXEC
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
#else
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0) {
        return -1;
    }
    const int on = 1;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        setsockopt(ends[i], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
    }
    return 0;
#endif
}

#ifndef MSG_NOSIGNAL
#    define MSG_NOSIGNAL 0
#endif

/* In a process group of its own, so that Ctrl-C in a terminal is not for it, and with
 * no signal blocked or ignored. */
static pid_t
start(const char *program, int end)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t child = -1;
    char *const arguments[] = {(char *)program, NULL};
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -1;
    }
    if (posix_spawnattr_init(&attributes) == 0) {
        posix_spawn_file_actions_adddup2(&actions, end, 0);
        posix_spawn_file_actions_adddup2(&actions, end, 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
                                                  POSIX_SPAWN_SETSIGMASK |
                                                  POSIX_SPAWN_SETSIGDEF);
        if (posix_spawn(&child, program, &actions, &attributes, arguments, environ) !=
            0) {
            child = -1;
        }
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

/* Ends the child, whatever it does, and forgets it. Somebody else may have waited for
 * it already, and its number may be a stranger's by now: that one is left alone. */
static void
end(pid_t child)
{
    if (waitpid(child, NULL, WNOHANG) == 0) {
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static int
milliseconds_until(int64_t deadline_ns)
{
    int64_t left = deadline_ns - nbp_clock_now_ns(NBP_CLOCK_WALL);
    return left <= 0 ? 0 : (int)(left / 1000000 + 1);
}

/* Sends what is left of the request; false when nobody takes it. */
static bool
send_some(int socket, const nbp_bytes *request, size_t *sent)
{
    ssize_t done = send(socket, request->data + *sent, request->size - *sent,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done >= 0) {
        *sent += (size_t)done;
        return true;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Reads what has come; false at the end. */
static bool
receive_some(int socket, nbp_bytes *answer)
{
    uint8_t block[16384];
    ssize_t done = recv(socket, block, sizeof(block), MSG_DONTWAIT);
    if (done > 0) {
        nbp_bytes_append(answer, block, (size_t)done);
        return true;
    }
    return done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

/* The size that an answer of which the beginning is here has in all; 0: unknown. */
static uint64_t
announced(const nbp_bytes *answer)
{
    uint64_t size = 0;
    if (answer->size >= sizeof(size)) {
        memcpy(&size, answer->data, sizeof(size));
        size = size > most_answered ? 0 : size + sizeof(size);
    }
    return size;
}

static nbp_status
converse(int socket, const nbp_bytes *request, int64_t deadline_ns, nbp_bytes *answer)
{
    size_t sent = 0;
    bool open = true;
    while (open) {
        struct pollfd waiting = {.fd = socket, .events = POLLIN};
        if (sent < request->size) {
            waiting.events |= POLLOUT;
        }
        int left = milliseconds_until(deadline_ns);
        if (left == 0) {
            return NBP_TIMEOUT;
        }
        if (poll(&waiting, 1, left) <= 0) {
            continue; /* a signal, or the time is over */
        }
        if (waiting.revents & POLLOUT && !send_some(socket, request, &sent)) {
            return NBP_CRASHED;
        }
        if (waiting.revents & (POLLIN | POLLHUP | POLLERR)) {
            open = receive_some(socket, answer);
        }
        if (answer->failed) {
            return NBP_NO_MEMORY;
        }
        if (answer->size > 0 && answer->size == announced(answer)) {
            return NBP_OK;
        }
    }
    return NBP_CRASHED;
}

/* A request or an answer as it goes over the socket: behind its size. */
static void
begin_message(nbp_bytes *bytes)
{
    write_number(bytes, 0);
}

static void
finish_message(nbp_bytes *bytes)
{
    uint64_t size = bytes->size - sizeof(size);
    if (!bytes->failed) {
        memcpy(bytes->data, &size, sizeof(size));
    }
}

nbp_status
nbp_drawer_draw(const char *program, const nbp_picture *picture, int64_t deadline_ns,
                nbp_drawn *drawn)
{
    int ends[2];
    nbp_bytes request = {0}, answer = {0}; /* owned */
    if (access(program, X_OK) != 0 || connect_pair(ends) < 0) {
        return NBP_UNAVAILABLE;
    }
    pid_t child = start(program, ends[1]);
    close(ends[1]);
    nbp_status status = NBP_UNAVAILABLE;
    if (child > 0) {
        begin_message(&request);
        nbp_request_write(&request, picture);
        finish_message(&request);
        status = request.failed ? NBP_NO_MEMORY
                                : converse(ends[0], &request, deadline_ns, &answer);
        end(child);
    }
    close(ends[0]);
    if (status == NBP_OK) {
        nbp_bytes content = {.data = answer.data + sizeof(uint64_t),
                             .size = answer.size - sizeof(uint64_t)};
        status = read_answer(&content, drawn);
    }
    nbp_bytes_clear(&request);
    nbp_bytes_clear(&answer);
    return status;
}

/* --- The child --- */

static bool
read_all(int input, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = read(input, data, size);
        if (done <= 0) {
            return false;
        }
        data += done;
        size -= (size_t)done;
    }
    return true;
}

static bool
write_all(int output, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(output, data, size);
        if (done <= 0) {
            return false;
        }
        data += done;
        size -= (size_t)done;
    }
    return true;
}

/* Should the parent be gone, or Graphviz want the whole machine. */
static void
limit_this_process(void)
{
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
#if !defined(__SANITIZE_ADDRESS__) /* which reserves terabytes */
    const struct rlimit memory = {UINT64_C(1) << 30, UINT64_C(1) << 30};
    setrlimit(RLIMIT_AS, &memory);
#endif
    alarm(10);
    for (int file = 3; file < 256; file++) {
        close(file);
    }
}

int
nbp_drawer_serve(int input, int output)
{
    uint64_t size = 0;
    limit_this_process();
    if (!read_all(input, (uint8_t *)&size, sizeof(size)) || size > most_answered) {
        return 2;
    }
    uint8_t *data = malloc((size_t)size + 1); /* owned */
    if (data == NULL || !read_all(input, data, (size_t)size)) {
        free(data);
        return 2;
    }
    nbp_request request;
    nbp_drawn drawn = {0};
    nbp_bytes answer = {0};
    nbp_status status = nbp_request_read(data, (size_t)size, &request);
    if (status == NBP_OK) {
        status = nbp_drawing_make(&request.picture, &drawn);
        nbp_request_free(&request);
    }
    begin_message(&answer);
    write_answer(&answer, status, &drawn);
    finish_message(&answer);
    bool failed = answer.failed || !write_all(output, answer.data, answer.size);
    nbp_drawn_free(&drawn);
    nbp_bytes_clear(&answer);
    free(data);
    return failed ? 1 : 0;
}
