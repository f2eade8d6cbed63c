/* error.h -- how functions inside the library fail: a status and a sentence in one expression. */
#ifndef HNI_ERROR_H
#define HNI_ERROR_H

#include <hybridnet/status.h>

#include <stdint.h>

/* Formats the thread's last-error sentence and returns status. Never allocates; long sentences are cut,
 * control characters become '?'.
 * Sentences start with the public function's name: "hn_loss_psc: temperature is -1; it must be ...".      */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3), cold))
#endif
hn_status hni_fail(hn_status status, const char *format, ...);

/* How often hni_fail was called on this thread: whether a failure of a caller's function has a sentence of its own. */
uint64_t hni_failures(void);

/* Control characters in a text become '?': what a sentence quotes may come from a hostile file, and where the sentence is
 * shown, nothing may obey it or take it for two lines.                                                                 */
void hni_one_line(char *text);

/* Returns from the enclosing function with the failure if the condition holds. */
#define HNI_FAIL_IF(condition, status, ...)           \
    do {                                              \
        if (condition)                                \
            return hni_fail((status), __VA_ARGS__);   \
    } while (0)

/* Passes a failure of the expression on to the caller; the sentence stays the lower function's. */
#define HNI_TRY(expression)                     \
    do {                                        \
        hn_status hni_try_status = (expression);\
        if (hni_try_status < 0)                 \
            return hni_try_status;              \
    } while (0)

#endif
