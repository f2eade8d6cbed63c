/* A recipe file of train_hybrid, read by its own options. What --print-recipe makes of it is a recipe for the same. */
#include "fuzz.h"

#include "../../examples/options.h"

#include <stdlib.h>
#include <string.h>

/* The options as a recipe, the caller's to free; NULL if they are refused. */
static char *print(const char *path)
{
    char name[] = "train_hybrid", recipe[] = "--recipe", print_recipe[] = "--print-recipe", file[512];
    (void)snprintf(file, sizeof file, "%s", path);
    char *words[] = {name, recipe, file, print_recipe, NULL};
    struct options options = {.recipe_text = NULL};
    (void)fuzz_begin(2, FUZZ_CONSTANT);
    fuzz_listen();
    const int code = options_read(&options, 4, words);
    const char *text = fuzz_heard(code < 0);
    options_release(&options);
    fuzz_end();
    if (code == 0)
        fuzz_finding("--print-recipe went on");
    return code < 0 ? NULL : strdup(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *first = print(fuzz_file("input", (fuzz_bytes){data, size}));
    if (first == NULL)
        return 0;
    char *second = print(fuzz_file("again", (fuzz_bytes){(const uint8_t *)first, strlen(first)}));
    if (second == NULL)
        fuzz_finding("a printed recipe is refused: \"%s\"", first);
    if (strcmp(first, second) != 0)
        fuzz_finding("a printed recipe says another thing: \"%s\" became \"%s\"", first, second);
    free(first);
    free(second);
    return 0;
}
