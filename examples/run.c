/* run.c: one run, from options to its end. */
#include "checkpoints.h"
#include "features.h"
#include "network.h"
#include "training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tells what the library said of its last failure, and what to try. */
int run_fail(struct run *run, hn_status status, const char *hint)
{
    progress_clear(&run->progress);
    complain("%s", hn_last_error());
    if (status == HN_E_NOMEM)
        hint = "not enough memory: try a smaller --batch, --queue, --projection-hidden or --projection-out";
    fprintf(stderr, "  %s\n", hint);
    return FAILED;
}

/* Hours of training must not end at a directory that is not there, or at a library that writes no safetensors. */
static int check_written(const char *option, const char *path)
{
    if (strstr(hn_build_info(), "; jansson") == NULL) {
        complain("%s: this library is built without jansson, and cannot write safetensors (CMake option HN_SAFETENSORS)",
                 option);
        return FAILED;
    }
    char directory[4096];
    const char *slash = strrchr(path, '/');
    int length = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(directory, sizeof directory, "%.*s", length, slash == NULL ? "." : path);
    struct stat info;
    const size_t end = strlen(path);
    if ((end > 0 && path[end - 1] == '/') || (stat(path, &info) == 0 && !S_ISREG(info.st_mode))) {
        complain("%s is %s; it must be a file, or the path of one that is to be made", option, path);
        return FAILED;
    }
    if (access(directory, W_OK) == 0)
        return DONE;
    complain("%s is %s, but nothing can be written in the directory %s", option, path, directory);
    return FAILED;
}

static int make_confusion(struct run *run)
{
    const size_t classes = (size_t)run->data.classes;
    if (classes > CONFUSION_CLASSES_MAX)
        return DONE;
    run->confusion = calloc(classes * classes, sizeof *run->confusion);
    if (run->confusion != NULL)
        return DONE;
    complain("not enough memory for a confusion matrix");
    return FAILED;
}

static int prepare(struct run *run)
{
    const struct options *o = &run->options;
    if (o->save != NULL && check_written("--save", o->save) != DONE)
        return FAILED;
    if (o->features != NULL && check_written("--features", o->features) != DONE)
        return FAILED;
    if (o->export_to != NULL && check_written("--export", o->export_to) != DONE)
        return FAILED;
    if (checkpoints_prepare(run) != DONE)
        return FAILED;
    if (o->profile && (run->profile = profile_create((int32_t)o->threads, options_precision(o))) == NULL)
        return FAILED;
    if ((run->warnings = warnings_create()) == NULL)
        return FAILED;

    hn_context_options context;
    hn_context_options_init(&context, sizeof context);
    context.num_threads = (int32_t)o->threads;
    context.engine = o->engine;
    context.log = warnings_event;
    context.log_user = run->warnings;
    context.trace = o->profile ? profile_event : NULL;
    context.trace_user = run->profile;
    hn_status status = hn_context_create(&run->context, &context);
    if (status != HN_OK)
        return run_fail(run, status, "try another number of --threads, or another --engine");
    status = data_open(&run->data, run->context, o);
    if (status != HN_OK)
        return run_fail(run, status, data_hint(o, status));
    if (data_check(&run->data, o) != 0 || make_confusion(run) != DONE)
        return FAILED;
    status = network_create(&run->network, run->context, o, &run->data);
    if (status != HN_OK)
        return run_fail(run, status,
                        status == HN_E_UNSUPPORTED ? "use --precision f32" : "the network could not be put together");
    status = data_start_loaders(&run->data, run->context, o);
    if (status != HN_OK)
        return run_fail(run, status, "try fewer --workers");
    hn_transition_options transition;
    hn_transition_options_init(&transition, sizeof transition);
    transition.kind = o->transition;
    transition.first_epoch = (int32_t)o->alpha_origin;
    transition.total_epochs = o->epochs;
    transition.fixed = o->alpha;
    transition.separate_at = o->separate_at;
    transition.seed = (uint64_t)o->seed;
    status = hn_transition_create(&run->transition, run->context, &transition);
    if (status != HN_OK)
        return run_fail(run, status, "try another --transition");
    /* A file of the inference network alone will do: what it lacks of the feature branch keeps its initial values. */
    status = o->load == NULL || o->resumed ? HN_OK : hn_hybrid_load(run->network, o->load, 0);
    return status == HN_OK ? DONE : run_fail(run, status, "--load must fit --arch and --dataset");
}

static int export_weights(struct run *run)
{
    const char *path = run->options.export_to;
    const hn_status status = path == NULL ? HN_OK : hn_hybrid_save_inference(run->network, path);
    return status == HN_OK ? DONE : run_fail(run, status, "is the directory of --export there, and writable?");
}

static int work(struct run *run, struct outcome *outcome)
{
    int code = prepare(run);
    if (code == DONE && report_start(run) != 0)
        code = FAILED;
    if (code == DONE)
        code = run->options.eval_only ? training_test(run, &outcome->last) : training_run(run, outcome);
    const bool done = code == DONE; /* then one file that cannot be written does not cost the others */
    if (done && export_weights(run) != DONE)
        code = FAILED;
    if (done && run->options.features != NULL && features_write(run, run->options.features) != DONE)
        code = FAILED;
    if ((done || code == INTERRUPTED) && profile_report(run->profile, run->options.quiet, run->log) != 0)
        code = FAILED;
    if (done && report_result(run, outcome) != 0)
        code = FAILED;
    if (done && run->unsaved) {
        complain("training is over, but its last checkpoint could not be written");
        code = FAILED;
    }
    return code;
}

int run_whole(struct run *run, struct outcome *outcome)
{
    *outcome = (struct outcome){.tau = NAN};
    const int code = work(run, outcome);
    hn_transition_destroy(run->transition);
    hn_hybrid_destroy(run->network);
    data_close(&run->data);
    hn_context_destroy(run->context);
    profile_destroy(run->profile);
    warnings_destroy(run->warnings);
    free(run->confusion);
    return code;
}
