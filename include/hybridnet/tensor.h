/* tensor.h -- dense arrays with a shape: what layers, losses and files exchange. */
#ifndef HYBRIDNET_TENSOR_H
#define HYBRIDNET_TENSOR_H

#include <hybridnet/context.h>

/* Dense, last dimension fastest. One thread may write a tensor, or several read it. */
typedef struct hn_tensor hn_tensor;

HN_BEGIN_DECLS

/* A tensor of its own zeroed memory, 64-byte aligned. desc: dtype one of HN_F32 ... HN_I64;
 * 1 to HN_MAX_DIMS dimensions, each >= 0. *out is the caller's to destroy. HN_E_ARG, HN_E_SHAPE (also for more than 2^48
 * bytes), HN_E_NOMEM. */
HN_API HN_MUST_CHECK hn_status hn_tensor_create(hn_tensor **out, hn_context *context, const hn_desc *desc);

/* A view of the caller's memory: not copied, not freed; it must outlive the tensor and be aligned to its
 * element. data may be NULL only if the shape holds no element.                                              */
HN_API HN_MUST_CHECK hn_status hn_tensor_wrap(hn_tensor **out, hn_context *context, void *data, const hn_desc *desc);

/* The elements; borrowed. */
HN_API void *hn_tensor_data(hn_tensor *tensor);
/* The same for reading. */
HN_API const void *hn_tensor_cdata(const hn_tensor *tensor);
/* Element type and shape; borrowed, fixed for the tensor's life. */
HN_API const hn_desc *hn_tensor_desc(const hn_tensor *tensor);
/* Number of elements: the product of the dimensions. */
HN_API int64_t hn_tensor_count(const hn_tensor *tensor);
/* Size of the elements in bytes. */
HN_API size_t hn_tensor_bytes(const hn_tensor *tensor);

/* NULL is allowed. */
HN_API void hn_tensor_destroy(hn_tensor *tensor);

/* Bytes of one element of a dtype; 0 for a dtype that does not exist. */
HN_API size_t hn_dtype_bytes(int32_t dtype);

HN_END_DECLS
#endif
