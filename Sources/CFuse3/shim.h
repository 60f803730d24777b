#pragma once
// SwiftPM drops the defines of pkg-config files, so they stand here.
// No feature macros: with them the C types would differ from those of Swift's Glibc module. off_t has 64 bits anyway.
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// A worker that waits in read(2) on /dev/fuse is woken by a signal to that thread alone; its handler does nothing and
// it lacks SA_RESTART, so that the read ends with EINTR. A real-time signal, which no program uses by convention.
static inline int dbxfs_fuse_wake_signal(void) { return SIGRTMAX - 1; }

static void dbxfs_fuse_ignore_wake(int signal) { (void)signal; }

static inline int dbxfs_fuse_install_wake_signal(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = dbxfs_fuse_ignore_wake;
    return sigaction(dbxfs_fuse_wake_signal(), &action, NULL) == 0 ? 0 : -errno;
}

/// Leaves the calling thread with the wake-up signal alone: the program's signals go to its own threads.
static inline void dbxfs_fuse_take_only_wake_signal(void) {
    sigset_t set;
    sigfillset(&set);
    sigdelset(&set, dbxfs_fuse_wake_signal());
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static inline void dbxfs_fuse_wake(pthread_t thread) { pthread_kill(thread, dbxfs_fuse_wake_signal()); }

/// prctl(2) is variadic and does not import.
static inline void dbxfs_fuse_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// libfuse reports through one process-wide function that takes a va_list, which does not import. Its lines go to a
// thread-local buffer while one is set on the thread, else nowhere.
static __thread char *dbxfs_fuse_log_text;
static __thread size_t dbxfs_fuse_log_capacity;

static inline void dbxfs_fuse_append_log(enum fuse_log_level level, const char *format, va_list arguments) {
    (void)level;
    if (dbxfs_fuse_log_text == NULL) return;
    size_t used = strlen(dbxfs_fuse_log_text);
    if (used + 1 >= dbxfs_fuse_log_capacity) return;
    vsnprintf(dbxfs_fuse_log_text + used, dbxfs_fuse_log_capacity - used, format, arguments);
}

/// From now on libfuse's messages on this thread are appended to `text`, a C string; NULL drops them.
static inline void dbxfs_fuse_capture_log(char *text, size_t capacity) {
    dbxfs_fuse_log_text = text;
    dbxfs_fuse_log_capacity = capacity;
    fuse_set_log_func(dbxfs_fuse_append_log);
}

/// The text of an errno value, which strerror(3) cannot give thread-safely.
static inline void dbxfs_fuse_describe(int code, char *text, size_t capacity) {
    if (strerror_r(code, text, capacity) != 0) snprintf(text, capacity, "error %d", code);
}

/// pipe2(2) with O_CLOEXEC, whose prototype needs _GNU_SOURCE.
static inline int dbxfs_fuse_pipe(int ends[2]) {
    return syscall(SYS_pipe2, ends, O_CLOEXEC) == 0 ? 0 : -errno;
}
