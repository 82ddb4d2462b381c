/* choice.h: rows of scores become tokens: the processors that the configuration asks for, then the sampler. */
#ifndef OCLM_GENERATION_CHOICE_H
#define OCLM_GENERATION_CHOICE_H

#include "generation/sampler.h"

typedef struct gen_choice {
    dev_device     *device;
    gen_processors *processors;
    gen_sampler     sampler;
} gen_choice;

/* As gen_processors_new() and gen_sampler_new() with a ring of one step. */
oclm_status gen_choice_init(gen_choice *choice, dev_device *device, cl_command_queue queue, const gen_config *config, const gen_rows *rows);
void        gen_choice_deinit(gen_choice *choice); /* accepts one that is all zero */
/* Records what makes logits the scores that tokens are chosen by. */
oclm_status gen_choice_add_scores(const gen_choice *choice, dev_work *work, const dev_buffer *logits);
/* Records that and the choice; the rest as gen_sampler_add(). */
oclm_status gen_choice_add(const gen_choice *choice, dev_work *work, const dev_buffer *logits, const dev_buffer *ids, const dev_buffer *positions,
                           bool advance);

/* What processors know of a text that the host writes: one row of ids, and how many of them stand before each row of scores. */
typedef struct gen_told {
    dev_buffer history, lengths; /* int32 [room], uint32 [rows]; empty where nothing asks for them */
    uint32_t   room, rows;
    uint32_t  *host_lengths;     /* [rows] */
} gen_told;

oclm_status gen_told_init(gen_told *told, dev_device *device, const gen_config *config, uint32_t room, uint32_t rows);
void        gen_told_deinit(gen_told *told, dev_device *device);
/* Puts it into `rows`. */
void        gen_told_to(const gen_told *told, gen_rows *rows);
/* Sends ids [from, end) of the text, which have changed, and the lengths `before`, `before` + 1, .. of the first `rows` rows. */
oclm_status gen_told_send(const gen_told *told, cl_command_queue queue, const int32_t *text, uint32_t from, uint32_t end, uint32_t before,
                          uint32_t rows);

#endif
