/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes and the cleanup idiom (house style, rules 4 and 6). */
#ifndef QAIR_BASE_ATTR_H
#define QAIR_BASE_ATTR_H

#include <stddef.h>

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define CLEANUP(fn)       __attribute__((cleanup(fn)))

#define ARRAY_LEN(a)                                                           \
    (sizeof(a) / sizeof((a)[0]) + 0 * sizeof(struct {                          \
        _Static_assert(!__builtin_types_compatible_p(                          \
                               __typeof__(a), __typeof__(&(a)[0])),            \
                "not an array");                                               \
        int unused;                                                            \
    }))

/* Hands the pointer's value on and forgets it, so that cleanup skips it. */
#define TAKE_PTR(p)                                                            \
    __extension__({                                                            \
        __typeof__(p) taken_ = (p);                                            \
        (p) = NULL;                                                            \
        taken_;                                                                \
    })

/* The same for a descriptor. */
#define TAKE_FD(fd)                                                            \
    __extension__({                                                            \
        int taken_ = (fd);                                                     \
        (fd) = -1;                                                             \
        taken_;                                                                \
    })

#endif
