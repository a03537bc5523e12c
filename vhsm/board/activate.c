// SPDX-License-Identifier: Apache-2.0
/*
 * The first half of an update, in function 0's storage thread: find the firmware that was asked for,
 * verify it, put it into a slot, and let a process of it run its self-tests with nobody to serve. What
 * fails here has cost nobody a moment of service.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include "internal.h"

#define PROBE_MS 60000 /* for self-tests on the slowest machine */

/* ---- what the last one came to ---- */

void update_end(struct board *board, enum board_update_phase phase, const char *text)
{
	struct update *update = &board->update;

	pthread_mutex_lock(&update->lock);
	update->phase = phase;
	snprintf(update->text.text, sizeof(update->text.text), "%s", text ? text : "");
	pthread_mutex_unlock(&update->lock);
}

bool update_runs(struct board *board)
{
	bool runs;

	pthread_mutex_lock(&board->update.lock);
	runs = board->update.phase == BOARD_UPDATE_RUNS;
	pthread_mutex_unlock(&board->update.lock);
	return runs;
}

struct boot_view update_boot(struct board *board)
{
	struct boot_view view;

	pthread_mutex_lock(&board->update.lock);
	view = (struct boot_view){ board->boot, board->running };
	pthread_mutex_unlock(&board->update.lock);
	return view;
}

void update_set_boot(struct board *board, const struct boot_record *record,
		     enum board_place running)
{
	pthread_mutex_lock(&board->update.lock);
	board->boot = *record;
	board->running = running;
	pthread_mutex_unlock(&board->update.lock);
}

static bool begin(struct board *board)
{
	struct update *update = &board->update;
	bool free;

	pthread_mutex_lock(&update->lock);
	free = update->phase != BOARD_UPDATE_RUNS;
	update->phase = BOARD_UPDATE_RUNS;
	update->text.text[0] = '\0';
	pthread_mutex_unlock(&update->lock);
	return free;
}

/* ---- what there is ---- */

static bool is_slot(enum board_place place)
{
	return place == BOARD_PLACE_A || place == BOARD_PLACE_B;
}

static uint32_t describe_flags(const struct board *board, const struct boot_view *view,
			       enum board_place place, const struct bundle *bundle)
{
	const struct bundle *running = board_bundle(board, 0);
	uint32_t flags = 0;

	if (place == view->record.active)
		flags |= BOARD_FIRMWARE_ACTIVE;
	if (place == view->running &&
	    !memcmp(running->measurement, bundle->measurement, BOARD_HASH_SIZE))
		flags |= BOARD_FIRMWARE_RUNNING;
	if (is_slot(place) && view->record.proven & 1U << place)
		flags |= BOARD_FIRMWARE_PROVEN;
	if (bundle->development)
		flags |= BOARD_FIRMWARE_DEVELOPMENT;
	return flags;
}

static bool describe_place(struct board *board, const struct boot_view *view,
			   enum board_place place, struct board_firmware *firmware)
{
	struct bundle bundle;
	struct error error;
	int ret;

	memset(firmware, 0, sizeof(*firmware));
	firmware->place = place;
	ret = slots_peek(board, place, &bundle, &error);
	if (ret == -ENOENT)
		return false;
	if (ret == -EKEYREJECTED && bundle.security_version) {
		firmware->flags = BOARD_FIRMWARE_REFUSED;
	} else if (ret) {
		firmware->flags = BOARD_FIRMWARE_BAD;
		if (place == view->record.active)
			firmware->flags |= BOARD_FIRMWARE_ACTIVE;
		return true;
	}
	firmware->flags |= describe_flags(board, view, place, &bundle);
	firmware->security_version = bundle.security_version;
	memcpy(firmware->version, bundle.version, sizeof(firmware->version));
	memcpy(firmware->measurement, bundle.measurement, sizeof(firmware->measurement));
	return true;
}

size_t update_describe(struct board *board, uint8_t *reply)
{
	struct board_firmware firmware;
	struct board_update head = { 0 };
	const struct boot_view view = update_boot(board);
	enum board_place place;
	size_t length = sizeof(head);

	for (place = 0; place < BOARD_PLACES; place++) {
		if (!describe_place(board, &view, place, &firmware))
			continue;
		memcpy(reply + length, &firmware, sizeof(firmware));
		length += sizeof(firmware);
	}
	pthread_mutex_lock(&board->update.lock);
	head.phase = board->update.phase;
	snprintf(head.text, sizeof(head.text), "%.223s", board->update.text.text);
	pthread_mutex_unlock(&board->update.lock);
	head.minimum = fuses_values(board->state->fuses)->minimum_version;
	head.rung = state_rung(board->state);
	memcpy(reply, &head, sizeof(head));
	return length;
}

