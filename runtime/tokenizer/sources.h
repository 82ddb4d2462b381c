/* sources.h: which files of a folder hold its tokenizer. */
#ifndef OCLM_TOKENIZER_SOURCES_H
#define OCLM_TOKENIZER_SOURCES_H

#include "tokenizer/tokenizer.h"

#define TOK_SOURCE_FILES 2

struct tok_files;

/* One way to keep a tokenizer (sources.c has the list, best first). */
typedef struct tok_source {
    const char *names[TOK_SOURCE_FILES]; /* of the files, all needed; the rest NULL */
    bool complete; /* it tells BOS, EOS and the rest: tokenizer_config.json's flags for them do not count */
    const char *magic; /* what the file begins with, for names that may be of other things; NULL: anything */
    /* Of one file, from memory; or of several. */
    oclm_status (*read)(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer);
    oclm_status (*read_files)(const struct tok_files *files, tok_tokenizer *tokenizer);
} tok_source;

typedef struct tok_files {
    const tok_source *source;
    core_text paths[TOK_SOURCE_FILES]; /* of its files */
} tok_files;

/* `folder` may be one of the files itself. OCLM_ERR_NOT_FOUND, naming what was looked for, where the folder has none. Free with tok_files_free() in any case. */
oclm_status tok_files_find(const char *folder, tok_files *files);
/* Reads them into a tokenizer that is empty. */
oclm_status tok_files_read(const tok_files *files, tok_tokenizer *tokenizer);
/* The way of a single file by its name; NULL where it is none. */
const tok_source *tok_source_of_file(const char *path);
void tok_files_free(tok_files *files);

#endif
