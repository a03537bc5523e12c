/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver inside, file by file. It moves opaque messages between programs and an
 * integrated HSM (Documentation/driver.rst; the device is Documentation/hardware.rst).
 *
 * Locks, outer first: gate, control, queue->lock, state_lock. identify_lock is a leaf under gate or
 * control. Neither programs' memory nor the device is waited for with a lock other than gate (for
 * reading) and control held.
 */
#ifndef IHSM_H
#define IHSM_H

#include <linux/bitmap.h>
#include <linux/cdev.h>
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hw_random.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/ihsm.h>
#include <linux/ihsm_hw.h>

#include "check.h"
#include "ring.h"

#define IHSM_ROOM	4096U	/* bytes each way that go through a slot's own buffer */
/* A program that waits can be killed, and does not keep the system from going to sleep. */
#define IHSM_WAIT	(TASK_KILLABLE | TASK_FREEZABLE)

#define IHSM_ADMIN_MS	10000U	/* an admin command that takes longer has been lost */

struct ihsm_device;
struct ihsm_hwmon;
struct ihsm_queue;
struct queue_group;
struct io_comp_batch;
struct io_uring_cmd;

/* ---- dma.c: payloads ---- */

/**
 * struct ihsm_payload - a large message, in the program's own pages
 * @page: the pages, pinned
 * @pages: how many; 0 means that there is no payload
 * @mm: whose locked memory they count as
 * @offset: of the first byte in the first page
 * @len: bytes
 * @sgt: the mapping
 * @dir: of the transfer
 * @mapped: the device may use the pages
 */
struct ihsm_payload {
	struct page **page;
	unsigned int pages;
	struct mm_struct *mm;
	unsigned int offset;
	u32 len;
	struct sg_table sgt;
	enum dma_data_direction dir;
	bool mapped;
};

int ihsm_payload_pin(struct ihsm_payload *payload, unsigned long user, u32 len,
		     enum dma_data_direction dir);
int ihsm_payload_map(struct ihsm_device *ihsm, struct ihsm_payload *payload);
unsigned int ihsm_payload_segments(const struct ihsm_payload *payload, struct ihsm_segment *list);
void ihsm_payload_unmap(struct ihsm_device *ihsm, struct ihsm_payload *payload);
void ihsm_payload_free(struct ihsm_payload *payload);

/* ---- queue.c: rings and slots ---- */

/**
 * struct ihsm_cmd - a command on its way
 * @queue: set by ihsm_cmd_place()
 * @slot: likewise; the slot is ours until ihsm_cmd_finish()
 * @opcode: of the entry
 * @context: of the entry
 * @arg: of the entry, admin commands
 * @in_addr: bus address of admin commands whose input is a ring or a page
 * @out_addr: likewise
 * @in_len: bytes that go in
 * @out_len: room for what comes out
 * @in: what goes in, if it fits into the slot
 * @out: where it comes out, if it fits into the slot
 * @large_in: what goes in otherwise
 * @large_out: where it comes out otherwise
 * @generation: the device's start that this command is for; 0 for the present one
 * @weight_ms: longest time of its class
 * @deadline: jiffies when it is overdue, set at submission
 * @timed_out: it was asked back because it was overdue
 * @waited: somebody sleeps until it ends, interrupts are wanted
 * @forever: it may take as long as it likes
 * @abandoned: nobody waits, or nobody waits any more; when it has ended it goes to the orphans
 * @ended: what is done with it there, in process context, before it is freed; may be NULL
 * @landed: of a command that nobody waits for and that is not abandoned: called when it has ended
 *	and its slot is free again, in any context and without a lock; it is @landed's then
 * @silent: with @landed: no interrupt is wanted, somebody polls
 * @aborted: the device was asked once to drop it
 * @private: of @landed
 * @done: for callers who wait
 * @error: 0 when the device answered
 * @status: then its status
 * @result: then its result; at most @out_len
 * @orphan: in the device's list of abandoned commands that have ended, or in the queue's of
 *	those with @landed
 * @bounce: freed with the command
 */
