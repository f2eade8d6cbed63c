/* image.h -- one image of any size, decoded from a file's bytes; its memory is kept from image to image. */
#ifndef HNI_IMAGE_H
#define HNI_IMAGE_H

#include <hybridnet/context.h>

#include <stdbool.h>

/* The most that is decoded: a side, and height x width. */
enum { HNI_IMAGE_MAX_SIDE = 65500, HNI_IMAGE_MAX_PIXELS = 1 << 28 };

/* One thread at a time. */
typedef struct hni_image {
    hn_context *context;
    const char *function;             /* begins the sentences: the public function at work; borrowed, "image" at first */
    const char *name;                 /* for sentences: the path; the image's own                                       */
    size_t name_capacity;
    uint8_t *file;                    /* the encoded bytes                                                              */
    size_t file_bytes, file_capacity;
    int32_t format;                   /* of them: HNI_IMAGE_JPEG ...; 0 if nothing is loaded                            */
    bool unbuilt;                     /* this build has no library for that format                                      */
    int32_t full_height, full_width;  /* of the image in the file                                                       */
    uint8_t *pixels;                  /* height x width x 3 bytes once decoded                                          */
    size_t pixel_capacity;
    int32_t height, width;
} hni_image;

/* An image that owns nothing yet. */
void hni_image_init(hni_image *image, hn_context *context);
void hni_image_release(hni_image *image);

/* Room for height x width x 3 pixels, whose content is undefined then; sets height and width. HN_E_NOMEM, HN_E_SHAPE. */
hn_status hni_image_reserve(hni_image *image, int32_t height, int32_t width);

/* Reads a JPEG or PNG file (recognised by content) and its header: full_height and full_width; nothing is decoded yet.
 * HN_E_IO, HN_E_FORMAT, HN_E_UNSUPPORTED (a build without the library), HN_E_NOMEM; the sentence has the path.
 * path may be gone afterwards.                                                                                         */
hn_status hni_image_load(hni_image *image, const char *path);
/* The same for the file `path` in a directory; a path that begins with / stands alone, as with Python's os.path.join. */
hn_status hni_image_load_in(hni_image *image, const char *directory, const char *path);

/* Decodes what was loaded into RGB: gray is repeated, an alpha channel dropped, CMYK converted as Pillow's
 * convert("RGB") does; of 16 bits the upper 8 are taken; colour profiles and EXIF orientation are not applied. shrink:
 * 1, 2, 4 or 8: a JPEG is decoded at ceil(full / shrink), by scaling its DCT; a PNG always at full size.
 * HN_E_FORMAT for corrupt or truncated data, HN_E_UNSUPPORTED for JPEGs of 12 bits, without loss, or of colours that are
 * not known. What Pillow passes over in a JPEG is no failure either: bad codes between readable ones and rubbish between
 * segments, which the context's log is told as a warning, and a missing end marker. height and width are 0 after a
 * failure.                                                                                                             */
hn_status hni_image_decode(hni_image *image, int32_t shrink);

/* A part of the image, in pixels of its full size: rows [top, bottom), columns [left, right). */
typedef struct hni_part {
    int32_t top, left, bottom, right;
} hni_part;

/* The same where only a part is wanted: pixels beyond it may be left undefined, and time is spared. The part's, with those of
 * the shrunk image that it touches, are those of the whole image; failures, too, are the same. HN_E_ARG for a part that
 * is empty or not within the image.                                                                                    */
hn_status hni_image_decode_part(hni_image *image, int32_t shrink, const hni_part *part);

#endif
