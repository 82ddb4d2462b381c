/* cmd_logits.c: oclm logits: scores a prompt. Rows are computed and written a chunk at a time, so memory does not grow with the
 * prompt times the vocabulary. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define CHUNK_BYTES ((size_t)64 << 20) /* of logits on the host */
#define CHUNK_ROWS ((size_t)512)
#define TOP 5

typedef struct job {
    const cli_args *args;
    oclm_tokenizer *tokenizer; /* NULL: ids only */
    oclm_model     *model;
    oclm_session   *session;
    int32_t        *ids;
    size_t          count, vocab;
    float          *logits;
    FILE           *npy;
    cli_json        json;
} job;

/* https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0: the header is padded to 64 bytes. */
static int npy_begin(job *j, size_t rows)
{
    static const unsigned char magic[8] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0 };
    const uint16_t one = 1;
    unsigned char  low_first;
    char           header[128 - 10 + 1];
    memcpy(&low_first, &one, 1);
    if (!(j->npy = fopen(j->args->npy, "wb")))
        return cli_fail(EXIT_OTHER, "%s cannot be written: %s", j->args->npy, strerror(errno));
    (void)snprintf(header, sizeof header, "{'descr': '%cf4', 'fortran_order': False, 'shape': (%zu, %zu), }", low_first ? '<' : '>',
                   rows, j->vocab);
    memset(header + strlen(header), ' ', sizeof header - 1 - strlen(header));
    header[sizeof header - 2] = '\n';
    (void)fwrite(magic, 1, sizeof magic, j->npy);
    (void)fputc((int)(sizeof header - 1), j->npy);
    (void)fputc(0, j->npy);
    (void)fwrite(header, 1, sizeof header - 1, j->npy);
    return EXIT_OK;
}

static int npy_end(job *j)
{
    const bool bad = ferror(j->npy) != 0;
    const bool unclosed = fclose(j->npy) != 0;
    j->npy = NULL;
    return bad || unclosed ? cli_fail(EXIT_OTHER, "writing %s failed: %s", j->args->npy, strerror(errno)) : EXIT_OK;
}

static void print_token(const job *j, int32_t id)
{
    const char *token = j->tokenizer ? oclm_tokenizer_token(j->tokenizer, id) : NULL;
    if (token)
        (void)printf(" %ld %s", (long)id, token);
    else
        (void)printf(" %ld", (long)id);
}

/* "12  318 is: 257 a 14.2 | ..." */
static void print_top(const job *j, size_t position, const float *row)
{
    size_t best[TOP], found = 0;
    for (size_t v = 0; v < j->vocab; v++) {
        size_t at = found;
        while (at > 0 && row[v] > row[best[at - 1]])
            at--;
        if (at == TOP)
            continue;
        if (found < TOP)
            found++;
        memmove(best + at + 1, best + at, (found - at - 1) * sizeof best[0]);
        best[at] = v;
    }
    (void)printf("%5zu:", position);
    print_token(j, j->ids[position]);
    (void)fputs("  ->", stdout);
    for (size_t i = 0; i < found; i++) {
        (void)fputs(i ? " |" : "", stdout);
        print_token(j, (int32_t)best[i]);
        (void)printf(" %.4g", (double)row[best[i]]);
    }
    (void)putchar('\n');
}

static void put_row(job *j, size_t position, const float *row)
{
    if (j->npy)
        (void)fwrite(row, sizeof *row, j->vocab, j->npy);
    else if (!j->args->json)
        print_top(j, position, row);
    if (!j->args->json || j->npy)
        return;
    cli_json_open(&j->json, NULL, '[');
    for (size_t v = 0; v < j->vocab; v++)
        cli_json_number(&j->json, NULL, (double)row[v]);
    cli_json_close(&j->json, ']');
}

