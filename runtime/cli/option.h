/* option.h: an option of the command: a row of the table in options.c, whose value option_values.c reads. */
#ifndef OCLM_CLI_OPTION_H
#define OCLM_CLI_OPTION_H

#include "cli/cli.h"

typedef enum cli_kind {
    FLAG,    /* bool: given or not */
    COUNTED, /* uint32_t: how often */
    SWITCH,  /* oclm_switch: --name or --name=true, --no-name or --name=false */
    TEXT,    /* const char * */
    CHOICE,  /* uint32_t: index of the word among those of `argument` */
    U32, U64,
    FLOAT,
    BYTES,   /* uint64_t: a number with KB, MB, GB (or KiB, MiB, GiB) behind it */
    MEMORY,  /* BYTES, and right behind it a const char *: a JSON object instead, which the library reads */
    EOS,     /* ids, or none */
    WORDS,   /* cli_words: may be given several times */
    ENUM,    /* uint32_t: place of the word among those of `argument`, from 1 on */
    SECONDS, /* double */
    TOKEN,   /* int32_t: an id, or none */
    IDS,     /* a pointer to int32_t and right behind it a size_t: ids with commas, or none; the empty list then */
    LISTS,   /* likewise, of oclm_token_ids: JSON */
    BIASES,  /* likewise, of oclm_sequence_bias: JSON */
    DECAY,   /* uint32_t and float: N,F */
    HINT     /* no option: a line of the help */
} cli_kind;

typedef struct option {
    const char *name; /* without dashes */
    char        letter; /* 0: none */
    cli_kind    kind;
    const char *argument;
    unsigned    commands;
    size_t      offset; /* in cli_args */
    double      min;    /* U32 and U64: least; FLOAT is checked by the library */
    const char *help;
} option;

/* Reads `value` into the option's member; NULL for kinds that take none. `negated`: as --no-name. False after a message. */
bool cli_store(const option *o, const char *value, bool negated, cli_args *args);

#endif
