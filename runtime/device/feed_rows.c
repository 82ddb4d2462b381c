/* feed_rows.c: rows of a table that is not on the device: an embedding. Only the panels visit that hold rows which are asked for.
 *
 * The ids lie on the device, so they are read back when the list is enqueued. Panels go to a buffer with room for some; the kernel is told
 * where each row lies there. If there are more panels than that, several rounds are played: a row whose panel is not there has an id
 * behind them, which the kernel leaves to another part of the matrix, as ever (cl/embed.cl). */
#include <string.h>

#include "device/feed_internal.h"
#include "device/matmul.h"

typedef struct visit {
    dev_feed         *feed;
    const dev_matrix *table;
    uint32_t          unit, count, room; /* rows asked for, panels that fit */
    cl_mem            ids;               /* the caller's */
    uint32_t          regions[DEV_FEED_REGIONS]; /* of the unit: where each part of the table lies */
    int32_t          *host;              /* [3][count]: ids, then ids of a round, then panels of a round */
    dev_buffer        own;               /* int32 [count]: ids of a round */
    dev_matrix        panels;            /* what is there */
    dev_matrix_part   part;
    dev_work         *work;
} visit;

static void free_visit(void *payload)
{
    visit *v = payload;
    dev_work_free(v->work);
    dev_buffer_free(v->feed->device, &v->own);
    core_free(v->host);
    core_free(v);
}

static oclm_status send_panel(const visit *v, cl_command_queue queue, uint32_t panel, uint32_t at)
{
    const size_t bytes = dev_panel_of(&v->part.storage, v->table->columns).bytes;
    uint32_t     p = 0;
    while (p + 1 < v->table->part_count && panel >= v->table->parts[p + 1].first_panel)
        p++;
    const unsigned char *from = dev_store_memory(v->feed->store, &v->feed->units[v->unit]->regions[v->regions[p]]);
    const cl_int error = clEnqueueWriteBuffer(queue, v->part.buffer.memory, CL_FALSE, at * bytes, bytes,
                                              from + (panel - v->table->parts[p].first_panel) * bytes, 0, NULL, NULL);
    v->feed->copied += bytes;
    return error == CL_SUCCESS ? OCLM_OK : dev_cl_fail(error, "sending rows of an offloaded table");
}

/* Sends panels of rows from `done` on, as far as they fit, and says where the rows are. Rows that were there already are skipped, and so are,
 * for now, rows for which there is no room. Counts the rows that are there. */
static oclm_status prepare_round(const visit *v, cl_command_queue queue, int32_t *ids, uint32_t *served)
{
    int32_t    *own = v->host + v->count, *panels = own + v->count;
    uint32_t    held = 0;
    oclm_status status = OCLM_OK;
    *served = 0;
    for (uint32_t i = 0; i < v->count && status == OCLM_OK; i++) {
        own[i] = (int32_t)(v->room * DEV_PANEL);
        if (ids[i] < 0)
            continue;
        const int32_t panel = ids[i] / (int32_t)DEV_PANEL;
        uint32_t      at = 0;
        while (at < held && panels[at] != panel)
            at++;
        if (at == v->room)
            continue;
        if (at == held) {
            status = send_panel(v, queue, (uint32_t)panel, at);
            panels[held++] = panel;
        }
        own[i] = (int32_t)(at * DEV_PANEL) + ids[i] % (int32_t)DEV_PANEL;
        ids[i] = -1;
        ++*served;
    }
    return status == OCLM_OK ? dev_buffer_write(queue, &v->own, 0, own, v->count * sizeof *own) : status;
}

static oclm_status play_rounds(const visit *v, cl_command_queue queue)
{
    oclm_status status = OCLM_OK;
    for (uint32_t served, left = v->count; left > 0 && status == OCLM_OK; left -= served) {
        if ((status = prepare_round(v, queue, v->host, &served)) == OCLM_OK)
            status = dev_work_enqueue(v->work, queue, NULL);
    }
    return status;
}