/* All positions, chunk by chunk; the first chunk is in `logits` already. */
static int put_rows(job *j, size_t chunk)
{
    for (size_t done = 0; done < j->count && !ferror(j->npy ? j->npy : stdout);) {
        const size_t rows = j->count - done < chunk ? j->count - done : chunk;
        if (done > 0) {
            const oclm_status status = oclm_forward(j->session, j->ids + done, 1, rows, j->logits, rows * j->vocab);
            if (status != OCLM_OK)
                return cli_fail_status(status);
        }
        for (size_t row = 0; row < rows; row++)
            put_row(j, done + row, j->logits + row * j->vocab);
        done += rows;
        (void)cli_progress("scoring", done, j->count, NULL);
    }
    return EXIT_OK;
}

static void json_head(job *j, bool last)
{
    cli_json_open(&j->json, NULL, '{');
    cli_json_ids(&j->json, "input_ids", j->ids, j->count);
    cli_json_uint(&j->json, "vocab_size", j->vocab);
    cli_json_open(&j->json, "positions", '[');
    for (size_t i = last ? j->count - 1 : 0; i < j->count; i++)
        cli_json_uint(&j->json, NULL, i);
    cli_json_close(&j->json, ']');
    if (j->npy)
        cli_json_text(&j->json, "npy", j->args->npy);
    else
        cli_json_open(&j->json, "logits", '[');
}

/* The first forward pass comes before the first byte of output: what can go wrong mostly does so there. */
static int score(job *j)
{
    const bool   last = j->args->positions == POSITIONS_LAST;
    const size_t fitting = CHUNK_BYTES / (j->vocab * sizeof(float)) + 1, most = fitting < CHUNK_ROWS ? fitting : CHUNK_ROWS;
    const size_t chunk = last ? 1 : j->count < most ? j->count : most;
    oclm_status  status;
    int          result = EXIT_OK;
    if (!(j->logits = malloc(chunk * j->vocab * sizeof *j->logits)))
        return cli_fail(EXIT_MEMORY, "out of memory for %zu rows of logits", chunk);
    status = last ? oclm_forward_last(j->session, j->ids, 1, j->count, j->logits, j->vocab)
                  : oclm_forward(j->session, j->ids, 1, chunk, j->logits, chunk * j->vocab);
    if (status != OCLM_OK)
        return cli_fail_status(status);
    if (j->args->npy && (result = npy_begin(j, last ? 1 : j->count)) != EXIT_OK)
        return result;
    if (j->args->json)
        json_head(j, last);
    if (last)
        put_row(j, j->count - 1, j->logits);
    else
        result = put_rows(j, chunk);
    if (j->args->json && result == EXIT_OK) {
        if (!j->npy)
            cli_json_close(&j->json, ']');
        cli_json_close(&j->json, '}');
        cli_json_end(&j->json);
    }
    if (j->npy) {
        const int written = npy_end(j);
        return result != EXIT_OK ? result : written;
    }
    return result;
}

static int open_session(job *j)
{
    oclm_model_info      info = { .struct_size = sizeof info };
    oclm_session_options options;
    oclm_status          status;
    oclm_session_options_init(&options, sizeof options);
    (void)oclm_model_get_info(j->model, &info);
    j->vocab = info.vocab_size;
    if (j->count == 0)
        return cli_fail(EXIT_USAGE, "the prompt is empty: scoring needs at least one token");
    if (j->count >= UINT32_MAX)
        return cli_fail(EXIT_USAGE, "the prompt has %zu tokens, more than any model takes", j->count);
    options.max_positions = (uint32_t)j->count;
    status = oclm_session_new(j->model, &options, &j->session);
    return status == OCLM_OK ? EXIT_OK : cli_fail_status(status);
}

int cmd_logits(cli_args *args)
{
    job         j = { .args = args, .json = cli_json_begin(stdout) };
    double      seconds;
    int         result = cli_check_prompt(args);
    if (result == EXIT_OK && (result = cli_load_tokenizer(args, args->input_ids != NULL, &j.tokenizer)) == EXIT_OK && (result = cli_read_prompt(args, j.tokenizer, &j.ids, &j.count)) == EXIT_OK &&
        (result = cli_load_model(args, &j.model, &seconds)) == EXIT_OK && (result = open_session(&j)) == EXIT_OK)
        result = score(&j);
    oclm_session_free(j.session);
    oclm_model_free(j.model);
    oclm_tokenizer_free(j.tokenizer);
    free(j.ids);
    free(j.logits);
    return result;
}
