/* session_file.c: sessions copied, saved and loaded.
 *
 * A file: the header's numbers, little-endian; the model's fingerprint; ids; numbers of each sequence; the parts of the cache (model/snapshot.h), as the
 * device has them; SHA-256 of all that. Its size and digest are compared before anything of it is used, and every number with its range. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/session.h"
#include "core/hash.h"
#include "core/map.h"
#include "core/output.h"
#include "model/snapshot.h"

#define MAGIC "OCLMSESS"
#define VERSION 2u
#define DIGEST 32u
#define NAME 64u                              /* of the model's type */
#define STORAGE 128u                          /* what its weights are kept as, in words */
#define HEADER (8u + 4u * 10u + 8u * 2u + NAME + STORAGE + DIGEST)
#define HELD 12u                              /* of each sequence */
#define PIECE ((size_t)4 << 20)               /* of the device's memory at once */

typedef struct header {
    uint32_t version, dtype, batch, max_positions, length, known, has_ids, ring_pages, rope_prompt, quantized;
    uint64_t part_bytes, file_bytes;
    char     model_type[NAME];
    char     storage[STORAGE];
    uint8_t  fingerprint[DIGEST];
} header;

static uint64_t file_bytes(const header *h)
{
    return HEADER + 4u * (uint64_t)h->known + (uint64_t)HELD * h->batch + h->part_bytes + DIGEST; /* part_bytes is below 2^63: see read_header() */
}

/* ---- Copying ---------------------------------------------------------------------------------------------------------------- */

/* `to` is new and of the same size. `*fits` false: nothing was done. */
static oclm_status copy_state(const oclm_session *from, oclm_session *to)
{
    model_snapshot snapshot;
    bool           fits = false;
    oclm_status    status;
    if ((status = model_snapshot_take(from->state, &snapshot)) == OCLM_OK && (status = model_snapshot_place(to->state, &snapshot, &fits)) == OCLM_OK)
        status = fits ? model_snapshot_copy(from->state, to->state) : core_fail(OCLM_ERR_INTERNAL, "a copy of a session is of another shape");
    model_snapshot_free(&snapshot);
    return status;
}

oclm_status oclm_session_copy(oclm_session *session, oclm_session **copy)
{
    oclm_session_options options = { .struct_size = sizeof options };
    oclm_session        *made;
    oclm_status          status;
    if (!copy)
        return api_missing("oclm_session_copy", "copy");
    *copy = NULL;
    if (!session)
        return api_missing("oclm_session_copy", "session");
    options.max_positions = session->state->max_positions;
    options.batch = session->batch;
    options.quantized_cache = session->state->cache.quantized;
    if ((status = api_session_open(session->model, &options, &made)) != OCLM_OK)
        return status;
    if ((status = copy_state(session, made)) != OCLM_OK) {
        oclm_session_free(made);
        return status;
    }
    made->tokenizer = session->tokenizer;
    made->length = session->length;
    made->known = session->known;
    if (made->ids)
        memcpy(made->ids, session->ids, session->known * sizeof *made->ids);
    *copy = made;
    return OCLM_OK;
}

/* ---- Saving ----------------------------------------------------------------------------------------------------------------- */

typedef struct writer {
    core_output     *output;
    core_sha256      sha;
    void            *memory; /* [PIECE] */
} writer;

static oclm_status put(writer *w, const void *data, size_t bytes)
{
    core_sha256_add(&w->sha, data, bytes);
    return core_output_add(w->output, data, bytes);
}

static uint8_t *put_u32(uint8_t *p, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        *p++ = (uint8_t)(value >> 8 * i);
    return p;
}

static uint8_t *put_u64(uint8_t *p, uint64_t value) { return put_u32(put_u32(p, (uint32_t)value), (uint32_t)(value >> 32)); }

static oclm_status put_header(writer *w, const header *h)
{
    const uint32_t numbers[] = { h->version, h->dtype, h->batch, h->max_positions, h->length, h->known, h->has_ids, h->ring_pages, h->rope_prompt, h->quantized };
    uint8_t        bytes[HEADER], *p = bytes;
    memcpy(p, MAGIC, 8);
    p += 8;
    for (size_t i = 0; i < COUNT(numbers); i++)
        p = put_u32(p, numbers[i]);
    p = put_u64(put_u64(p, h->part_bytes), h->file_bytes);
    memcpy(p, h->model_type, NAME);
    memcpy(p + NAME, h->storage, STORAGE);
    memcpy(p + NAME + STORAGE, h->fingerprint, DIGEST);
    return put(w, bytes, sizeof bytes);
}

