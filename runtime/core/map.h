/* map.h: a file mapped into memory for reading. */
#ifndef OCLM_CORE_MAP_H
#define OCLM_CORE_MAP_H

#include "core/status.h"

typedef struct core_map {
    const unsigned char *data; /* NULL for an empty file */
    size_t               size;
} core_map;

#define CORE_MAP_INIT { NULL, 0 }

/* Errors: OCLM_ERR_NOT_FOUND, OCLM_ERR_IO (why), OCLM_ERR_FORMAT (a folder, a pipe, a device). */
oclm_status core_map_open(core_map *map, const char *path);
/* Maps `size` bytes of an open file, which may be closed afterwards; 0: the map is empty. `path` is for messages.
 * Errors: OCLM_ERR_UNSUPPORTED (larger than the address space), those of the system. */
oclm_status core_map_descriptor(core_map *map, int file, uint64_t size, const char *path);
void        core_map_close(core_map *map); /* accepts an empty one */
/* Hints: this part will be read soon; this part is not needed any more, so its pages leave resident memory. */
void        core_map_will_need(const core_map *map, size_t offset, size_t length);
/* The first of these for parts that are read again and again: cheap where they are in memory already. Only of files that belong to who runs the
 * process: of others Linux says that all is there. */
void        core_map_will_need_again(const core_map *map, size_t offset, size_t length);
void        core_map_release(const core_map *map, size_t offset, size_t length);

#endif