/* Behind others that read the panels. */
static oclm_status take_turn(const visit *v, cl_command_queue queue)
{
    dev_feed_slot *s = &v->feed->rows;
    cl_event       done = NULL;
    cl_int         error = CL_SUCCESS;
    for (uint32_t i = 0; i < s->reader_count && error == CL_SUCCESS; i++) {
        if (s->readers[i].queue != queue)
            error = clEnqueueBarrierWithWaitList(queue, 1, &s->readers[i].done, NULL);
    }
    oclm_status status = error == CL_SUCCESS ? play_rounds(v, queue) : OCLM_OK;
    if (error == CL_SUCCESS && status == OCLM_OK && (error = clEnqueueMarkerWithWaitList(queue, 0, NULL, &done)) == CL_SUCCESS) {
        status = dev_feed_note_reader(s, queue, done);
        error = clFlush(queue);
    }
    if (error != CL_SUCCESS)
        status = dev_cl_fail(error, "rows of an offloaded table");
    if (status != OCLM_OK)
        (void)dev_finish(queue);
    return status;
}

static oclm_status play(cl_command_queue queue, void *payload)
{
    const visit *v = payload;
    const cl_int error = clEnqueueReadBuffer(queue, v->ids, CL_TRUE, 0, v->count * sizeof(int32_t), v->host, 0, NULL, NULL);
    if (error != CL_SUCCESS)
        return dev_cl_fail(error, "reading %u ids from the device", v->count);
    for (uint32_t i = 0; i < v->count; i++)
        v->host[i] = (uint32_t)v->host[i] < v->table->rows ? v->host[i] : 0;
    core_mutex_lock(v->feed->lock);
    const oclm_status status = take_turn(v, queue);
    core_mutex_unlock(v->feed->lock);
    return status;
}

/* Which regions of the unit are the parts of the table? */
static bool find_regions(visit *v)
{
    const dev_kept_unit *u = v->feed->units[v->unit];
    for (uint32_t p = 0; p < v->table->part_count; p++) {
        uint32_t r = 0;
        while (r < u->count && u->views[r] != &v->table->parts[p].buffer)
            r++;
        if (r == u->count || p == DEV_FEED_REGIONS)
            return false;
        v->regions[p] = r;
    }
    return dev_matrix_is_uniform(v->table);
}

/* A matrix of the panels that are there, and one more that never is. */
static void describe_panels(visit *v)
{
    const size_t bytes = dev_panel_of(dev_matrix_storage(v->table), v->table->columns).bytes;
    v->room = (uint32_t)(v->feed->rows.buffers[0].bytes / bytes);
    v->part = (dev_matrix_part){ v->feed->rows.buffers[0], *dev_matrix_storage(v->table), 0, v->room };
    v->panels = (dev_matrix){ .rows = (v->room + 1) * DEV_PANEL, .columns = v->table->columns, .panels = v->room + 1, .parts = &v->part,
                              .part_count = 1 };
}

static oclm_status fill_visit(visit *v, float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    dev_device *device = v->feed->device;
    oclm_status status;
    if (!find_regions(v))
        return core_fail(OCLM_ERR_INTERNAL, "rows of a matrix that is not of unit %u of a feed, or not stored alike", v->unit);
    describe_panels(v);
    if (v->room == 0)
        return core_fail(OCLM_ERR_INTERNAL, "a feed has no room for rows of unit %u", v->unit);
    if ((v->host = core_alloc_zero(v->count, 3 * sizeof *v->host, "ids of rows")) == NULL)
        return OCLM_ERR_MEMORY;
    if ((status = dev_buffer_new(device, v->count * sizeof(int32_t), "ids of rows of an offloaded table", &v->own)) != OCLM_OK ||
        (status = dev_work_new(device, &v->work)) != OCLM_OK)
        return status;
    return dev_rows_add(v->work, &v->panels, &v->own, 0, v->count, scale, add, y, y_stride);
}

oclm_status dev_feed_rows_add(dev_work *work, dev_feed *feed, uint32_t unit, const dev_matrix *table, const dev_buffer *ids, uint32_t count,
                              float scale, bool add, const dev_buffer *y, uint32_t y_stride)
{
    if (feed->in_place)
        return dev_rows_add(work, table, ids, 0, count, scale, add, y, y_stride);
    visit *v = core_alloc_zero(1, sizeof *v, "a visit of rows");
    if (v == NULL)
        return OCLM_ERR_MEMORY;
    v->feed = feed;
    v->table = table;
    v->unit = unit;
    v->count = count;
    v->ids = ids->memory;
    const oclm_status status = fill_visit(v, scale, add, y, y_stride);
    if (status != OCLM_OK) {
        free_visit(v);
        return status;
    }
    return dev_work_add_call(work, play, v, free_visit);
}
