/* assisted.h: guessing ahead: a round checks several guesses by one pass over them, which costs little more than a pass over one id.
 *
 * The way in is gen_mode_assisted (run.h). Guesses come from the text itself (lookup.h) or from a small model (draft.h). What is kept of
 * them, and the token behind, is what the model itself would have chosen, so greedy search gives the same ids with and without; sampling
 * gives the same ids where the guesses come from the text, and the same distribution where a model draws them. */
#ifndef OCLM_GENERATION_ASSISTED_H
#define OCLM_GENERATION_ASSISTED_H

#include "generation/run.h"

/* Guesses in a round at most, whatever is asked for: their logits are kept side by side. What comes out does not depend on it. */
#define GEN_MOST_GUESSES 128u
/* So many with a schedule that lets them grow. */
#define GEN_MOST_GROWN 64u

#endif
