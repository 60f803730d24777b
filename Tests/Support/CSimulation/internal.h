#ifndef DBXFS_SIMULATION_INTERNAL_H
#define DBXFS_SIMULATION_INTERNAL_H

#include <dlfcn.h>
#include <stdint.h>

/// libc's own `name`.
#define REAL(name) \
    ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

/// Whether the calling thread is part of a simulation.
int sim_is_inside(void);
uint64_t sim_random(void);

#endif
