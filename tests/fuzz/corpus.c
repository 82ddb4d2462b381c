/* corpus.c: without libFuzzer: gives a target each file of a folder, whole and cut short at a few places. */
#include "core/platform.h"
#include "core/text.h"
#include "fuzz/fuzz.h"

#define MAX_INPUT ((size_t)1 << 20)
#define CUTS 16

static size_t run_file(const char *path)
{
    char  *text;
    size_t length;
    if (core_read_file(path, MAX_INPUT, &text, &length) != OCLM_OK) {
        (void)fprintf(stderr, "%s\n", oclm_last_error());
        exit(1);
    }
    for (size_t i = CUTS; i > 0; i--) {
        const size_t part = length * i / CUTS;
        /* Memory of exactly that size, so that reading on is found out. */
        uint8_t *copy = core_copy(text, part, "an input");
        FUZZ_CHECK(copy != NULL);
        (void)LLVMFuzzerTestOneInput(copy, part);
        core_free(copy);
    }
    core_free(text);
    return 1;
}

typedef struct folder {
    const char *path;
    size_t      count;
} folder;

static bool visit(const char *name, void *user)
{
    folder   *self = user;
    core_text path = CORE_TEXT_INIT;
    if (name[0] != '.' && core_path_join(&path, self->path, name) == OCLM_OK)
        self->count += run_file(path.data);
    core_text_free(&path);
    return true;
}

int main(int argc, char **argv)
{
    folder corpus = { argc == 2 ? argv[1] : "", 0 };
    if (argc != 2 || core_folder_list(corpus.path, visit, &corpus) != OCLM_OK || corpus.count == 0) {
        (void)fprintf(stderr, "usage: %s FOLDER, with at least one file\n", argv[0]);
        return 1;
    }
    (void)printf("%zu inputs\n", corpus.count);
    return 0;
}
