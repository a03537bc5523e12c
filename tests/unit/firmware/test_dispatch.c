// SPDX-License-Identifier: Apache-2.0
/*
 * Many commands at a time: parts that arrive in the wrong order, sessions that close under running commands, logins and
 * objects of several applications. What is looked at is that everything ends, and ends right.
 */
#include "commands_testing.h"

#define THREADS 4
#define ROUNDS	40

/* One command by way of the dispatcher, without a channel: several threads share a client so. */
struct request {
	struct task task;
	struct client *client;
	uint32_t session;
	struct hsm_writer out;
	struct hsm_fields fields;
	uint32_t answered_session;
	uint8_t in[8192];
	uint8_t answer[8192];
};

static struct request *request_new(struct client *client, uint32_t session)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		abort();
	request->client = client;
	request->session = session;
	return request;
}

static struct hsm_writer *fields(struct request *request)
{
	hsm_writer_init(&request->out, request->in + 8, sizeof(request->in) - 8);
	return &request->out;
}

static CK_RV run(struct request *request, unsigned int operation)
{
	struct hsm_command_header header = { .operation = htole16(operation),
					     .session = htole32(request->session) };
	size_t written;

	memcpy(request->in, &header, sizeof(header));
	if (command_execute(&request->task, NULL, request->client, request->in,
			    8 + request->out.length, request->answer, sizeof(request->answer),
			    &written) != IHSM_SC_SUCCESS)
		return ~0UL;
	if (hsm_fields_parse(&request->fields, request->answer + 16, written - 16))
		abort();
	request->answered_session = hsm_get_le32(request->answer + 4);
	return hsm_get_le64(request->answer + 8);
}

static struct client *user_client(struct partition *partition, uint32_t *session)
{
	struct client *client = client_new(partition, NULL, false);
	struct request *request;

	assert_int_equal(session_open(client, true, session), CKR_OK);
	request = request_new(client, *session);
	hsm_put_u64(fields(request), HSM_FIELD_USER, CKU_USER);
	hsm_put_bytes(&request->out, HSM_FIELD_PIN, USER_PIN, strlen(USER_PIN));
	assert_int_equal(run(request, HSM_OP_LOGIN), CKR_OK);
	free(request);
	return client;
}

/* ---- parts ---- */

struct part {
	pthread_t thread;
	struct request *request;
	uint64_t number;
	CK_RV rv;
};

static void *run_part(void *data)
{
	struct part *part = data;
	uint8_t byte = part->number;

	hsm_put_bytes(fields(part->request), HSM_FIELD_DATA, &byte, 1);
	hsm_put_u64(&part->request->out, HSM_FIELD_PART, part->number);
	part->rv = run(part->request, HSM_OP_DIGEST_UPDATE);
	return NULL;
}

static void parts_wait_for_their_predecessors(void **state)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	struct client *client = client_new(partition, NULL, false);
	struct part part[8];
	struct request *request;
	const uint8_t *digest;
	uint8_t data[8], expected[32];
	unsigned int n;
	size_t length;
	uint32_t session;
	int i;

	(void)state;
	assert_int_equal(session_open(client, false, &session), CKR_OK);
	request = request_new(client, session);
	hsm_put_u64(fields(request), HSM_FIELD_MECHANISM, CKM_SHA256);
	assert_int_equal(run(request, HSM_OP_DIGEST_INIT), CKR_OK);
	/* The last is sent first. */
	for (i = 7; i >= 0; i--) {
		part[i] = (struct part){ .number = i + 1, .request = request_new(client, session) };
		assert_int_equal(pthread_create(&part[i].thread, NULL, run_part, &part[i]), 0);
	}
	for (i = 0; i < 8; i++) {
		pthread_join(part[i].thread, NULL);
		assert_int_equal(part[i].rv, CKR_OK);
		free(part[i].request);
		data[i] = i + 1;
	}
	hsm_put_u64(fields(request), HSM_FIELD_OUT_MAX, 32);
	hsm_put_u64(&request->out, HSM_FIELD_PART, 9);
	assert_int_equal(run(request, HSM_OP_DIGEST_FINAL), CKR_OK);
	digest = hsm_fields_bytes(&request->fields, HSM_FIELD_DATA, &length);
	EVP_Digest(data, sizeof(data), expected, &n, EVP_sha256(), NULL);
	assert_int_equal(length, 32);
	assert_memory_equal(digest, expected, 32);
	free(request);
	client_close(client);
	client_put(client);
	partition_put(partition);
}

static void a_closed_session_ends_who_waits(void **state)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	struct client *client = client_new(partition, NULL, false);
	struct request *request;
	struct part part;
	uint32_t session;

	(void)state;
	assert_int_equal(session_open(client, false, &session), CKR_OK);
	request = request_new(client, session);
	hsm_put_u64(fields(request), HSM_FIELD_MECHANISM, CKM_SHA256);
	assert_int_equal(run(request, HSM_OP_DIGEST_INIT), CKR_OK);
	part = (struct part){ .number = 2, .request = request_new(client, session) };
	assert_int_equal(pthread_create(&part.thread, NULL, run_part, &part), 0);
	/* Whether it waits by then or not: */
	assert_int_equal(session_close(client, session), CKR_OK);
	pthread_join(part.thread, NULL);
	assert_int_equal(part.rv, CKR_SESSION_HANDLE_INVALID);
	free(part.request);
	free(request);
	client_close(client);
	client_put(client);
	partition_put(partition);
}

/* ---- everything at once ---- */

struct worker {
	pthread_t thread;
	struct client *client;
	bool logs_out;
	unsigned int refused;
	CK_RV unexpected;
};

