/* SPDX-License-Identifier: BSD-3-Clause */
#include "heaplent.h"

/* Runs no code: the keys are int. */
nbp_status
nbp_lenders_list(nbp_lenders *self)
{
    PyObject *key, *held; /* borrowed */
    Py_ssize_t at = 0;
    if (self->lent.held == NULL) {
        return NBP_OK;
    }
    for (Py_ssize_t before = 0; PyDict_Next(self->lent.held, &at, &key, &held);
         before = at) {
        if (!PyLong_CheckExact(key) || !PyTuple_CheckExact(held) ||
            before > UINT32_MAX) {
            return NBP_INVALID;
        }
        void *address = PyLong_AsVoidPtr(key);
        if (address == NULL) {
            PyErr_Clear();
            return NBP_INVALID;
        }
        if (!nbp_pointermap_put(&self->places, address, 0, (uint32_t)before)) {
            return NBP_NO_MEMORY;
        }
    }
    return NBP_OK;
}

void
nbp_lenders_visit(const nbp_lenders *self, PyObject *op, visitproc visit, void *arg)
{
    const nbp_pointer_entry *entry = nbp_pointermap_get(&self->places, op);
    PyObject *key, *held; /* borrowed */
    Py_ssize_t at = entry == NULL ? 0 : (Py_ssize_t)entry->number;
    if (entry != NULL && PyDict_Next(self->lent.held, &at, &key, &held)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(held); i++) {
            visit(PyTuple_GET_ITEM(held, i), arg);
        }
    }
}

void
nbp_lenders_clear(nbp_lenders *self)
{
    nbp_pointermap_clear(&self->places);
}
