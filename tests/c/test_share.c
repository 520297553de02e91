// SPDX-License-Identifier: Apache-2.0
// Images of host memory between processes: the other process is a fork.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descriptor/owner.h"
#include "harness.h"
#include "pixview/pixview.h"
#include "share/handle.h"
#include "share/host_memory.h"
#include "share/link.h"

#ifdef __SANITIZE_THREAD__
enum { SANITIZED_THREADS = 1 };
#else
enum { SANITIZED_THREADS = 0 };
#endif

enum { ROWS = 6, COLS = 7, CHANNELS = 3, BYTES = ROWS * COLS * CHANNELS };

static pixview_pool *pool_of(int frames)
{
    pixview_pool_params params = {.struct_size = sizeof params,
                                  .frames = frames,
                                  .dtype = {PIXVIEW_DTYPE_UINT, 8, 1},
                                  .device = {PIXVIEW_DEVICE_CPU, 0},
                                  .layout = PIXVIEW_LAYOUT_HWC,
                                  .shape = {ROWS, COLS, CHANNELS}};
    pixview_pool *pool;
    REQUIRE_OK(pixview_pool_create(&params, &pool, err));
    return pool;
}

static pixview_image get(pixview_pool *pool)
{
    pixview_image image;
    REQUIRE_OK(pixview_pool_get(pool, 5, 0, &image, err));
    return image;
}

static pixview_share *share_of(const pixview_image *image, double keep, uint8_t *handle)
{
    pixview_share *share;
    pixview_share_params params = {
        .struct_size = sizeof params, .layout = PIXVIEW_LAYOUT_HWC, .copy = -1, .keep = keep};
    REQUIRE_OK(pixview_share_create(image, &params, &share, err));
    REQUIRE_OK(pixview_share_send(share, handle, err));
    return share;
}

