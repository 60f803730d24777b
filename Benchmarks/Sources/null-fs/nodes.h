// The nodes that the kernel knows, each with an O_PATH descriptor of the file below.
#pragma once
#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

struct node {
    struct node *next;
    dev_t dev;
    ino_t ino;
    int fd;
    uint64_t lookups; // guarded by the table's lock; 0 frees the node
};

/// The node of `fd` (which it takes) and one lookup more of it; NULL when memory is out. Fills `attributes`.
struct node *nodes_enter(int fd, struct stat *attributes);
void nodes_forget(struct node *node, uint64_t lookups);
