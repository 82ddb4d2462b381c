/* dict.c: dicts keep the order of insertion; a table of slots finds a key once there are more than a few. */
#include <math.h>
#include <string.h>

#include "tokenizer/chat/run.h"

#define FEW 8u /* pairs that are searched one by one */

jinja_dict *jinja_dict_new(jinja_run *run)
{
    jinja_dict *dict = jinja_take(run, sizeof *dict);
    if (dict)
        memset(dict, 0, sizeof *dict);
    return dict;
}

jinja_ref jinja_dict_value(jinja_run *run, jinja_kind kind, jinja_dict *dict)
{
    jinja_value *value = jinja_make(run, kind);
    if (value)
        value->as.dict = dict;
    return value;
}

static uint64_t mix(uint64_t hash, uint64_t more)
{
    hash = (hash ^ more) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 29;
}

static uint64_t hash_text(const char *data, size_t length)
{
    uint64_t hash = length;
    for (size_t i = 0; i < length; i++)
        hash = mix(hash, (unsigned char)data[i]);
    return hash;
}

/* Equal keys have equal hashes: 1, 1.0 and True are one key. False: a list cannot be a key. */
static bool hash_of(jinja_run *run, jinja_ref key, uint64_t *hash)
{
    switch (key->kind) {
    case JINJA_STRING:
        *hash = hash_text(key->as.text.data, key->as.text.length);
        return jinja_work(run, key->as.text.length / 16);
    case JINJA_BOOL:
    case JINJA_INT:
        *hash = mix(1, (uint64_t)key->as.integer);
        return true;
    case JINJA_FLOAT:
        if (key->as.real == floor(key->as.real) && fabs(key->as.real) < 9e18)
            *hash = mix(1, (uint64_t)(int64_t)key->as.real);
        else
            memcpy(hash, &key->as.real, sizeof *hash);
        return true;
    case JINJA_TUPLE:
        *hash = key->as.list.count;
        if (!jinja_enter(run))
            return false;
        for (size_t i = 0; i < key->as.list.count; i++) {
            uint64_t item;
            if (!hash_of(run, key->as.list.items[i], &item)) {
                jinja_leave(run);
                return false;
            }
            *hash = mix(*hash, item);
        }
        jinja_leave(run);
        return true;
    case JINJA_LIST:
    case JINJA_DICT:
    case JINJA_SLICE:
        (void)jinja_fail(run, "unhashable type: '%s'", jinja_type(key));
        return false;
    default:
        *hash = mix(2, (uint64_t)key->kind);
        return true;
    }
}

/* Looks `key` up: `*index` is its pair's, or `count`. */
static bool find(jinja_run *run, const jinja_dict *dict, jinja_ref key, uint64_t hash, size_t *index)
{
    bool equal = false;
    if (dict->slot_count == 0) {
        for (*index = 0; *index < dict->count; (*index)++)
            if (!jinja_equal(run, dict->pairs[*index].key, key, &equal))
                return false;
            else if (equal)
                return true;
        return true;
    }
    for (size_t slot = hash & (dict->slot_count - 1);; slot = (slot + 1) & (dict->slot_count - 1)) {
        if (dict->slots[slot] == 0) {
            *index = dict->count;
            return true;
        }
        *index = dict->slots[slot] - 1;
        if (!jinja_work(run, 1) || !jinja_equal(run, dict->pairs[*index].key, key, &equal))
            return false;
        if (equal)
            return true;
    }
}

static void enter_slot(jinja_dict *dict, uint64_t hash, size_t index)
{
    size_t slot = hash & (dict->slot_count - 1);
    while (dict->slots[slot] != 0)
        slot = (slot + 1) & (dict->slot_count - 1);
    dict->slots[slot] = (uint32_t)index + 1;
}

static bool grow(jinja_run *run, jinja_dict *dict)
{
    const size_t capacity = dict->capacity ? dict->capacity * 2 : 4;
    jinja_pair *pairs;
    if (capacity > UINT32_MAX / 4)
        return jinja_fail(run, "makes a dict of %zu keys; that is too many", dict->count) != NULL;
    if (!(pairs = jinja_take(run, capacity * sizeof *pairs)))
        return false;
    if (dict->count > 0)
        memcpy(pairs, dict->pairs, dict->count * sizeof *pairs);
    dict->pairs = pairs;
    dict->capacity = capacity;
    if (capacity <= FEW)
        return true;
    dict->slot_count = capacity * 2;
    if (!(dict->slots = jinja_take(run, dict->slot_count * sizeof *dict->slots)))
        return false;
    memset(dict->slots, 0, dict->slot_count * sizeof *dict->slots);
    for (size_t i = 0; i < dict->count; i++) {
        uint64_t hash;
        if (!hash_of(run, dict->pairs[i].key, &hash))
            return false;
        enter_slot(dict, hash, i);
    }
    return true;
}

bool jinja_dict_set(jinja_run *run, jinja_dict *dict, jinja_ref key, jinja_ref value)
{
    uint64_t hash;
    size_t index;
    if (!hash_of(run, key, &hash) || !find(run, dict, key, hash, &index))
        return false;
    if (index < dict->count) {
        dict->pairs[index].value = value;
        return true;
    }
    if (dict->count == dict->capacity && !grow(run, dict))
        return false;
    dict->pairs[dict->count] = (jinja_pair){ key, value };
    if (dict->slot_count)
        enter_slot(dict, hash, dict->count);
    dict->count++;
    return true;
}

bool jinja_dict_find(jinja_run *run, const jinja_dict *dict, jinja_ref key, jinja_ref *value)
{
    uint64_t hash;
    size_t index;
    *value = NULL;
    if (!hash_of(run, key, &hash) || !find(run, dict, key, hash, &index))
        return false;
    if (index < dict->count)
        *value = dict->pairs[index].value;
    return true;
}

static bool is_key(jinja_ref key, const char *text, size_t length)
{
    return key->kind == JINJA_STRING && key->as.text.length == length && memcmp(key->as.text.data, text, length) == 0;
}

jinja_ref jinja_dict_get(const jinja_dict *dict, const char *key, size_t length)
{
    if (dict->slot_count == 0) {
        for (size_t i = 0; i < dict->count; i++)
            if (is_key(dict->pairs[i].key, key, length))
                return dict->pairs[i].value;
        return NULL;
    }
    for (size_t slot = hash_text(key, length) & (dict->slot_count - 1); dict->slots[slot] != 0;
         slot = (slot + 1) & (dict->slot_count - 1))
        if (is_key(dict->pairs[dict->slots[slot] - 1].key, key, length))
            return dict->pairs[dict->slots[slot] - 1].value;
    return NULL;
}
