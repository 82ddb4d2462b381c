/* sentencepiece.c: a SentencePiece model, a protobuf message (sentencepiece_model.proto). Fields, numbers, [defaults]:
 *
 *     repeated pieces = 1     { piece = 1; float score = 2; type = 3 [1] }
 *     trainer_spec = 2        { model_type = 3 [1: unigram], 2: BPE; byte_fallback = 35; unk_id = 40, bos_id = 41,
 *                               eos_id = 42; unk_piece = 45, bos_piece = 46, eos_piece = 47 }
 *     normalizer_spec = 3     { precompiled_charsmap = 2; add_dummy_prefix = 3 [true];
 *                               remove_extra_whitespaces = 4 [true]; escape_whitespaces = 5 [true] }
 */
#include <string.h>

#include "tokenizer/pipeline.h"
#include "tokenizer/protobuf.h"
#include "tokenizer/readers.h"
#include "tokenizer/spm.h"

static oclm_status broken(const tok_spm_model *model, const char *what)
{
    return core_fail(OCLM_ERR_FORMAT,
                     "%s: %s; is it a SentencePiece model, and whole? Remove the file and fetch it again", model->path,
                     what);
}

static void set_string(tok_spm_string *to, const tok_proto_field *field)
{
    if (field->wire == TOK_WIRE_BYTES)
        *to = (tok_spm_string){ field->bytes, field->length };
}

static oclm_status read_piece(tok_spm_model *model, tok_proto message)
{
    tok_spm_string text = { "", 0 };
    float score = 0;
    int32_t type = TOK_SPM_NORMAL;
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        if (field.number == 1)
            set_string(&text, &field);
        else if (field.number == 2)
            score = tok_proto_float(&field, 0);
        else if (field.number == 3)
            type = tok_proto_int(&field, TOK_SPM_NORMAL);
    }
    return message.broken ? broken(model, "a piece is broken") : tok_spm_add(model, text, score, type);
}

static oclm_status read_trainer(tok_spm_model *model, tok_proto message)
{
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        switch (field.number) {
        case 3:
            model->model_type = tok_proto_int(&field, TOK_SPM_UNIGRAM);
            break;
        case 35:
            model->byte_fallback = tok_proto_bool(&field, false);
            break;
        case 40:
            model->unk_id = tok_proto_int(&field, 0);
            break;
        case 41:
            model->bos_id = tok_proto_int(&field, 1);
            break;
        case 42:
            model->eos_id = tok_proto_int(&field, 2);
            break;
        case 45:
            set_string(&model->unk_piece, &field);
            break;
        case 46:
            set_string(&model->bos_piece, &field);
            break;
        case 47:
            set_string(&model->eos_piece, &field);
            break;
        default:
            break;
        }
    }
    return message.broken ? broken(model, "its trainer_spec is broken") : OCLM_OK;
}

static oclm_status read_normalizer(tok_spm_model *model, tok_proto message)
{
    tok_proto_field field;
    while (tok_proto_next(&message, &field)) {
        if (field.number == 2)
            set_string(&model->charsmap, &field);
        else if (field.number == 3)
            model->add_dummy_prefix = tok_proto_bool(&field, true);
        else if (field.number == 4)
            model->remove_extra_whitespaces = tok_proto_bool(&field, true);
        else if (field.number == 5)
            model->escape_whitespaces = tok_proto_bool(&field, true);
    }
    return message.broken ? broken(model, "its normalizer_spec is broken") : OCLM_OK;
}

static oclm_status read_message(tok_spm_model *model, tok_proto message)
{
    tok_proto_field field;
    oclm_status status = OCLM_OK;
    while (status == OCLM_OK && tok_proto_next(&message, &field)) {
        if (field.wire != TOK_WIRE_BYTES)
            continue;
        const tok_proto inner = tok_proto_of(field.bytes, field.length);
        if (field.number == 1)
            status = read_piece(model, inner);
        else if (field.number == 2)
            status = read_trainer(model, inner);
        else if (field.number == 3)
            status = read_normalizer(model, inner);
    }
    if (status == OCLM_OK && message.broken)
        status = broken(model, "it is broken or cut short");
    if (status == OCLM_OK && model->count == 0)
        status = broken(model, "it has no pieces");
    return status;
}

static bool is_piece(const tok_spm_piece *piece, const tok_rename *name)
{
    return piece->text.length == name->length && memcmp(piece->text.text, name->text, name->length) == 0;
}

/* The names of all pieces that keep them. */
static oclm_status find_kept(const tok_spm_model *model, const tok_settings *settings, tok_vocab *kept)
{
    bool *named = core_alloc_zero(model->count, sizeof *named, "pieces");
    oclm_status status = named != NULL ? OCLM_OK : OCLM_ERR_MEMORY;
    for (size_t i = 0; i < settings->rename_count && status == OCLM_OK; i++) {
        if ((size_t)settings->renames[i].id < model->count)
            named[settings->renames[i].id] = true;
    }
    for (size_t i = 0; i < model->count && status == OCLM_OK; i++) {
        if (!named[i])
            status = tok_vocab_add(kept, model->pieces[i].text.text, model->pieces[i].text.length, (int32_t)i);
    }
    core_free(named);
    return status;
}

/* Placeholders that the settings call something else are called so, unless another piece has that name and keeps it. */
static oclm_status rename_pieces(tok_spm_model *model, const tok_settings *settings)
{
    tok_vocab kept;
    bool looked = false;
    oclm_status status = OCLM_OK;
    memset(&kept, 0, sizeof kept);
    for (size_t i = 0; i < settings->rename_count && status == OCLM_OK; i++) {
        const tok_rename *name = &settings->renames[i];
        if ((size_t)name->id >= model->count || is_piece(&model->pieces[name->id], name))
            continue; /* so for all, mostly */
        if (!looked && (status = find_kept(model, settings, &kept)) != OCLM_OK)
            break;
        looked = true;
        if (tok_vocab_find(&kept, name->text, name->length) < 0)
            model->pieces[name->id].text = (tok_spm_string){ name->text, name->length };
    }
    tok_vocab_deinit(&kept);
    return status;
}

oclm_status tok_sentencepiece_read(const char *data, size_t length, const char *path, tok_tokenizer *tokenizer)
{
    tok_spm_model model;
    oclm_status status;
    tok_spm_defaults(&model, path);
    model.legacy = tokenizer->settings.legacy;
    if ((status = read_message(&model, tok_proto_of(data, length))) == OCLM_OK &&
        (status = rename_pieces(&model, &tokenizer->settings)) == OCLM_OK)
        status = tok_spm_build(&model, tokenizer);
    tok_spm_free(&model);
    return status;
}
