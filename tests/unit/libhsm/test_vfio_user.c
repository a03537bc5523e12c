// SPDX-License-Identifier: Apache-2.0
/*
 * The vfio-user transport against a server that plays by the rules, and one that does not.
 * Whatever the device does, each transfer ends once, with an error or its own answer, and the
 * next ones work again.
 */
#include "fake_server.h"

struct fixture {
	struct server *server;
	struct transport *transport;
};

static int open_transport(struct fixture *f, struct hsm_error *error)
{
	struct device_name name = { .kind = NAME_VFIO_USER };

	strcpy(name.path, f->server->path);
	return vfio_user_open(&name, false, &f->transport, error);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct hsm_error error;

	if (!f)
		return -1;
	f->server = server_start();
	if (open_transport(f, &error)) {
		print_error("%s\n", error.text);
		return -1;
	}
	*state = f;
	return 0;
}

static int setup_spinning(void **state)
{
	int err = setup(state);

	atomic_store(&((struct fixture *)*state)->server->spin, true);
	return err;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->transport)
		f->transport->ops->close(f->transport, false);
	server_stop(f->server);
	free(f);
	return 0;
}

/* ---- one exchange ---- */

struct message {
	struct transfer transfer;
	uint8_t in[4096];
	uint8_t out[4096];
};

static int send_text(struct fixture *f, struct message *m, const char *text, unsigned int limit_ms)
{
	memset(m, 0, sizeof(*m));
	strcpy((char *)m->in, text);
	m->transfer.in = m->in;
	m->transfer.in_length = strlen(text) + 1;
	m->transfer.out = m->out;
	m->transfer.out_capacity = sizeof(m->out);
	m->transfer.instance = atomic_load(&f->transport->instance);
	m->transfer.limit_ms = limit_ms;
	return f->transport->ops->submit(f->transport, &m->transfer, NULL);
}

static int exchange(struct fixture *f, struct message *m, const char *text, unsigned int limit_ms)
{
	int err = send_text(f, m, text, limit_ms);

	if (err)
		return err;
	f->transport->ops->wait(f->transport, &m->transfer);
	return m->transfer.result;
}

static void assert_works(struct fixture *f)
{
	struct message m;

	if (atomic_load(&f->transport->lost))
		assert_int_equal(f->transport->ops->recover(f->transport, NULL), 0);
	assert_int_equal(exchange(f, &m, "works", 60000), 0);
	assert_int_equal(m.transfer.status, IHSM_SC_SUCCESS);
	assert_string_equal((char *)m.out, "works");
	assert_int_equal(m.transfer.out_length, sizeof("works"));
}

static void mischief(struct fixture *f, enum mischief what, int times)
{
	atomic_store(&f->server->mischief, what);
	atomic_store(&f->server->times, times);
}

/* ---- well behaved ---- */

static void test_echo(void **state)
{
	for (int i = 0; i < 1000; i++)
		assert_works(*state);
}

/* Counters run past the rings' ends and past 2^32. */
static void test_wrap(void **state)
{
	assert_true(ring_wants(5, 5, 6));
	assert_false(ring_wants(6, 5, 6));
	assert_false(ring_wants(4, 5, 6));
	assert_true(ring_wants(UINT32_MAX, UINT32_MAX, 0));
	assert_true(ring_wants(0, UINT32_MAX, 1));
	assert_false(ring_wants(1, UINT32_MAX, 1));
	assert_false(ring_wants(7, 7, 7));
	assert_int_equal(ring_phase(0, 7), 1);
	assert_int_equal(ring_phase(127, 7), 1);
	assert_int_equal(ring_phase(128, 7), 0);
	assert_int_equal(ring_phase(256, 7), 1);
	assert_int_equal(ring_phase(UINT32_MAX, 7), 0);
	(void)state;
}

/* More than the rings hold, by one thread that waits for none of them meanwhile */
static void test_many_outstanding(void **state)
{
	struct fixture *f = *state;
	static struct message m[500];

	for (int i = 0; i < 500; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		assert_int_equal(send_text(f, &m[i], text, 60000), 0);
	}
	for (int i = 499; i >= 0; i--) {
		f->transport->ops->wait(f->transport, &m[i].transfer);
		assert_int_equal(m[i].transfer.result, 0);
		assert_int_equal(atoi((char *)m[i].out), i);
	}
}

struct caller {
	struct fixture *f;
	unsigned int number;
	int failures;
};

