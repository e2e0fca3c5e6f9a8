/* SPDX-License-Identifier: BSD-3-Clause */
#include "codetables.h"

enum {
    /* Kinds of location entries: bits 3 to 6 of their first byte. */
    ONE_LINE_0 = 10, /* columns follow, in a byte each; on the line of the one before */
    ONE_LINE_2 = 12, /* the same, two lines further down */
    NO_COLUMNS = 13,
    LONG_FORM = 14,
    NO_LOCATION = 15,
    LONGEST_RUN = 8,
};

/* ---- locations ---- */

/* A signed number of the location table, little end first; false past the end. */
static bool
read_delta(const uint8_t *table, size_t size, size_t at, int32_t *delta)
{
    uint32_t value = 0;
    for (unsigned shift = 0; at < size && shift < 32; shift += 6) {
        uint8_t byte = table[at++];
        value |= (uint32_t)(byte & 63) << shift;
        if (!(byte & 64)) {
            *delta = value & 1 ? -(int32_t)(value >> 1) : (int32_t)(value >> 1);
            return true;
        }
    }
    return false;
}

/* The lines between the entry at `at` and the one before it. */
static bool
line_delta(const uint8_t *table, size_t size, size_t at, int32_t *delta)
{
    unsigned kind = table[at] >> 3 & 15;
    *delta = 0;
    if (kind >= ONE_LINE_0 && kind <= ONE_LINE_2) {
        *delta = (int32_t)kind - ONE_LINE_0;
    }
    else if (kind == NO_COLUMNS || kind == LONG_FORM) {
        return read_delta(table, size, at + 1, delta);
    }
    return true;
}

nbp_status
nbp_locations_read(const uint8_t *table, size_t size, int32_t first_line,
                   nbp_location **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    size_t entries = 0;
    for (size_t at = 0; at < size; at++) {
        entries += table[at] >> 7;
    }
    if (entries == 0) {
        return size == 0 ? NBP_OK : NBP_INVALID;
    }
    nbp_location *locations = malloc(entries * sizeof(*locations));
    if (locations == NULL) {
        return NBP_NO_MEMORY;
    }
    uint32_t unit = 0;
    int64_t line = first_line;
    size_t at = 0, n = 0;
    while (at < size) {
        size_t start = at;
        int32_t delta;
        if (!(table[at] & 128) || !line_delta(table, size, at, &delta)) {
            free(locations);
            return NBP_INVALID;
        }
        do {
            at++;
        } while (at < size && !(table[at] & 128));
        line += delta;
        bool has_line = (table[start] >> 3 & 15) != NO_LOCATION;
        if (has_line && (line < 0 || line > INT32_MAX)) {
            free(locations);
            return NBP_INVALID;
        }
        locations[n++] = (nbp_location){
            .unit = unit,
            .units = (table[start] & 7u) + 1,
            .offset = (uint32_t)start,
            .size = (uint32_t)(at - start),
            .line = has_line ? (int32_t)line : -1,
        };
        unit += (table[start] & 7u) + 1;
    }
    *out = locations;
    *count = n;
    return NBP_OK;
}

/* The head of an entry of the given kind and length. */
static uint8_t
head(unsigned kind, uint32_t units)
{
    return (uint8_t)(128 | kind << 3 | (units - 1));
}

/* The same location as the entry before: a line delta of 0, the columns as they were.
 */
static void
repeat_entry(nbp_bytes *out, const uint8_t *entry, size_t size, uint32_t units)
{
    unsigned kind = entry[0] >> 3 & 15;
    size_t payload = 1;
    if (kind > ONE_LINE_0 && kind <= ONE_LINE_2) {
        kind = ONE_LINE_0;
    }
    nbp_bytes_push(out, head(kind, units));
    if (kind == NO_COLUMNS || kind == LONG_FORM) {
        nbp_bytes_push(out, 0);
        while (payload < size && entry[payload] & 64) {
            payload++;
        }
        payload++;
    }
    if (payload < size) {
        nbp_bytes_append(out, entry + payload, size - payload);
    }
}

void
nbp_locations_write(nbp_bytes *out, const uint8_t *table, const nbp_location *locations,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = table + locations[i].offset;
        uint32_t left = locations[i].units + locations[i].extra;
        uint32_t units = left < LONGEST_RUN ? left : LONGEST_RUN;
        nbp_bytes_push(out, head(entry[0] >> 3 & 15, units));
        nbp_bytes_append(out, entry + 1, locations[i].size - 1);
        for (left -= units; left > 0; left -= units) {
            units = left < LONGEST_RUN ? left : LONGEST_RUN;
            repeat_entry(out, entry, locations[i].size, units);
        }
    }
}

void
nbp_locations_write_none(nbp_bytes *out, uint32_t units)
{
    while (units > 0) {
        uint32_t run = units < LONGEST_RUN ? units : LONGEST_RUN;
        nbp_bytes_push(out, head(NO_LOCATION, run));
        units -= run;
    }
}

/* ---- handlers ---- */

/* A number of the exception table, big end first; false past the end. */
static bool
read_number(const uint8_t *table, size_t size, size_t *at, uint32_t *value)
{
    *value = 0;
    while (*at < size) {
        uint8_t byte = table[(*at)++];
        if (*value > UINT32_MAX >> 6) {
            return false;
        }
        *value = *value << 6 | (byte & 63);
        if (!(byte & 64)) {
            return true;
        }
    }
    return false;
}

nbp_status
nbp_handlers_read(const uint8_t *table, size_t size, nbp_handler **out, size_t *count)
{
    *out = NULL;
    *count = 0;
    if (size == 0) {
        return NBP_OK;
    }
    nbp_handler *handlers = malloc((size / 4 + 1) * sizeof(*handlers));
    if (handlers == NULL) {
        return NBP_NO_MEMORY;
    }
    size_t at = 0, n = 0;
    while (at < size) {
        nbp_handler *handler = &handlers[n++];
        uint32_t length;
        if (!(table[at] & 128) || !read_number(table, size, &at, &handler->start) ||
            !read_number(table, size, &at, &length) ||
            !read_number(table, size, &at, &handler->target) ||
            !read_number(table, size, &at, &handler->depth_lasti) ||
            length > UINT32_MAX - handler->start) {
            free(handlers);
            return NBP_INVALID;
        }
        handler->end = handler->start + length;
    }
    *out = handlers;
    *count = n;
    return NBP_OK;
}

static void
write_number(nbp_bytes *out, uint32_t value, uint8_t first_bit)
{
    for (unsigned shift = 30; shift > 0; shift -= 6) {
        if (value >> shift) {
            nbp_bytes_push(out, (uint8_t)(64 | (value >> shift & 63) | first_bit));
            first_bit = 0;
        }
    }
    nbp_bytes_push(out, (uint8_t)((value & 63) | first_bit));
}

void
nbp_handlers_write(nbp_bytes *out, const nbp_handler *handlers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        write_number(out, handlers[i].start, 128);
        write_number(out, handlers[i].end - handlers[i].start, 0);
        write_number(out, handlers[i].target, 0);
        write_number(out, handlers[i].depth_lasti, 0);
    }
}
