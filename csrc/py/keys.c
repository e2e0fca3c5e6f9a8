/* SPDX-License-Identifier: BSD-3-Clause */
#include "keys.h"

#include <string.h>

#include "state.h"

static int
copy_key(const char *text, char key[NBP_KEY_SIZE])
{
    if (strlen(text) != NBP_KEY_SIZE - 1) {
        PyErr_SetString(PyExc_ValueError, "a key has 40 characters");
        return -1;
    }
    memcpy(key, text, NBP_KEY_SIZE);
    return 0;
}

int
nbp_read_lock(PyObject *keys, nbp_lock *lock, const nbp_lock **out)
{
    const char *texts[4]; /* borrowed */
    *out = NULL;
    if (keys == Py_None) {
        return 0;
    }
    if (!PyTuple_Check(keys)) {
        PyErr_SetString(PyExc_TypeError, "the keys must be a tuple or None");
        return -1;
    }
    if (!PyArg_ParseTuple(keys, "ssss;the keys are four strings", &texts[0], &texts[1],
                          &texts[2], &texts[3]) ||
        copy_key(texts[0], lock->server.open) < 0 ||
        copy_key(texts[1], lock->server.secret) < 0 ||
        copy_key(texts[2], lock->client.open) < 0 ||
        copy_key(texts[3], lock->client.secret) < 0) {
        return -1;
    }
    *out = lock;
    return 0;
}

PyDoc_STRVAR(make_keys_doc,
             "make_keys($module, /)\n"
             "--\n"
             "\n"
             "Make the keys of a connection over TCP.\n"
             "\n"
             "Returns\n"
             "-------\n"
             "tuple of str\n"
             "    Open and secret key of the collector, open and secret key of its\n"
             "    couriers (CURVE, Z85).\n"
             "\n"
             "Raises\n"
             "------\n"
             "RuntimeError\n"
             "    If libzmq was built without CURVE.\n");

static PyObject *
make_keys(PyObject *Py_UNUSED(module), PyObject *Py_UNUSED(ignored))
{
    nbp_lock lock;
    nbp_status status = nbp_keys_make(&lock.server);
    if (status == NBP_OK) {
        status = nbp_keys_make(&lock.client);
    }
    if (status != NBP_OK) {
        return nbp_raise(status, "encryption with this libzmq");
    }
    return Py_BuildValue("(ssss)", lock.server.open, lock.server.secret,
                         lock.client.open, lock.client.secret);
}

int
nbp_raise_open(nbp_status status, const char *endpoint)
{
    if (status == NBP_UNAVAILABLE) {
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, endpoint);
    }
    else if (status == NBP_INVALID) {
        PyErr_SetString(PyExc_ValueError, "an address of TCP needs keys");
    }
    else if (status != NBP_OK) {
        nbp_raise(status, "opening a socket");
    }
    return status == NBP_OK ? 0 : -1;
}

static PyMethodDef functions[] = {
    {"make_keys", make_keys, METH_NOARGS, make_keys_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_keys(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
