/* SPDX-License-Identifier: BSD-3-Clause */
/* The one file that includes CPython's internal headers. Only inline functions and
 * structures of theirs are used: nothing that has to be exported by the interpreter. */
#define Py_BUILD_CORE 1
#include "layout.h"

#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_object.h>

#include "compat.h"

/* The slots that a table of keys has for values: two thirds of its size. */
static size_t
usable(const PyDictKeysObject *keys)
{
    return ((size_t)2 << keys->dk_log2_size) / 3;
}

static PyDictKeysObject *
shared_keys(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    return type->tp_flags & Py_TPFLAGS_HEAPTYPE
               ? ((PyHeapTypeObject *)type)->ht_cached_keys
               : NULL;
}

/* The values without a dictionary, NULL when there are none. */
static PyDictValues *
values_of(PyObject *op)
{
    if (!(Py_TYPE(op)->tp_flags & Py_TPFLAGS_MANAGED_DICT) || shared_keys(op) == NULL) {
        return NULL;
    }
#if NBP_ATTRIBUTES_INLINE == 1
    if (!(Py_TYPE(op)->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
        return NULL;
    }
    PyDictValues *values = _PyObject_InlineValues(op);
    return values->valid ? values : NULL;
#elif NBP_ATTRIBUTES_INLINE == 2
    PyDictOrValues either = *_PyObject_DictOrValuesPointer(op);
    return _PyDictOrValues_IsValues(either) ? _PyDictOrValues_GetValues(either) : NULL;
#else
    return *_PyObject_ValuesPointer(op);
#endif
}

nbp_attributes
nbp_layout_attributes(PyObject *op)
{
    PyDictValues *values = values_of(op);
    if (values == NULL) {
        return (nbp_attributes){NULL, NULL, 0};
    }
    PyDictKeysObject *keys = shared_keys(op);
    Py_ssize_t count = keys->dk_nentries;
    if (!DK_IS_UNICODE(keys) || count > (Py_ssize_t)usable(keys)) {
        count = 0;
    }
#if NBP_ATTRIBUTES_INLINE == 1
    /* The type may have got larger keys after this instance was made. */
    if (count > values->capacity) {
        count = values->capacity;
    }
#endif
    return (nbp_attributes){values->values, keys, count};
}

PyObject *
nbp_layout_attribute_name(const nbp_attributes *attributes, Py_ssize_t index)
{
    PyDictKeysObject *keys = attributes->keys;
    return DK_UNICODE_ENTRIES(keys)[index].me_key;
}

PyObject *
nbp_layout_dict(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
#if NBP_ATTRIBUTES_INLINE == 1
        return (PyObject *)_PyObject_ManagedDictPointer(op)->dict;
#elif NBP_ATTRIBUTES_INLINE == 2
        PyDictOrValues either = *_PyObject_DictOrValuesPointer(op);
        return _PyDictOrValues_IsValues(either) ? NULL : either.dict;
#else
        return *_PyObject_ManagedDictPointer(op);
#endif
    }
    if (PyType_Check(op) || type->tp_dictoffset == 0) {
        return NULL;
    }
    PyObject **place = _PyObject_GetDictPtr(op);
    return place == NULL ? NULL : *place;
}

bool
nbp_layout_hides_dict(PyObject *op)
{
#if NBP_ATTRIBUTES_INLINE == 1
    /* PyObject_VisitManagedDict visits either the values or the dictionary. */
    return values_of(op) != NULL && _PyObject_ManagedDictPointer(op)->dict != NULL;
#else
    return false;
#endif
}

bool
nbp_layout_dict_hides_keys(PyObject *op)
{
    return DK_IS_UNICODE(((PyDictObject *)op)->ma_keys);
}

bool
nbp_layout_dict_owns_keys(PyObject *op)
{
    return ((PyDictObject *)op)->ma_values == NULL;
}

size_t
nbp_layout_attributes_bytes(PyObject *op)
{
#if NBP_ATTRIBUTES_INLINE == 1
    if (!(Py_TYPE(op)->tp_flags & Py_TPFLAGS_INLINE_VALUES)) {
        return 0;
    }
    /* Part of the object, used or not. One byte a value keeps the order of insertion.
     */
    size_t capacity = _PyObject_InlineValues(op)->capacity;
    return sizeof(PyObject *) * (capacity + 1) + ((capacity + 7) & ~(size_t)7);
#else
    PyDictValues *values = values_of(op);
    if (values == NULL) {
        return 0;
    }
    return ((const uint8_t *)values)[-1] + usable(shared_keys(op)) * sizeof(PyObject *);
#endif
}

static size_t
table_bytes(const PyDictKeysObject *keys)
{
    size_t entry =
        DK_IS_UNICODE(keys) ? sizeof(PyDictUnicodeEntry) : sizeof(PyDictKeyEntry);
    return sizeof(*keys) + ((size_t)1 << keys->dk_log2_index_bytes) +
           usable(keys) * entry;
}