struct ihsm_cmd {
	struct ihsm_queue *queue;
	struct ihsm_slot *slot;
	u8 opcode;
	u64 context;
	u32 arg[5];
	dma_addr_t in_addr;
	dma_addr_t out_addr;
	u32 in_len;
	u32 out_len;
	void *in;
	void *out;
	struct ihsm_payload large_in;
	struct ihsm_payload large_out;
	u32 generation;
	u32 weight_ms;
	unsigned long deadline;
	bool timed_out;
	bool waited;
	bool forever;
	bool abandoned;
	void (*ended)(struct ihsm_cmd *cmd);
	void (*landed)(struct ihsm_cmd *cmd);
	bool silent;
	bool aborted;
	void *private;
	struct completion done;
	int error;
	u16 status;
	u32 result;
	struct llist_node orphan;
	u8 *bounce;
};

/**
 * struct ihsm_slot - a place for an outstanding command
 * @cmd: the command while the device has it
 * @generation: counts the slot's commands, in the upper bits of their identifiers
 * @room: coherent, IHSM_ROOM for what goes in and as much for what comes out; wiped when the
 *	slot is freed
 * @dma: its bus address
 */
struct ihsm_slot {
	struct ihsm_cmd *cmd;
	u16 generation;
	void *room;
	dma_addr_t dma;
};

/**
 * struct ihsm_queue - a queue pair; number 0 is the admin queue
 * @ihsm: the device
 * @lock: of all that follows
 * @qid: number
 * @vector: index of its interrupt vector
 * @irq_set: the handler is installed
 * @running: commands are taken
 * @generation: the device's start that it works for
 * @sq_log2: entries of the submission ring
 * @cq_log2: entries of the completion ring
 * @slots: in use, at most IHSM_SLOTS
 * @sq: submission ring
 * @cq: completion ring
 * @sq_dma: its bus address
 * @cq_dma: likewise
 * @host: shadow page's part that we write, or NULL: doorbells are registers
 * @device: the device's part; it may write anything at any time
 * @sq_tail: ours
 * @sq_head: the device's, as last told
 * @cq_head: ours
 * @waiters: outstanding commands for which an interrupt is wanted
 * @free: slots
 * @slot_wait: for a free slot
 * @submitted: commands given to the device
 * @completed: commands that it answered
 * @errors: those of them whose status was not success
 * @timeouts: commands that were overdue
 * @missed: completions that were there and nobody was told
 * @bogus: completions that made no sense
 * @landed: commands that have ended and whose @landed is to be called
 * @slot: the slots
 */
struct ihsm_queue {
	struct ihsm_device *ihsm;
	spinlock_t lock; /* of what follows */
	u16 qid;
	u16 vector;
	bool irq_set;
	bool running;
	u32 generation;
	u8 sq_log2;
	u8 cq_log2;
	unsigned int slots;
	struct ihsm_sqe *sq;
	struct ihsm_cqe *cq;
	dma_addr_t sq_dma;
	dma_addr_t cq_dma;
	struct ihsm_shadow_host *host;
	struct ihsm_shadow_device *device;
	u32 sq_tail;
	u32 sq_head;
	u32 cq_head;
	unsigned int waiters;
	DECLARE_BITMAP(free, IHSM_SLOTS);
	wait_queue_head_t slot_wait;
	u64 submitted;
	u64 completed;
	u64 errors;
	u64 timeouts;
	u64 missed;
	u64 bogus;
	struct llist_head landed;
	struct ihsm_slot slot[IHSM_SLOTS];
};

