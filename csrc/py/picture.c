/* SPDX-License-Identifier: BSD-3-Clause */
/* draw(): pictures from plain Python values. */
#include "picture.h"

#include <Python.h>

#include "state.h"

/* The strings and rows that a picture borrows, all owned; `texts` keeps the encoded
 * strings alive. */
typedef struct {
    nbp_picture picture;
    nbp_attributes_list *nodes;
    nbp_picture_edge *edges;
    nbp_attribute *rows;
    size_t row_count;
    PyObject *texts; /* list of bytes */
} drawing;

static void
free_drawing(drawing *self)
{
    PyMem_Free(self->nodes);
    PyMem_Free(self->edges);
    PyMem_Free(self->rows);
    Py_XDECREF(self->texts);
}

/* A string that lives as long as the drawing; NULL with an exception set. */
static const char *
text_of(drawing *self, PyObject *value)
{
    if (!PyUnicode_Check(value)) {
        PyErr_Format(PyExc_TypeError, "an attribute must be str, not %.80s",
                     Py_TYPE(value)->tp_name);
        return NULL;
    }
    PyObject *text =
        PyUnicode_AsEncodedString(value, "utf-8", "backslashreplace"); /* owned */
    int failed = text == NULL || PyList_Append(self->texts, text) < 0;
    Py_XDECREF(text);
    return failed ? NULL : PyBytes_AS_STRING(text); /* the list keeps it */
}

static int
take_attributes(drawing *self, PyObject *dict, nbp_attributes_list *out)
{
    PyObject *name, *value; /* borrowed */
    Py_ssize_t at = 0;
    out->rows = self->rows + self->row_count;
    out->count = 0;
    while (PyDict_Next(dict, &at, &name, &value)) {
        nbp_attribute *row = &self->rows[self->row_count++];
        row->name = text_of(self, name);
        row->value = row->name == NULL ? NULL : text_of(self, value);
        if (row->value == NULL) {
            return -1;
        }
        out->count++;
    }
    return 0;
}

/* Counts the attributes of all, and checks the types on the way; -1: not what draw()
 * takes, with an exception set. */
static Py_ssize_t
count_rows(PyObject *nodes, PyObject *edges, PyObject *attributes)
{
    Py_ssize_t rows = PyDict_GET_SIZE(attributes);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(nodes); i++) {
        PyObject *node = PyList_GET_ITEM(nodes, i);
        if (!PyDict_CheckExact(node)) {
            PyErr_SetString(PyExc_TypeError, "a node must be a dict");
            return -1;
        }
        rows += PyDict_GET_SIZE(node);
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(edges); i++) {
        PyObject *edge = PyList_GET_ITEM(edges, i);
        if (!PyTuple_CheckExact(edge) || PyTuple_GET_SIZE(edge) != 3 ||
            !PyDict_CheckExact(PyTuple_GET_ITEM(edge, 2))) {
            PyErr_SetString(PyExc_TypeError, "an edge must be (int, int, dict)");
            return -1;
        }
        rows += PyDict_GET_SIZE(PyTuple_GET_ITEM(edge, 2));
    }
    return rows;
}

static int
take_edge(drawing *self, PyObject *edge, nbp_picture_edge *out)
{
    out->tail = PyLong_AsSize_t(PyTuple_GET_ITEM(edge, 0));
    if (out->tail == (size_t)-1 && PyErr_Occurred()) {
        return -1;
    }
    out->head = PyLong_AsSize_t(PyTuple_GET_ITEM(edge, 1));
    if (out->head == (size_t)-1 && PyErr_Occurred()) {
        return -1;
    }
    return take_attributes(self, PyTuple_GET_ITEM(edge, 2), &out->attributes);
}

static int
take_drawing(drawing *self, PyObject *nodes, PyObject *edges, PyObject *attributes)
{
    Py_ssize_t rows = count_rows(nodes, edges, attributes);
    if (rows < 0) {
        return -1;
    }
    size_t node_count = (size_t)PyList_GET_SIZE(nodes);
    size_t edge_count = (size_t)PyList_GET_SIZE(edges);
    self->rows = PyMem_Calloc((size_t)rows + 1, sizeof(*self->rows));
    self->nodes = PyMem_Calloc(node_count + 1, sizeof(*self->nodes));
    self->edges = PyMem_Calloc(edge_count + 1, sizeof(*self->edges));
    self->texts = PyList_New(0);
    if (self->rows == NULL || self->nodes == NULL || self->edges == NULL ||
        self->texts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    self->picture = (nbp_picture){
        .nodes = self->nodes,
        .node_count = node_count,
        .edges = self->edges,
        .edge_count = edge_count,
    };
    if (take_attributes(self, attributes, &self->picture.attributes) < 0) {
        return -1;
    }
    for (size_t i = 0; i < node_count; i++) {
        PyObject *node = PyList_GET_ITEM(nodes, (Py_ssize_t)i);
        if (take_attributes(self, node, &self->nodes[i]) < 0) {
            return -1;
        }
    }
    for (size_t i = 0; i < edge_count; i++) {
        PyObject *edge = PyList_GET_ITEM(edges, (Py_ssize_t)i);
        if (take_edge(self, edge, &self->edges[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

PyDoc_STRVAR(
    draw_doc,
    "draw($module, nodes, edges, attributes, /)\n"
    "--\n"
    "\n"
    "Draw a directed graph in layers.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "nodes : list of dict of str to str\n"
    "    Graphviz's attributes of each node; at most ``PICTURE_NODES``.\n"
    "edges : list of tuple of (int, int, dict of str to str)\n"
    "    From which node, to which, and attributes; at most ``PICTURE_EDGES``.\n"
    "attributes : dict of str to str\n"
    "    Of the graph.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "str\n"
    "    The ``<svg>`` element.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "Values are shown as they are written, cut at 900 bytes and 10 lines. The GIL\n"
    "is released; one picture is drawn at a time.\n");

static PyObject *
draw(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *nodes, *edges, *attributes; /* borrowed */
    if (!PyArg_ParseTuple(args, "O!O!O!:draw", &PyList_Type, &nodes, &PyList_Type,
                          &edges, &PyDict_Type, &attributes)) {
        return NULL;
    }
    drawing self = {0};
    PyObject *result = NULL; /* owned, returned */
    if (take_drawing(&self, nodes, edges, attributes) == 0) {
        char *svg = NULL; /* owned */
        nbp_status status;
        Py_BEGIN_ALLOW_THREADS
        status = nbp_picture_draw(&self.picture, &svg);
        Py_END_ALLOW_THREADS
        result = status == NBP_OK
                     ? PyUnicode_DecodeUTF8(svg, (Py_ssize_t)strlen(svg), "replace")
                     : nbp_raise(status, "drawing");
        free(svg);
    }
    free_drawing(&self);
    return result;
}

static PyMethodDef picture_methods[] = {
    {"draw", draw, METH_VARARGS, draw_doc},
    {NULL, NULL, 0, NULL},
};

int
nbp_add_picture(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "PICTURE_NODES", NBP_PICTURE_NODES) < 0 ||
        PyModule_AddIntConstant(module, "PICTURE_EDGES", NBP_PICTURE_EDGES) < 0) {
        return -1;
    }
    return PyModule_AddFunctions(module, picture_methods);
}