static CK_RV generate(struct request *request)
{
	static const uint8_t p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };

	hsm_put_u64(fields(request), HSM_FIELD_MECHANISM, CKM_EC_KEY_PAIR_GEN);
	put_template(&request->out, HSM_FIELD_TEMPLATE,
		     A_LIST(A_BYTES(CKA_EC_PARAMS, p256, sizeof(p256))));
	put_template(&request->out, HSM_FIELD_PRIVATE_TEMPLATE, A_LIST(A_TRUE(CKA_TOKEN)));
	return run(request, HSM_OP_GENERATE_PAIR);
}

static CK_RV sign(struct request *request, uint64_t key)
{
	CK_RV rv;

	hsm_put_u64(fields(request), HSM_FIELD_KEY, key);
	hsm_put_u64(&request->out, HSM_FIELD_MECHANISM, CKM_ECDSA_SHA256);
	rv = run(request, HSM_OP_SIGN_INIT);
	if (rv != CKR_OK)
		return rv;
	hsm_put_bytes(fields(request), HSM_FIELD_DATA, "abc", 3);
	hsm_put_u64(&request->out, HSM_FIELD_OUT_MAX, 64);
	return run(request, HSM_OP_SIGN);
}

static CK_RV destroy(struct request *request, uint64_t key)
{
	hsm_put_u64(fields(request), HSM_FIELD_KEY, key);
	return run(request, HSM_OP_OBJECT_DESTROY);
}

static CK_RV look(struct request *request)
{
	CK_RV rv;

	put_template(fields(request), HSM_FIELD_TEMPLATE,
		     A_LIST(A_NUMBER(CKA_CLASS, CKO_PRIVATE_KEY)));
	rv = run(request, HSM_OP_FIND_INIT);
	if (rv != CKR_OK)
		return rv;
	fields(request);
	return run(request, HSM_OP_FIND_FINAL);
}

/* A life of a key. A logout by another thread of the same application may end it at each step. */
static CK_RV round_of_work(struct request *request)
{
	uint64_t key;
	CK_RV rv = generate(request);

	if (rv != CKR_OK)
		return rv;
	key = hsm_fields_u64(&request->fields, HSM_FIELD_OTHER_HANDLE, 0);
	rv = sign(request, key);
	if (rv == CKR_OK)
		rv = look(request);
	return rv == CKR_OK ? destroy(request, key) : rv;
}

static bool refusal(CK_RV rv)
{
	return rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_KEY_HANDLE_INVALID ||
	       rv == CKR_OBJECT_HANDLE_INVALID || rv == CKR_OPERATION_NOT_INITIALIZED;
}

static void *work(void *data)
{
	struct worker *worker = data;
	struct request *request;
	uint32_t session;
	CK_RV rv;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		rv = session_open(worker->client, true, &session);
		request = request_new(worker->client, session);
		if (rv == CKR_OK && worker->logs_out && i == ROUNDS / 2)
			rv = run(request, HSM_OP_LOGOUT);
		if (rv == CKR_OK)
			rv = round_of_work(request);
		if (refusal(rv))
			worker->refused++;
		else if (rv != CKR_OK)
			worker->unexpected = rv;
		session_close(worker->client, session);
		free(request);
	}
	return NULL;
}

static void work_together(struct client *const *clients, struct worker *worker, bool logout)
{
	int i;

	for (i = 0; i < THREADS; i++) {
		worker[i] =
			(struct worker){ .client = clients[i % 2], .logs_out = logout && i == 1 };
		assert_int_equal(pthread_create(&worker[i].thread, NULL, work, &worker[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(worker[i].thread, NULL);
		assert_int_equal(worker[i].unexpected, CKR_OK);
	}
}

static void threads_share_a_partition(void **state)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	struct worker worker[THREADS];
	struct client *client[2];
	uint32_t session;
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		client[i] = user_client(partition, &session);
	work_together(client, worker, false);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(worker[i].refused, 0);
	assert_int_equal(board_objects(&board.partition[0]), 0);
	/* Once more, with one application logging out in the middle: the other notices nothing. */
	work_together(client, worker, true);
	assert_int_equal(worker[0].refused + worker[2].refused, 0);
	assert_true(worker[1].refused >= ROUNDS / 2);
	for (i = 0; i < 2; i++) {
		client_close(client[i]);
		client_put(client[i]);
	}
	assert_int_equal(partition->sessions, 0);
	assert_int_equal(partition->session_objects, 0);
	assert_int_equal(partition->logins, 0);
	partition_put(partition);
	/* What was stored meanwhile is whole. */
	board_restart();
	partition = partition_find(board.partition[0].info.id);
	assert_int_equal(partition->failed, CKR_OK);
	client[0] = user_client(partition, &session);
	client_close(client[0]);
	client_put(client[0]);
	partition_put(partition);
}

static void a_partition_goes_under_running_commands(void **state)
{
	struct partition *partition = partition_find(board.partition[0].info.id);
	struct client *client[2];
	pthread_t thread[2];
	struct worker worker[2];
	uint32_t session;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		client[i] = user_client(partition, &session);
		worker[i] = (struct worker){ .client = client[i] };
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, &worker[i]), 0);
	pthread_mutex_lock(&board.lock);
	board.partition[0].exists = false;
	pthread_mutex_unlock(&board.lock);
	commands_partition_changed(board.partition[0].info.id);
	assert_int_equal(partition->index.count, 0);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		client_put(client[i]);
	}
	assert_int_equal(atomic_load(&partition->refs), 1);
	partition_put(partition);
}

#define READY(name) cmocka_unit_test_setup_teardown(name, board_setup_ready, board_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		READY(parts_wait_for_their_predecessors),
		READY(a_closed_session_ends_who_waits),
		READY(threads_share_a_partition),
		READY(a_partition_goes_under_running_commands),
	};

	return cmocka_run_group_tests(tests, board_prepare, board_finish);
}