static void *call_often(void *arg)
{
	struct caller *c = arg;
	struct message m;
	char text[32];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%u-%d", c->number, i);
		memset(&m, 0, sizeof(m));
		c->failures += exchange(c->f, &m, text, 60000) != 0 || strcmp((char *)m.out, text);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct caller caller[6];
	pthread_t thread[6];

	for (unsigned int i = 0; i < 6; i++) {
		caller[i] = (struct caller){ .f = *state, .number = i };
		assert_int_equal(pthread_create(&thread[i], NULL, call_often, &caller[i]), 0);
	}
	for (unsigned int i = 0; i < 6; i++) {
		pthread_join(thread[i], NULL);
		assert_int_equal(caller[i].failures, 0);
	}
}

/* A device that polls is left in peace; one that sleeps is woken. */
static void test_doorbells(void **state)
{
	struct fixture *f = *state;
	struct hsm_device_info info;
	unsigned int before;

	assert_works(f);
	/* What was rung before is counted before a register's read is answered. */
	assert_int_equal(f->transport->ops->info(f->transport, &info, NULL), 0);
	assert_true(atomic_load(&f->server->doorbells) > 0);
	atomic_store(&f->server->spin, true);
	assert_works(f);
	assert_works(f);
	assert_int_equal(f->transport->ops->info(f->transport, &info, NULL), 0);
	before = atomic_load(&f->server->doorbells);
	for (int i = 0; i < 200; i++)
		assert_works(f);
	assert_int_equal(atomic_load(&f->server->doorbells), before);
}

static void test_no_shadow(void **state)
{
	struct fixture *f = *state;

	f->transport->ops->close(f->transport, false);
	f->transport = NULL;
	atomic_store(&f->server->no_shadow, true);
	assert_int_equal(open_transport(f, NULL), 0);
	test_many_outstanding(state);
	test_threads(state);
}

static void test_event_loop(void **state)
{
	struct fixture *f = *state;
	struct pollfd fd = { .fd = f->transport->ops->poll_fd(f->transport), .events = POLLIN };
	struct message m;

	for (int i = 0; i < 50; i++) {
		m.transfer.notify = true;
		assert_int_equal(send_text(f, &m, "loop", 60000), 0);
		for (;;) {
			f->transport->ops->poll_arm(f->transport);
			f->transport->ops->poll(f->transport);
			if (transfer_done(&m.transfer))
				break;
			assert_int_equal(poll(&fd, 1, 30000), 1);
		}
		assert_string_equal((char *)m.out, "loop");
	}
}

/* An event loop looks after the device as a sleeping waiter does. */
static void test_event_loop_limit(void **state)
{
	struct fixture *f = *state;
	struct pollfd fd = { .fd = f->transport->ops->poll_fd(f->transport), .events = POLLIN };
	struct message m;

	mischief(f, SILENT, 1);
	assert_int_equal(send_text(f, &m, "x", 20), 0);
	for (;;) {
		f->transport->ops->poll_arm(f->transport);
		f->transport->ops->poll(f->transport);
		if (transfer_done(&m.transfer))
			break;
		assert_int_equal(poll(&fd, 1, 30000), 1);
	}
	assert_int_equal(m.transfer.status, IHSM_SC_ABORTED);
	assert_true(m.transfer.timed_out);
	assert_works(f);
}

static void test_info(void **state)
{
	struct fixture *f = *state;
	struct hsm_device_info info = { 0 };

	assert_int_equal(f->transport->ops->info(f->transport, &info, NULL), 0);
	assert_string_equal(info.model, "fake?model");
}

/* ---- not so well behaved ---- */

static void lost_with(struct fixture *f, enum mischief what, int expected)
{
	struct message m;
	unsigned int resets = atomic_load(&f->server->resets);

	mischief(f, what, 1);
	assert_int_equal(exchange(f, &m, "x", 60000), expected);
	assert_true(atomic_load(&f->transport->lost));
	assert_int_equal(send_text(f, &m, "x", 60000), -ECONNRESET);
	assert_works(f);
	assert_true(atomic_load(&f->server->resets) == resets + 1 ||
		    atomic_load(&f->server->connections) > 1);
}

static void test_nonsense(void **state)
{
	static const enum mischief kinds[] = { WRONG_CID, TOO_LONG, WRONG_HEAD, WRONG_QUEUE };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		lost_with(*state, kinds[i], -EPROTO);
}

static void test_twice(void **state)
{
	struct fixture *f = *state;
	struct message m;

	mischief(f, TWICE, 1);
	assert_int_equal(exchange(f, &m, "x", 60000), 0);
	/* The second is found by whoever looks next; no answer is taken for another's. */
	f->transport->ops->poll(f->transport);
	exchange(f, &m, "y", 60000);
	assert_true(atomic_load(&f->transport->lost));
	assert_works(f);
}

