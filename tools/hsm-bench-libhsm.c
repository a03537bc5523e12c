// SPDX-License-Identifier: Apache-2.0
/*
 * hsm-bench on libhsm: the sealed empty command, one channel for all threads, no session and no
 * login. What it costs is what every other command costs before it does anything.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hsm/hsm.h>
#include <hsm/pkcs11.h>
#include "hsm-bench.h"

struct target {
	struct hsm_device *device;
	struct hsm_channel *channel;
	uint8_t partition[HSM_PARTITION_ID_SIZE];
	struct operation operation;
	char description[128];
};

/* @opened: a channel that the last run has opened, closed untimed */
struct worker {
	struct target *target;
	unsigned char *data;
	struct hsm_channel *opened;
};

static int said(const char *what, int ret, const struct hsm_error *error)
{
	complain("%s: %s: %s", what, hsm_layer_name(error->layer), error->text);
	return ret;
}

static void libhsm_close(struct target *target)
{
	hsm_disconnect(target->channel);
	hsm_close(target->device);
	free(target);
}

static int connect_first(struct target *target)
{
	struct hsm_partition_info partition;
	struct hsm_error error = { 0 };
	size_t count = 1;
	int ret = hsm_partitions(target->device, &partition, &count, &error);

	if (ret && ret != -ENOSPC)
		return said("hsm_partitions", ret, &error);
	if (!count) {
		complain("the device's function has no partition");
		return -ENODEV;
	}
	memcpy(target->partition, partition.id, sizeof(target->partition));
	ret = hsm_connect(target->device, partition.id, &target->channel, &error);
	return ret ? said("hsm_connect", ret, &error) : 0;
}

static int libhsm_open(const struct target_config *config, struct target **target)
{
	struct hsm_error error = { 0 };
	int ret;

	*target = calloc(1, sizeof(**target));
	if (!*target)
		return -ENOMEM;
	ret = hsm_open(config->device, 0, &(*target)->device, &error);
	ret = ret ? said("hsm_open", ret, &error) : connect_first(*target);
	if (ret)
		libhsm_close(*target);
	return ret;
}

static const char *libhsm_describe(struct target *target)
{
	struct hsm_device_info info;
	struct hsm_error error = { 0 };

	if (hsm_device_info(target->device, &info, &error))
		return "unknown";
	snprintf(target->description, sizeof(target->description), "%s, firmware %s", info.model,
		 info.firmware);
	return target->description;
}

static int libhsm_prepare(struct target *target, const struct operation *operation)
{
	target->operation = *operation;
	/* Whether channels resume was decided when the device was opened: HSM_CHANNEL_RESUME=0 forbids it. */
	return operation->kind == BENCH_NOP || operation->kind == BENCH_CONNECT ||
			       operation->kind == BENCH_RESUME
		       ? 0
		       : -ENOTSUP;
}

static void libhsm_finish(struct target *target)
{
	(void)target;
}

static void libhsm_stop(void *arg)
{
	struct worker *worker = arg;

	free(worker->data);
	free(worker);
}

static void *libhsm_start(struct target *target, unsigned int thread)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	(void)thread;
	if (!worker)
		return NULL;
	worker->target = target;
	worker->data = calloc(1, target->operation.size + 1);
	if (worker->data)
		return worker;
	free(worker);
	return NULL;
}

/* As a caller does it: a request is taken from the channel's pool, sent, and given back. */
static int run_nop(struct worker *worker)
{
	const struct target *target = worker->target;
	struct hsm_request *request = hsm_request_new(target->channel, HSM_OP_NOP, 0);
	struct hsm_error error = { 0 };
	int ret;

	if (!request)
		return -ENOMEM;
	if (target->operation.size)
		hsm_put_bytes(hsm_request_writer(request), HSM_FIELD_DATA, worker->data,
			      target->operation.size);
	ret = hsm_call(request, &error);
	if (ret) {
		said("nop", ret, &error);
	} else if (hsm_request_rv(request) != CKR_OK) {
		complain("nop: 0x%llx", (unsigned long long)hsm_request_rv(request));
		ret = -EIO;
	}
	hsm_request_free(request);
	return ret;
}

static int run_connect(struct worker *worker)
{
	struct hsm_error error = { 0 };
	int ret = hsm_connect(worker->target->device, worker->target->partition, &worker->opened,
			      &error);

	return ret ? said("hsm_connect", ret, &error) : 0;
}

static int libhsm_run(void *arg)
{
	struct worker *worker = arg;

	return worker->target->operation.kind == BENCH_NOP ? run_nop(worker) : run_connect(worker);
}

static int libhsm_rest(void *arg)
{
	struct worker *worker = arg;

	hsm_disconnect(worker->opened);
	worker->opened = NULL;
	return 0;
}

const struct target_ops target_libhsm = {
	.kind = "libhsm",
	.open = libhsm_open,
	.close = libhsm_close,
	.describe = libhsm_describe,
	.prepare = libhsm_prepare,
	.finish = libhsm_finish,
	.start = libhsm_start,
	.run = libhsm_run,
	.rest = libhsm_rest,
	.stop = libhsm_stop,
};
