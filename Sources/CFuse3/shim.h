#pragma once
// SwiftPM drops the defines of pkg-config files, so they stand here.
#define _FILE_OFFSET_BITS 64
#define FUSE_USE_VERSION 312
#include <fuse3/fuse_lowlevel.h>