static void test_refused(void **state)
{
	struct message m;

	mischief(*state, REFUSE, 1);
	assert_int_equal(exchange(*state, &m, "x", 60000), 0);
	assert_int_equal(m.transfer.status, IHSM_SC_BUSY);
	assert_int_equal(m.transfer.out_length, 0);
	assert_works(*state);
}

static void test_abort(void **state)
{
	struct fixture *f = *state;
	struct message m;

	mischief(f, SILENT, 1);
	assert_int_equal(exchange(f, &m, "x", 20), 0);
	assert_int_equal(m.transfer.status, IHSM_SC_ABORTED);
	assert_true(m.transfer.timed_out);
	assert_int_equal(atomic_load(&f->server->aborts), 1);
	assert_int_equal(atomic_load(&f->server->resets), 0);
	assert_works(f);
}

static void test_reset_when_abort_does_not_help(void **state)
{
	struct fixture *f = *state;
	struct message m;

	mischief(f, DEAF, 1);
	assert_int_equal(exchange(f, &m, "x", 20), -ETIMEDOUT);
	assert_int_equal(atomic_load(&f->server->aborts), 1);
	assert_works(f);
	assert_int_equal(atomic_load(&f->server->resets), 1);
}

static void test_fatal(void **state)
{
	lost_with(*state, FATAL, -ECONNRESET);
}

static void test_hang_up(void **state)
{
	struct fixture *f = *state;

	lost_with(f, HANG_UP, -ECONNRESET);
	assert_int_equal(atomic_load(&f->server->connections), 2);
}

/* Others that were on their way end too, each once. */
static void test_fatal_with_many(void **state)
{
	struct fixture *f = *state;
	static struct message m[40];

	mischief(f, DEAF, 39);
	for (int i = 0; i < 39; i++)
		assert_int_equal(send_text(f, &m[i], "x", 60000), 0);
	while (atomic_load(&f->server->times) > 0)
		sched_yield();
	mischief(f, FATAL, 1);
	assert_int_equal(exchange(f, &m[39], "y", 60000), -ECONNRESET);
	for (int i = 0; i < 40; i++) {
		f->transport->ops->wait(f->transport, &m[i].transfer);
		assert_int_equal(m[i].transfer.result, -ECONNRESET);
	}
	assert_works(f);
}

static void test_old_instance(void **state)
{
	struct fixture *f = *state;
	struct message m;

	assert_int_equal(send_text(f, &m, "x", 60000), 0);
	f->transport->ops->wait(f->transport, &m.transfer);
	vfio_user_lost(to_vfio_user(f->transport), -ECONNRESET);
	assert_works(f);
	/* Meant for the context of before: not sent in the new one. */
	assert_int_equal(f->transport->ops->submit(f->transport, &m.transfer, NULL), -ECONNRESET);
}

static void test_refused_version(void **state)
{
	struct fixture *f = *state;
	struct hsm_error error;

	f->transport->ops->close(f->transport, false);
	f->transport = NULL;
	atomic_store(&f->server->refuse_version, true);
	assert_int_equal(open_transport(f, &error), -EPROTO);
	assert_int_equal(error.layer, HSM_LAYER_TRANSPORT);
	assert_non_null(strstr(error.text, "9."));
}

static void test_nobody(void **state)
{
	struct device_name name = { .kind = NAME_VFIO_USER, .path = "/nonexistent/fn1.sock" };
	struct transport *transport;
	struct hsm_error error;

	assert_int_equal(vfio_user_open(&name, false, &transport, &error), -ENODEV);
	assert_non_null(strstr(error.text, "/nonexistent/fn1.sock"));
	(void)state;
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_echo),
		cmocka_unit_test_setup_teardown(test_echo, setup_spinning, teardown),
		cmocka_unit_test(test_wrap),
		T(test_many_outstanding),
		T(test_threads),
		cmocka_unit_test_setup_teardown(test_threads, setup_spinning, teardown),
		T(test_doorbells),
		T(test_no_shadow),
		T(test_event_loop),
		T(test_event_loop_limit),
		T(test_info),
		T(test_nonsense),
		T(test_twice),
		T(test_refused),
		T(test_abort),
		T(test_reset_when_abort_does_not_help),
		T(test_fatal),
		T(test_hang_up),
		T(test_fatal_with_many),
		T(test_old_instance),
		T(test_refused_version),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
