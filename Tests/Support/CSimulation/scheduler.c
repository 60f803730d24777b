// Threads that take turns. A thread gives its turn away only where it waits (condition variables, joins, sleeps) and, at
// times, before it takes the lock of a store; who goes next is drawn from the seed. When all wait, time goes on to the
// first deadline.
#define _GNU_SOURCE
#include "simulation.h"
#include "internal.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum state { READY, WAITING, ENDED };

struct thread {
    struct thread *next;
    pthread_t handle;
    sem_t turn;
    enum state state;
    const void *waits_for;
    int64_t deadline; // -1: none
    int has_timed_out, locks, number;
    pid_t tid;
    void *(*body)(void *);
    void *argument, *result;
};

static const int64_t start_seconds = 1800000000;
static const int64_t no_deadline = -1;
/// What the clock moves by when it is read: no two moments are the same.
static const int64_t tick = 1000;

static __thread struct thread *self;
// Touched by the thread whose turn it is.
static struct thread *threads;
static int64_t now;
static uint64_t random_state, schedule;
static int preemption, thread_numbers;
static void (*on_deadlock)(const char *);

int sim_is_inside(void) { return self != NULL; }

uint64_t sim_random(void) {
    uint64_t mixed = random_state += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

// MARK: Turns

static struct thread *new_thread(void) {
    struct thread *thread = calloc(1, sizeof *thread);
    sem_init(&thread->turn, 0, 0);
    thread->deadline = no_deadline;
    thread->number = thread_numbers++;
    struct thread **last = &threads;
    while (*last) last = &(*last)->next;
    *last = thread;
    return thread;
}

static void forget(struct thread *thread) {
    struct thread **link = &threads;
    while (*link != thread) link = &(*link)->next;
    *link = thread->next;
    sem_destroy(&thread->turn);
    free(thread);
}

static void wake(struct thread *thread, int has_timed_out) {
    thread->state = READY;
    thread->waits_for = NULL;
    thread->deadline = no_deadline;
    thread->has_timed_out = has_timed_out;
}

static void report_deadlock(void) {
    char text[8192];
    size_t used = 0;
    for (struct thread *each = threads; each && used < sizeof text - 100; each = each->next) {
        if (each->state == ENDED) continue;
        char path[64], name[32] = "?";
        snprintf(path, sizeof path, "/proc/self/task/%d/comm", each->tid);
        FILE *file = fopen(path, "r");
        if (file) {
            if (fgets(name, sizeof name, file)) name[strcspn(name, "\n")] = 0;
            fclose(file);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%s (%d) ", name, each->number);
    }
    if (on_deadlock) on_deadlock(text);
    abort();
}

/// Wakes those whose time has come; how many can run.
static int count_ready(int64_t *first) {
    int ready = 0;
    *first = INT64_MAX;
    for (struct thread *each = threads; each; each = each->next) {
        if (each->state == WAITING && each->deadline != no_deadline && each->deadline <= now) wake(each, 1);
        if (each->state == READY) ready++;
        else if (each->state == WAITING && each->deadline != no_deadline && each->deadline < *first)
            *first = each->deadline;
    }
    return ready;
}

static struct thread *choose(void) {
    int64_t first;
    int ready;
    while ((ready = count_ready(&first)) == 0) {
        if (first == INT64_MAX) report_deadlock();
        now = first;
    }
    int index = ready == 1 ? 0 : (int)(sim_random() % (uint64_t)ready);
    struct thread *each = threads;
    for (;; each = each->next)
        if (each->state == READY && index-- == 0) break;
    schedule = (schedule ^ (uint64_t)each->number ^ (uint64_t)now) * 0x100000001B3u;
    return each;
}

/// The caller's turn ends; returns with its next one. Threads that have ended do not come back.
static void give_turn_away(struct thread *caller) {
    struct thread *next = choose();
    if (next == caller) return;
    int ends = caller->state == ENDED;
    sem_post(&next->turn);
    // One that has ended may have been freed by now.
    if (!ends) while (sem_wait(&caller->turn) != 0) {}
}

static int wait_for(const void *what, int64_t deadline) {
    self->state = WAITING;
    self->waits_for = what;
    self->deadline = deadline;
    self->has_timed_out = 0;
    give_turn_away(self);
    return self->has_timed_out;
}

// MARK: The simulation

void sim_begin(uint64_t seed) {
    random_state = seed;
    schedule = seed;
    now = 0;
    thread_numbers = 0;
    self = new_thread();
    self->tid = (pid_t)syscall(SYS_gettid);
}

void sim_end(void) {
    struct thread *last = self;
    self = NULL;
    forget(last);
}

void sim_set_preemption(int per_mille) { preemption = per_mille; }
int64_t sim_now(void) { return now; }
uint64_t sim_schedule_hash(void) { return schedule; }
uint64_t sim_hash(uint64_t hash, const void *bytes, size_t count) {
    const uint8_t *each = bytes;
    for (; count >= 8; each += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, each, 8);
        hash = (hash ^ word) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    for (size_t i = 0; i < count; i++) hash = (hash ^ each[i]) * 0x100000001B3u;
    return hash;
}

void sim_on_deadlock(void (*report)(const char *)) { on_deadlock = report; }

void sim_sleep(int64_t nanoseconds) { wait_for(NULL, now + (nanoseconds > 0 ? nanoseconds : 0)); }

int sim_thread_count(void) {
    int count = 0;
    for (struct thread *each = threads; each; each = each->next) count += each->state != ENDED;
    return count;
}

void sim_stay_on_processor(int number) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    int index = number % CPU_COUNT(&allowed);
    for (int each = 0; each < CPU_SETSIZE; each++) {
        if (!CPU_ISSET(each, &allowed) || index-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(each, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

// MARK: pthread

static void *run(void *argument) {
    struct thread *thread = argument;
    while (sem_wait(&thread->turn) != 0) {}
    self = thread;
    thread->tid = (pid_t)syscall(SYS_gettid);
    thread->result = thread->body(thread->argument);
    void *result = thread->result;
    for (struct thread *each = threads; each; each = each->next)
        if (each->state == WAITING && each->waits_for == thread) wake(each, 0);
    thread->state = ENDED;
    self = NULL;
    give_turn_away(thread);
    return result;
}

/// Threads of libdispatch wait in ways of their own. Nothing of ours runs on them.
static int is_of_dispatch(void *(*body)(void *)) {
    Dl_info info;
    return dladdr((void *)body, &info) && info.dli_fname && strstr(info.dli_fname, "libdispatch");
}

int pthread_create(pthread_t *handle, const pthread_attr_t *attributes, void *(*body)(void *), void *argument) {
    if (!self || is_of_dispatch(body)) return REAL(pthread_create)(handle, attributes, body, argument);
    struct thread *thread = new_thread();
    thread->body = body;
    thread->argument = argument;
    int code = REAL(pthread_create)(&thread->handle, attributes, run, thread);
    if (code != 0) forget(thread);
    else *handle = thread->handle;
    return code;
}

static struct thread *find(pthread_t handle) {
    for (struct thread *each = threads; each; each = each->next)
        if (each->handle && pthread_equal(each->handle, handle)) return each;
    return NULL;
}

int pthread_join(pthread_t handle, void **result) {
    struct thread *thread = self ? find(handle) : NULL;
    if (thread) {
        while (thread->state != ENDED) wait_for(thread, no_deadline);
    }
    int code = REAL(pthread_join)(handle, result);
    if (thread) forget(thread);
    return code;
}

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    if (!self) return REAL(pthread_mutex_lock)(mutex);
    // Of this kind are the locks of stores: the innermost ones, never taken with another held.
    int is_store = (mutex->__data.__kind & 3) == PTHREAD_MUTEX_ADAPTIVE_NP;
    if (is_store && preemption && self->locks == 0 && (int)(sim_random() % 1000) < preemption) give_turn_away(self);
    int code;
    while ((code = REAL(pthread_mutex_trylock)(mutex)) == EBUSY) give_turn_away(self);
    if (code == 0) self->locks++;
    return code;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex) {
    int code = REAL(pthread_mutex_trylock)(mutex);
    if (self && code == 0) self->locks++;
    return code;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    if (self) self->locks--;
    return REAL(pthread_mutex_unlock)(mutex);
}

static int wait_on(pthread_cond_t *condition, pthread_mutex_t *mutex, int64_t deadline) {
    pthread_mutex_unlock(mutex);
    int has_timed_out = wait_for(condition, deadline);
    pthread_mutex_lock(mutex);
    return has_timed_out ? ETIMEDOUT : 0;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    if (!self) return REAL(pthread_cond_wait)(condition, mutex);
    return wait_on(condition, mutex, no_deadline);
}

int pthread_cond_timedwait(
    pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline
) {
    if (!self) return REAL(pthread_cond_timedwait)(condition, mutex, deadline);
    int64_t moment = deadline->tv_sec > INT64_MAX / 2000000000 ? INT64_MAX - 1
        : deadline->tv_sec * 1000000000 + deadline->tv_nsec;
    return wait_on(condition, mutex, moment);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
    if (!self) return REAL(pthread_cond_broadcast)(condition);
    for (struct thread *each = threads; each; each = each->next)
        if (each->state == WAITING && each->waits_for == condition) wake(each, 0);
    return 0;
}

int pthread_cond_signal(pthread_cond_t *condition) {
    if (!self) return REAL(pthread_cond_signal)(condition);
    int waiting = 0;
    for (struct thread *each = threads; each; each = each->next)
        waiting += each->state == WAITING && each->waits_for == condition;
    if (waiting == 0) return 0;
    int index = (int)(sim_random() % (uint64_t)waiting);
    for (struct thread *each = threads; each; each = each->next)
        if (each->state == WAITING && each->waits_for == condition && index-- == 0) {
            wake(each, 0);
            break;
        }
    return 0;
}

// MARK: Clocks and randomness

static int64_t read_clock(void) { return now += tick; }

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!self) return REAL(clock_gettime)(clock, time);
    int64_t moment = read_clock();
    int is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    time->tv_sec = moment / 1000000000 + (is_wall ? start_seconds : 0);
    time->tv_nsec = moment % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    if (!self) return REAL(gettimeofday)(time, zone);
    int64_t moment = read_clock();
    time->tv_sec = start_seconds + moment / 1000000000;
    time->tv_usec = moment % 1000000000 / 1000;
    return 0;
}

time_t time(time_t *result) {
    if (!self) return REAL(time)(result);
    time_t seconds = start_seconds + read_clock() / 1000000000;
    if (result) *result = seconds;
    return seconds;
}

/// In names of temporary files.
pid_t getpid(void) { return self ? 4711 : (pid_t)syscall(SYS_getpid); }

static void fill(void *buffer, size_t count) {
    uint8_t *bytes = buffer;
    for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)sim_random();
}

void arc4random_buf(void *buffer, size_t count) {
    if (!self) REAL(arc4random_buf)(buffer, count);
    else fill(buffer, count);
}

ssize_t getrandom(void *buffer, size_t count, unsigned flags) {
    if (!self) return syscall(SYS_getrandom, buffer, count, flags);
    fill(buffer, count);
    return (ssize_t)count;
}

int getentropy(void *buffer, size_t count) {
    if (!self) return syscall(SYS_getrandom, buffer, count, 0) == (long)count ? 0 : -1;
    fill(buffer, count);
    return 0;
}