static void nap(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static bool becomes_idle(pixview_pool *pool, int frames)
{
    for (int i = 0; i < 200 && pixview_pool_idle(pool) != frames; i++)
        nap(0.01);
    return pixview_pool_idle(pool) == frames;
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    REQUIRE(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

// ---- Another process ----------------------------------------------------------------------------------

typedef struct other {
    pid_t pid;
    int in, out; // pipes: what it is told, what it says
} other;

static void send_byte(int fd, char byte) { REQUIRE_INT(write(fd, &byte, 1), 1); }
static char read_byte(int fd)
{
    char byte = 0;
    return read(fd, &byte, 1) == 1 ? byte : 0;
}

static other start(void (*run)(const uint8_t *handle, int in, int out), const uint8_t *handle)
{
    int in[2], out[2];
    REQUIRE_INT(pipe(in) | pipe(out), 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        close(in[1]);
        close(out[0]);
        run(handle, in[0], out[1]);
        exit(0);
    }
    close(in[0]);
    close(out[1]);
    return (other){pid, in[1], out[0]};
}

static void finish(other child)
{
    int status;
    close(child.in);
    REQUIRE_INT(waitpid(child.pid, &status, 0), child.pid);
    REQUIRE_INT(status, 0);
    close(child.out);
}

// Opens it, says "o", adds 1 to every pixel when it is told, says "w", and lets go when it is told.
static void add_one(const uint8_t *handle, int in, int out)
{
    pixview_image image;
    pixview_layout layout;
    REQUIRE_OK(pixview_share_open(handle, PIXVIEW_HANDLE_BYTES, NULL, &image, &layout, err));
    REQUIRE_INT(layout, PIXVIEW_LAYOUT_HWC);
    REQUIRE_INT(image.shape[1], ROWS);
    REQUIRE_INT(image.device.type, PIXVIEW_DEVICE_CPU);
    send_byte(out, 'o');
    read_byte(in);
    for (int i = 0; i < BYTES; i++)
        ((uint8_t *)image.data)[i]++;
    send_byte(out, 'w');
    read_byte(in);
    pixview_owner_unref(image.owner);
}

static void test_frame(void)
{
    pixview_pool *pool = pool_of(2);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    REQUIRE_INT(pixview_pool_idle(pool), 2);
    pixview_image image = get(pool);
    REQUIRE_INT(pixview_pool_idle(pool), 1);
    for (int i = 0; i < BYTES; i++)
        ((uint8_t *)image.data)[i] = (uint8_t)i;
    pixview_share *share = share_of(&image, 0, handle);
    pixview_share_release(share);
    other child = start(add_one, handle);
    REQUIRE_INT(read_byte(child.out), 'o');
    send_byte(child.in, 'g');
    REQUIRE_INT(read_byte(child.out), 'w');
    for (int i = 0; i < BYTES; i++)
        REQUIRE_INT(((uint8_t *)image.data)[i], i + 1);
    pixview_owner_unref(image.owner);
    REQUIRE_INT(pixview_pool_idle(pool), 1); // the other has it
    finish(child);
    REQUIRE(becomes_idle(pool, 2));
    pixview_pool_release(pool);
}

static int released;
static void count_release(void *ctx)
{
    (void)ctx;
    __atomic_fetch_add(&released, 1, __ATOMIC_SEQ_CST);
}

static atomic_bool in_end, go_on;
static bool end_slowly(pixviewi_stream_dep *self)
{
    (void)self;
    atomic_store(&in_end, true);
    while (!atomic_load(&go_on))
        nap(0.001);
    return true;
}
static bool end_second_time(pixviewi_stream_dep *self) { return self->device++ > 0; }
static void *drain(void *unused)
{
    (void)unused;
    pixviewi_drain_deferred_owners(true);
    return NULL;
}
static void defer(bool (*end)(pixviewi_stream_dep *self))
{
    pixview_owner *owner;
    pixviewi_stream_dep dep = {.end = end};
    REQUIRE_OK(pixview_owner_create(NULL, count_release, &owner, err));
    REQUIRE(pixviewi_owner_add_dep_take(owner, &dep));
    pixviewi_owner_defer_take(owner);
}

// A fork while another thread releases what had to wait: the child releases its own.
static void test_fork_in_a_drain(void)
{
    int status;
    pthread_t thread;
    pixview_pool_release(pool_of(1));
    atomic_store(&in_end, false);
    defer(end_slowly);
    pthread_create(&thread, NULL, drain, NULL);
    while (!atomic_load(&in_end))
        nap(0.001);
    pid_t pid = fork();
    if (pid == 0) {
        released = 0;
        defer(end_second_time);
        pixviewi_drain_deferred_owners(true);
        pixviewi_drain_deferred_owners(true);
        _exit(released == 1 && atomic_load(&pixviewi_deferred_owners) == 0 ? 0 : 1);
    }
    atomic_store(&go_on, true);
    pthread_join(thread, NULL);
    REQUIRE_INT(waitpid(pid, &status, 0), pid);
    REQUIRE_INT(status, 0);
}

// What was killed holds nothing.
static void test_killed(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool);
    pixview_share_release(share_of(&image, 0, handle));
    pixview_owner_unref(image.owner);
    other child = start(add_one, handle);
    REQUIRE_INT(read_byte(child.out), 'o');
    REQUIRE_FAILS(PIXVIEW_E_TIMEOUT, "1 frames", pixview_pool_get(pool, 0.05, 0, &image, err));
    kill(child.pid, SIGKILL);
    image = get(pool);
    pixview_owner_unref(image.owner);
    waitpid(child.pid, NULL, 0);
    close(child.in);
    close(child.out);
    pixview_pool_release(pool);
}

static void test_no_number(void)
{
    pixview_pool *pool = pool_of(1);
    pixview_image image;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "timeout", pixview_pool_get(pool, 0.0 / 0.0, 0, &image, err));
    pixview_pool_release(pool);
}

// A handle that nobody opens holds its frame for a while, and is stale then.
static void test_unopened(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool);
    pixview_share_release(share_of(&image, 0.2, handle));
    pixview_owner_unref(image.owner);
    REQUIRE_INT(pixview_pool_idle(pool), 0);
    pixview_image again = get(pool); // waits for that
    REQUIRE_FAILS(PIXVIEW_E_SHARE, "",
                  pixview_share_open(handle, sizeof handle, NULL, &image, NULL, err));
    pixview_owner_unref(again.owner);
    pixview_pool_release(pool);
}

// Memory of nobody's pool: a copy, which is freed with the last who has it.
static void test_copy(void)
{
    uint8_t pixels[BYTES], handle[PIXVIEW_HANDLE_BYTES];
    int before = descriptors();
    for (int i = 0; i < BYTES; i++)
        pixels[i] = (uint8_t)(2 * i);
    pixview_image image;
    pixview_share_params never = {.struct_size = sizeof never, .copy = 0};
    pixview_share *share;
    REQUIRE_OK(pixview_image_init(&image, pixels, 3, (int64_t[]){ROWS, COLS, CHANNELS}, NULL,
                                  (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1},
                                  (pixview_device){PIXVIEW_DEVICE_CPU, 0}, PIXVIEW_LAYOUT_HWC,
                                  err));
    REQUIRE_FAILS(PIXVIEW_E_UNSUPPORTED, "pixview.Pool",
                  pixview_share_create(&image, &never, &share, err));
    share = share_of(&image, 0, handle);
    pixels[0] = 77;
    other child = start(add_one, handle);
    REQUIRE_INT(read_byte(child.out), 'o');
    pixview_image mine;
    REQUIRE_OK(pixview_share_open(handle, sizeof handle, NULL, &mine, NULL, err));
    send_byte(child.in, 'g');
    REQUIRE_INT(read_byte(child.out), 'w');
    REQUIRE_INT(((uint8_t *)mine.data)[0], 1);
    REQUIRE_INT(((uint8_t *)mine.data)[5], 11);
    pixview_share_release(share);
    finish(child);
    REQUIRE_INT(((uint8_t *)mine.data)[6], 13);
    pixview_owner_unref(mine.owner);
    for (int i = 0; i < 100 && descriptors() != before; i++)
        nap(0.01);
    REQUIRE_INT(descriptors(), before);
}