size_t
nbp_layout_type_bytes(PyTypeObject *type)
{
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        return 0;
    }
    PyDictKeysObject *keys = ((PyHeapTypeObject *)type)->ht_cached_keys;
    return keys == NULL ? 0 : table_bytes(keys);
}

size_t
nbp_layout_dict_bytes(PyObject *op)
{
    PyDictObject *dict = (PyDictObject *)op;
    PyDictKeysObject *keys = dict->ma_keys;
    if (dict->ma_values != NULL) {
        /* The keys belong to the type, and embedded values to the instance. */
#if NBP_ATTRIBUTES_INLINE == 1
        return dict->ma_values->embedded ? 0 : usable(keys) * sizeof(PyObject *);
#else
        return usable(keys) * sizeof(PyObject *);
#endif
    }
    /* The smallest table is the one that all empty dictionaries share. */
    return keys->dk_log2_size == 0 ? 0 : table_bytes(keys);
}

#if NBP_GC_IN_PLACE

bool
nbp_layout_finds_tracked(void)
{
    return false;
}

void
nbp_layout_visit_tracked(visitproc Py_UNUSED(visit), void *Py_UNUSED(arg))
{
}

#else

static PyGC_Head *
generation(int number)
{
    return &PyInterpreterState_Get()->gc.generations[number].head;
}

bool
nbp_layout_finds_tracked(void)
{
    /* A new object is the last of the youngest list, and what follows is its head. */
    int enabled = PyGC_Disable();
    PyObject *probe = PyList_New(0); /* owned */
    bool found = probe != NULL && _PyGCHead_NEXT(_Py_AS_GC(probe)) == generation(0);
    Py_XDECREF(probe);
    PyErr_Clear();
    if (enabled) {
        PyGC_Enable();
    }
    return found;
}

void
nbp_layout_visit_tracked(visitproc visit, void *arg)
{
    for (int number = 0; number < NUM_GENERATIONS; number++) {
        PyGC_Head *head = generation(number), *next;
        for (PyGC_Head *at = _PyGCHead_NEXT(head); at != head; at = next) {
            next = _PyGCHead_NEXT(at);
            __builtin_prefetch(next);
            if (visit((PyObject *)(at + 1), arg) != 0) {
                return;
            }
        }
    }
}

#endif

/* Where the attributes of an instance are that are not next to it; near enough to bring
 * the memory into the cache, for the lowest bits may be flags. */
static const void *
attributes_outside(PyObject *op)
{
#if NBP_ATTRIBUTES_INLINE == 1
    return _PyObject_ManagedDictPointer(op)->dict;
#elif NBP_ATTRIBUTES_INLINE == 2
    return _PyObject_DictOrValuesPointer(op)->values;
#else
    return *_PyObject_ValuesPointer(op);
#endif
}

void
nbp_layout_prefetch(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    if (type == &PyDict_Type) {
        PyDictObject *dict = (PyDictObject *)op;
        __builtin_prefetch(dict->ma_keys);
        __builtin_prefetch((char *)dict->ma_keys + 64);
        __builtin_prefetch(dict->ma_values);
    }
    else if (type == &PyList_Type) {
        __builtin_prefetch(((PyListObject *)op)->ob_item);
    }
    else if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) {
        __builtin_prefetch(attributes_outside(op));
    }
}

/* Frames that only mark where C called the interpreter run no Python code. */
static bool
is_marker(const nbp_frame *frame)
{
#if NBP_FRAME_MARKERS
    if (frame->owner == FRAME_OWNED_BY_CSTACK) {
        return true;
    }
#endif
    return !PyCode_Check(NBP_FRAME_CODE(frame));
}

static nbp_frame *
skip_markers(nbp_frame *frame)
{
    while (frame != NULL && is_marker(frame)) {
        frame = frame->previous;
    }
    return frame;
}

#ifdef NBP_GIL_HOLDER
PyThreadState *const volatile *
nbp_layout_holder(const PyThreadState *thread)
{
    return (PyThreadState *const volatile *)NBP_GIL_HOLDER(thread->interp);
}
#endif

nbp_frame *
nbp_layout_innermost(PyThreadState *thread)
{
    return skip_markers(NBP_THREAD_FRAME(thread));
}

nbp_frame *
nbp_layout_caller(nbp_frame *frame)
{
    return skip_markers(frame->previous);
}

void
nbp_layout_stack(PyThreadState *thread, nbp_stack *stack, uint32_t limit)
{
    nbp_frame *frame = nbp_layout_innermost(thread);
    for (; frame != NULL && stack->count < limit; frame = nbp_layout_caller(frame)) {
        if (!_PyFrame_IsIncomplete(frame)) {
            nbp_stack_push(stack, NBP_FRAME_CODE(frame),
                           (uint32_t)_PyInterpreterFrame_LASTI(frame) *
                               sizeof(_Py_CODEUNIT));
        }
    }
}

