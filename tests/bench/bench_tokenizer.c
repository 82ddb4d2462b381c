/* bench_tokenizer.c: how fast texts become ids and ids become texts.
 *
 *     bench_tokenizer [--rounds N] MODEL-FOLDER TEXT-FILE...
 *
 * One line of JSON a file: seconds to load, MB/s of encoding the whole text at once and in calls of 500 characters, of
 * decoding; the best of five rounds, or N. bench_tokenizer.py runs it beside Hugging Face's tokenizers and prints a table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/platform.h"
#include "tokenizer/tokenizer.h"

#define CALL 500 /* characters */

static double faster(double best, double seconds)
{
    return best == 0 || seconds < best ? seconds : best;
}

/* The end of `count` characters from `p`. */
static const char *characters(const char *p, const char *end, size_t count)
{
    while (p < end && count > 0) {
        p++;
        while (p < end && ((unsigned char)*p & 0xC0) == 0x80)
            p++;
        count--;
    }
    return p;
}

static oclm_status encode_in_calls(const tok_tokenizer *tokenizer, const char *text, size_t length, tok_ids *ids)
{
    oclm_status status = OCLM_OK;
    for (const char *p = text, *const end = text + length; p < end && status == OCLM_OK;) {
        const char *next = characters(p, end, CALL);
        status = tok_encode(tokenizer, p, (size_t)(next - p), false, ids);
        p = next;
    }
    return status;
}

static oclm_status measure(const tok_tokenizer *tokenizer, double load, const char *path, int rounds)
{
    char       *text;
    size_t      length;
    tok_ids     ids = TOK_IDS_INIT;
    core_text   decoded = CORE_TEXT_INIT;
    double      whole = 0, calls = 0, decode = 0;
    oclm_status status = core_read_file(path, (size_t)1 << 30, &text, &length);
    for (int round = 0; round < rounds && status == OCLM_OK; round++) {
        ids.count = 0;
        double start = core_seconds();
        if ((status = encode_in_calls(tokenizer, text, length, &ids)) != OCLM_OK)
            break;
        calls = faster(calls, core_seconds() - start);
        ids.count = 0;
        start = core_seconds();
        if ((status = tok_encode(tokenizer, text, length, false, &ids)) != OCLM_OK)
            break;
        whole = faster(whole, core_seconds() - start);
        core_text_clear(&decoded);
        start = core_seconds();
        status = tok_decode(tokenizer, ids.data, ids.count, false, &decoded);
        decode = faster(decode, core_seconds() - start);
    }
    if (status == OCLM_OK)
        printf("{\"file\": \"%s\", \"bytes\": %zu, \"ids\": %zu, \"load_s\": %.3f, \"encode_mb_per_s\": %.2f, "
               "\"encode_500_mb_per_s\": %.2f, \"decode_mb_per_s\": %.2f}\n",
               path, length, ids.count, load, (double)length / whole / 1e6, (double)length / calls / 1e6,
               (double)decoded.length / decode / 1e6);
    tok_ids_free(&ids);
    core_text_free(&decoded);
    core_free(text);
    return status;
}

int main(int argc, char **argv)
{
    tok_tokenizer *tokenizer = NULL;
    double         load = 0;
    oclm_status    status = OCLM_OK;
    int            rounds = 5;
    const char    *program = argv[0];
    if (argc > 2 && strcmp(argv[1], "--rounds") == 0) {
        rounds = atoi(argv[2]);
        argv += 2;
        argc -= 2;
    }
    if (argc < 3 || rounds < 1) {
        fprintf(stderr, "usage: %s [--rounds N] MODEL-FOLDER TEXT-FILE...\n", program);
        return 2;
    }
    for (int round = 0; round < rounds && status == OCLM_OK; round++) {
        tok_close(tokenizer);
        const double start = core_seconds();
        status = tok_open(argv[1], &tokenizer);
        load = faster(load, core_seconds() - start);
    }
    for (int i = 2; i < argc && status == OCLM_OK; i++)
        status = measure(tokenizer, load, argv[i], rounds);
    if (status != OCLM_OK)
        fprintf(stderr, "%s\n", oclm_last_error());
    tok_close(tokenizer);
    return status == OCLM_OK ? 0 : 1;
}
