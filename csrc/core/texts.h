/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts by number, each kept once. Not thread-safe. */
#ifndef NBP_TEXTS_H
#define NBP_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define NBP_NO_TEXT UINT32_MAX

typedef struct nbp_texts nbp_texts;

/* An empty table that holds at most `limit` bytes of text; NULL when memory is short.
 */
nbp_texts *nbp_texts_new(size_t limit);

/* Frees the table and sets the pointer to NULL; NULL is allowed. */
void nbp_texts_destroy(nbp_texts **self);

/* The number of a text, added when it is not there yet; NBP_NO_TEXT when memory is
 * short or the limit is reached. */
uint32_t nbp_texts_add(nbp_texts *self, const char *text, size_t length);

size_t nbp_texts_count(const nbp_texts *self);

/* The text of `number` < count(); borrowed until the next change, not ended by a zero.
 */
const char *nbp_texts_get(const nbp_texts *self, uint32_t number, size_t *length);

/* All texts one after the other, and where each begins: count() + 1 entries. For
 * writing them to a file; borrowed. */
const char *nbp_texts_bytes(const nbp_texts *self, size_t *length);
const uint32_t *nbp_texts_starts(const nbp_texts *self);

/* A table of what bytes() and starts() gave, copied; `starts` has been checked: it
 * begins with 0, ascends and ends with `length`. Nothing can be added to it. */
nbp_texts *nbp_texts_copy(const char *bytes, size_t length, const uint32_t *starts,
                          size_t count);

/* Memory that the table takes. */
size_t nbp_texts_size(const nbp_texts *self);

#endif /* NBP_TEXTS_H */
