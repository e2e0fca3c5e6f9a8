/* SPDX-License-Identifier: BSD-3-Clause */
#include "codereplace.h"

#include "compat.h"
#include "instrument.h"
#include "probe.h"
#include "soundness.h"

/* 3.13 has it under a second name, for copy.replace(). */
static const char *const names[NBP_REPLACE_NAMES] = {"replace", "__replace__"};

/* Whether to run `code` is safe, as far as we can have spoiled it. */
static int
is_sound(PyCodeObject *code)
{
    PyObject *bytes = PyCode_GetCode(code);
    if (bytes == NULL) {
        return -1;
    }
    nbp_code in = nbp_code_parts(code, bytes, code->co_consts);
    bool sound = nbp_code_is_sound(nbp_opcodes_of(NBP_MINOR_VERSION), &in);
    Py_DECREF(bytes);
    return sound;
}

/* Whether `given`, the new co_code, was read from a code object with probes: then it
 * loads constants that the original does not have. */
static bool
has_probes(PyObject *given, PyCodeObject *original)
{
    return given != NULL && PyBytes_Check(given) &&
           nbp_code_highest_constant(nbp_opcodes_of(NBP_MINOR_VERSION),
                                     (const uint8_t *)PyBytes_AS_STRING(given),
                                     (size_t)PyBytes_GET_SIZE(given)) >=
               PyTuple_GET_SIZE(original->co_consts);
}

/* Whether the handlers still fit `given`, the new co_code of instrumented `code`. */
static int
has_same_length(PyObject *given, PyCodeObject *code)
{
    PyObject *bytes = PyCode_GetCode(code);
    if (bytes == NULL) {
        return -1;
    }
    int same = PyBytes_GET_SIZE(bytes) == PyBytes_GET_SIZE(given);
    Py_DECREF(bytes);
    return same;
}

/* `code` has probes and was made from `original`. */
static PyObject *
replace_instrumented(PyObject *method, PyObject *code, PyObject *original,
                     PyObject *fields)
{
    PyObject *given = fields == NULL ? NULL : PyDict_GetItemString(fields, "co_code");
    bool keep = has_probes(given, (PyCodeObject *)original);
    int sound = 1;
    if (keep && PyDict_GetItemString(fields, "co_exceptiontable") == NULL) {
        sound = has_same_length(given, (PyCodeObject *)code);
    }
    PyObject *result = NULL;
    PyObject *base = sound > 0 ? PyTuple_Pack(1, keep ? code : original) : NULL;
    if (base != NULL) {
        result = PyObject_Call(method, base, fields);
        Py_DECREF(base);
        sound = result == NULL ? -1 : is_sound((PyCodeObject *)result);
    }
    if (sound == 0) {
        PyErr_SetString(PyExc_ValueError,
                        "this code has a profiler's probes: change it when the "
                        "profile has ended");
    }
    if (sound <= 0) {
        Py_CLEAR(result);
    }
    return result;
}

static PyObject *
replace(PyObject *module, PyObject *args, PyObject *fields)
{
    nbp_state *state = nbp_state_of(module);
    /* Owned, as a call may end the last profile. */
    PyObject *method = nbp_own_replace(state);
    PyObject *code = PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : NULL;
    PyObject *result = NULL;
    if (method != NULL && PyTuple_GET_SIZE(args) == 1 && PyCode_Check(code)) {
        PyObject *original = nbp_probe_source(state, code);
        result = original == code
                     ? PyObject_Call(method, args, fields)
                     : replace_instrumented(method, code, original, fields);
        Py_DECREF(original);
    }
    else if (method != NULL) {
        result = PyObject_Call(method, args, fields); /* which says what is wrong */
    }
    Py_XDECREF(method);
    return result;
}

static PyMethodDef replace_method = {
    "replace", (PyCFunction)(void (*)(void))replace, METH_VARARGS | METH_KEYWORDS,
    "Return a copy of the code object with new values for the specified fields."};

int
nbp_codereplace_begin(nbp_state *state, PyObject *module)
{
    if (state->code_replace[0] != NULL) {
        return 0;
    }
    PyObject *members = NBP_TYPE_DICT(&PyCode_Type); /* owned */
    PyObject *function = PyCFunction_New(&replace_method, module);
    PyObject *ours = function == NULL ? NULL : PyInstanceMethod_New(function);
    int status = members == NULL || ours == NULL ? -1 : 0;
    for (int i = 0; status == 0 && i < NBP_REPLACE_NAMES; i++) {
        PyObject *name = PyUnicode_InternFromString(names[i]);
        PyObject *theirs = /* borrowed; 3.12 has no second name */
            name == NULL ? NULL : PyDict_GetItemWithError(members, name);
        if (theirs != NULL) {
            state->code_replace[i] = Py_NewRef(theirs);
            status = PyDict_SetItem(members, name, ours);
        }
        else if (PyErr_Occurred()) {
            status = -1;
        }
        Py_XDECREF(name);
    }
    PyType_Modified(&PyCode_Type);
    Py_XDECREF(ours);
    Py_XDECREF(function);
    Py_XDECREF(members);
    if (status < 0) {
        nbp_codereplace_end(state);
    }
    return status;
}

void
nbp_codereplace_end(nbp_state *state)
{
    PyObject *members = NBP_TYPE_DICT(&PyCode_Type); /* owned */
    for (int i = 0; members != NULL && i < NBP_REPLACE_NAMES; i++) {
        PyObject *theirs = state->code_replace[i];
        state->code_replace[i] = NULL;
        if (theirs != NULL && PyDict_SetItemString(members, names[i], theirs) < 0) {
            PyErr_WriteUnraisable((PyObject *)&PyCode_Type);
        }
        Py_XDECREF(theirs);
    }
    Py_XDECREF(members);
    PyType_Modified(&PyCode_Type);
}
