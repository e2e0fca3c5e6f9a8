/* SPDX-License-Identifier: BSD-3-Clause */
/* Every instruction that a compiler of CPython 3.11 to 3.13 emits, in one list: name,
 * traits (those of opcodes.h, without prefix), and for each version that has it, oldest
 * first, its number and the units of inline cache behind it. */
#ifndef NBP_OPCODELIST_H
#define NBP_OPCODELIST_H

/* ALL: in all three versions; the others say which. */
#define NBP_OPCODES(ALL, TO_312, FROM_312, ONLY_311, ONLY_313)                         \
    ALL(BEFORE_ASYNC_WITH, 0, 52, 0, 52, 0, 1, 0)                                      \
    ALL(BEFORE_WITH, 0, 53, 0, 53, 0, 2, 0)                                            \
    ALL(BINARY_OP, 0, 122, 1, 122, 1, 45, 1)                                           \
    ALL(BINARY_SUBSCR, 0, 25, 4, 25, 1, 5, 1)                                          \
    ALL(BUILD_CONST_KEY_MAP, 0, 156, 0, 156, 0, 46, 0)                                 \
    ALL(BUILD_LIST, 0, 103, 0, 103, 0, 47, 0)                                          \
    ALL(BUILD_MAP, 0, 105, 0, 105, 0, 48, 0)                                           \
    ALL(BUILD_SET, 0, 104, 0, 104, 0, 49, 0)                                           \
    ALL(BUILD_SLICE, 0, 133, 0, 133, 0, 50, 0)                                         \
    ALL(BUILD_STRING, 0, 157, 0, 157, 0, 51, 0)                                        \
    ALL(BUILD_TUPLE, 0, 102, 0, 102, 0, 52, 0)                                         \
    ALL(CALL, 0, 171, 4, 171, 3, 53, 3)                                                \
    ALL(CALL_FUNCTION_EX, 0, 142, 0, 142, 0, 54, 0)                                    \
    ALL(CHECK_EG_MATCH, 0, 37, 0, 37, 0, 6, 0)                                         \
    ALL(CHECK_EXC_MATCH, 0, 36, 0, 36, 0, 7, 0)                                        \
    ALL(COMPARE_OP, 0, 107, 2, 107, 1, 58, 1)                                          \
    ALL(CONTAINS_OP, 0, 118, 0, 118, 0, 59, 1)                                         \
    ALL(COPY, 0, 120, 0, 120, 0, 61, 0)                                                \
    ALL(COPY_FREE_VARS, 0, 149, 0, 149, 0, 62, 0)                                      \
    ALL(DELETE_ATTR, 0, 96, 0, 96, 0, 63, 0)                                           \
    ALL(DELETE_DEREF, 0, 139, 0, 139, 0, 64, 0)                                        \
    ALL(DELETE_FAST, 0, 126, 0, 126, 0, 65, 0)                                         \
    ALL(DELETE_GLOBAL, 0, 98, 0, 98, 0, 66, 0)                                         \
    ALL(DELETE_NAME, 0, 91, 0, 91, 0, 67, 0)                                           \
    ALL(DELETE_SUBSCR, 0, 61, 0, 61, 0, 9, 0)                                          \
    ALL(DICT_MERGE, 0, 164, 0, 164, 0, 68, 0)                                          \
    ALL(DICT_UPDATE, 0, 165, 0, 165, 0, 69, 0)                                         \
    ALL(END_ASYNC_FOR, BARRED, 54, 0, 54, 0, 10, 0)                                    \
    ALL(EXTENDED_ARG, PREFIX, 144, 0, 144, 0, 71, 0)                                   \
    ALL(FOR_ITER, FORTH, 93, 0, 93, 1, 72, 1)                                          \
    ALL(GET_AITER, 0, 50, 0, 50, 0, 16, 0)                                             \
    ALL(GET_ANEXT, 0, 51, 0, 51, 0, 18, 0)                                             \
    ALL(GET_AWAITABLE, 0, 131, 0, 131, 0, 73, 0)                                       \
    ALL(GET_ITER, 0, 68, 0, 68, 0, 19, 0)                                              \
    ALL(GET_LEN, 0, 30, 0, 30, 0, 20, 0)                                               \
    ALL(GET_YIELD_FROM_ITER, 0, 69, 0, 69, 0, 21, 0)                                   \
    ALL(IMPORT_FROM, 0, 109, 0, 109, 0, 74, 0)                                         \
    ALL(IMPORT_NAME, 0, 108, 0, 108, 0, 75, 0)                                         \
    ALL(IS_OP, 0, 117, 0, 117, 0, 76, 0)                                               \
    ALL(JUMP_BACKWARD, BACK | ALWAYS, 140, 0, 140, 0, 77, 1)                           \
    ALL(JUMP_BACKWARD_NO_INTERRUPT, BACK, 134, 0, 134, 0, 78, 0)                       \
    ALL(JUMP_FORWARD, FORTH | ALWAYS, 110, 0, 110, 0, 79, 0)                           \
    ALL(LIST_APPEND, 0, 145, 0, 145, 0, 80, 0)                                         \
    ALL(LIST_EXTEND, 0, 162, 0, 162, 0, 81, 0)                                         \
    ALL(LOAD_ASSERTION_ERROR, 0, 74, 0, 74, 0, 23, 0)                                  \
    ALL(LOAD_ATTR, 0, 106, 4, 106, 9, 82, 9)                                           \
    ALL(LOAD_BUILD_CLASS, 0, 71, 0, 71, 0, 24, 0)                                      \
    ALL(LOAD_CONST, LIGHT, 100, 0, 100, 0, 83, 0)                                      \
    ALL(LOAD_DEREF, 0, 137, 0, 137, 0, 84, 0)                                          \
    ALL(LOAD_FAST, LIGHT, 124, 0, 124, 0, 85, 0)                                       \
    ALL(LOAD_GLOBAL, 0, 116, 5, 116, 4, 91, 4)                                         \
    ALL(LOAD_NAME, 0, 101, 0, 101, 0, 92, 0)                                           \
    ALL(MAKE_CELL, 0, 135, 0, 135, 0, 94, 0)                                           \
    ALL(MAKE_FUNCTION, 0, 132, 0, 132, 0, 26, 0)                                       \
    ALL(MAP_ADD, 0, 147, 0, 147, 0, 95, 0)                                             \
    ALL(MATCH_CLASS, 0, 152, 0, 152, 0, 96, 0)                                         \
    ALL(MATCH_KEYS, 0, 33, 0, 33, 0, 27, 0)                                            \
    ALL(MATCH_MAPPING, 0, 31, 0, 31, 0, 28, 0)                                         \
    ALL(MATCH_SEQUENCE, 0, 32, 0, 32, 0, 29, 0)                                        \
    ALL(NOP, LIGHT, 9, 0, 9, 0, 30, 0)                                                 \
    ALL(POP_EXCEPT, 0, 89, 0, 89, 0, 31, 0)                                            \
    ALL(POP_TOP, POPS | LIGHT, 1, 0, 1, 0, 32, 0)                                      \
    ALL(PUSH_EXC_INFO, 0, 35, 0, 35, 0, 33, 0)                                         \
    ALL(PUSH_NULL, 0, 2, 0, 2, 0, 34, 0)                                               \
    ALL(RAISE_VARARGS, 0, 130, 0, 130, 0, 101, 0)                                      \
    ALL(RERAISE, 0, 119, 0, 119, 0, 102, 0)                                            \
    ALL(RESUME, BARRED | RESUMES, 151, 0, 151, 0, 149, 0)                              \
    ALL(RETURN_GENERATOR, 0, 75, 0, 75, 0, 35, 0)                                      \
    ALL(RETURN_VALUE, RETURNS | LIGHT, 83, 0, 83, 0, 36, 0)                            \
    ALL(SEND, FORTH | SENDS, 123, 0, 123, 1, 104, 1)                                   \
    ALL(SETUP_ANNOTATIONS, 0, 85, 0, 85, 0, 37, 0)                                     \
    ALL(SET_ADD, 0, 146, 0, 146, 0, 105, 0)                                            \
    ALL(SET_UPDATE, 0, 163, 0, 163, 0, 107, 0)                                         \
    ALL(STORE_ATTR, 0, 95, 4, 95, 4, 108, 4)                                           \
    ALL(STORE_DEREF, 0, 138, 0, 138, 0, 109, 0)                                        \
    ALL(STORE_FAST, 0, 125, 0, 125, 0, 110, 0)                                         \
    ALL(STORE_GLOBAL, 0, 97, 0, 97, 0, 113, 0)                                         \
    ALL(STORE_NAME, 0, 90, 0, 90, 0, 114, 0)                                           \
    ALL(STORE_SUBSCR, 0, 60, 1, 60, 1, 39, 1)                                          \
    ALL(SWAP, 0, 99, 0, 99, 0, 115, 0)                                                 \
    ALL(UNARY_INVERT, 0, 15, 0, 15, 0, 41, 0)                                          \
    ALL(UNARY_NEGATIVE, 0, 11, 0, 11, 0, 42, 0)                                        \
    ALL(UNARY_NOT, 0, 12, 0, 12, 0, 43, 0)                                             \
    ALL(UNPACK_EX, 0, 94, 0, 94, 0, 116, 0)                                            \
    ALL(UNPACK_SEQUENCE, 0, 92, 1, 92, 1, 117, 1)                                      \
    ALL(WITH_EXCEPT_START, 0, 49, 0, 49, 0, 44, 0)                                     \
    ALL(YIELD_VALUE, YIELDS, 86, 0, 150, 0, 118, 0)                                    \
    TO_312(FORMAT_VALUE, 0, 155, 0, 155, 0)                                            \
    TO_312(KW_NAMES, 0, 172, 0, 172, 0)                                                \
    TO_312(LOAD_CLOSURE, 0, 136, 0, 136, 0)                                            \
    FROM_312(BINARY_SLICE, 0, 26, 0, 4, 0)                                             \
    FROM_312(CALL_INTRINSIC_1, 0, 173, 0, 55, 0)                                       \
    FROM_312(CALL_INTRINSIC_2, 0, 174, 0, 56, 0)                                       \
    FROM_312(CLEANUP_THROW, BARRED, 55, 0, 8, 0)                                       \
    FROM_312(END_FOR, BARRED | ENDS_FOR, 4, 0, 11, 0)                                  \
    FROM_312(END_SEND, BARRED, 5, 0, 12, 0)                                            \
    FROM_312(LOAD_FAST_AND_CLEAR, 0, 143, 0, 86, 0)                                    \
    FROM_312(LOAD_FAST_CHECK, 0, 127, 0, 87, 0)                                        \
    FROM_312(LOAD_FROM_DICT_OR_DEREF, 0, 176, 0, 89, 0)                                \
    FROM_312(LOAD_FROM_DICT_OR_GLOBALS, 0, 175, 0, 90, 0)                              \
    FROM_312(LOAD_LOCALS, 0, 87, 0, 25, 0)                                             \
    FROM_312(LOAD_SUPER_ATTR, 0, 141, 1, 93, 1)                                        \
    FROM_312(POP_JUMP_IF_FALSE, FORTH, 114, 0, 97, 1)                                  \
    FROM_312(POP_JUMP_IF_NONE, FORTH, 129, 0, 98, 1)                                   \
    FROM_312(POP_JUMP_IF_NOT_NONE, FORTH, 128, 0, 99, 1)                               \
    FROM_312(POP_JUMP_IF_TRUE, FORTH, 115, 0, 100, 1)                                  \
    FROM_312(RETURN_CONST, RETURNS | LIGHT, 121, 0, 103, 0)                            \
    FROM_312(STORE_SLICE, 0, 27, 0, 38, 0)                                             \
    ONLY_311(ASYNC_GEN_WRAP, 0, 87, 0)                                                 \
    ONLY_311(IMPORT_STAR, 0, 84, 0)                                                    \
    ONLY_311(JUMP_IF_FALSE_OR_POP, FORTH, 111, 0)                                      \
    ONLY_311(JUMP_IF_TRUE_OR_POP, FORTH, 112, 0)                                       \
    ONLY_311(LIST_TO_TUPLE, 0, 82, 0)                                                  \
    ONLY_311(LOAD_CLASSDEREF, 0, 148, 0)                                               \
    ONLY_311(LOAD_METHOD, 0, 160, 10)                                                  \
    ONLY_311(POP_JUMP_BACKWARD_IF_FALSE, BACK, 175, 0)                                 \
    ONLY_311(POP_JUMP_BACKWARD_IF_NONE, BACK, 174, 0)                                  \
    ONLY_311(POP_JUMP_BACKWARD_IF_NOT_NONE, BACK, 173, 0)                              \
    ONLY_311(POP_JUMP_BACKWARD_IF_TRUE, BACK, 176, 0)                                  \
    ONLY_311(POP_JUMP_FORWARD_IF_FALSE, FORTH, 114, 0)                                 \
    ONLY_311(POP_JUMP_FORWARD_IF_NONE, FORTH, 129, 0)                                  \
    ONLY_311(POP_JUMP_FORWARD_IF_NOT_NONE, FORTH, 128, 0)                              \
    ONLY_311(POP_JUMP_FORWARD_IF_TRUE, FORTH, 115, 0)                                  \
    ONLY_311(PRECALL, PAIRED, 166, 1)                                                  \
    ONLY_311(PREP_RERAISE_STAR, 0, 88, 0)                                              \
    ONLY_311(PRINT_EXPR, 0, 70, 0)                                                     \
    ONLY_311(UNARY_POSITIVE, 0, 10, 0)                                                 \
    ONLY_313(CALL_KW, 0, 57, 0)                                                        \
    ONLY_313(CONVERT_VALUE, 0, 60, 0)                                                  \
    ONLY_313(FORMAT_SIMPLE, 0, 14, 0)                                                  \
    ONLY_313(FORMAT_WITH_SPEC, 0, 15, 0)                                               \
    ONLY_313(LOAD_FAST_LOAD_FAST, 0, 88, 0)                                            \
    ONLY_313(SET_FUNCTION_ATTRIBUTE, 0, 106, 0)                                        \
    ONLY_313(STORE_FAST_LOAD_FAST, 0, 111, 0)                                          \
    ONLY_313(STORE_FAST_STORE_FAST, 0, 112, 0)                                         \
    ONLY_313(TO_BOOL, 0, 40, 3)

#endif /* NBP_OPCODELIST_H */
