/* image_files.h -- datasets of JPEG and PNG files of any size: a folder a class, a list of paths, iNaturalist's JSON.
 *
 * Opening reads names, lists and labels and no image: a file that is missing or broken shows when a loader asks for it,
 * with its path. Images become RGB as Pillow's convert("RGB") makes them, of 16 bits the upper 8; colour profiles and
 * EXIF orientation are not applied. At most 65500 pixels a side and 2^28 in all. A file that breaks off is HN_E_FORMAT;
 * a JPEG with bad codes in between is decoded as far as it goes, as other libraries do, and the context's log is told.
 * In a build without libjpeg or libpng such files are HN_E_UNSUPPORTED.
 *
 * Files may be hostile. An image that says it has more pixels than its file can hold is HN_E_FORMAT before they are
 * allocated: deflate packs at most 1032 bytes of a PNG's rows into one, and a JPEG's blocks of 8x8 take a bit each at
 * least. So decoding takes at most 32768 bytes for each byte of the file, and 1 MiB: a bilevel PNG of one colour comes
 * near it, a JPEG stays below a third, photographs below 100. A stricter limit would refuse blank pages, which are valid;
 * whoever has no such images can refuse files by their size. What is refused and could be read: JPEGs by arithmetic coding
 * of one colour. A list takes at most 32 bytes for each of its own (unpacked), JSON 128: what the JSON library makes of an
 * element of empty objects. A line of a list may give a label up to 2^24 - 1: look at hn_dataset_classes before something
 * is made for each class. SECURITY.md has the whole promise.
 *
 * The images of these sets differ in size: hn_dataset_shape says 0 x 0 x 3, hn_dataset_read is HN_E_SHAPE, and loaders
 * crop and resize (loader.h). Subsets and long tails of them are made as of any set. A path costs about its length in
 * memory: 437,513 of them, as iNaturalist 2018 has, take 32 MiB. What the libraries that decode need for themselves (libjpeg,
 * jansson) does not come from the context's allocator.
 *
 * Functions: *out is one reference, the caller's to release before the context; strings are copied. Any thread.       */
#ifndef HYBRIDNET_IMAGE_FILES_H
#define HYBRIDNET_IMAGE_FILES_H

#include <hybridnet/dataset.h>

typedef struct hn_image_folder_options {
    size_t struct_size;
    int32_t allow_empty; /* a class without an image: 0 (default) is HN_E_FORMAT; 1: it keeps its number */
} hn_image_folder_options;

HN_BEGIN_DECLS

/* Fills the struct with its defaults; struct_size: sizeof *options. NULL is ignored. */
HN_API void hn_image_folder_options_init(hn_image_folder_options *options, size_t struct_size);

/* One sub-directory a class, named after it (hn_dataset_class_name): class 0 is the first by the bytes of its name. Images
 * are all files whose names end in .jpg, .jpeg or .png, in capitals or not, in the class's directory and those below it,
 * links followed; sorted by directory, then by name: classes and order are those of torchvision's ImageFolder. options: NULL
 * for the defaults. HN_E_IO (a link beside the classes that leads nowhere, too: it may be one of them, and the others would
 * have other numbers), HN_E_NOMEM, HN_E_FORMAT (no class, a class without an image, directories nested deeper than 32, as a
 * link that leads back makes them).                                                                                       */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_image_folder(hn_dataset **out, hn_context *context, const char *directory,
                                                            const hn_image_folder_options *options);

/* A text file of lines "path label", as the lists of ImageNet-LT and iNaturalist18 are; plain or, in a build with zlib,
 * gzip. The last blank separates: paths may have blanks. Empty lines are passed over, CRLF is allowed. Paths are below root
 * ("" for the working directory); one that begins with / stands alone. Images are in the list's order, the number of classes
 * is the largest label + 1. HN_E_IO, HN_E_NOMEM, HN_E_FORMAT with the number of the line: no label, one that is no number in
 * [0, 2^24), no path, a path that was there before; or no image at all.                                                   */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_image_list(hn_dataset **out, hn_context *context, const char *root,
                                                          const char *list_path);

/* train2018.json or val2018.json of iNaturalist 2018, or what is built like them (COCO's habit); plain or gzip:
 *   {"images": [{"id": 1, "file_name": "a/b.jpg"}], "annotations": [{"image_id": 1, "category_id": 7}],
 *    "categories": [{"id": 7, "name": "c"}]}
 * in any order, with any other members. Paths are below root; images are in the order of "images". Classes are the
 * categories by ascending id, annotated or not, and have names if each has a "name". Read as a stream: elements, not the
 * document, are held in memory. HN_E_IO, HN_E_NOMEM, HN_E_FORMAT: broken JSON (of members of other names the
 * brackets alone are read), JSON with more than 256 brackets inside one another, an element longer than 1 MiB or an escape in
 * the names of the three arrays, a member or an array that is missing or of another type, an id that is there twice, an image
 * without an annotation or with two, an annotation of an unknown image or category, no image. HN_E_UNSUPPORTED in a build
 * without jansson.                                                                                                    */
HN_API HN_MUST_CHECK hn_status hn_dataset_open_inaturalist(hn_dataset **out, hn_context *context, const char *root,
                                                           const char *json_path);

HN_END_DECLS
#endif
