/* json.h: reading JSON. Two ways: a tree (cJSON) for configuration, a pull reader for files with a million entries.
 *
 * Both take hostile input: nesting is at most CORE_JSON_MAX_DEPTH, text must be valid UTF-8, sizes are the caller's limit. */
#ifndef OCLM_CORE_JSON_H
#define OCLM_CORE_JSON_H

#include <cjson/cJSON.h>

#include "core/text.h"

#define CORE_JSON_MAX_DEPTH 128
#define CORE_JSON_MAX_CONFIG (16u << 20) /* bytes of a configuration file; real ones have kilobytes, a few 100 KB */

/* ---- Tree. `origin` names the file in messages. Free with cJSON_Delete(). */
oclm_status core_json_parse(const char *text, size_t length, const char *origin, cJSON **tree);
oclm_status core_json_read_file(const char *path, size_t limit, cJSON **tree);
/* The same as Python's json module reads it, which knows three numbers more: NaN, Infinity and -Infinity. For files that transformers writes
 * with it; whoever reads numbers of such a tree must expect them. */
oclm_status core_json_read_python(const char *path, size_t limit, cJSON **tree);

/* Members by exact name; NULL where there is none, or it is null. */
const cJSON *core_json_member(const cJSON *object, const char *name);
bool         core_json_has(const cJSON *object, const char *name); /* also where it is null */
/* Whether it is a whole number from `min` to `max`: item->valuedouble. NULL is none. */
bool         core_json_is_whole(const cJSON *item, double min, double max);
/* Typed members: an absent one (or null) leaves `*value` as it is; one of another type, or out of range, is
 * OCLM_ERR_FORMAT naming origin, key and value. */
oclm_status core_json_get_u32(const cJSON *object, const char *name, const char *origin, uint32_t min, uint32_t max, uint32_t *value);
oclm_status core_json_get_float(const cJSON *object, const char *name, const char *origin, double *value);
oclm_status core_json_get_bool(const cJSON *object, const char *name, const char *origin, bool *value);
oclm_status core_json_get_string(const cJSON *object, const char *name, const char *origin, const char **value); /* lives as the tree */
/* For values of other kinds, the message of those above: `origin: "name" is <item>; it must be <wanted>`. Returns OCLM_ERR_FORMAT. */
oclm_status core_json_wrong(const cJSON *item, const char *name, const char *origin, const char *wanted);

/* ---- Pull reader over memory that stays valid and unchanged while it is used. */
typedef enum core_json_kind {
    CORE_JSON_END, CORE_JSON_NULL, CORE_JSON_FALSE, CORE_JSON_TRUE, CORE_JSON_NUMBER, CORE_JSON_STRING,
    CORE_JSON_ARRAY, CORE_JSON_OBJECT
} core_json_kind;

typedef struct core_json_reader {
    const char *begin, *p, *end;
    const char *origin;          /* the file, for messages */
    const char *way_out;         /* what to do about a broken file, at the end of messages; NULL at first: nothing */
    uint32_t    depth;
    core_text   scratch;         /* holds a string with escapes until the next one is read */
    bool        python;          /* false at first; true: NaN, Infinity and -Infinity are numbers */
} core_json_reader;

/* 3 where the text begins with a byte order mark, as some editors write, else 0. Both ways skip it. */
size_t core_json_mark_length(const char *text, size_t length);

void core_json_reader_init(core_json_reader *reader, const char *text, size_t length, const char *origin);
void core_json_reader_deinit(core_json_reader *reader);

/* The kind of the next value, without reading it. */
oclm_status core_json_peek(core_json_reader *reader, core_json_kind *kind);
/* Enters an array or object. Then, until `*more` is false: core_json_next(), and for objects core_json_key(), and one value. */
oclm_status core_json_enter(core_json_reader *reader, core_json_kind kind);
oclm_status core_json_next(core_json_reader *reader, core_json_kind container, bool *first, bool *more);
/* Strings: `*text` points into the input, or into the reader's scratch where there were escapes: valid until the next call.
 * May hold NULs. A lone surrogate is an error. */
oclm_status core_json_key(core_json_reader *reader, const char **text, size_t *length);
oclm_status core_json_string(core_json_reader *reader, const char **text, size_t *length);
oclm_status core_json_int(core_json_reader *reader, int64_t min, int64_t max, int64_t *value);
oclm_status core_json_double(core_json_reader *reader, double *value); /* finite, unless reader->python */
oclm_status core_json_bool(core_json_reader *reader, bool *value);
oclm_status core_json_skip(core_json_reader *reader); /* any value, null too */
/* Enters an object and hands each key to `member`, which reads the value or skips it; `key` is valid until then. */
oclm_status core_json_read_object(core_json_reader *reader, oclm_status (*member)(core_json_reader *reader, const char *key, size_t length, void *user),
                                  void *user);
/* A message with origin, byte and way out: `return core_json_error(reader, "\"merges\" has ...")`. Returns OCLM_ERR_FORMAT. */
oclm_status core_json_error(const core_json_reader *reader, const char *format, ...) CORE_PRINTF(2, 3);

/* ---- Writing: adds `text` as a JSON string with quotes and escapes. */
oclm_status core_json_add_string(core_text *out, const char *text, size_t length);

#endif
