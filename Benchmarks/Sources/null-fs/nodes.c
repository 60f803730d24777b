#include "nodes.h"

#include <stdlib.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16 };

static struct node *buckets[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct node **bucket(dev_t dev, ino_t ino) {
    return &buckets[(ino * 0x9E3779B97F4A7C15ull + dev) >> 48 & (BUCKETS - 1)];
}

struct node *nodes_enter(int fd, struct stat *attributes) {
    pthread_mutex_lock(&lock);
    struct node **first = bucket(attributes->st_dev, attributes->st_ino), *node = *first;
    while (node != NULL && (node->ino != attributes->st_ino || node->dev != attributes->st_dev)) node = node->next;
    if (node != NULL) {
        node->lookups++;
        close(fd);
    } else if ((node = malloc(sizeof *node)) != NULL) {
        *node = (struct node){ *first, attributes->st_dev, attributes->st_ino, fd, 1 };
        *first = node;
    } else {
        close(fd);
    }
    pthread_mutex_unlock(&lock);
    return node;
}

void nodes_forget(struct node *node, uint64_t lookups) {
    pthread_mutex_lock(&lock);
    node->lookups -= lookups;
    if (node->lookups == 0) {
        struct node **place = bucket(node->dev, node->ino);
        while (*place != node) place = &(*place)->next;
        *place = node->next;
        close(node->fd);
        free(node);
    }
    pthread_mutex_unlock(&lock);
}
