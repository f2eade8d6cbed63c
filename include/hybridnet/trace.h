/* trace.h -- what a context can be told to report while it computes: where each piece of work begins and where it ends.
 *
 * The library reads no clock: whoever wants to know where time goes sets hn_context_options.trace and looks at a clock in
 * it; examples/profile.c is one that does. Layers, losses and the optimizer send two events a call. Events nest: a layer
 * made of others holds its children's, so its own share is what they leave.                                             */
#ifndef HYBRIDNET_TRACE_H
#define HYBRIDNET_TRACE_H

#include <hybridnet/types.h>

/* Values of hn_trace_event.pass. */
enum {
    HN_TRACE_OTHER = 0,   /* losses, which compute value and gradient in one call, and the optimizer */
    HN_TRACE_FORWARD = 1, /* of a layer                                                              */
    HN_TRACE_BACKWARD = 2
};

/* One end of a piece of work. All of it is borrowed for the length of the call. flops and bytes are of the piece's own
 * work, without its children's, and 0 where they are not stated; hn_layer_cost says what they count. Both ends of a piece
 * say the same but for `ends`.                                                                                          */
typedef struct hn_trace_event {
    size_t struct_size;
    const char *kind;      /* "conv_unit", as hn_layer_kind; "cross-entropy", a loss's name; "optimizer" */
    int32_t pass;          /* HN_TRACE_FORWARD ...                                                      */
    int32_t ends;          /* 0: it begins; 1: it ends, if with an error too                            */
    double flops;
    double bytes;
    const hn_desc *input;  /* of the layer or the loss, in both passes; NULL: none  */
    const hn_desc *output; /* of the layer; NULL: none                              */
} hn_trace_event;

/* Receives the events, on the thread that called the library and never inside a parallel region: two threads that use one
 * context call it at once, each with a nest of its own. It may not call the library with objects of that context.        */
typedef void (*hn_trace_fn)(const hn_trace_event *event, void *user);

#endif