static oclm_status put_numbers(writer *w, const oclm_session *session, const model_snapshot *snapshot)
{
    oclm_status status = OCLM_OK;
    for (uint32_t i = 0; i < session->known && status == OCLM_OK; i++) {
        uint8_t bytes[4];
        (void)put_u32(bytes, (uint32_t)session->ids[i]);
        status = put(w, bytes, sizeof bytes);
    }
    for (uint32_t s = 0; s < snapshot->sequences && status == OCLM_OK; s++) {
        uint8_t bytes[HELD];
        (void)put_u32(put_u32(put_u32(bytes, snapshot->held[s].length), snapshot->held[s].ring_end), snapshot->held[s].recurrent);
        status = put(w, bytes, sizeof bytes);
    }
    return status;
}

static oclm_status put_part(void *user, const model_state *part, const dev_buffer *buffer, size_t offset, size_t bytes)
{
    writer     *w = user;
    oclm_status status = OCLM_OK;
    for (size_t done = 0, piece; done < bytes && status == OCLM_OK; done += piece) {
        piece = bytes - done < PIECE ? bytes - done : PIECE;
        if ((status = dev_buffer_read(part->queue, buffer, offset + done, w->memory, piece)) == OCLM_OK)
            status = put(w, w->memory, piece);
    }
    return status;
}

/* "float16", or "4-bit nf4, 64 to a float32 scale and float16": codes count even where an embedding has more weights. */
static void name_storage(const model_model *model, char storage[STORAGE])
{
    const model_weight_sizes *sizes = &model->weights.sizes;
    const char               *dtype = core_dtype_long_name(core_dtype_public(model->weights.dtype));
    size_t                    most = SIZE_MAX;
    char                      codes[96];
    memset(storage, 0, STORAGE); /* nothing of the stack goes into the file */
    for (size_t i = 0; i < sizes->kind_count; i++)
        if (!core_storage_is_float(&sizes->kinds[i].storage) && (most == SIZE_MAX || sizes->kinds[i].weights > sizes->kinds[most].weights))
            most = i;
    if (most == SIZE_MAX)
        (void)snprintf(storage, STORAGE, "%s", dtype);
    else
        (void)snprintf(storage, STORAGE, "%s and %s", core_storage_name(&sizes->kinds[most].storage, codes), dtype);
}

static oclm_status make_header(const oclm_session *session, const model_snapshot *snapshot, header *h)
{
    const model_model *model = session->model->inside;
    *h = (header){ .version = VERSION, .dtype = (uint32_t)model->weights.dtype, .batch = session->batch, .max_positions = session->state->max_positions,
                   .length = session->length, .known = session->known, .has_ids = session->ids != NULL, .ring_pages = snapshot->ring_pages,
                   .rope_prompt = snapshot->rope_prompt, .quantized = session->state->cache.quantized, .part_bytes = snapshot->bytes };
    h->file_bytes = file_bytes(h);
    _Static_assert(sizeof model->architecture.model_type == NAME, "the model's type fits");
    memcpy(h->model_type, model->architecture.model_type, strlen(model->architecture.model_type));
    name_storage(model, h->storage);
    return model_fingerprint(model, h->fingerprint);
}

static oclm_status write_session(writer *w, const oclm_session *session, const model_snapshot *snapshot)
{
    uint8_t     digest[DIGEST];
    header      h;
    oclm_status status;
    core_sha256_init(&w->sha);
    if ((status = make_header(session, snapshot, &h)) == OCLM_OK && (status = put_header(w, &h)) == OCLM_OK &&
        (status = put_numbers(w, session, snapshot)) == OCLM_OK)
        status = model_snapshot_each_part(session->state, put_part, w);
    core_sha256_end(&w->sha, digest);
    return status == OCLM_OK ? core_output_add(w->output, digest, sizeof digest) : status;
}

oclm_status oclm_session_save(oclm_session *session, const char *path)
{
    model_snapshot snapshot = { 0 };
    writer         w = { .output = NULL };
    oclm_status    status;
    if (!session || !path)
        return api_missing("oclm_session_save", session ? "path" : "session");
    if ((status = model_snapshot_take(session->state, &snapshot)) != OCLM_OK)
        goto done;
    if (!(w.memory = core_alloc(PIECE, "a part of a session"))) {
        status = OCLM_ERR_MEMORY;
        goto done;
    }
    if ((status = core_output_begin(path, &w.output)) != OCLM_OK || (status = write_session(&w, session, &snapshot)) != OCLM_OK)
        goto done;
    status = core_output_end(w.output);
    w.output = NULL;
done:
    core_output_drop(w.output);
    core_free(w.memory);
    model_snapshot_free(&snapshot);
    return status;
}

/* ---- Loading ---------------------------------------------------------------------------------------------------------------- */

