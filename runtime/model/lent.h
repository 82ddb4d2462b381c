/* lent.h: keys and values of a layer that layers of another device read too: these keep a copy of its pages, and each pass hands over what it
 * added. Inside the model room. */
#ifndef OCLM_MODEL_LENT_H
#define OCLM_MODEL_LENT_H

#include "model/relay.h"

/* Bytes that the widest layer which a device lends or borrows takes for a row; 0: there is none. */
size_t      model_lent_row_bytes(const model_model *model, uint32_t device, bool quantized);
/* Behind a layer of `from`: its rows of this pass go to every part that reads them. */
oclm_status model_lent_add(model_relay_writer *writer, const model_state *from, uint32_t rows, uint32_t layer);
/* All pages of a state's sequences once more, to all that borrow them: they were written from elsewhere. */
oclm_status model_lent_renew(model_state *state);

#endif
