#include "image_maker.h"

#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

static char dir[PATH_SIZE / 4];

static const char *at(const char *name)
{
    static char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void start(void)
{
    hnt_temp_dir(dir, sizeof dir);
}

static void make_directory(const char *name)
{
    ck_assert_int_eq(mkdir(at(name), 0700), 0);
}

static void write_text(const char *name, const char *text)
{
    hnt_write_file(at(name), text, strlen(text));
}

/* Files that are listed and never opened. */
static void touch(const char *const *names)
{
    for (; *names != NULL; ++names)
        write_text(*names, "x");
}

/* The path that the dataset loads as image i, below dir: loading fails, since what touch writes is no image. */
static const char *path_of(hn_context *context, const hn_dataset *d, int64_t i)
{
    static char path[PATH_SIZE];
    hni_image image;
    hni_image_init(&image, context);
    ck_assert_int_lt(hni_dataset_load(d, i, &image), 0);
    ck_assert_int_eq(strncmp(image.name, dir, strlen(dir)), 0);
    snprintf(path, sizeof path, "%s", image.name + strlen(dir) + 1);
    hni_image_release(&image);
    return path;
}

/* ---- a folder a class --------------------------------------------------------------------------------------------- */

#define FOLDER(d, options) hn_dataset_open_image_folder(d, context, dir, options)

START_TEST(folder)
{
    static const char *const files[] = {"b/2.jpg",       "b/10.PNG",   "b/note.txt", "b/x.JPEG",   "b/sub/1.jpg",
                                        "b/sub-a/1.Jpg", "b/noending", "b/.jpg",     "B/one.jpeg", "b-c/z.png",
                                        "stray.jpg",     "b/x.jpg.gz", NULL};
    /* torchvision.datasets.ImageFolder: classes B, b, b-c */
    static const char *const want[] = {"B/one.jpeg", "b/.jpg",      "b/10.PNG",      "b/2.jpg",
                                       "b/x.JPEG",   "b/sub/1.jpg", "b/sub-a/1.Jpg", "b-c/z.png"};
    static const int32_t labels[] = {0, 1, 1, 1, 1, 1, 1, 2};
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    make_directory("b");
    make_directory("b/sub");
    make_directory("b/sub-a");
    make_directory("B");
    make_directory("b-c");
    touch(files);
    hnt_ok(FOLDER(&d, NULL));
    ck_assert_int_eq(hn_dataset_count(d), 8);
    ck_assert_int_eq(hn_dataset_classes(d), 3);
    ck_assert_mem_eq(hn_dataset_labels(d), labels, sizeof labels);
    for (int i = 0; i < 8; ++i)
        ck_assert_str_eq(path_of(context, d, i), want[i]);
    ck_assert_str_eq(hn_dataset_class_name(d, 0), "B");
    ck_assert_str_eq(hn_dataset_class_name(d, 1), "b");
    ck_assert_str_eq(hn_dataset_class_name(d, 2), "b-c");
    ck_assert_ptr_null(hn_dataset_class_name(d, 3));
    ck_assert_ptr_null(hn_dataset_class_name(d, -1));
    ck_assert_ptr_null(hn_dataset_class_name(NULL, 0));
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

START_TEST(folder_refused)
{
    static const char *const files[] = {"b/2.jpg", NULL};
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    hn_image_folder_options o;
    hn_image_folder_options_init(&o, sizeof o);
    ck_assert_int_eq(o.allow_empty, 0);
    start();
    hnt_fails(FOLDER(&d, NULL), HN_E_FORMAT, "has no sub-directory");
    make_directory("a");
    hnt_fails(FOLDER(&d, NULL), HN_E_FORMAT, "class a of");
    o.allow_empty = 1;
    hnt_fails(FOLDER(&d, &o), HN_E_FORMAT, "has no image");
    make_directory("b");
    touch(files);
    hnt_fails(FOLDER(&d, NULL), HN_E_FORMAT, "class a of");
    hnt_ok(FOLDER(&d, &o));
    ck_assert_int_eq(hn_dataset_classes(d), 2);
    ck_assert_int_eq(hn_dataset_labels(d)[0], 1);
    hn_dataset_release(d);
    d = NULL;
    o.allow_empty = 2;
    hnt_fails(FOLDER(&d, &o), HN_E_ARG, "allow_empty is 2");
    o.struct_size = 1;
    hnt_fails(FOLDER(&d, &o), HN_E_ARG, "struct_size");
    ck_assert_int_eq(symlink("../b", at("b/back")), 0);
    hnt_fails(FOLDER(&d, NULL), HN_E_FORMAT, "class a of");
    touch((const char *const[]){"a/1.jpg", NULL});
    hnt_fails(FOLDER(&d, NULL), HN_E_FORMAT, "nested deeper than 32");
    ck_assert_int_eq(unlink(at("b/back")), 0);
    ck_assert_int_eq(symlink("nowhere.jpg", at("b/gone.jpg")), 0);
    hnt_ok(FOLDER(&d, NULL)); /* a loader will name it */
    ck_assert_int_eq(hn_dataset_count(d), 3);
    hn_dataset_release(d);
    d = NULL;
    ck_assert_int_eq(symlink("elsewhere", at("class")), 0); /* the other classes would have other numbers */
    hnt_fails(FOLDER(&d, NULL), HN_E_IO, "class");
    ck_assert_int_eq(unlink(at("class")), 0);
    ck_assert_int_eq(symlink("loop.jpg", at("a/loop.jpg")), 0);
    ck_assert_int_eq(symlink("1.jpg/x", at("a/through.jpg")), 0);
    ck_assert_int_eq(symlink("nowhere.txt", at("a/gone.txt")), 0);
    hnt_ok(FOLDER(&d, NULL));
    ck_assert_int_eq(hn_dataset_count(d), 5);
    hn_dataset_release(d);
    d = NULL;
    hnt_fails(hn_dataset_open_image_folder(&d, context, at("a/1.jpg"), NULL), HN_E_IO, "Not a directory");
    hnt_fails(hn_dataset_open_image_folder(&d, context, at("none"), NULL), HN_E_IO, "No such file");
    hnt_fails(hn_dataset_open_image_folder(&d, context, NULL, NULL), HN_E_ARG, "directory is NULL");
    hnt_fails(hn_dataset_open_image_folder(&d, NULL, dir, NULL), HN_E_ARG, "context is NULL");
    hnt_fails(hn_dataset_open_image_folder(NULL, context, dir, NULL), HN_E_ARG, "out is NULL");
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

/* ---- lists ----------------------------------------------------------------------------------------------------------- */

static hn_status open_list(hn_dataset **out, hn_context *context, const char *text)
{
    char path[PATH_SIZE];
    write_text("list.txt", text);
    snprintf(path, sizeof path, "%s", at("list.txt"));
    return hn_dataset_open_image_list(out, context, dir, path);
}

START_TEST(list)
{
    static const int32_t labels[] = {2, 0, 7, 2};
    static const char *const want[] = {"train/a.jpg", "val/with two blanks.png", "x y", "\xc3\xa9.jpg"};
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    hnt_ok(open_list(&d, context,
                     "\xef\xbb\xbftrain/a.jpg 2\r\n\r\nval/with two blanks.png 0  \n \nx y\t 007\n\xc3\xa9.jpg 2"));
    ck_assert_int_eq(hn_dataset_count(d), 4);
    ck_assert_int_eq(hn_dataset_classes(d), 8);
    ck_assert_mem_eq(hn_dataset_labels(d), labels, sizeof labels);
    for (int i = 0; i < 4; ++i)
        ck_assert_str_eq(path_of(context, d, i), want[i]);
    ck_assert_ptr_null(hn_dataset_class_name(d, 0));
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

START_TEST(list_refused)
{
    static const char *const cases[][2] = {
        {"", "lists no image"},
        {"\n\r\n  \n", "lists no image"},
        {"a.jpg 1\nb.jpg\n", "line 2 has no label: \"b.jpg\""},
        {"a.jpg 1\n\n 3\n", "line 3 has no path"},
        {"7\n", "line 1 has no label"},
        {"a.jpg b.jpg\n", "line 1: the label \"b.jpg\" is no number"},
        {"a.jpg -1\n", "the label \"-1\" is no number"},
        {"a.jpg 1.0\n", "the label \"1.0\" is no number"},
        {"a.jpg 16777216\n", "the label 16777216 is too large; it must be below 16777216"},
        {"a.jpg 99999999999999999999999999\n", "is too large"},
        {"b.jpg 0\na.jpg 1\n\nc.jpg 0\na.jpg 2\n", "line 5 lists a.jpg, which line 2 has listed"},
    };
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hnt_fails(open_list(&d, context, cases[i][0]), HN_E_FORMAT, cases[i][1]);
        ck_assert_ptr_nonnull(strstr(hn_last_error(), "list.txt"));
    }
    hnt_fails(hn_dataset_open_image_list(&d, context, dir, at("none")), HN_E_IO, "none");
    hnt_fails(hn_dataset_open_image_list(NULL, context, dir, dir), HN_E_ARG, "out is NULL");
    hnt_fails(hn_dataset_open_image_list(&d, NULL, dir, dir), HN_E_ARG, "context is NULL");
    hnt_fails(hn_dataset_open_image_list(&d, context, NULL, dir), HN_E_ARG, "root is NULL");
    hnt_fails(hn_dataset_open_image_list(&d, context, dir, NULL), HN_E_ARG, "list_path is NULL");
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

/* ---- iNaturalist ------------------------------------------------------------------------------------------------------ */

static hn_status open_json(hn_dataset **out, hn_context *context, const char *text)
{
    char path[PATH_SIZE];
    write_text("set.json", text);
    snprintf(path, sizeof path, "%s", at("set.json"));
    return hn_dataset_open_inaturalist(out, context, dir, path);
}

#ifdef HNI_HAVE_JANSSON

static const char good[] =
    "{\"info\": {\"year\": 2018, \"images\": [1]},\n"
    " \"annotations\": [{\"id\": 1, \"image_id\": 30, \"category_id\": 9}, {\"image_id\": -1, \"category_id\": 4},\n"
    "  {\"image_id\": 20, \"category_id\": 4, \"extra\": [{}]}],\n"
    " \"categories\": [{\"id\": 9, \"name\": \"nine\"}, {\"id\": 5, \"name\": \"five\"}, {\"name\": \"four\", \"id\": "
    "4}],\n"
    " \"images\": [{\"id\": 20, \"file_name\": \"a/b.jpg\", \"width\": 800}, {\"file_name\": \"c d.jpg\", \"id\": "
    "30},\n"
    "  {\"id\": -1, \"file_name\": \"\\u00e9\\/1.jpg\"}]}";

START_TEST(inaturalist)
{
    static const int32_t labels[] = {0, 2, 0};
    static const char *const want[] = {"a/b.jpg", "c d.jpg", "\xc3\xa9/1.jpg"};
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    hnt_ok(open_json(&d, context, good));
    ck_assert_int_eq(hn_dataset_count(d), 3);
    ck_assert_int_eq(hn_dataset_classes(d), 3);
    ck_assert_mem_eq(hn_dataset_labels(d), labels, sizeof labels);
    for (int i = 0; i < 3; ++i)
        ck_assert_str_eq(path_of(context, d, i), want[i]);
    ck_assert_str_eq(hn_dataset_class_name(d, 0), "four");
    ck_assert_str_eq(hn_dataset_class_name(d, 1), "five");
    ck_assert_str_eq(hn_dataset_class_name(d, 2), "nine");
    hn_dataset_release(d);
    hnt_ok(
        open_json(&d, context,
                  "{\"images\":[{\"id\":1,\"file_name\":\"x\"}],\"annotations\":[{\"image_id\":1,\"category_id\":2}],"
                  "\"categories\":[{\"id\":2},{\"id\":3,\"name\":\"n\"}]}"));
    ck_assert_ptr_null(hn_dataset_class_name(d, 0)); /* not all have a name */
    ck_assert_ptr_null(hn_dataset_class_name(d, 1));
    hn_dataset_release(d);
    hn_context_destroy(context);
}
END_TEST

#define IMAGES "{\"id\":1,\"file_name\":\"x\"},{\"id\":2,\"file_name\":\"y\"}"
#define ANNOTATIONS "{\"image_id\":1,\"category_id\":7},{\"image_id\":2,\"category_id\":7}"
#define JSON(images, annotations, categories) \
    "{\"images\":[" images "],\"annotations\":[" annotations "],\"categories\":[" categories "]}"

START_TEST(inaturalist_refused)
{
    static const char *const cases[][2] = {
        {JSON("", "", "{\"id\":7}"), "has no image"},
        {JSON(IMAGES, ANNOTATIONS, ""), "has no category"},
        {JSON(IMAGES, "{\"image_id\":1,\"category_id\":7}", "{\"id\":7}"), "image id 2 has no annotation"},
        {JSON(IMAGES, "{\"image_id\":2,\"category_id\":7}", "{\"id\":7}"), "image id 1 has no annotation"},
        {JSON(IMAGES, ANNOTATIONS ",{\"image_id\":3,\"category_id\":7}", "{\"id\":7}"), "of image id 3, which is not"},
        {JSON(IMAGES, "{\"image_id\":0,\"category_id\":7}," ANNOTATIONS, "{\"id\":7}"), "of image id 0, which is not"},
        {JSON(IMAGES, ANNOTATIONS "," ANNOTATIONS, "{\"id\":7}"), "an annotation of image id 1 is there twice"},
        {JSON(IMAGES "," IMAGES, ANNOTATIONS, "{\"id\":7}"), "image id 1 is there twice"},
        {JSON(IMAGES, ANNOTATIONS, "{\"id\":7},{\"id\":7}"), "category id 7 is there twice"},
        {JSON(IMAGES, ANNOTATIONS, "{\"id\":8}"), "image id 1 is of category id 7, which is not there"},
        {JSON("{\"id\":1}", ANNOTATIONS, "{\"id\":7}"), "images[0] has no string \"file_name\""},
        {JSON("{\"id\":1,\"file_name\":\"\"}", ANNOTATIONS, "{\"id\":7}"), "images[0] has no string \"file_name\""},
        {JSON("{\"id\":1,\"file_name\":3}", ANNOTATIONS, "{\"id\":7}"), "images[0] has no string \"file_name\""},
        {JSON(IMAGES ",{\"file_name\":\"z\"}", ANNOTATIONS, "{\"id\":7}"), "images[2] has no integer \"id\""},
        {JSON("{\"id\":1.5,\"file_name\":\"x\"}", ANNOTATIONS, "{\"id\":7}"), "images[0] has no integer \"id\""},
        {JSON("{\"id\":99999999999999999999,\"file_name\":\"x\"}", ANNOTATIONS, "{\"id\":7}"), "images[0]: "},
        {JSON("{\"id\":1,\"file_name\":\"a\\u0000b\"}", ANNOTATIONS, "{\"id\":7}"), "images[0]: "},
        {JSON("{\"id\":1,\"file_name\":\"\xff\"}", ANNOTATIONS, "{\"id\":7}"), "images[0]: "},
        {JSON("{\"id\" 1}", ANNOTATIONS, "{\"id\":7}"), "images[0]: "},
        {JSON("[1]", ANNOTATIONS, "{\"id\":7}"), "images[0] is not an object"},
        {JSON(IMAGES, "{\"image_id\":1}", "{\"id\":7}"), "annotations[0] has no integer \"category_id\""},
        {JSON(IMAGES, "{\"category_id\":1}", "{\"id\":7}"), "annotations[0] has no integer \"image_id\""},
        {JSON(IMAGES, ANNOTATIONS, "{\"name\":\"n\"}"), "categories[0] has no integer \"id\""},
        {"{\"images\":[],\"categories\":[]}", "has no member \"annotations\""},
        {"[]", "a JSON object was expected"},
    };
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hnt_fails(open_json(&d, context, cases[i][0]), HN_E_FORMAT, cases[i][1]);
        ck_assert_ptr_nonnull(strstr(hn_last_error(), "set.json"));
    }
    char part[sizeof good];
    for (size_t cut = 0; cut + 1 < sizeof good; ++cut) {
        memcpy(part, good, cut);
        part[cut] = '\0';
        hnt_fails(open_json(&d, context, part), HN_E_FORMAT, "set.json");
    }
    hnt_fails(hn_dataset_open_inaturalist(&d, context, dir, at("none")), HN_E_IO, "none");
    hnt_fails(hn_dataset_open_inaturalist(NULL, context, dir, dir), HN_E_ARG, "out is NULL");
    hnt_fails(hn_dataset_open_inaturalist(&d, NULL, dir, dir), HN_E_ARG, "context is NULL");
    hnt_fails(hn_dataset_open_inaturalist(&d, context, NULL, dir), HN_E_ARG, "root is NULL");
    hnt_fails(hn_dataset_open_inaturalist(&d, context, dir, NULL), HN_E_ARG, "json_path is NULL");
    ck_assert_ptr_null(d);
    hn_context_destroy(context);
}
END_TEST

/* As many classes as iNaturalist 2018, ids in a wild order, and a bound on the memory that one more image takes. */
START_TEST(inaturalist_classes)
{
    enum { CLASSES = 8142, IMAGES_EACH = 5, N = CLASSES * IMAGES_EACH };
    hnt_counter counter = {.fail_at = -1};
    hn_context *context;
    hn_dataset *d = NULL;
    char path[PATH_SIZE];
    start();
    snprintf(path, sizeof path, "%s", at("set.json"));
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f, "{\"images\": [");
    for (int i = 0; i < N; ++i)
        fprintf(
            f, "%s{\"id\": %d, \"file_name\": \"train_val2018/Plantae/%d/%032x.jpg\", \"width\": 800, \"height\": 600}",
            i == 0 ? "" : ", ", (i * 7) % N + 1, i % CLASSES, (unsigned)i);
    fprintf(f, "], \"categories\": [");
    for (int c = 0; c < CLASSES; ++c)
        fprintf(f, "%s{\"id\": %d, \"name\": \"species %d\"}", c == 0 ? "" : ", ", 3 * ((c * 5) % CLASSES),
                (c * 5) % CLASSES);
    fprintf(f, "], \"annotations\": [");
    for (int i = N - 1; i >= 0; --i)
        fprintf(f, "%s{\"id\": %d, \"image_id\": %d, \"category_id\": %d}", i == N - 1 ? "" : ", ", i, (i * 7) % N + 1,
                3 * (i % CLASSES));
    fprintf(f, "]}");
    ck_assert_int_eq(fclose(f), 0);
    hnt_ok(hnt_counting_context(&context, &counter, 1));
    hnt_ok(hn_dataset_open_inaturalist(&d, context, dir, path));
    ck_assert_int_eq(hn_dataset_count(d), N);
    ck_assert_int_eq(hn_dataset_classes(d), CLASSES);
    for (int i = 0; i < N; ++i)
        ck_assert_int_eq(hn_dataset_labels(d)[i], i % CLASSES);
    ck_assert_str_eq(hn_dataset_class_name(d, 8141), "species 8141");
    ck_assert_int_lt(counter.alive_bytes / N, 100); /* 68 of them the path's */
    hn_dataset_release(d);
    hn_context_destroy(context);
    ck_assert_int_eq(counter.alive, 0);
}
END_TEST

#else

START_TEST(inaturalist_without_jansson)
{
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL;
    start();
    hnt_fails(open_json(&d, context, "{}"), HN_E_UNSUPPORTED, "without jansson");
    hn_context_destroy(context);
}
END_TEST

#endif

/* ---- images of any size ------------------------------------------------------------------------------------------------ */

/* Two classes of PNG or JPEG files, image i of class c with (10 + i) x (20 + c) pixels; 0: this build reads neither, and
 * so makes none.                                                                                                     */
static int make_images(int each)
{
    static uint8_t bytes[HNT_FILE_ROOM];
    start();
    make_directory("x");
    make_directory("y");
    for (int i = 0; i < each; ++i)
        for (int c = 0; c < 2; ++c) {
            char name[64];
            size_t size = hnt_make_png(bytes, 10 + i, 20 + c);
            if (size == 0)
                size = hnt_make_jpeg(bytes, 10 + i, 20 + c, 0);
            const char *build = hn_build_info();
            ck_assert_int_eq(size > 0, strstr(build, "; png") != NULL || strstr(build, "; jpeg") != NULL);
            if (size == 0) {
                printf("passing over sets of files: this build reads neither PNG nor JPEG\n");
                return 0;
            }
            snprintf(name, sizeof name, "%s/%03d.png", c == 0 ? "x" : "y", i);
            hnt_write_file(at(name), bytes, size);
        }
    return 1;
}

START_TEST(images_of_any_size)
{
    static const int64_t order[] = {3, 0};
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL, *part = NULL;
    hni_image image;
    uint8_t pixels[64];
    hni_image_init(&image, context);
    if (make_images(2)) {
        hnt_ok(FOLDER(&d, NULL));
        hn_image_shape shape = hn_dataset_shape(d);
        ck_assert(shape.height == 0 && shape.width == 0 && shape.channels == 3);
        ck_assert(hni_dataset_has_files(d));
        hnt_fails(hn_dataset_read(d, 0, pixels), HN_E_SHAPE, "differ in size");
        for (int i = 0; i < 4; ++i) {
            hnt_ok(hni_dataset_load(d, i, &image));
            ck_assert(image.full_height == 10 + i % 2 && image.full_width == 20 + i / 2);
            hnt_ok(hni_image_decode(&image, 1));
            ck_assert(image.height == 10 + i % 2 && image.width == 20 + i / 2);
        }
        hnt_fails(hni_dataset_load(d, 4, &image), HN_E_ARG, "index 4 is not in [0, 4)");
        hnt_fails(hni_dataset_load(d, -1, &image), HN_E_ARG, "index -1");
        hnt_ok(hn_dataset_create_subset(&part, d, order, 2));
        hn_dataset_release(d);
        shape = hn_dataset_shape(part);
        ck_assert(shape.height == 0 && shape.width == 0 && shape.channels == 3);
        hnt_fails(hn_dataset_read(part, 0, pixels), HN_E_SHAPE, "differ in size");
        hnt_ok(hni_dataset_load(part, 0, &image));
        ck_assert(image.full_height == 11 && image.full_width == 21);
        ck_assert_str_eq(hn_dataset_class_name(part, 1), "y");
        ck_assert_int_eq(hn_dataset_labels(part)[0], 1);
        hn_dataset_release(part);
    }
    hnt_ok(hn_dataset_create_synthetic(&d, context, 3, 1));
    ck_assert(!hni_dataset_has_files(d));
    hnt_fails(hni_dataset_load(d, 0, &image), HN_E_ARG, "no files");
    ck_assert_ptr_null(hn_dataset_class_name(d, 0));
    hn_dataset_release(d);
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

START_TEST(long_tail_of_files)
{
    hn_context *context = hnt_context(1);
    hn_dataset *d = NULL, *tail = NULL;
    hn_long_tail_options o;
    hn_long_tail_options_init(&o, sizeof o);
    o.ratio = 4;
    hni_image image;
    hni_image_init(&image, context);
    if (make_images(8)) {
        int64_t counts[2];
        hnt_ok(FOLDER(&d, NULL));
        hnt_ok(hn_dataset_create_long_tail(&tail, d, &o));
        hn_dataset_class_counts(tail, counts);
        ck_assert(counts[0] == 8 && counts[1] == 2);
        hnt_ok(hni_dataset_load(tail, 9, &image));
        ck_assert_int_eq(image.full_width, 21);
        hn_dataset_release(tail);
        hn_dataset_release(d);
    }
    hni_image_release(&image);
    hn_context_destroy(context);
}
END_TEST

/* ---- allocations that fail --------------------------------------------------------------------------------------------- */

enum { SOURCE_FOLDER, SOURCE_LIST, SOURCE_JSON, SOURCE_SUBSET, SOURCES };

static hn_status create(int source, hn_dataset **out, hn_context *context)
{
    static const int64_t order[] = {1, 0};
    hn_dataset *base = NULL;
    switch (source) {
    case SOURCE_FOLDER:
        return FOLDER(out, NULL);
    case SOURCE_LIST:
        return open_list(out, context, "a.jpg 1\nb.jpg 0\n");
    case SOURCE_JSON:
#ifdef HNI_HAVE_JANSSON
        return open_json(out, context, good);
#endif
    default:
        break;
    }
    hn_status status = FOLDER(&base, NULL);
    if (status == HN_OK)
        status = hn_dataset_create_subset(out, base, order, 2);
    hn_dataset_release(base);
    return status;
}

static hn_status attempt(hn_context *context, const void *source)
{
    hn_dataset *d = NULL;
    const hn_status status = create(*(const int *)source, &d, context);
    ck_assert((status == HN_OK) == (d != NULL));
    hn_dataset_release(d);
    return status;
}

START_TEST(allocation_failures)
{
    static const char *const files[] = {"x/1.jpg", "x/2.jpg", "y/1.jpg", NULL};
    start();
    make_directory("x");
    make_directory("y");
    touch(files);
    for (int source = 0; source < SOURCES; ++source)
        hnt_survives(attempt, &source, 5);
}
END_TEST

static Suite *image_files_suite(void)
{
    Suite *suite = suite_create("image_files");
    TCase *unit = hnt_case(suite, "unit");
    tcase_add_test(unit, folder);
    tcase_add_test(unit, folder_refused);
    tcase_add_test(unit, list);
    tcase_add_test(unit, list_refused);
#ifdef HNI_HAVE_JANSSON
    tcase_add_test(unit, inaturalist);
    tcase_add_test(unit, inaturalist_refused);
    tcase_add_test(unit, inaturalist_classes);
#else
    tcase_add_test(unit, inaturalist_without_jansson);
#endif
    tcase_add_test(unit, images_of_any_size);
    tcase_add_test(unit, long_tail_of_files);
    tcase_add_test(hnt_case(suite, "oom"), allocation_failures);
    return suite;
}

HNT_MAIN(image_files_suite)
