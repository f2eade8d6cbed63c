/* train_hybrid.c -- trains a classifier on long-tailed images by the hybrid methods of Wang et al. (CVPR 2021), or by
 * plain cross-entropy, on libhybridnet's public interface alone. `train_hybrid --help` tells how to use it.
 *
 * Here are its beginning and end; option_rows.c has what can be asked for, options.c how it is read, recipe.c options under
 * one name, resume.c those of a training that goes on, run.c a whole run, data.c the images, augmentation.c how they are
 * changed, network.c the network, training.c the epochs, checkpoints.c what is kept of them, second_stage.c what may follow,
 * report.c what is told, seeds.c several such runs.                                                                     */
#include "report.h"
#include "seeds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* The first Ctrl-C lets the step end, a second one kills. */
static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Between parallel regions OpenMP's threads spin, and take the cores from the threads that prepare images (and from
 * everybody else), unless the environment says otherwise before the program starts: so it starts itself once more.     */
static void let_idle_threads_sleep(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") == NULL && setenv("OMP_WAIT_POLICY", "passive", 1) == 0)
        execv("/proc/self/exe", argv); /* where that is not possible, it goes on as it is */
}

int main(int argc, char **argv)
{
    let_idle_threads_sleep(argv);
    struct run run = {.started = now(), .interrupted = &interrupted};
    struct outcome outcome;
    int code = options_read(&run.options, argc, argv);
    if (code != 0) {
        options_release(&run.options);
        return code > 0 ? DONE : code == -1 ? BAD_USAGE : FAILED;
    }
    if (!run.options.eval_only) /* a test has nothing to save: signals end it as they end any program */
        catch_interrupts();
    if (run.options.log != NULL && (run.log = event_log_open(run.options.log, run.options.log_kept)) == NULL)
        code = FAILED;
    if (code == DONE)
        code = run.options.seeds.count > 0 ? seeds_run(&run) : run_whole(&run, &outcome);
    if (event_log_close(run.log) != 0 && code == DONE)
        code = FAILED;
    if (code == DONE && (fflush(stdout) != 0 || ferror(stdout))) {
        complain("the results could not be printed: %s", strerror(errno));
        code = FAILED;
    }
    options_release(&run.options);
    return code;
}
