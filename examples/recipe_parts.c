/* recipe_parts.c -- published settings as data: a set and a method together are a recipe, the method's lines after the
 * set's. Those of the hybrid methods are of Wang et al. 2021; what LDAM's code (Cao et al. 2019) set for CIFAR serves all
 * methods that were compared with it. docs/recipes.md has the sources.                                                 */
#include "recipe.h"

#define LONG_TAILED(set, ratio) "dataset = " set "\nsubset = numpy-legacy\nimbalance = " ratio "\narch = resnet32\n"

const struct recipe_part recipe_sets[] = {
    {"cifar10-lt-10", LONG_TAILED("cifar10", "10"), "CIFAR-10, largest class 10 times the smallest"},
    {"cifar10-lt-50", LONG_TAILED("cifar10", "50"), "the same, 50 times"},
    {"cifar10-lt-100", LONG_TAILED("cifar10", "100"), "the same, 100 times"},
    {"cifar100-lt-10", LONG_TAILED("cifar100", "10"), "CIFAR-100, 10 times"},
    {"cifar100-lt-50", LONG_TAILED("cifar100", "50"), "the same, 50 times"},
    {"cifar100-lt-100", LONG_TAILED("cifar100", "100"), "the same, 100 times"},
    {"fashion-mnist-lt-100", LONG_TAILED("fashion-mnist", "100"), "Fashion-MNIST, 100 times"},
    {"synthetic-lt-100", "dataset = synthetic\nimbalance = 100\narch = resnet8\n", "needs no files"},
    {NULL, NULL, NULL},
};

/* Wang et al. 2021, as quoted by others (docs/recipes.md); the warm-up is the usual one for large batches. */
#define HYBRID                                                                                                 \
    "epochs = 200\nbatch = 512\nlr = 0.5\nmilestones = 120,160\nlr-decay = 0.1\nwarmup = 10\nmomentum = 0.9\n" \
    "weight-decay = 1e-4\n"

/* LDAM's code: rates of 0.1, 0.001 and 0.00001. */
#define LDAM                                                                                                   \
    "epochs = 200\nbatch = 128\nlr = 0.1\nmilestones = 160,180\nlr-decay = 0.01\nwarmup = 5\nmomentum = 0.9\n" \
    "weight-decay = 2e-4\n"

/* Kang et al. 2020. */
#define SECOND(kind, epochs) "second-stage = " kind "\nsecond-epochs = " epochs "\n"

/* Where a paper adds a L_classifier + b L_feature at rate r and decay w, alpha = b / (a + b), the rate is r (a + b) and the
 * decay w / (a + b): the same updates.                                                                               */
#define TWO_LOSSES(loss, alpha, lr, decay)                                                                             \
    "method = hybrid-sc\nfeature-loss = " loss "\nclassifier-loss = logit-adjustment\nclassifier-sampler = instance\n" \
    "transition = fixed\nalpha = " alpha "\naugmentation = autoaugment\nlater-views = sim\n"                           \
    "projection-hidden = 512\nepochs = 200\n"                                                                         \
    "batch = 256\nlr = " lr "\nmilestones = 160,180\nlr-decay = 0.1\nwarmup = 5\nmomentum = 0.9\n"                     \
    "weight-decay = " decay "\n"

const struct recipe_part recipe_methods[] = {
    {"hybrid-sc", "method = hybrid-sc\ntransition = parabolic\n" HYBRID, "the paper's, supervised contrastive"},
    {"hybrid-psc", "method = hybrid-psc\ntransition = parabolic\n" HYBRID, "the paper's, prototypical"},
    {"sc-two-stage", "method = hybrid-sc\ntransition = fixed\nalpha = 1\n" HYBRID SECOND("crt", "30"),
     "contrastive pre-training, then a classifier of the frozen features"},
    {"ce", "method = ce\n" LDAM, "cross-entropy"},
    {"ce-rs", "method = ce-rs\n" LDAM, "cross-entropy on class-balanced batches"},
    {"focal", "method = ce\nclassifier-loss = focal\n" LDAM, "focal loss (Lin et al. 2017)"},
    {"cb-focal", "method = ce\nclassifier-loss = class-balanced-focal\n" LDAM,
     "focal loss weighted by effective numbers (Cui et al. 2019)"},
    {"ce-drw", "method = ce\ndrw-epoch = 160\n" LDAM, "cross-entropy, weighted from epoch 160 on (Cao et al. 2019)"},
    {"ldam-drw", "method = ce\nclassifier-loss = ldam\ndrw-epoch = 160\n" LDAM,
     "LDAM with deferred weights (Cao et al. 2019)"},
    {"balanced-softmax", "method = ce\nclassifier-loss = balanced-softmax\n" LDAM, "Ren et al. 2020"},
    {"logit-adjustment", "method = ce\nclassifier-loss = logit-adjustment\n" LDAM, "Menon et al. 2021"},
    {"crt", "method = ce\n" LDAM SECOND("crt", "10"), "cross-entropy, then a new classifier (Kang et al. 2020)"},
    {"lws", "method = ce\n" LDAM SECOND("lws", "5"), "cross-entropy, then scales of the logits (Kang et al. 2020)"},
    {"tau-norm", "method = ce\nvalidation = 0.1\n" LDAM SECOND("tau", "0"),
     "cross-entropy, then weights of more equal norms (Kang et al. 2020)"},
    {"ncm", "method = ce\n" LDAM SECOND("ncm", "0"), "cross-entropy, then nearest class means (Kang et al. 2020)"},
    {"bcl", TWO_LOSSES("bcl", "0.2308", "0.39", "1.92e-4"),
     "logit adjustment and balanced contrastive learning (Zhu et al. 2022)"},
    {"proco", TWO_LOSSES("proco", "0.5", "0.6", "1e-4"),
     "logit adjustment and probabilistic contrastive learning (Du et al. 2024)"},
    {NULL, NULL, NULL},
};

/* Wang et al. 2021, as far as it is remembered (docs/recipes.md). */
#define INATURALIST                                                                                        \
    "dataset = inaturalist2018\narch = resnet50\nimage-size = 224\nepochs = 100\nbatch = 100\nlr = 0.05\n" \
    "milestones = 60,80\nlr-decay = 0.1\nwarmup = 0\nmomentum = 0.9\nweight-decay = 1e-4\n"

const struct recipe_part recipe_wholes[] = {
    {"inaturalist2018/hybrid-psc", INATURALIST "method = hybrid-psc\ntemperature = 0.1\n", "8142 classes, 224 x 224"},
    {"inaturalist2018/hybrid-sc", INATURALIST "method = hybrid-sc\ntemperature = 0.1\n", "the same"},
    {"inaturalist2018/ce", INATURALIST "method = ce\n", "the same"},
    {NULL, NULL, NULL},
};
