/* folder.h: for tests: a line's files, {name: base64}, in a folder of their own. */
#ifndef TESTS_TOKENIZER_FOLDER_H
#define TESTS_TOKENIZER_FOLDER_H

#include "core/base64.h"
#include "tokenizer/golden.h"

static char folder[64];

static void folder_write(const char *name, const char *data, size_t length)
{
    core_text path = CORE_TEXT_INIT;
    assert_int_equal(core_path_join(&path, folder, name), OCLM_OK);
    assert_int_equal(core_write_file(path.data, data, length), OCLM_OK);
    core_text_free(&path);
}

static void folder_clear(void)
{
    (void)snprintf(folder, sizeof folder, "%s/folder", unpack_folder);
    assert_true(run_shell("rm -rf '%s' && mkdir '%s'%s", folder, folder, ""));
}

/* Writes the files to the folder, which is made anew. */
static inline void folder_fill(const cJSON *files)
{
    const cJSON *file;
    folder_clear();
    cJSON_ArrayForEach(file, files)
    {
        core_text bytes = CORE_TEXT_INIT;
        bool      valid;
        assert_int_equal(core_base64_add(&bytes, file->valuestring, strlen(file->valuestring), &valid), OCLM_OK);
        assert_true(valid);
        folder_write(file->string, bytes.data, bytes.length);
        core_text_free(&bytes);
    }
}

/* The tokenizer of the files. */
static inline tok_tokenizer *folder_open(const cJSON *files, const char *label)
{
    tok_tokenizer *tokenizer;
    folder_fill(files);
    if (tok_open(folder, &tokenizer) != OCLM_OK)
        fail_msg("%s: %s", label, oclm_last_error());
    return tokenizer;
}

#endif
