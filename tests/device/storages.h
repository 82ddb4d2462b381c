/* storages.h: for tests of weights that are codes: every storage that there is. */
#ifndef OCLM_TESTS_DEVICE_STORAGES_H
#define OCLM_TESTS_DEVICE_STORAGES_H

#include "core/memory.h"
#include "core/storage.h"

static const uint8_t  storages_bits[] = { 2, 3, 4, 5, 6, 8 };
static const uint16_t storages_groups[] = { 16, 32, 64, 192, CORE_WHOLE_ROW };

#define STORAGES_CODES  4u /* from CORE_CODE_INT on */
#define STORAGES_TABLES ((size_t)CORE_TABLE_COUNT)
#define STORAGES        (STORAGES_CODES * COUNT(storages_bits) * CORE_SCALE_COUNT * CORE_SCALE_COUNT * COUNT(storages_groups) * STORAGES_TABLES)

/* Number i of STORAGES. False where that is none. */
static inline bool storages_get(size_t i, core_storage *s)
{
    *s = (core_storage){ .code = (uint8_t)(CORE_CODE_INT + i % STORAGES_CODES) };
    i /= STORAGES_CODES;
    s->bits = storages_bits[i % COUNT(storages_bits)];
    i /= COUNT(storages_bits);
    s->scale = (uint8_t)(i % CORE_SCALE_COUNT);
    i /= CORE_SCALE_COUNT;
    s->minimum = (uint8_t)(i % CORE_SCALE_COUNT);
    i /= CORE_SCALE_COUNT;
    s->group = storages_groups[i % COUNT(storages_groups)];
    s->table = (uint8_t)(i / COUNT(storages_groups));
    return core_storage_is_valid(s) && (s->code == CORE_CODE_TABLE || s->table == 0);
}

#endif
