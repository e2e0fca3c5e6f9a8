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

/* `text` with a question mark for each zero, where it would end; takes its reference
 * and gives one. A copy where there is any: the interpreter has one object for all
 * strings of the same one byte. */
static PyObject *
without_zeros(PyObject *text)
{
    Py_ssize_t size = PyBytes_GET_SIZE(text);
    if (memchr(PyBytes_AS_STRING(text), '\0', (size_t)size) == NULL) {
        return text;
    }
    PyObject *copy = PyBytes_FromStringAndSize(NULL, size);
    if (copy != NULL) {
        const char *from = PyBytes_AS_STRING(text);
        char *to = PyBytes_AS_STRING(copy);
        for (Py_ssize_t i = 0; i < size; i++) {
            to[i] = from[i] == '\0' ? '?' : from[i];
        }
    }
    Py_DECREF(text);
    return copy;
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
    if (text != NULL) {
        text = without_zeros(text);
    }
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

/* The path of the program that draws what may take long: it lies beside the module. */
static PyObject *
program_of(PyObject *module)
{
    PyObject *file = PyModule_GetFilenameObject(module); /* owned */
    PyObject *program = NULL;                            /* owned, returned */
    PyObject *path = NULL;                               /* owned */
    if (file != NULL) {
        Py_ssize_t length = PyUnicode_GET_LENGTH(file);
        Py_ssize_t slash = PyUnicode_FindChar(file, '/', 0, length, -1);
        PyObject *folder = PyUnicode_Substring(file, 0, slash + 1); /* owned */
        if (folder != NULL) {
            path = PyUnicode_FromFormat("%U" NBP_DRAWER_NAME, folder);
        }
        Py_XDECREF(folder);
    }
    if (path != NULL) {
        program = PyUnicode_EncodeFSDefault(path);
    }
    Py_XDECREF(file);
    Py_XDECREF(path);
    return program;
}

static PyObject *
boxes_of(const nbp_drawn *drawn)
{
    PyObject *boxes = PyList_New((Py_ssize_t)drawn->nodes); /* owned, returned */
    for (size_t i = 0; boxes != NULL && i < drawn->nodes; i++) {
        const nbp_box *box = &drawn->boxes[i];
        PyObject *item =
            Py_BuildValue("(ffff)", box->left, box->top, box->right, box->bottom);
        if (item == NULL) {
            Py_CLEAR(boxes);
            break;
        }
        PyList_SET_ITEM(boxes, (Py_ssize_t)i, item);
    }
    return boxes;
}

static PyObject *
result_of(const nbp_drawn *drawn)
{
    PyObject *boxes = boxes_of(drawn); /* owned, given to the result */
    if (boxes == NULL) {
        return NULL;
    }
    /* Graphviz writes UTF-8; "replace" because a crash here would be the worst answer.
     */
    PyObject *svg =
        PyUnicode_DecodeUTF8(drawn->svg, (Py_ssize_t)strlen(drawn->svg), "replace");
    if (svg == NULL) {
        Py_DECREF(boxes);
        return NULL;
    }
    return Py_BuildValue("(NNn)", svg, boxes, (Py_ssize_t)drawn->edges);
}

PyDoc_STRVAR(
    draw_doc,
    "draw($module, nodes, edges, attributes, seconds=2.0, /)\n"
    "--\n"
    "\n"
    "Draw a directed graph in layers, or as much of it as is possible.\n"
    "\n"
    "Parameters\n"
    "----------\n"
    "nodes : list of dict of str to str\n"
    "    Graphviz's attributes of each node, the most important nodes first.\n"
    "edges : list of tuple of (int, int, dict of str to str)\n"
    "    From which node, to which, and attributes; the most important first.\n"
    "attributes : dict of str to str\n"
    "    Of the graph.\n"
    "seconds : float\n"
    "    When it takes longer to lay out, fewer nodes are tried.\n"
    "\n"
    "Returns\n"
    "-------\n"
    "svg : str\n"
    "    The ``<svg>`` element, which is always well-formed.\n"
    "boxes : list of tuple of (float, float, float, float)\n"
    "    Left, top, right and bottom of each node that was drawn, in points from\n"
    "    the upper left corner: the first `len(boxes)` nodes were drawn, at most\n"
    "    ``PICTURE_NODES``.\n"
    "edges : int\n"
    "    Of the edges between these, how many were drawn; at most\n"
    "    ``PICTURE_EDGES``.\n"
    "\n"
    "Raises\n"
    "------\n"
    "ValueError\n"
    "    An edge from or to a node that there is not.\n"
    "RuntimeError\n"
    "    Graphviz does not work here.\n"
    "\n"
    "Notes\n"
    "-----\n"
    "Text (label, tooltip, edgetooltip, labeltooltip, headtooltip, tailtooltip)\n"
    "is shown as it is written, cut at 900 bytes and 10 lines; control characters\n"
    "become question marks. Taken as well, with values checked: shape (box,\n"
    "ellipse, plaintext, point and other plain ones), style (filled, rounded,\n"
    "dashed, dotted, bold, invis), color, fillcolor, fontcolor, bgcolor,\n"
    "fontname, fontsize, penwidth, peripheries, width, height, margin, id, class,\n"
    "URL and href (http, https, file, mailto or relative), target, arrowhead,\n"
    "arrowtail, arrowsize, dir, weight, rankdir, ranksep, nodesep,\n"
    "splines. Other attributes, and values that are not of\n"
    "their kind, are left out. Where there are many more edges than nodes their\n"
    "labels are left out too.\n"
    "\n"
    "The GIL is released. A graph of up to 40 nodes and 60 edges is laid out in\n"
    "this process, one at a time; others in a process of their own.\n");

static PyObject *
draw(PyObject *module, PyObject *args)
{
    PyObject *nodes, *edges, *attributes; /* borrowed */
    double seconds = 2.0;
    if (!PyArg_ParseTuple(args, "O!O!O!|d:draw", &PyList_Type, &nodes, &PyList_Type,
                          &edges, &PyDict_Type, &attributes, &seconds)) {
        return NULL;
    }
    if (!(seconds >= 0 && seconds <= 3600)) {
        PyErr_SetString(PyExc_ValueError, "seconds must be between 0 and 3600");
        return NULL;
    }
    drawing self = {0};
    PyObject *program = program_of(module); /* owned */
    PyObject *result = NULL;                /* owned, returned */
    if (program != NULL && take_drawing(&self, nodes, edges, attributes) == 0) {
        nbp_drawn drawn; /* owned */
        nbp_status status;
        const char *path = PyBytes_AS_STRING(program);
        Py_BEGIN_ALLOW_THREADS
        status =
            nbp_picture_draw(&self.picture, path, (int64_t)(seconds * 1e9), &drawn);
        Py_END_ALLOW_THREADS
        result = status == NBP_OK ? result_of(&drawn) : nbp_raise(status, "drawing");
        nbp_drawn_free(&drawn);
    }
    Py_XDECREF(program);
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