typedef struct reader {
    const char          *path;
    const unsigned char *data;  /* what comes next; the file's size was compared with what its header says */
} reader;

static uint32_t take_u32(reader *r)
{
    const unsigned char *p = r->data;
    r->data += 4;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t take_u64(reader *r)
{
    const uint64_t low = take_u32(r);
    return low | (uint64_t)take_u32(r) << 32;
}

static oclm_status broken(const reader *r, const char *what)
{
    return core_fail(OCLM_ERR_FORMAT, "%s: %s; the session is lost: begin a new one", r->path, what);
}

static oclm_status check_digest(const reader *r, const core_map *map)
{
    core_sha256 sha;
    uint8_t     digest[DIGEST];
    core_sha256_init(&sha);
    core_sha256_add(&sha, map->data, map->size - DIGEST);
    core_sha256_end(&sha, digest);
    return memcmp(digest, map->data + map->size - DIGEST, DIGEST) == 0 ? OCLM_OK : broken(r, "its checksum is wrong, so the file was damaged");
}

/* Nothing but the file's own size and digest is known to be right afterwards. */
static oclm_status read_header(reader *r, const core_map *map, header *h)
{
    if (map->size < 12 || memcmp(map->data, MAGIC, 8) != 0)
        return core_fail(OCLM_ERR_FORMAT, "%s is no session that oclm saved: it does not begin with " MAGIC, r->path);
    r->data = map->data + 8;
    if ((h->version = take_u32(r)) != VERSION)
        return core_fail(OCLM_ERR_UNSUPPORTED, "%s is a session of format %u; this version of oclm reads format %u: begin a new one", r->path, h->version,
                         VERSION);
    if (map->size < HEADER + DIGEST)
        return broken(r, "it is cut short");
    uint32_t *const numbers[] = { &h->dtype, &h->batch, &h->max_positions, &h->length, &h->known, &h->has_ids, &h->ring_pages, &h->rope_prompt, &h->quantized };
    for (size_t i = 0; i < COUNT(numbers); i++)
        *numbers[i] = take_u32(r);
    h->part_bytes = take_u64(r);
    h->file_bytes = take_u64(r);
    if (h->file_bytes != map->size)
        return core_fail(OCLM_ERR_FORMAT, "%s has %zu bytes, %" PRIu64 " belong to it: it is cut short, or was added to", r->path, map->size, h->file_bytes);
    memcpy(h->model_type, r->data, NAME);
    h->model_type[NAME - 1] = '\0';
    memcpy(h->storage, r->data + NAME, STORAGE);
    h->storage[STORAGE - 1] = '\0';
    memcpy(h->fingerprint, r->data + NAME + STORAGE, DIGEST);
    r->data += NAME + STORAGE + DIGEST;
    if (h->part_bytes > map->size || file_bytes(h) != map->size)
        return broken(r, "its numbers contradict each other");
    return check_digest(r, map);
}

static oclm_status check_model(const reader *r, const oclm_model *model, const header *h)
{
    const model_model *inside = model->inside;
    uint8_t            fingerprint[DIGEST];
    char               theirs[NAME], storage[STORAGE], mine[STORAGE];
    const oclm_status  status = model_fingerprint(inside, fingerprint);
    if (status != OCLM_OK || memcmp(fingerprint, h->fingerprint, DIGEST) == 0)
        return status;
    memcpy(theirs, h->model_type, NAME);
    core_make_printable(theirs, true);
    memcpy(storage, h->storage, STORAGE);
    core_make_printable(storage, true);
    name_storage(inside, mine);
    if (strcmp(theirs, inside->architecture.model_type) == 0 && strcmp(storage, mine) != 0)
        return core_fail(OCLM_ERR_ARGUMENT, "%s was saved with the model's weights in %s, here they are in %s; load the model as it was then", r->path, storage, mine);
    return core_fail(OCLM_ERR_ARGUMENT, "%s is a session of another model (of type %s; this one is of type %s)", r->path, theirs,
                     inside->architecture.model_type);
}

static oclm_status check_numbers(const reader *r, const oclm_model *model, const header *h)
{
    const model_architecture *a = &model->inside->architecture;
    if (h->batch < 1 || h->batch > API_MAX_BATCH || h->max_positions < 1 || h->max_positions > MODEL_MAX_POSITIONS || h->length > h->max_positions ||
        h->known > h->length || h->has_ids != (h->batch == 1) || (h->known > 0 && !h->has_ids) || h->rope_prompt > MODEL_MAX_POSITIONS ||
        h->quantized > 1 ||
        (a->position == MODEL_POSITION_LEARNED && h->max_positions > a->max_position_embeddings))
        return broken(r, "its numbers are out of range");
    return OCLM_OK;
}

static oclm_status take_ids(reader *r, oclm_session *session, const header *h)
{
    for (uint32_t i = 0; i < h->known; i++) {
        const uint32_t id = take_u32(r);
        if (id >= session->model->inside->architecture.vocab_size)
            return broken(r, "it has an id outside the vocabulary");
        session->ids[i] = (int32_t)id;
    }
    session->known = h->known;
    return OCLM_OK;
}

static oclm_status take_held(reader *r, const header *h, model_snapshot *snapshot)
{
    *snapshot = (model_snapshot){ .sequences = h->batch, .ring_pages = h->ring_pages, .rope_prompt = h->rope_prompt, .bytes = h->part_bytes };
    if (!(snapshot->held = core_alloc_array(h->batch, sizeof *snapshot->held, "a snapshot")))
        return OCLM_ERR_MEMORY;
    for (uint32_t s = 0; s < h->batch; s++) {
        model_held *held = &snapshot->held[s];
        held->length = take_u32(r);
        held->ring_end = take_u32(r);
        held->recurrent = take_u32(r);
        if (held->length > h->length || (held->ring_end > h->max_positions && held->ring_end != MODEL_RING_UNKNOWN) ||
            (held->recurrent > h->max_positions && held->recurrent != MODEL_LENGTH_UNKNOWN))
            return broken(r, "the lengths of its sequences are out of range");
    }
    return OCLM_OK;
}

static oclm_status take_part(void *user, const model_state *part, const dev_buffer *buffer, size_t offset, size_t bytes)
{
    reader           *r = user;
    const oclm_status status = dev_buffer_write(part->queue, buffer, offset, r->data, bytes);
    r->data += bytes;
    return status;
}

/* The cache: from the file, or, where this session's rings are of another size, by reading the ids again. */
static oclm_status take_cache(reader *r, oclm_session *session, const header *h)
{
    model_snapshot snapshot = { 0 };
    bool           fits = false;
    oclm_status    status = take_held(r, h, &snapshot);
    if (status == OCLM_OK)
        status = model_snapshot_place(session->state, &snapshot, &fits);
    if (status == OCLM_OK && fits)
        status = model_snapshot_fill(session->state, take_part, r);
    else if (status == OCLM_OK && session->ids && h->known == h->length && session->state->cache.ring.pages != h->ring_pages)
        status = api_session_read_again(session, h->length);
    else if (status == OCLM_OK)
        status = broken(r, "its cache is of another size than this session's");
    model_snapshot_free(&snapshot);
    return status;
}

static oclm_status fill_session(reader *r, oclm_session *session, const header *h)
{
    oclm_status status = take_ids(r, session, h);
    if (status == OCLM_OK && (status = take_cache(r, session, h)) == OCLM_OK)
        session->length = h->length;
    return status;
}

static oclm_status open_loaded(reader *r, const oclm_model *model, uint32_t positions, const core_map *map, oclm_session **session)
{
    header               h = { 0 };
    oclm_session_options options = { .struct_size = sizeof options };
    oclm_session        *made = NULL;
    oclm_status          status;
    if ((status = read_header(r, map, &h)) != OCLM_OK || (status = check_model(r, model, &h)) != OCLM_OK ||
        (status = check_numbers(r, model, &h)) != OCLM_OK)
        return status;
    if (positions > 0 && positions < h.length)
        return core_fail(OCLM_ERR_CAPACITY, "%s holds %u positions, max_positions is %u; raise it, or leave it 0", r->path, h.length, positions);
    options.max_positions = positions > 0 ? positions : h.max_positions;
    options.batch = h.batch;
    options.quantized_cache = h.quantized != 0;
    if ((status = api_session_open(model, &options, &made)) == OCLM_OK)
        status = fill_session(r, made, &h);
    if (status == OCLM_OK)
        *session = made;
    else
        oclm_session_free(made);
    return status;
}

oclm_status oclm_session_load(const oclm_model *model, const char *path, const oclm_session_options *options, oclm_session **session)
{
    oclm_session_options mine = { .struct_size = sizeof mine };
    core_map             map = CORE_MAP_INIT;
    reader               r = { .path = path };
    oclm_status          status;
    if (!session)
        return api_missing("oclm_session_load", "session");
    *session = NULL;
    if (!model || !path)
        return api_missing("oclm_session_load", model ? "path" : "model");
    if ((status = api_options_read(options, &mine, sizeof mine, "oclm_session_options")) == OCLM_OK && (status = core_map_open(&map, path)) == OCLM_OK)
        status = open_loaded(&r, model, mine.max_positions, &map, session);
    if (status == OCLM_OK)
        (*session)->tokenizer = mine.tokenizer;
    core_map_close(&map);
    return status;
}
