// A process under simulation: one thread runs at a time, chosen by a seed; clocks stand still but for waiting; files below
// registered directories are told of with every change. All of it by standing before libc: the programs under test, SQLite
// among them, are as they are shipped. Linked into `dbxfs-simulate` only.
#ifndef DBXFS_SIMULATION_H
#define DBXFS_SIMULATION_H

#include <stddef.h>
#include <stdint.h>

// MARK: Threads and clocks (scheduler.c)

/// The calling thread becomes the first of a simulation; what it starts from now on, directly or not, is part of it. Time
/// begins anew.
void sim_begin(uint64_t seed);
/// All other threads have ended.
void sim_end(void);
/// How often of a thousand times a thread that is about to take the lock of a store lets others go first.
void sim_set_preemption(int per_mille);
/// Nanoseconds since the beginning.
int64_t sim_now(void);
void sim_sleep(int64_t nanoseconds);
/// Threads that have not ended, the caller's included.
int sim_thread_count(void);
/// Changes with every choice that was made: tells two runs apart.
uint64_t sim_schedule_hash(void);
/// FNV-1a of more bytes: as fast in a debug build.
uint64_t sim_hash(uint64_t hash, const void *bytes, size_t count);
/// Threads that take turns do so fastest on one processor: this one of those that the process may use.
void sim_stay_on_processor(int number);
/// Called when no thread can ever go on; does not return.
void sim_on_deadlock(void (*report)(const char *threads));

// MARK: Files (disk.c)

enum {
    SIM_OPEN = 1, SIM_CREATE, SIM_WRITE, SIM_SIZE, SIM_ZERO, SIM_SYNC, SIM_MKDIR, SIM_UNLINK, SIM_RMDIR, SIM_RENAME,
    SIM_LINK, SIM_SYNC_DIRECTORY, SIM_CLOSE,
};

/// One change, or sync, that a program asks for. Paths are within the disk and begin with a slash.
struct sim_operation {
    int kind;
    uint64_t handle;
    const char *path, *other_path;
    int64_t offset, length;
    const void *bytes;
};

/// Asked before each change: 0 lets it happen, anything else is the errno that it fails with.
typedef int (*sim_disk_hook)(void *context, const struct sim_operation *operation);

/// Files below `directory` belong to a disk from now on.
void sim_watch(const char *directory, sim_disk_hook hook, void *context);
void sim_unwatch(const char *directory);

/// SQLite's salts come from the seed.
void sim_seed_sqlite(uint32_t seed);

#endif
