/* SPDX-License-Identifier: BSD-3-Clause */
/* nbprobe._core: puts the nouns together and owns nothing but their state. */
#include <Python.h>

#include "allochooks.h"
#include "compat.h"
#include "state.h"

PyObject *
nbp_raise(nbp_status status, const char *what)
{
    switch (status) {
    case NBP_NO_MEMORY:
        return PyErr_NoMemory();
    case NBP_INVALID:
        PyErr_Format(PyExc_ValueError, "%s: an argument is out of range", what);
        return NULL;
    case NBP_UNAVAILABLE:
        PyErr_Format(PyExc_RuntimeError, "%s is not possible here", what);
        return NULL;
    case NBP_TIMEOUT:
        PyErr_Format(PyExc_TimeoutError, "%s took longer than allowed", what);
        return NULL;
    case NBP_CRASHED:
        PyErr_Format(PyExc_RuntimeError, "%s ended in a crash of its process", what);
        return NULL;
    case NBP_OK:
        break;
    }
    PyErr_Format(PyExc_SystemError, "%s: unknown status %d", what, (int)status);
    return NULL;
}

static int (*const nouns[])(PyObject *module) = {
    nbp_add_alive,        nbp_add_allocations, nbp_add_calls,   nbp_add_census,
    nbp_add_clock,        nbp_add_collector,   nbp_add_config,  nbp_add_counters,
    nbp_add_courier,      nbp_add_deepsize,    nbp_add_engine,  nbp_add_fit,
    nbp_add_frames,       nbp_add_heap,        nbp_add_keys,    nbp_add_lastword,
    nbp_add_logicallines, nbp_add_loop,        nbp_add_memory,  nbp_add_names,
    nbp_add_pacework,     nbp_add_paths,       nbp_add_picture, nbp_add_probes,
    nbp_add_processes,    nbp_add_refs,        nbp_add_rss,     nbp_add_rsssampler,
    nbp_add_sampler,      nbp_add_snapshots,   nbp_add_stats,
};

static int
core_exec(PyObject *module)
{
    for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++) {
        if (nouns[i](module) < 0) {
            return -1;
        }
    }
    return 0;
}

static int
core_traverse(PyObject *module, visitproc visit, void *arg)
{
    nbp_state *state = nbp_state_of(module);
    Py_VISIT(state->allocations_type);
    Py_VISIT(state->call_hook_type);
    Py_VISIT(state->calls_type);
    Py_VISIT(state->collector_type);
    Py_VISIT(state->counters_type);
    Py_VISIT(state->courier_type);
    Py_VISIT(state->engine_type);
    Py_VISIT(state->heap_type);
    Py_VISIT(state->loop_type);
    Py_VISIT(state->peak_type);
    Py_VISIT(state->sampler_type);
    Py_VISIT(state->stack_sampler_type);
    Py_VISIT(state->pace_names);
    Py_VISIT(state->pace_pair);
    for (int type = 0; type < NBP_PROBE_TYPES; type++) {
        Py_VISIT(state->probe_types[type]);
    }
    return 0;
}

static int
core_clear(PyObject *module)
{
    nbp_state *state = nbp_state_of(module);
    Py_CLEAR(state->allocations_type);
    Py_CLEAR(state->call_hook_type);
    Py_CLEAR(state->calls_type);
    Py_CLEAR(state->collector_type);
    Py_CLEAR(state->counters_type);
    Py_CLEAR(state->courier_type);
    Py_CLEAR(state->engine_type);
    Py_CLEAR(state->heap_type);
    Py_CLEAR(state->pace_names);
    Py_CLEAR(state->pace_pair);
    Py_CLEAR(state->loop_type);
    Py_CLEAR(state->peak_type);
    Py_CLEAR(state->sampler_type);
    Py_CLEAR(state->stack_sampler_type);
    for (int type = 0; type < NBP_PROBE_TYPES; type++) {
        Py_CLEAR(state->probe_types[type]);
    }
    return 0;
}

static void
core_free(void *module)
{
    core_clear((PyObject *)module);
    nbp_alloc_discount_from(NULL);
    nbp_rss_destroy(&nbp_state_of(module)->rss);
}

static PyModuleDef_Slot core_slots[] = {
    {Py_mod_exec, core_exec},
    NBP_SLOT_INTERPRETERS NBP_SLOT_GIL{0, NULL},
};

static struct PyModuleDef core_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nbprobe._core",
    .m_doc = "The C core of nbprobe: it measures; the Python around it shows.",
    .m_size = sizeof(nbp_state),
    .m_slots = core_slots,
    .m_traverse = core_traverse,
    .m_clear = core_clear,
    .m_free = core_free,
};

nbp_state *
nbp_state_of_type(PyTypeObject *type)
{
    PyObject *module = PyType_GetModuleByDef(type, &core_module); /* borrowed */
    return module == NULL ? NULL : nbp_state_of(module);
}

PyMODINIT_FUNC PyInit__core(void);

PyMODINIT_FUNC
PyInit__core(void)
{
    return PyModuleDef_Init(&core_module);
}