// ---- A chain of three -----------------------------------------------------------------------------------

static int chain[2];

// Opens, shares it on, and keeps it until it is told.
static void share_on(const uint8_t *handle, int in, int out)
{
    pixview_image image;
    uint8_t next[PIXVIEW_HANDLE_BYTES];
    REQUIRE_OK(pixview_share_open(handle, PIXVIEW_HANDLE_BYTES, NULL, &image, NULL, err));
    pixview_image part;
    REQUIRE_OK(pixview_image_crop(&image, 1, 2, 3, 4, &part, err));
    pixview_share *share = share_of(&part, 0, next);
    pixview_owner_unref(image.owner); // the share has it
    REQUIRE_INT(write(chain[1], next, sizeof next), (int)sizeof next);
    send_byte(out, 's');
    read_byte(in);
    pixview_share_release(share);
}

static void test_chain(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    REQUIRE_INT(pipe(chain), 0);
    pixview_image image = get(pool), part;
    for (int i = 0; i < BYTES; i++)
        ((uint8_t *)image.data)[i] = (uint8_t)i;
    pixview_share_release(share_of(&image, 0, handle));
    pixview_owner_unref(image.owner);
    other child = start(share_on, handle);
    REQUIRE_INT(read_byte(child.out), 's');
    REQUIRE_INT(read(chain[0], handle, sizeof handle), (int)sizeof handle);
    REQUIRE_OK(pixview_share_open(handle, sizeof handle, NULL, &part, NULL, err));
    REQUIRE_INT(part.shape[1], 3);
    REQUIRE_INT(*(uint8_t *)part.data, (1 * COLS + 2) * CHANNELS);
    REQUIRE_INT(pixview_pool_idle(pool), 0);
    finish(child);
    // The memory stays; what the middle one held of us is gone with it.
    REQUIRE_INT(*(uint8_t *)part.data, (1 * COLS + 2) * CHANNELS);
    pixview_owner_unref(part.owner);
    REQUIRE(becomes_idle(pool, 1));
    pixview_pool_release(pool);
    close(chain[0]);
    close(chain[1]);
}

// ---- Bytes of anybody -------------------------------------------------------------------------------------