int ihsm_queue_init(struct ihsm_device *ihsm, struct ihsm_queue *queue, u16 qid, u16 vector);
void ihsm_queue_free(struct ihsm_queue *queue);
void ihsm_queue_start(struct ihsm_queue *queue, u32 generation);
void ihsm_queue_stop(struct ihsm_queue *queue);
void ihsm_queue_fail(struct ihsm_queue *queue, int error);
struct ihsm_cmd *ihsm_cmd_alloc(u8 opcode, size_t bounce);
void ihsm_cmd_free(struct ihsm_cmd *cmd);
int ihsm_cmd_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd);
int ihsm_cmd_try_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd);
int ihsm_cmd_send(struct ihsm_queue *queue, struct ihsm_cmd *cmd);
int ihsm_cmd_submit(struct ihsm_cmd *cmd);
void ihsm_cmd_finish(struct ihsm_cmd *cmd);
void ihsm_cmd_listen(struct ihsm_cmd *cmd);
bool ihsm_cmd_abandon(struct ihsm_cmd *cmd, bool abort);
void ihsm_cmd_abort(struct ihsm_cmd *cmd);
bool ihsm_queue_overdue(struct ihsm_queue *queue);
bool ihsm_queue_ready(struct ihsm_queue *queue);
unsigned int ihsm_queue_poll(struct ihsm_queue *queue);

/* ---- irq.c: vectors ---- */

int ihsm_irq_vectors(struct ihsm_device *ihsm);
int ihsm_irq_request(struct ihsm_queue *queue);
void ihsm_irq_free(struct ihsm_queue *queue);
void ihsm_irq_release(struct ihsm_device *ihsm);

/* ---- state.c: what may follow what ---- */

bool ihsm_state_may(enum ihsm_driver_state from, enum ihsm_driver_state to);
const char *ihsm_state_name(enum ihsm_driver_state state);
bool ihsm_set_state(struct ihsm_device *ihsm, enum ihsm_driver_state to);

/**
 * enum ihsm_hold - what keeps a function stopped behind the driver's back; any of them may
 *	begin while others last
 * @IHSM_HOLD_RESET: a function reset
 * @IHSM_HOLD_BUS: recovery from an error of the bus; a second error during it is the same one
 * @IHSM_HOLD_SLEEP: the system sleeps
 */
enum ihsm_hold {
	IHSM_HOLD_RESET = BIT(0),
	IHSM_HOLD_BUS = BIT(1),
	IHSM_HOLD_SLEEP = BIT(2),
};

/**
 * struct ihsm_device - one function
 * @dev: of class ihsm; its last reference frees this
 * @cdev: /dev/ihsmN
 * @pdev: the PCI function, until @gone
 * @gate: held for reading by whoever uses the device for a descriptor; remove waits here
 * @gone: the driver is unbound; under @gate
 * @control: starting and stopping
 * @held: bits of enum ihsm_hold; the device is started again when all have ended; under @control
 * @regs: BAR 0
 * @cap: the capability register
 * @hw_version: the version register
 * @limits: what @cap allows
 * @state: under @state_lock, read without it where a moment's delay does no harm
 * @state_lock: innermost lock
 * @state_wait: for changes of @state
 * @generation: counts starts; never 0 once started
 * @epoch: of the device's last start
 * @max_message: largest message
 * @class_ms: longest time of each class
 * @identify: what the device said about itself; under @identify_lock
 * @identify_lock: of @identify
 * @vectors: interrupt vectors that we were given
 * @queues: I/O queue pairs
 * @queue: all pairs, the admin queue first
 * @cpu_queue: which pair a processor uses
 * @shadow: both shadow pages, or NULL
 * @shadow_dma: their bus address
 * @load_ms: sum of the weights of outstanding commands
 * @contexts: open files
 * @wq: ordered: watch, reset, orphans
 * @watch: looks after the device once a second while there are open files
 * @reset_work: restarts a device in state resetting
 * @orphan_work: cleans up after abandoned commands
 * @event_work: looks what happened; waits for admin commands, so it is not on @wq
 * @orphans: those
 * @notice: how often each event happened; under @state_lock
 * @why: reason of the reset that is due; NULL: somebody asked for it
 * @hwrng: for the kernel's random numbers; without a name: not registered
 * @hwmon: for hwmon, or NULL
 * @hwmon_dev: its device
 * @sensor_label: of each sensor, for hwmon
 * @upload: for firmware images, or NULL
 * @upload_cancelled: the upload that runs is to end
 * @queue_groups: sysfs groups of the queues, or NULL
 */