nbp_frame *
nbp_layout_frame_of(PyObject *op)
{
    if (PyFrame_Check(op)) {
        nbp_frame *frame = ((struct _frame *)op)->f_frame;
        return frame != NULL && PyCode_Check(NBP_FRAME_CODE(frame)) ? frame : NULL;
    }
    if (PyGen_Check(op) || PyCoro_CheckExact(op) || PyAsyncGen_CheckExact(op)) {
        /* The three share their head. */
        PyGenObject *generator = (PyGenObject *)op;
        return generator->gi_frame_state < FRAME_CLEARED
                   ? (nbp_frame *)generator->gi_iframe
                   : NULL;
    }
    return NULL;
}

PyCodeObject *
nbp_layout_frame_code(nbp_frame *frame)
{
    return (PyCodeObject *)NBP_FRAME_CODE(frame);
}

PyObject *
nbp_layout_frame_globals(nbp_frame *frame)
{
    return frame->f_globals;
}

PyObject *
nbp_layout_frame_function(nbp_frame *frame)
{
    return NBP_FRAME_FUNCTION(frame);
}

PyObject *
nbp_layout_frame_object(nbp_frame *frame)
{
    return (PyObject *)frame->frame_obj;
}

PyObject *
nbp_layout_frame_mapping(nbp_frame *frame)
{
    return frame->f_locals;
}

PyObject *const *
nbp_layout_frame_variables(nbp_frame *frame)
{
    return frame->localsplus;
}

bool
nbp_layout_frame_is_held(nbp_frame *frame)
{
    return frame->owner != FRAME_OWNED_BY_THREAD;
}

/* ---- for the sampler ---- */

/* A copy of a string's head is as good as the string, for this. */
static bool
read_text_head(const void *head, nbp_text_place *out)
{
    PyASCIIObject ascii;
    memcpy(&ascii, head, sizeof(ascii));
    uint32_t kind = ascii.state.kind;
    if (!ascii.state.compact || !NBP_TEXT_IS_READY(&ascii) || ascii.length < 0 ||
        (kind != 1 && kind != 2 && kind != 4)) {
        return false;
    }
    *out = (nbp_text_place){
        .length = (size_t)ascii.length,
        .kind = kind,
        .data =
            ascii.state.ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject),
    };
    return true;
}

void
nbp_layout_describe(nbp_interpreter_layout *out)
{
    _Static_assert(sizeof(PyCodeObject) < NBP_LAYOUT_HEAD, "a code object's head");
    _Static_assert(offsetof(PyThreadState, native_thread_id) <
                           offsetof(PyThreadState, id) &&
                       offsetof(PyThreadState, id) + 8 <= NBP_LAYOUT_HEAD,
                   "a thread's head");
    *out = (nbp_interpreter_layout){
        .threads = offsetof(PyInterpreterState, threads.head),
        .next = offsetof(PyThreadState, next),
        .owner = offsetof(PyThreadState, interp),
        .id = offsetof(PyThreadState, id),
        .ident = offsetof(PyThreadState, thread_id),
        .tid = offsetof(PyThreadState, native_thread_id),
        .frame = offsetof(PyThreadState, NBP_THREAD_FRAME_FIELD),
        .thread_size = offsetof(PyThreadState, id) + sizeof(uint64_t),
        .inner_frame = NBP_INNER_FRAME_OFFSET,
        .frame_is_indirect = NBP_FRAME_IS_INDIRECT,
        .code = offsetof(nbp_frame, NBP_FRAME_CODE_FIELD),
        .caller = offsetof(nbp_frame, previous),
        .instruction = offsetof(nbp_frame, NBP_FRAME_INSTRUCTION_FIELD),
        .kind = offsetof(nbp_frame, owner),
        .frame_size = offsetof(nbp_frame, localsplus),
        .marker = NBP_FRAME_MARKER,
        .generator = FRAME_OWNED_BY_GENERATOR,
        .references = offsetof(PyObject, ob_refcnt),
        .type = offsetof(PyObject, ob_type),
        .units = offsetof(PyVarObject, ob_size),
        .first_line = offsetof(PyCodeObject, co_firstlineno),
        .file = offsetof(PyCodeObject, co_filename),
        .name = offsetof(PyCodeObject, co_name),
        .qualname = offsetof(PyCodeObject, co_qualname),
        .lines = offsetof(PyCodeObject, co_linetable),
        .first_traceable = offsetof(PyCodeObject, _co_firsttraceable),
        .instructions = offsetof(PyCodeObject, co_code_adaptive),
        .code_size = offsetof(PyCodeObject, co_code_adaptive),
        .length = offsetof(PyVarObject, ob_size),
        .bytes = offsetof(PyBytesObject, ob_sval),
        .text_size = sizeof(PyASCIIObject),
        .code_type = (uintptr_t)&PyCode_Type,
        .text_type = (uintptr_t)&PyUnicode_Type,
        .bytes_type = (uintptr_t)&PyBytes_Type,
        .text = read_text_head,
    };
}
