/* SPDX-License-Identifier: BSD-3-Clause */
/* References of a heap with their names, and the shortest ways to its objects. */
#include "compat.h"
#include "heapobject.h"
#include "state.h"

/* A reference's name as it is written in code. */
static PyObject *
written(const nbp_heapimage *image, uint32_t name)
{
    uint32_t number = name >> NBP_NAME_BITS;
    nbp_name_kind kind = (nbp_name_kind)(name & ((1u << NBP_NAME_BITS) - 1));
    switch (kind) {
    case NBP_UNNAMED:
        return PyUnicode_FromString("");
    case NBP_INDEX:
        return PyUnicode_FromFormat("[%u]", (unsigned)number);
    case NBP_KEY:
        return PyUnicode_FromString("(key)");
    case NBP_MEMBER:
        return PyUnicode_FromString("(member)");
    default:
        break;
    }
    PyObject *text = nbp_heap_text(image->names, number); /* owned */
    if (text == NULL || kind == NBP_VARIABLE) {
        return text;
    }
    PyObject *result =
        PyUnicode_FromFormat(kind == NBP_ATTRIBUTE ? ".%U" : "[%U]", text);
    Py_DECREF(text);
    return result;
}

static PyObject *
named_row(const nbp_heapimage *image, nbp_node node, bool backwards)
{
    nbp_row row = backwards ? nbp_heapgraph_sources(image->graph, node)
                            : nbp_heapgraph_targets(image->graph, node);
    PyObject *list = PyList_New((Py_ssize_t)row.count); /* owned, returned */
    for (size_t i = 0; list != NULL && i < row.count; i++) {
        uint32_t name = NBP_UNNAMED;
        if (backwards) {
            name = nbp_heapimage_name(image, row.nodes[i], node);
        }
        else if (image->edge_names != NULL) {
            name = image->edge_names[nbp_heapgraph_first_edge(image->graph, node) + i];
        }
        PyObject *item =
            Py_BuildValue("(kN)", (unsigned long)row.nodes[i], written(image, name));
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *
nbp_heap_references_of(PyObject *op, PyObject *args)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    PyObject *number; /* borrowed */
    int backwards;
    if (!PyArg_ParseTuple(args, "Op:references_of", &number, &backwards)) {
        return NULL;
    }
    nbp_node node = nbp_heap_node(self, number);
    return node == NBP_NO_NODE ? NULL : named_row(&self->image, node, backwards);
}

/* One tree after the other, so that what a module holds is never explained by an origin
 * that has no name. */
static nbp_status
grow_trees(nbp_heap_object *self)
{
    const nbp_heapimage *image = &self->image;
    size_t nodes = nbp_heapgraph_nodes(image->graph);
    nbp_node *frames = malloc((image->frame_count + 1) * sizeof(*frames)); /* owned */
    nbp_node *parents = malloc((nodes + 1) * sizeof(*parents));
    uint8_t *origins = calloc(nodes + 1, sizeof(*origins));
    nbp_status status = NBP_NO_MEMORY;
    if (frames == NULL || parents == NULL || origins == NULL) {
        goto fail;
    }
    memset(parents, 0xFF, (nodes + 1) * sizeof(*parents));
    for (size_t i = 0; i < image->frame_count; i++) {
        frames[i] = (nbp_node)i;
    }
    const struct {
        const nbp_node *starts;
        size_t count;
    } trees[] = {
        [NBP_FROM_MODULE] = {image->modules, image->module_count},
        [NBP_FROM_FRAME] = {frames, image->frame_count},
        [NBP_FROM_OUTSIDE] = {image->roots, image->root_count},
    };
    for (int from = NBP_FROM_MODULE; from <= NBP_FROM_OUTSIDE; from++) {
        for (size_t i = 0; i < trees[from].count; i++) {
            if (parents[trees[from].starts[i]] == NBP_NO_NODE) {
                origins[trees[from].starts[i]] = (uint8_t)from;
            }
        }
        status = nbp_heapgraph_grow_tree(image->graph, trees[from].starts,
                                         trees[from].count, NBP_NO_NODE, parents);
        if (status != NBP_OK) {
            goto fail;
        }
    }
    free(frames);
    self->parents = parents;
    self->origins = origins;
    return NBP_OK;

fail:
    free(frames);
    free(parents);
    free(origins);
    return status;
}

int
nbp_heap_find_ways(nbp_heap_object *self)
{
    nbp_status status = self->parents == NULL ? grow_trees(self) : NBP_OK;
    if (status != NBP_OK) {
        nbp_raise(status, "looking for paths");
        return -1;
    }
    return 0;
}

static const char *const origin_names[] = {"module", "frame", "outside"};

PyObject *
nbp_heap_path(PyObject *op, PyObject *arg)
{
    nbp_heap_object *self = (nbp_heap_object *)op;
    nbp_node node = nbp_heap_node(self, arg);
    if (node == NBP_NO_NODE || nbp_heap_find_ways(self) < 0) {
        return NULL;
    }
    const nbp_node *parents = self->parents;
    if (parents[node] == NBP_NO_NODE) {
        return Py_BuildValue("(s[(ks)])", "garbage", (unsigned long)node, "");
    }
    PyObject *list = PyList_New(0); /* owned, given away */
    for (bool more = true; list != NULL && more;) {
        nbp_node above = parents[node];
        more = above != node;
        uint32_t name =
            more ? nbp_heapimage_name(&self->image, above, node) : NBP_UNNAMED;
        PyObject *item =
            Py_BuildValue("(kN)", (unsigned long)node, written(&self->image, name));
        if (item == NULL || PyList_Append(list, item) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(item);
        if (more) {
            node = above;
        }
    }
    if (list == NULL || PyList_Reverse(list) < 0) {
        Py_XDECREF(list);
        return NULL;
    }
    return Py_BuildValue("(sN)", origin_names[self->origins[node]], list);
}

PyObject *
nbp_heap_name_of(PyObject *op, PyObject *arg)
{
    const nbp_heapimage *image = &((nbp_heap_object *)op)->image;
    unsigned long name = PyLong_AsUnsignedLong(arg);
    if (name == (unsigned long)-1 && PyErr_Occurred()) {
        return NULL;
    }
    unsigned long kind = name & ((1u << NBP_NAME_BITS) - 1);
    bool has_text = kind == NBP_ATTRIBUTE || kind == NBP_VALUE || kind == NBP_VARIABLE;
    size_t texts = image->names == NULL ? 0 : nbp_texts_count(image->names);
    if (name > UINT32_MAX || kind >= NBP_NAME_KINDS ||
        (has_text && name >> NBP_NAME_BITS >= texts)) {
        PyErr_Format(PyExc_IndexError, "the heap has no name number %lu", name);
        return NULL;
    }
    return kind == NBP_INDEX ? PyUnicode_FromString("[…]")
                             : written(image, (uint32_t)name);
}