struct ihsm_device {
	struct device dev;
	struct cdev cdev;
	struct pci_dev *pdev;
	struct rw_semaphore gate;
	bool gone;
	struct mutex control; /* starting and stopping */
	unsigned int held;
	void __iomem *regs;
	u64 cap;
	u32 hw_version;
	struct ihsm_limits limits;
	enum ihsm_driver_state state;
	spinlock_t state_lock; /* of state; innermost */
	wait_queue_head_t state_wait;
	u32 generation;
	u32 epoch;
	u32 max_message;
	u32 class_ms[IHSM_TIME_CLASSES];
	struct ihsm_identify identify;
	struct mutex identify_lock; /* of identify */
	unsigned int vectors;
	unsigned int queues;
	struct ihsm_queue *queue[1 + IHSM_MAX_QUEUES];
	u8 *cpu_queue;
	void *shadow;
	dma_addr_t shadow_dma;
	atomic_t load_ms;
	atomic_t contexts;
	struct workqueue_struct *wq;
	struct delayed_work watch;
	struct work_struct reset_work;
	struct work_struct orphan_work;
	struct delayed_work event_work;
	struct llist_head orphans;
	u32 notice[IHSM_NOTICES];
	const char *why;
	struct hwrng hwrng;
	struct ihsm_hwmon *hwmon;
	struct device *hwmon_dev;
	char sensor_label[IHSM_MAX_SENSORS][sizeof_field(struct ihsm_sensor, label) + 1];
	struct fw_upload *upload;
	bool upload_cancelled;
	struct queue_group *queue_groups;
};

/* ---- controller.c: registers, starting and stopping ---- */

int ihsm_controller_probe(struct ihsm_device *ihsm);
int ihsm_controller_alloc(struct ihsm_device *ihsm);
void ihsm_controller_free(struct ihsm_device *ihsm);
int ihsm_start(struct ihsm_device *ihsm);
void ihsm_stop(struct ihsm_device *ihsm, int error);
bool ihsm_present(struct ihsm_device *ihsm, u32 *status);

static inline void ihsm_ring_bell(struct ihsm_device *ihsm, unsigned int offset, u32 value)
{
	writel(value, ihsm->regs + offset);
}

/* ---- admin.c: admin commands ---- */

int ihsm_identify(struct ihsm_device *ihsm);
int ihsm_set_shadow(struct ihsm_device *ihsm);
int ihsm_create_queue(struct ihsm_queue *queue);
int ihsm_create_context(struct ihsm_device *ihsm, u64 *id, u32 *generation);
int ihsm_destroy_context(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, u64 id, u32 generation);
int ihsm_send_abort(struct ihsm_device *ihsm, u16 qid, u16 tag);
int ihsm_ask_events(struct ihsm_device *ihsm);
int ihsm_random(struct ihsm_device *ihsm, void *to, u32 len);
int ihsm_sensors(struct ihsm_device *ihsm, struct ihsm_sensors *sensors);
int ihsm_stage(struct ihsm_device *ihsm, u32 step, u32 number, const void *from, u32 len);
int ihsm_vf_share(struct ihsm_device *ihsm, u32 vf, u32 vectors);
bool ihsm_identify_flag(struct ihsm_device *ihsm, u32 flag);
void ihsm_event_work(struct work_struct *work);

/* ---- timeout.c: looking after the device ---- */

void ihsm_watch_work(struct work_struct *work);
void ihsm_reset_work(struct work_struct *work);
void ihsm_orphan_work(struct work_struct *work);
void ihsm_reset_later(struct ihsm_device *ihsm, const char *why);
int ihsm_reset_now(struct ihsm_device *ihsm);
void ihsm_look_now(struct ihsm_device *ihsm);
void ihsm_restart(struct ihsm_device *ihsm);
void ihsm_die(struct ihsm_device *ihsm, const char *why);
unsigned long ihsm_time_limit(struct ihsm_device *ihsm, u32 weight_ms);

