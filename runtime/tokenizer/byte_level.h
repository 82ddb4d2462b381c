/* byte_level.h: byte-level vocabularies write each byte as a visible character: space as U+0120 'Ġ', LF as U+010A 'Ċ'.
 *
 * GPT-2's bytes_to_unicode(): 0x21-7E, A1-AC, AE-FF stand for themselves, the other 68 bytes in order for U+0100, U+0101, ... */
#ifndef OCLM_TOKENIZER_BYTE_LEVEL_H
#define OCLM_TOKENIZER_BYTE_LEVEL_H

#include "core/text.h"

struct cJSON;
struct tok_step;

#define TOK_LAST_BYTE_CHAR 0x143 /* 0x100 + 67 */

uint32_t tok_byte_char(unsigned char byte);       /* the character of a byte */
/* Adds the character of each byte. */
oclm_status tok_add_byte_chars(core_text *out, const char *bytes, size_t length);
int      tok_byte_of_char(uint32_t code_point);   /* the byte of a character, or -1 if it stands for none */

/* Adds the bytes that a token stands for and returns true; adds nothing and returns false where a character is none of
 * the byte characters, or there was no memory (*status). */
bool tok_bytes_of_token(const char *token, size_t length, core_text *out, oclm_status *status);

/* Pre-tokenizer: optional space in front, GPT-2's pattern, bytes to byte characters. */
oclm_status tok_byte_level_make(const struct cJSON *config, const char *where, struct tok_step **step);
/* If the step is one, its pieces come as plain bytes from now on, for a model that wants them so. */
bool        tok_byte_level_is(const struct tok_step *step);
void        tok_byte_level_give_bytes(struct tok_step *step);

#endif
