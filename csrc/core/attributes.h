/* SPDX-License-Identifier: BSD-3-Clause */
/* Attributes of pictures: which of Graphviz's are taken, and what of their values.
 *
 * Anything may be written into a label, and much of it is known to crash Graphviz, to
 * keep it busy for minutes or to give a file that is no XML. So names that are not in
 * the table of attributes.c are left out, numbers are held between bounds, and text is
 * made plain. Everything here is thread-safe and takes no memory. */
#ifndef NBP_ATTRIBUTES_H
#define NBP_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>

/* An attribute, both borrowed: NUL-terminated UTF-8. */
typedef struct {
    const char *name;
    const char *value;
} nbp_attribute;

typedef struct {
    const nbp_attribute *rows; /* borrowed */
    size_t count;
} nbp_attributes_list;

/* Text is cut here: the library has crashed on more lines, and nobody reads more. */
enum { NBP_ATTRIBUTE_BYTES = 900, NBP_ATTRIBUTE_LINES = 10 };

/* Room for the value of any attribute as it is handed to Graphviz. */
enum { NBP_ATTRIBUTE_ROOM = 6 * NBP_ATTRIBUTE_BYTES + 32 };

/* Writes the value as Graphviz may have it into `safe`, NUL-terminated; false when the
 * attribute is to be left out. */
bool nbp_attribute_read(const nbp_attribute *attribute, char safe[NBP_ATTRIBUTE_ROOM]);

#endif /* NBP_ATTRIBUTES_H */