/* ---- context.c: open files ---- */

/**
 * struct ihsm_context - an open file
 * @ihsm: holds a reference
 * @id: the device's id, with the epoch
 * @generation: start of the device that it belongs to
 * @max_message: of that start
 * @end: the command that ends it
 * @seen: events that its program was told of; under @state_lock of @ihsm
 */
struct ihsm_context {
	struct ihsm_device *ihsm;
	u64 id;
	u32 generation;
	u32 max_message;
	struct ihsm_cmd *end;
	u32 seen[IHSM_NOTICES];
};

struct ihsm_context *ihsm_context_open(struct ihsm_device *ihsm);
void ihsm_context_close(struct ihsm_context *context);
int ihsm_enter(struct ihsm_device *ihsm);
int ihsm_try_enter(struct ihsm_device *ihsm);
void ihsm_leave(struct ihsm_device *ihsm);

/* ---- command.c: a program's message there and back ---- */

struct ihsm_cmd *ihsm_command_prepare(struct ihsm_context *context,
				      const struct ihsm_command *command);
int ihsm_command_place(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, bool wait);
int ihsm_command_submit(struct ihsm_device *ihsm, struct ihsm_cmd *cmd);
int ihsm_command_error(const struct ihsm_cmd *cmd);
int ihsm_command_copy_out(struct ihsm_cmd *cmd, struct ihsm_command *command);
int ihsm_command(struct ihsm_context *context, struct ihsm_command *command);

/* ---- uring.c: the same by io_uring ---- */

int ihsm_uring_command(struct io_uring_cmd *ioucmd, struct ihsm_context *context,
		       const struct ihsm_command *command, void __user *user, u32 size,
		       unsigned int issue_flags);
int ihsm_uring_cancel(struct io_uring_cmd *ioucmd);
int ihsm_uring_poll(struct io_uring_cmd *ioucmd, struct io_comp_batch *batch,
		    unsigned int poll_flags);

/* ---- notice.c: what happened, for those who wait in poll() ---- */

void ihsm_notice(struct ihsm_device *ihsm, unsigned int event);
u32 ihsm_notices(struct ihsm_context *context, bool take);

/* ---- hwrng.c, hwmon.c, fw_upload.c, sriov.c, coredump.c: for frameworks of the kernel ---- */

void ihsm_hwrng_register(struct ihsm_device *ihsm);
void ihsm_hwrng_unregister(struct ihsm_device *ihsm);
int ihsm_rng_bytes(struct ihsm_device *ihsm, void *data, size_t max, bool wait);
int ihsm_vf_number(struct pci_dev *vf);
void ihsm_hwmon_register(struct ihsm_device *ihsm);
void ihsm_hwmon_unregister(struct ihsm_device *ihsm);
void ihsm_fw_upload_register(struct ihsm_device *ihsm);
void ihsm_fw_upload_unregister(struct ihsm_device *ihsm);
int ihsm_sriov_configure(struct pci_dev *pdev, int count);
u32 ihsm_sriov_vectors(struct pci_dev *pdev);
int ihsm_sriov_set_vectors(struct pci_dev *vf, int count);
void ihsm_coredump(struct ihsm_device *ihsm, const char *why);

/* ---- what the kernel calls: pci.c, hwmon.c, fw_upload.c, chardev.c, sysfs.c ---- */

extern const struct pci_error_handlers ihsm_errors;
extern const struct hwmon_ops ihsm_hwmon_ops;
extern const struct fw_upload_ops ihsm_upload_ops;
extern const struct file_operations ihsm_fops;
extern const struct attribute_group *ihsm_groups[];
int ihsm_sysfs_add_queues(struct ihsm_device *ihsm);
void ihsm_sysfs_free_queues(struct ihsm_device *ihsm);

#endif /* IHSM_H */