static void test_bad_handles(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool), out;
    pixview_share *share = share_of(&image, 0, handle);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "256", pixview_share_open(handle, 255, NULL, &out, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "256", pixview_share_open(NULL, 256, NULL, &out, NULL, err));
    for (size_t i = 0; i < sizeof(pixviewi_handle); i++) {
        handle[i] ^= 0x41;
        REQUIRE_FAILS(PIXVIEW_E_INVALID, "",
                      pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
        handle[i] ^= 0x41;
    }
    // Whole, but beyond its memory.
    pixviewi_handle large;
    memcpy(&large, handle, sizeof large);
    int64_t offset = large.offset;
    large.shape[PIXVIEW_AXIS_H] = 1 << 20;
    pixviewi_handle_seal(&large, handle);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "",
                  pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
    large.offset = INT64_MAX;
    pixviewi_handle_seal(&large, handle);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "",
                  pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
    // Of a process that never was.
    large.offset = offset;
    large.shape[PIXVIEW_AXIS_H] = ROWS;
    large.process[3] ^= 1;
    pixviewi_handle_seal(&large, handle);
    REQUIRE_FAILS(PIXVIEW_E_SHARE, "",
                  pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
    large.boot ^= 1;
    pixviewi_handle_seal(&large, handle);
    REQUIRE_FAILS(PIXVIEW_E_SHARE, "",
                  pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
    pixview_share_release(share);
    pixview_owner_unref(image.owner);
    pixview_pool_release(pool);
}

static void test_handle_of_another_kind(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool), out;
    pixview_share *share = share_of(&image, 0, handle);
    pixviewi_handle wrong;
    memcpy(&wrong, handle, sizeof wrong);
    wrong.uuid[0] ^= 1;
    pixviewi_handle_seal(&wrong, handle);
    REQUIRE_FAILS(PIXVIEW_E_SHARE, "",
                  pixview_share_open(handle, sizeof handle, NULL, &out, NULL, err));
    pixview_share_release(share);
    pixview_owner_unref(image.owner);
    pixview_pool_release(pool);
}

// Whoever opens the same bytes again takes nothing from those that were sent later.
static void test_opened_twice(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t first[PIXVIEW_HANDLE_BYTES], second[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool), again;
    pixview_share *share = share_of(&image, 0, first);
    pixview_owner_unref(image.owner);
    REQUIRE_OK(pixview_share_open(first, sizeof first, NULL, &again, NULL, err));
    pixview_owner_unref(again.owner);
    REQUIRE_OK(pixview_share_send(share, second, err));
    REQUIRE_OK(pixview_share_open(first, sizeof first, NULL, &again, NULL, err));
    pixview_share_release(share);
    pixview_owner_unref(again.owner);
    REQUIRE_INT(pixview_pool_idle(pool), 0); // the second is on its way
    REQUIRE_OK(pixview_share_open(second, sizeof second, NULL, &again, NULL, err));
    pixview_owner_unref(again.owner);
    REQUIRE_INT(pixview_pool_idle(pool), 1);
    pixview_pool_release(pool);
}

// With a descriptor more than there is room for a message is refused, and none stays open.
static void test_fourth_descriptor(void)
{
    enum { SENT = PIXVIEWI_LINK_FDS + 1 };
    int ends[2], fds[PIXVIEWI_LINK_FDS + 1], count, before = descriptors();
    int sent[SENT] = {0, 1, 2, 0};
    REQUIRE_INT(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    pixviewi_message message = {.number = 7};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof sent)];
    } room = {.bytes = {0}};
    struct iovec piece = {&message, sizeof message};
    struct msghdr all = {.msg_iov = &piece,
                         .msg_iovlen = 1,
                         .msg_control = room.bytes,
                         .msg_controllen = sizeof room.bytes};
    room.header.cmsg_level = SOL_SOCKET;
    room.header.cmsg_type = SCM_RIGHTS;
    room.header.cmsg_len = CMSG_LEN(sizeof sent);
    memcpy(CMSG_DATA(&room.header), sent, sizeof sent);
    REQUIRE_INT(sendmsg(ends[0], &all, 0), (int)sizeof message);
    fds[PIXVIEWI_LINK_FDS] = -7;
    REQUIRE_INT(pixviewi_link_receive(ends[1], 0, &message, fds, &count), -1);
    REQUIRE_INT(count, 0);
    REQUIRE_INT(fds[PIXVIEWI_LINK_FDS], -7);
    close(ends[0]);
    close(ends[1]);
    REQUIRE_INT(descriptors(), before);
}

// A file that its maker can cut would be a bus error later.
static void test_memory_without_seals(void)
{
    void *base;
    FILE *file = tmpfile();
    REQUIRE(file);
    REQUIRE_INT(ftruncate(fileno(file), 4096), 0);
    REQUIRE_FAILS(PIXVIEW_E_SHARE, "sealed",
                  pixviewi_host_memory_map(fileno(file), 4096, &base, err));
    fclose(file);
}

// ---- Threads ------------------------------------------------------------------------------------------------

static pixview_pool *busy;
static void *get_and_drop(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        uint8_t handle[PIXVIEW_HANDLE_BYTES];
        pixview_image image = get(busy), again;
        pixview_share *share = share_of(&image, 0, handle);
        *(uint8_t *)image.data = (uint8_t)i;
        pixview_owner_unref(image.owner);
        pixview_share_release(share);
        REQUIRE_OK(pixview_share_open(handle, sizeof handle, NULL, &again, NULL, err));
        REQUIRE_INT(*(uint8_t *)again.data, (uint8_t)i);
        pixview_owner_unref(again.owner);
    }
    return NULL;
}

static void test_threads(void)
{
    pthread_t threads[4];
    busy = pool_of(3);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, get_and_drop, NULL);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    REQUIRE_INT(pixview_pool_idle(busy), 3);
    pixview_pool_release(busy);
}

static void test_owner(void)
{
    pixview_pool *pool = pool_of(1);
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_image image = get(pool), wrapped = image;
    REQUIRE_OK(pixview_owner_create(NULL, count_release, &wrapped.owner, err));
    pixview_share *share = share_of(&wrapped, 0, handle);
    pixview_owner_unref(wrapped.owner);
    pixview_share_release(share);
    pixview_owner_unref(image.owner);
    pixview_pool_release(pool);
}

int main(void)
{
    test_bad_handles();
    test_handle_of_another_kind();
    test_opened_twice();
    test_fourth_descriptor();
    test_memory_without_seals();
    test_no_number();
    test_threads();
    test_owner();
    if (SANITIZED_THREADS) // it knows no threads in a child
        return 0;
    test_fork_in_a_drain();
    test_frame();
    test_killed();
    test_unopened();
    test_copy();
    test_chain();
    return 0;
}
