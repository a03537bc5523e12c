/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hsm-bench: what its parts share. A target (PKCS#11 module, libcrypto, libhsm) offers operations;
 * the load runs one of them from some threads and keeps a histogram of latencies; the report
 * prints.
 */
#ifndef HSM_BENCH_H
#define HSM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses */
enum {
	BENCH_OK = 0,
	BENCH_FAILED = 1,	/* an operation failed */
	BENCH_USAGE = 2,
	BENCH_TARGET = 3,	/* the module, token, device or saved run could not be opened */
	BENCH_SLOWER = 4,	/* something is slower than it was */
};

#define BENCH_LARGEST	(16U << 20)	/* bytes of one operation */
#define BENCH_THREADS	256U

/* complain - one line on standard error, with the program's name */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* now_ns - CLOCK_MONOTONIC */
uint64_t now_ns(void);

/* ---- histogram ---- */

/*
 * Values up to 2^HISTOGRAM_BITS are exact; above, each power of two is cut into 2^HISTOGRAM_BITS /
 * 2 equal parts, so that a percentile is at most 1/128 too high. No value is left out.
 */
#define HISTOGRAM_BITS	8
#define HISTOGRAM_HALF	(1U << (HISTOGRAM_BITS - 1))
#define HISTOGRAM_CELLS	((64 - HISTOGRAM_BITS + 2) * HISTOGRAM_HALF)

struct histogram {
	uint64_t cell[HISTOGRAM_CELLS];
	uint64_t count;
	uint64_t sum;
	uint64_t min;		/* exact; 0 when empty */
	uint64_t max;		/* exact */
};

void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/**
 * histogram_percentile - smallest value that at least this share of the samples does not exceed
 * @percent: above 0, up to 100
 *
 * Return: the upper end of the value's cell, never more than the largest sample; 0 when empty.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

/* ---- operations ---- */

enum bench_kind {
	BENCH_NOP,
	BENCH_AES_GCM,
	BENCH_P256_SIGN,
	BENCH_RSA2048_SIGN,
	BENCH_DIGEST,
	BENCH_RANDOM,
	BENCH_P256_KEYGEN,
	BENCH_FIND,
	BENCH_DATA_CREATE,
	BENCH_KEY_FIND,
	BENCH_FDATASYNC,
	BENCH_PING,
	BENCH_WAKE,
	BENCH_CONNECT,
	BENCH_RESUME,
};

/**
 * struct operation - one operation as chosen on the command line
 * @name: of its kind, static
 * @sized: whether @size has a meaning
 * @size: bytes, for find the number of objects among which one is found
 */
struct operation {
	enum bench_kind kind;
	const char *name;
	bool sized;
	size_t size;
};

/**
 * operation_parse - NAME or NAME:SIZE; a SIZE may end in k for KiB or m for MiB
 * Return: 0, or -EINVAL when there is no such operation or the size is wrong.
 */
int operation_parse(const char *text, struct operation *operation);

/* operation_list - print the names, for --help */
void operation_list(void);

/* ---- targets ---- */

struct target;

/**
 * struct target_config - what to open
 * @module: path of a PKCS#11 module
 * @token: label of its token, or NULL
 * @slot: its slot's id, or NULL; without both it is the first slot with an initialized token
 * @pin, @pin_length: of the user; @pin is NULL when there is no login
 * @device: name for libhsm
 */
struct target_config {
	const char *module;
	const char *token;
	const char *slot;
	const char *pin;
	size_t pin_length;
	const char *device;
};

/**
 * struct target_ops - how a kind of target runs operations
 * @kind: for the report
 * @open: open the target; it says itself what is wrong. Return: 0 or a negative errno
 * @close: end it and free it
 * @describe: what it is, one line, from the target itself
 * @prepare: make the keys of an operation, shared by all threads.
 *	Return: 0, -ENOTSUP when this target has no such operation, or a negative errno
 * @finish: remove what prepare made
 * @start: called in the thread: make what is one thread's own. Return: it, or NULL
 * @run: one operation, the part that is timed. Return: 0 or a negative errno
 * @rest: clean up after some runs, untimed; may be NULL
 * @stop: undo start
 *
 * One operation is prepared at a time. start, run, rest and stop are called by several threads at
 * once.
 */
struct target_ops {
	const char *kind;
	int (*open)(const struct target_config *config, struct target **target);
	void (*close)(struct target *target);
	const char *(*describe)(struct target *target);
	int (*prepare)(struct target *target, const struct operation *operation);
	void (*finish)(struct target *target);
	void *(*start)(struct target *target, unsigned int thread);
	int (*run)(void *worker);
	int (*rest)(void *worker);
	void (*stop)(void *worker);
};

/*
 * The least that two threads need to hand something over and back: by memory, both spinning, or by
 * eventfd, both sleeping. partner_run() is one exchange. Return: as those of struct target_ops.
 */
struct partner;
struct partner *partner_start(bool spinning);
int partner_run(struct partner *partner);
void partner_stop(struct partner *partner);

/*
 * TLS 1.3 by libssl alone, both ends over memory BIOs, with a chain of certificates like a device's. handshake_run() is
 * one handshake, resumed or whole. Return: as those of struct target_ops.
 */
struct handshake;
struct handshake *handshake_start(bool resume);
int handshake_run(struct handshake *handshake);
void handshake_stop(struct handshake *handshake);

extern const struct target_ops target_pkcs11;
extern const struct target_ops target_raw;
extern const struct target_ops target_libhsm;

/* ---- load ---- */

/**
 * struct load - how to run an operation
 * @threads: number of them
 * @seconds: duration that is measured
 * @warmup: seconds before it that are not
 * @pause_us: microseconds of sleep before each operation, untimed
 */
struct load {
	unsigned int threads;
	double seconds;
	double warmup;
	unsigned long pause_us;
};

/**
 * struct result - what was measured
 * @rate: operations a second, summed over threads; pauses and cleaning up do not count as time
 */
struct result {
	struct operation operation;
	struct load load;
	double rate;
	struct histogram latency;	/* nanoseconds */
};

/**
 * load_run - prepare an operation, run it from all threads at once, clean up
 * Return: 0, -ENOTSUP when the target has no such operation, or a negative errno; what failed was
 * said.
 */
int load_run(const struct target_ops *ops, struct target *target, const struct operation *operation,
	     const struct load *load, struct result *result);

/* ---- report ---- */

struct report {
	const struct target_ops *ops;
	const char *name;		/* module or device */
	const char *description;
	uint64_t open_ns;		/* from nothing to the user logged in */
	const struct result *results;
	size_t count;
};

/* Both print to standard output. Return: 0 or a negative errno. */
int report_markdown(const struct report *report);
int report_json(const struct report *report);

/* ---- comparing ---- */

/* bench_compare - hsm-bench compare, argv[0] being that word. Return: an exit status. */
int bench_compare(int argc, char **argv);

#endif /* HSM_BENCH_H */
