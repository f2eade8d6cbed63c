/* option_rows.c -- train_hybrid's options: one row each. The choices of a row are in the order of the enums in options.h
 * or of the library's constants.                                                                                        */
#include "options.h"

#define AT(field) offsetof(struct options, field)

/* clang-format off */
const struct option_row option_rows[] = {
    {"Data", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"dataset", OPTION_CHOICE, AT(dataset), "fashion-mnist", 0, 0,
     "fashion-mnist|cifar10|cifar100|cifar100-coarse|synthetic|image-folder|image-list|inaturalist2018",
     "what to learn; cifar100-coarse is CIFAR-100 with its 20 superclasses as\n"
     "labels; synthetic needs no files; the last three are JPEG and PNG files of\nany size"},
    {"data", OPTION_TEXT, AT(data), NULL, 0, 0, "DIR",
     "directory of the set's files: Fashion-MNIST's IDX files (default: where\n"
     "Debian's dataset-fashion-mnist puts them); CIFAR's binary files; for\n"
     "image-folder train/CLASS/*.jpg and val/CLASS/*.jpg; for image-list what\n"
     "the lists' paths are below; train2018.json, val2018.json and their images"},
    {"train-list", OPTION_TEXT, AT(train_list), NULL, 0, 0, "FILE",
     "image-list: lines 'path label', as of ImageNet-LT and iNaturalist18"},
    {"test-list", OPTION_TEXT, AT(test_list), NULL, 0, 0, "FILE", "image-list: the same of the test images"},
    {"image-size", OPTION_INTEGER, AT(image_size), "224", 8, 4096, "N",
     "side of what the network sees of image files; tests cut it out of the\n"
     "middle of images whose shorter side is 8/7 of it"},
    {"on-corrupt", OPTION_CHOICE, AT(on_corrupt), "fail", 0, 0, "fail|skip",
     "a training image that cannot be decoded ends the run, or is named (the first\n"
     "20 are) and another of its class stands in; one of a test, and of those that\n"
     "--validation holds out, always ends the run"},
    {"imbalance", OPTION_REAL, AT(imbalance), "auto", 1, 1e6, "RATIO",
     "training images of the largest class over those of the smallest; 1 keeps\n"
     "the whole set; auto: 100, but 1 for image files"},
    {"imbalance-profile", OPTION_CHOICE, AT(imbalance_profile), "exp", 0, 0, "exp|step",
     "how class sizes fall from the first to the last"},
    {"subset", OPTION_CHOICE, AT(subset), "own", 0, 0, "own|numpy-legacy",
     "which images stay: this library's choice, or those that LDAM, BBN and\nothers train on"},
    {"subset-seed", OPTION_INTEGER, AT(subset_seed), "0", 0, 4294967295.0, "N", "seed of that choice"},
    {"validation", OPTION_REAL, AT(validation), "0", 0, 0.5, "SHARE",
     "share of each class's training images that is held out: the best epoch\n"
     "and --tau are chosen by them, never by the test set; 0: none"},
    {"synthetic-images", OPTION_INTEGER, AT(synthetic_images), "5000", 100, 1e7, "N",
     "size of the synthetic training set before the tail is cut; the test set\nhas a fifth of it"},

    {"Method", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"method", OPTION_CHOICE, AT(method), "hybrid-psc", 0, 0, "ce|ce-rs|hybrid-sc|hybrid-psc",
     "cross-entropy, the same on class-balanced batches, or the two branches\n"
     "with the supervised contrastive (sc) or prototypical (psc) loss"},
    {"arch", OPTION_CHOICE, AT(arch), "resnet32", 0, 0,
     "resnet8|resnet14|resnet20|resnet32|resnet44|resnet56|resnet18|resnet34|resnet50",
     "the network; the last three are ImageNet's, for images of 224 x 224"},
    {"feature-loss", OPTION_CHOICE, AT(feature_loss), "auto", 0, 0, "auto|none|sc|psc|bcl|kcl|tsc|paco|proco",
     "of the feature branch; auto: the method's. docs/rebalancing.md says what\neach is; none leaves the branch out"},
    {"temperature", OPTION_REAL, AT(temperature), "auto", 0.001, 1000, "T",
     "of the feature loss; auto: 0.1, but 1 for psc on CIFAR-10 (and, for want of\n"
     "published ones, Fashion-MNIST and the synthetic set), 0.07 for kcl and tsc,\n0.05 for paco"},
    {"reduction", OPTION_CHOICE, AT(reduction), "mean", 0, 0, "mean|sum",
     "of the feature loss over its anchors; the paper writes a sum, which takes\na smaller --lr"},
    {"projection-hidden", OPTION_INTEGER, AT(projection_hidden), "0", 0, 65536, "N",
     "width of the projection head's hidden layer; 0: the backbone's output"},
    {"projection-out", OPTION_INTEGER, AT(projection_out), "128", 1, 65536, "N", "width of the embeddings that it makes"},
    {"psc-include-own", OPTION_SWITCH, AT(psc_include_own), NULL, 0, 0, "",
     "psc: keep the own class in the denominator (the paper leaves it out)"},
    {"prototypes", OPTION_INTEGER, AT(prototypes), "1", 1, 1000, "M", "psc: prototypes of each class"},
    {"assign", OPTION_CHOICE, AT(assign), "soft", 0, 0, "soft|hard|uniform",
     "psc: how an image is shared out over the prototypes of its class"},
    {"queue", OPTION_INTEGER, AT(queue), "1024", 0, 1e7, "N",
     "kcl, tsc, paco: how many earlier embeddings are contrasted with too"},
    {"classifier-loss", OPTION_CHOICE, AT(classifier_loss), "ce", 0, 0,
     "ce|smoothed|label-aware|focal|class-balanced|class-balanced-focal|balanced-softmax|logit-adjustment|ldam",
     "of the classifier branch, each with its paper's settings; ldam brings its\nnormalised linear layer"},
    {"drw-epoch", OPTION_INTEGER, AT(drw_epoch), "0", 0, 100000, "EPOCH",
     "deferred re-weighting: after so many epochs the classifier loss weighs\n"
     "classes by their effective number (LDAM-DRW: 160 of 200); 0: never"},
    {"classifier-sampler", OPTION_CHOICE, AT(classifier_sampler), "auto", 0, 0,
     "auto|instance|balanced|balanced-random|square-root|progressive|reversed",
     "how the classifier branch draws its images; auto: as the method does; a loss\n"
     "that makes up for the classes' sizes goes with instance, square-root and\n"
     "progressive, of which auto is none in the hybrid methods and ce-rs"},
    {"feature-sampler", OPTION_CHOICE, AT(feature_sampler), "instance", 0, 0,
     "instance|balanced|balanced-random|square-root|progressive|reversed", "how the feature branch draws its images"},
    {"augmentation", OPTION_CHOICE, AT(augmentation), "plain", 0, 0, "plain|sim|autoaugment|randaugment|resized",
     "how training images are changed: random crop and flip, and in the hybrid\n"
     "methods gray with probability 0.2, as in the paper (plain); SimAugment, with\n"
     "strong colours; crop and flip with AutoAugment's or RandAugment's operations\n"
     "and, for small images, cutout; or plain with crops of 20 to 100 % of the area\n"
     "that are resized (resized)"},
    {"later-views", OPTION_CHOICE, AT(later_views), "same", 0, 0, "same|plain|sim|autoaugment|randaugment|resized",
     "the same of all views but the first"},
    {"classifier-augmentation", OPTION_CHOICE, AT(classifier_augmentation), "same", 0, 0,
     "same|plain|sim|autoaugment|randaugment|resized", "the same of the classifier branch"},
    {"views", OPTION_INTEGER, AT(views), "2", 1, 16, "N", "random views of each image in the feature branch"},
    {"transition", OPTION_CHOICE, AT(transition), "parabolic", 0, 0,
     "parabolic|linear|cosine|fixed|parabolic-increase|beta|separate",
     "how alpha, the weight of the feature branch, goes with the epochs"},
    {"alpha", OPTION_REAL, AT(alpha), "0.5", 0, 1, "A", "its value for --transition fixed"},
    {"separate-at", OPTION_REAL, AT(separate_at), "0.6", 0, 1, "SHARE",
     "the share of the epochs after which --transition separate goes from 1 to 0\n"
     "(one epoch earlier with --alpha-origin 1)"},
    {"alpha-origin", OPTION_INTEGER, AT(alpha_origin), "0", 0, 1, "N",
     "number of the first epoch in alpha's formula: with 0 parabolic, linear and\n"
     "cosine start at alpha 1, with 1 they end at 0; parabolic-increase starts at 0\nor ends at 1"},
    {"statistics", OPTION_CHOICE, AT(statistics), "both", 0, 0, "both|classifier",
     "whose batches the batch norms' running statistics follow, which the test\n"
     "images are normalised by: both branches' or the classifier's alone"},

    {"Training", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"epochs", OPTION_INTEGER, AT(epochs), "200", 1, 100000, "N", "passes over the training images"},
    {"batch", OPTION_INTEGER, AT(batch), "512", 2, 65536, "N", "images a step in each branch"},
    {"micro-batch", OPTION_INTEGER, AT(micro_batch), "0", 0, 1048576, "N",
     "images, views counted, that go through the network at once; a larger batch\n"
     "is taken in parts: less memory, a second forward pass, batch norm by part;\n0: all"},
    {"lr", OPTION_REAL, AT(lr), "0.5", 1e-8, 1000, "RATE", "learning rate; about 0.1 for a batch of 128"},
    {"milestones", OPTION_LIST, AT(milestones), "auto", 0, 100000, "LIST",
     "epochs after which the rate falls, e.g. 120,160; auto: at 60 % and 80 %\nof the epochs"},
    {"warmup", OPTION_REAL, AT(warmup), "auto", 0, 100000, "EPOCHS",
     "length of the linear rise of the rate from 0.01 (or a tenth of --lr),\n"
     "without which a batch of 512 at rate 0.5 may diverge; auto: 5 % of the\nepochs"},
    {"lr-decay", OPTION_REAL, AT(lr_decay), "0.1", 1e-6, 1, "FACTOR", "of the rate at each milestone"},
    {"momentum", OPTION_REAL, AT(momentum), "0.9", 0, 0.9999, "M", "of the gradient descent"},
    {"clip-norm", OPTION_REAL, AT(clip_norm), "0", 0, 1e9, "NORM",
     "the gradients' norm over all parameters is clipped to this; 0: not"},
    {"on-nonfinite", OPTION_CHOICE, AT(on_nonfinite), "stop", 0, 0, "stop|skip",
     "a step whose outputs, loss or gradients are not finite ends the training, or is\n"
     "left out; after ten in a row training ends all the same"},
    {"weight-decay", OPTION_REAL, AT(weight_decay), "1e-4", 0, 1, "W", "on all parameters"},
    {"seed", OPTION_INTEGER, AT(seed), "1", 0, 4294967295.0, "N",
     "of initial weights, order of images and augmentation; the same seed gives\n"
     "the same weights, whatever --threads and --workers are"},
    {"seeds", OPTION_LIST, AT(seeds), "auto", 0, 4294967295.0, "LIST",
     "one run for each of these (16 at most, ascending), e.g. 1,2,3, and their mean\n"
     "and standard deviation; auto: one run with --seed"},

    {"Second stage", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"second-stage", OPTION_CHOICE, AT(second_stage), "none", 0, 0, "none|crt|lws|tau|ncm",
     "what takes the classifier's place when training is over, on features that\n"
     "stay as they are (Kang et al. 2020): a new classifier trained on class-\n"
     "balanced batches (crt), a scale for each class's logit trained so (lws),\n"
     "weights over their norms to the power --tau (tau), nearest class means (ncm)"},
    {"second-epochs", OPTION_INTEGER, AT(second_epochs), "10", 0, 100000, "N", "crt, lws: epochs of the second stage"},
    {"second-lr", OPTION_REAL, AT(second_lr), "0.2", 1e-8, 1000, "RATE",
     "crt, lws: learning rate, which falls to 0 like a cosine"},
    {"tau", OPTION_REAL, AT(tau), "auto", 0, 10, "TAU", "auto: the best of 0, 0.1 ... 2 on the --validation images"},

    {"Files", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"save", OPTION_TEXT, AT(save), NULL, 0, 0, "FILE", "write the weights after every epoch (safetensors)"},
    {"export", OPTION_TEXT, AT(export_to), NULL, 0, 0, "FILE",
     "write backbone and classifier alone at the end, what testing needs\n(safetensors)"},
    {"load", OPTION_TEXT, AT(load), NULL, 0, 0, "FILE", "start from these weights (safetensors)"},
    {"eval-only", OPTION_SWITCH, AT(eval_only), NULL, 0, 0, "", "test the weights of --load and stop"},
    {"eval-every", OPTION_INTEGER, AT(eval_every), "1", 1, 100000, "N",
     "epochs from one test to the next; the last epoch is always tested"},
    {"log", OPTION_TEXT, AT(log), NULL, 0, 0, "FILE", "write one JSON object a line: start, every epoch, result"},
    {"log-steps", OPTION_INTEGER, AT(log_steps), "0", 0, 1e12, "N",
     "and one with the losses of each N-th step; 0: of none"},
    {"features", OPTION_TEXT, AT(features), NULL, 0, 0, "FILE",
     "write at the end what the backbone makes of test images, at most 2000\n"
     "(safetensors: features, labels), which hn_report draws as a map"},

    {"Checkpoints", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"checkpoint", OPTION_TEXT, AT(checkpoint), NULL, 0, 0, "DIR",
     "keep in this directory, which is made if there is none, what it takes to go\n"
     "on with the same bits after an end of any kind (docs/checkpoints.md);\n"
     "Ctrl-C and SIGTERM save and stop; a second stage is begun again"},
    {"checkpoint-every", OPTION_INTEGER, AT(checkpoint_every), "0", 0, 1e12, "N",
     "steps from one checkpoint to the next; 0: at the end of every epoch"},
    {"keep", OPTION_INTEGER, AT(keep), "2", 1, 1e6, "K", "how many checkpoints stay, the latest"},
    {"resume", OPTION_SWITCH, AT(resume), NULL, 0, 0, "",
     "go on from the latest checkpoint of --checkpoint that is whole, with the\n"
     "options it has; the command line may change how it runs, not what is\n"
     "learnt; without a checkpoint begin from the beginning"},

    {"Recipes", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"recipe", OPTION_TEXT, AT(recipe), NULL, 0, 0, "NAME",
     "begin with the options of SET/METHOD, e.g. cifar10-lt-100/ldam-drw, or of\n"
     "a file of lines 'option = value'; other options on the command line have\n"
     "the last word; with another number of --epochs the recipe's milestones,\n"
     "warmup and drw-epoch move along; 'list' names sets and methods"},
    {"print-recipe", OPTION_SWITCH, AT(print_recipe), NULL, 0, 0, "",
     "print all options as they would be used, but for --checkpoint, --resume and\n--quiet, as such a file, and stop"},

    {"Running", OPTION_HEADING, 0, NULL, 0, 0, NULL, NULL},
    {"threads", OPTION_INTEGER, AT(threads), "0", 0, 1024, "N", "threads that compute; 0: all cores"},
    {"engine", OPTION_CHOICE, AT(engine), "auto", 0, 0, "auto|cblas|direct|onednn",
     "who computes convolutions; auto: whoever is fastest here; onednn needs a\nbuild with oneDNN"},
    {"precision", OPTION_CHOICE, AT(precision), "f32", 0, 0, "f32|bf16",
     "numbers inside the network: bf16 halves its activations and is faster where the\n"
     "CPU multiplies it (AVX512-BF16); weights, their updates, heads and\nlosses stay f32"},
    {"workers", OPTION_INTEGER, AT(workers), "1", 0, 64, "N", "threads that prepare images, for each branch"},
    {"profile", OPTION_SWITCH, AT(profile), NULL, 0, 0, "",
     "print at the end where the time of training went: seconds by kind of\n"
     "layer, and how near each came to what this machine can compute and move,\n"
     "which is measured first, in a second and 512 MiB (docs/performance.md)"},
    {"quiet", OPTION_SWITCH, AT(quiet), NULL, 0, 0, "", "print nothing but errors"},
    {"help", OPTION_SWITCH, AT(help), NULL, 0, 0, "", "print this text and stop"},
    {"version", OPTION_SWITCH, AT(version), NULL, 0, 0, "", "print the library's version and build and stop"},
};
/* clang-format on */

const size_t option_row_count = sizeof option_rows / sizeof option_rows[0];