/* ---- the trial ---- */

/* struct probe - a process that serves nobody, and the thread that answers its storage requests */
struct probe {
	struct board *board;
	uint32_t number;
	struct process process;
	pthread_t thread;
	bool served;
	char said[200]; /* the last line of its log */
};

static void *serve_probe(void *data)
{
	struct probe *probe = data;

	storage_serve(probe->board, probe->number, probe->process.storage);
	return NULL;
}

static void overhear(struct probe *probe)
{
	char text[1024];
	char *line, *save;
	ssize_t n;

	while ((n = read(probe->process.log, text, sizeof(text) - 1)) > 0) {
		text[n] = '\0';
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			board_log("next firmware: %.400s", line);
			snprintf(probe->said, sizeof(probe->said), "%.199s", line);
		}
	}
}

/* Return: 1: it is ready; 0: something else was said; or a negative errno: it is at its end. */
static int hear(const struct probe *probe)
{
	struct board_message head;
	ssize_t n;

	n = recv(probe->process.control, &head, sizeof(head), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return -ENOEXEC;
	return n == sizeof(head) && head.type == BOARD_READY;
}

static int left_ms(int64_t until)
{
	int64_t left = until - monotonic_ms();

	return left > 0 ? (int)left : 0;
}

static int wait_for_ready(struct probe *probe)
{
	struct pollfd fds[] = {
		{ .fd = probe->process.control, .events = POLLIN },
		{ .fd = probe->process.log, .events = POLLIN },
	};
	int64_t until = monotonic_ms() + PROBE_MS;
	int ret, n;

	do {
		/* All of it has so long, whatever it says meanwhile. */
		n = poll(fds, 2, left_ms(until));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ENOEXEC;
		if (fds[1].revents & POLLIN)
			overhear(probe);
		else if (fds[1].revents)
			fds[1].fd = -1;
		ret = fds[0].revents ? hear(probe) : 0;
	} while (n < 0 || !ret);
	return ret < 0 ? ret : 0;
}

static void end_probe(struct probe *probe)
{
	struct process *process = &probe->process;

	process_kill(process);
	waitid(P_PIDFD, (id_t)process->pidfd, &(siginfo_t){ 0 }, WEXITED);
	overhear(probe);
	shutdown(process->storage, SHUT_RDWR);
	if (probe->served)
		pthread_join(probe->thread, NULL);
	close(process->control);
	close(process->storage);
	close(process->log);
	close(process->pidfd);
}

static int try_it(struct board *board, const struct bundle *bundle, struct error *error)
{
	struct probe probe = { .board = board };
	int ret;

	probe.number = functions_probe(board, bundle);
	ret = launch(bundle, &probe.process);
	if (ret)
		return error_set(error, ret, "the firmware cannot be started: %s", strerror(-ret));
	ret = -pthread_create(&probe.thread, NULL, serve_probe, &probe);
	probe.served = !ret;
	if (!ret)
		ret = wait_for_ready(&probe);
	end_probe(&probe);
	if (ret)
		return error_set(error, ret, "firmware %s does not work%s%s", bundle->version,
				 probe.said[0] ? ": " : "", probe.said);
	return 0;
}

/* ---- choosing ---- */

static int find(struct board *board, const uint8_t *measurement, enum board_place *place,
		struct error *error)
{
	struct bundle bundle;
	struct error why;
	int ret, result;

	result = error_set(error, -ENOENT, "no firmware here has that measurement");
	for (*place = BOARD_PLACES; (*place)-- > 0;) {
		ret = slots_peek(board, *place, &bundle, &why);
		if (!ret && !memcmp(bundle.measurement, measurement, BOARD_HASH_SIZE))
			return 0;
		/* Most likely meant is what was staged last: why that was refused is worth telling. */
		if (ret && ret != -ENOENT && *place == BOARD_PLACE_STAGED) {
			*error = why;
			result = ret;
		}
	}
	return result;
}

/* The spare bundle gets it, verified and sealed. */
static int load(struct board *board, enum board_place place, const uint8_t *measurement,
		struct bundle *bundle, struct error *error)
{
	uint32_t rung = state_rung(board->state);
	int ret;

	ret = slots_load(board, place, bundle, error);
	if (ret)
		return ret;
	if (memcmp(bundle->measurement, measurement, BOARD_HASH_SIZE))
		ret = error_set(error, -ENOENT, "the image has changed meanwhile");
	else if (bundle->security_version < rung)
		ret = error_set(error, -EKEYREJECTED,
				"firmware: security version %u, but the state has been used by "
				"version %u; only that one or a newer one can follow",
				bundle->security_version, rung);
	else if (board_bundle(board, 0)->approved)
		ret = bundle_approve(bundle, error);
	if (ret)
		bundle_close(bundle);
	return ret;
}

/*
 * The slot that a staged image may have: not the active one, and not the one that took its place at
 * the start because that one did not verify. It is all that is left then, and becomes the active one.
 */
static enum board_place free_slot(enum board_place running, struct boot_record *record)
{
	enum board_place slot = record->active == BOARD_PLACE_A ? BOARD_PLACE_B : BOARD_PLACE_A;

	if (running == slot) {
		slot = slot == BOARD_PLACE_A ? BOARD_PLACE_B : BOARD_PLACE_A;
		record->active = running;
	}
	record->proven &= ~(1U << slot);
	return slot;
}

/* The staged image into a slot that nobody needs, and the trial into the boot record. */
static int place_it(struct board *board, enum board_place *place, struct error *error)
{
	struct boot_view view = update_boot(board);
	struct boot_record record = view.record;
	bool staged = *place == BOARD_PLACE_STAGED;
	int ret;

	if (*place == BOARD_PLACE_INSTALLED)
		return 0;
	if (staged) {
		*place = free_slot(view.running, &record);
	} else if (*place == record.active) {
		return 0;
	}
	record.trial = *place;
	ret = slots_write(board, &record);
	if (!ret)
		update_set_boot(board, &record, view.running);
	if (!ret)
		ret = state_step(board->state, STEP_UPDATE_NOTED);
	if (!ret && staged)
		ret = slots_fill(board, *place);
	if (!ret)
		ret = state_step(board->state, STEP_UPDATE_FILLED);
	return ret ? error_set(error, ret, "the slot cannot be written: %s", strerror(-ret)) : 0;
}

static void end_trial(struct board *board)
{
	struct boot_view view = update_boot(board);

	if (!view.record.trial || board->state->failed)
		return;
	view.record.trial = 0;
	update_set_boot(board, &view.record, view.running);
	if (slots_write(board, &view.record))
		board_log("the boot record cannot be written; the next start ends the trial");
}

static int activate(struct board *board, const uint8_t *measurement, struct bundle *bundle,
		    struct error *error)
{
	enum board_place place = BOARD_PLACE_INSTALLED;
	int ret;

	ret = find(board, measurement, &place, error);
	if (!ret)
		ret = load(board, place, measurement, bundle, error);
	if (ret)
		return ret;
	ret = place_it(board, &place, error);
	if (!ret)
		ret = try_it(board, bundle, error);
	if (!ret && state_step(board->state, STEP_UPDATE_TESTED))
		ret = error_set(error, -EINTR, "interrupted");
	if (ret) {
		end_trial(board);
		bundle_close(bundle);
	}
	board->update.place = place;
	return ret;
}

/* Into the device's log goes what an attack could be behind of; who asked sees the whole text. */
static void tell_refused(struct board *board, const uint8_t *measurement, int error)
{
	struct board_event event = { .event = HSM_AUDIT_FIRMWARE_REFUSED };
	const char *why = error == -EBADMSG	   ? "does not verify"
			  : error == -EKEYREJECTED ? "vendor, keys or security version"
			  : error == -ENOEXEC	   ? "does not pass its self-tests"
						   : NULL;

	if (!why)
		return;
	snprintf(event.detail, sizeof(event.detail), "%s", why);
	memcpy(event.measurement, measurement, sizeof(event.measurement));
	board_event(board, &event);
}

int update_activate(struct board *board, const uint8_t measurement[BOARD_HASH_SIZE])
{
	struct bundle *spare;
	struct error error = { "" };
	uint64_t one = 1;
	int ret;

	if (!begin(board))
		return -EBUSY;
	spare = &board->bundles[board_bundle(board, 0) == &board->bundles[0]];
	/* A process of the last update that failed may be on its way out. */
	if (functions_run(board, spare))
		ret = error_set(&error, -EBUSY, "the last update is not cleared away yet");
	else
		ret = activate(board, measurement, spare, &error);
	if (ret) {
		board_log("update refused: %s", error.text);
		tell_refused(board, measurement, ret);
		update_end(board, BOARD_UPDATE_FAILED, error.text);
		return ret;
	}
	if (write(board->update.go.fd, &one, sizeof(one)) != sizeof(one))
		board_log("update: the main loop was not told");
	return 0;
}
