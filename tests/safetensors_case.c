#include "safetensors_case.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int64_t hnt_entries_in(const char *directory)
{
    DIR *d = opendir(directory);
    ck_assert_ptr_nonnull(d);
    int64_t n = 0;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

unsigned char *hnt_read_file(const char *path, size_t *size)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    *size = (size_t)info.st_size;
    unsigned char *data = hnt_alloc(*size);
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fread(data, 1, *size, f), *size);
    fclose(f);
    return data;
}

hnt_samples hnt_make_samples(hn_context *context)
{
    static const hn_desc descs[HNT_SAMPLES] = {{HN_F32, 2, {3, 5}},    {HN_U8, 1, {7}},
                                               {HN_I32, 3, {2, 1, 2}}, {HN_BF16, 1, {3}},
                                               {HN_F32, 2, {0, 4}},    {HN_F32, 6, {1, 2, 1, 3, 1, 2}}};
    static const char *const names[HNT_SAMPLES] = {"z.weight", "a",      "layer1.0.bn1.bias", "\xc3\xa4\xe2\x82\xac",
                                                   "none",     "b\"\\\n"};
    hnt_samples s;
    for (int i = 0; i < HNT_SAMPLES; ++i) {
        hnt_ok(hn_tensor_create(&s.tensor[i], context, &descs[i]));
        unsigned char *data = hn_tensor_data(s.tensor[i]);
        for (size_t k = 0; k < hn_tensor_bytes(s.tensor[i]); ++k)
            data[k] = (unsigned char)(17 * k + 29 * (size_t)i + 3);
        s.named[i] = (hn_named_tensor){names[i], s.tensor[i]};
    }
    return s;
}

void hnt_drop_samples(hnt_samples *s)
{
    for (int i = 0; i < HNT_SAMPLES; ++i)
        hn_tensor_destroy(s->tensor[i]);
}

const hn_metadata hnt_notes[HNT_NOTES] = {
    {"format", "pt"}, {"", "empty key"}, {"epoch", ""}, {"\xc3\xbc", "\xf0\x9f\x90\x9f"}};
unsigned char *hnt_small_file(const hnt_place *p, size_t *size)
{
    hn_context *context = hnt_context(1);
    hnt_samples s = hnt_make_samples(context);
    hnt_ok(hn_safetensors_write(context, p->file, s.named, 3, hnt_notes, 1));
    hnt_drop_samples(&s);
    hn_context_destroy(context);
    return hnt_read_file(p->file, size);
}
