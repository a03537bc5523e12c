// SPDX-License-Identifier: Apache-2.0
/*
 * The board's half of the sideband: requests of fixed size, answered in the main loop.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "function.h"
#include "sideband.h"

/* Somebody at the machine: the file says 1, as the kernel's files of an input line do. */
bool sideband_present(const struct board *board)
{
	char byte = 0;
	int fd;

	if (!board->options->presence)
		return false;
	fd = open(board->options->presence, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (read(fd, &byte, 1) != 1)
		byte = 0;
	close(fd);
	return byte == '1';
}

static void fill(struct board *board, struct sideband_reply *reply)
{
	struct board_hello hello = { 0 };
	unsigned int i;

	state_identity(board->state, &hello);
	state_condition(board->state, &reply->condition);
	memcpy(reply->board_id, hello.board_id, sizeof(reply->board_id));
	memcpy(reply->serial, hello.serial, sizeof(reply->serial));
	memcpy(reply->measurement, board->bundle->measurement, sizeof(reply->measurement));
	reply->security_version = board->bundle->security_version;
	reply->state = board_state(board);
	reply->functions = board->options->functions;
	reply->connections = board->connections;
	for (i = 0; i < board->options->functions; i++) {
		reply->running += board->functions[i].running;
		reply->starts += board->functions[i].starts;
	}
	tamper_list(board, reply->sensors);
}

static uint32_t zeroize(struct board *board)
{
	int ret;

	if (!sideband_present(board)) {
		board_log("sideband: zeroize is refused, nobody is at the machine");
		return HSM_SIDEBAND_REFUSED;
	}
	board_log("sideband: zeroize");
	ret = state_erase(board->state);
	restart_at_once(board);
	return ret ? HSM_SIDEBAND_FAILED : HSM_SIDEBAND_OK;
}

/* While the officers can be asked it is theirs; what is chosen here is started from the next time. */
static uint32_t recover(struct board *board, uint32_t place)
{
	struct update *update = &board->update;
	uint32_t status = HSM_SIDEBAND_REFUSED;
	bool busy;

	if (!sideband_present(board))
		return status;
	pthread_mutex_lock(&update->lock);
	busy = update->phase == BOARD_UPDATE_RUNS;
	if (!busy)
		update->phase = BOARD_UPDATE_RUNS;
	pthread_mutex_unlock(&update->lock);
	if (busy)
		return status;
	status = place == BOARD_PLACE_STAGED ? HSM_SIDEBAND_REFUSED : rescue_choose(board, place);
	update_end(board, BOARD_UPDATE_NONE, NULL);
	if (!status)
		board_event_firmware(board, HSM_AUDIT_RECOVERED, NULL, place,
				     "chosen over the sideband");
	return status;
}

static uint32_t execute(struct board *board, const struct sideband_request *request,
			struct sideband_reply *reply)
{
	switch (request->command) {
	case HSM_SIDEBAND_HEADS:
		reply->count = state_log_heads(board->state, request->number, reply->extra.heads,
					       SIDEBAND_HEADS, &reply->total);
		return HSM_SIDEBAND_OK;
	case HSM_SIDEBAND_SIGNED_HEAD:
		reply->count = (uint32_t)heads_signed(&board->signed_head, reply->extra.message,
						      sizeof(reply->extra.message));
		return reply->count ? HSM_SIDEBAND_OK : HSM_SIDEBAND_INVALID;
	case HSM_SIDEBAND_SLOTS:
		rescue_slots(board, reply);
		return HSM_SIDEBAND_OK;
	case HSM_SIDEBAND_IMAGE:
		/* Firmware that runs takes images, by its officers. */
		return HSM_SIDEBAND_REFUSED;
	case HSM_SIDEBAND_RECOVER:
		return recover(board, request->number);
	case HSM_SIDEBAND_INVENTORY:
	case HSM_SIDEBAND_HEALTH:
	case HSM_SIDEBAND_SENSORS:
		return HSM_SIDEBAND_OK;
	case HSM_SIDEBAND_ZEROIZE:
		return zeroize(board);
	case HSM_SIDEBAND_INJECT:
		switch (tamper_inject(board, request->kind, request->value)) {
		case 0:
			return HSM_SIDEBAND_OK;
		case -EACCES:
			return HSM_SIDEBAND_REFUSED;
		default:
			return HSM_SIDEBAND_INVALID;
		}
	default:
		return HSM_SIDEBAND_UNKNOWN;
	}
}

static void request_ready(struct watch *watch, uint32_t events)
{
	struct sideband_request request;
	struct sideband_reply reply;
	ssize_t n = recv(watch->fd, &request, sizeof(request), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof(request)) {
		board_log("sideband: its process has ended, there is no sideband until a restart");
		board_unwatch(watch->board, watch);
		return;
	}
	memset(&reply, 0, sizeof(reply));
	reply.status = execute(watch->board, &request, &reply);
	fill(watch->board, &reply);
	/* It asks once at a time: there is room. */
	if (send(watch->fd, &reply, sizeof(reply), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(reply))
		board_log("sideband: an answer was lost");
}

/* ---- heads ---- */

void heads_sign(struct signed_head *head, const uint8_t *message, size_t length)
{
	pthread_mutex_lock(&head->lock);
	memcpy(head->message, message, length);
	head->length = length;
	pthread_mutex_unlock(&head->lock);
}

size_t heads_signed(struct signed_head *head, uint8_t *message, size_t room)
{
	size_t length;

	pthread_mutex_lock(&head->lock);
	length = head->length <= room ? head->length : 0;
	memcpy(message, head->message, length);
	pthread_mutex_unlock(&head->lock);
	return length;
}

int sideband_open(struct board *board)
{
	struct stat st;

	if (board->sideband.fd < 0)
		return 0;
	if (!lstat(board->options->sideband, &st)) {
		board->sideband_device = st.st_dev;
		board->sideband_inode = st.st_ino;
	}
	board->sideband.ready = request_ready;
	board->sideband.board = board;
	return board_watch(board, &board->sideband, EPOLLIN);
}

void sideband_close(struct board *board)
{
	struct stat st;

	/* Its process sees the end and follows. */
	if (board->sideband.fd >= 0)
		close(board->sideband.fd);
	/* The name goes, but not another's that has come to be there. */
	if (board->sideband_inode && !lstat(board->options->sideband, &st) &&
	    st.st_dev == board->sideband_device && st.st_ino == board->sideband_inode)
		unlink(board->options->sideband);
}
