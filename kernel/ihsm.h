/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver inside, file by file. It moves opaque messages between programs and an
 * integrated HSM (Documentation/driver.rst; the device is Documentation/hardware.rst).
 *
 * Locks, outer first: gate, control, queue->lock, state_lock. identify_lock is a leaf under gate or
 * control. Answers to admin commands are waited for with gate (for reading) and control held,
 * never programs' memory or messages.
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
/* Older kernels have none, and compat.h for them. */
#ifndef KUNIT_STATIC_STUB_REDIRECT
#include <kunit/static_stub.h>
#endif

#include "check.h"
#include "ring.h"

#define IHSM_ROOM	4096U	/* bytes each way that go through a slot's own buffer */
/*
 * A program that waits can be killed, and does not keep the system from going to sleep. Nothing is
 * held then: who is frozen may be so for long.
 */
#define IHSM_WAIT	(TASK_KILLABLE | TASK_FREEZABLE)

#define IHSM_ADMIN_MS	10000U	/* an admin command that takes longer has been lost */

struct ihsm_device;
struct ihsm_hwmon;
struct ihsm_queue;
struct queue_groups;
struct io_comp_batch;
struct io_uring_cmd;

/* ---- dma.c: payloads ---- */

/* A large message, in the program's own pages */
struct ihsm_payload {
	unsigned int pages;		/* how many there are */
	struct mm_struct *mm;		/* whose locked memory they count as */
	unsigned int offset;		/* of the first byte in the first page */
	u32 len;			/* bytes */
	struct sg_table sgt;		/* the mapping */
	enum dma_data_direction dir;	/* of the transfer */
	bool mapped;			/* the device may use the pages */
	struct page *page[];		/* the pages, pinned */
};

struct ihsm_payload *ihsm_payload_pin(unsigned long user, u32 len, enum dma_data_direction dir);
int ihsm_payload_map(struct ihsm_device *ihsm, struct ihsm_payload *payload);
unsigned int ihsm_payload_segments(const struct ihsm_payload *payload, struct ihsm_segment *list);
void ihsm_payload_unmap(struct ihsm_device *ihsm, struct ihsm_payload *payload);
void ihsm_payload_free(struct ihsm_payload *payload);

/* ---- queue.c: rings and slots ---- */

/* A command on its way */
struct ihsm_cmd {
	struct ihsm_queue *queue;	/* set by ihsm_cmd_place() */
	struct ihsm_slot *slot;		/* likewise; the slot is ours until ihsm_cmd_finish() */
	u8 opcode;			/* of the entry */
	u64 context;			/* of the entry */
	u32 arg[5];			/* of the entry, admin commands */
	/* bus address of admin commands whose input is a ring or a page */
	dma_addr_t in_addr;
	dma_addr_t out_addr;		/* likewise */
	u32 in_len;			/* bytes that go in */
	u32 out_len;			/* room for what comes out */
	void *in;			/* what goes in, if it fits into the slot */
	void *out;			/* where it comes out, if it fits into the slot */
	struct ihsm_payload *large_in;	/* what goes in otherwise, or NULL */
	struct ihsm_payload *large_out;	/* where it comes out otherwise, or NULL */
	u16 in_segments;		/* of @large_in */
	u16 out_segments;		/* of @large_out */
	/* the device's start that this command is for; 0 for the present one */
	u32 generation;
	u32 weight_ms;			/* longest time of its class */
	unsigned long deadline;		/* jiffies when it is overdue, set at submission */
	bool timed_out;			/* it was asked back because it was overdue */
	bool waited;			/* somebody sleeps until it ends, interrupts are wanted */
	bool forever;			/* it may take as long as it likes */
	bool abandoned;			/* nobody waits (any more): an orphan when it has ended */
	/* what is done with it there, in process context, before it is freed; may be NULL */
	void (*ended)(struct ihsm_cmd *cmd);
	/* for one that nobody waits for: it has ended, is @landed's; the queue's lock is held */
	void (*landed)(struct ihsm_cmd *cmd);
	bool silent;			/* with @landed: no interrupt is wanted, somebody polls */
	bool brief;			/* of the shortest class */
	u32 poll_us;			/* its caller looks for the answer so long, then sleeps */
	bool patient;			/* counted in the queue's @patient */
	bool aborted;			/* the device was asked once to drop it */
	void *private;			/* of @landed */
	struct completion done;		/* for callers who wait */
	int error;			/* 0 when the device answered */
	u16 status;			/* then its status */
	u32 result;			/* then its result; at most @out_len */
	u32 answered;			/* bytes at @out that are of the device */
	struct llist_node ended_next;	/* in a list of those that have ended, maybe the orphans' */
	/* room for what goes in and comes out; wiped and freed with the command */
	u8 bounce[] __aligned(8);
};

/* A place for an outstanding command */
struct ihsm_slot {
	struct ihsm_cmd *cmd;		/* the command while the device has it */
	u16 generation;			/* counts its commands, in their identifiers' upper bits */
	void *room;			/* IHSM_ROOM bytes in, as many out; wiped when freed */
	dma_addr_t dma;			/* its bus address */
};

/* A queue pair; number 0 is the admin queue */
struct ihsm_queue {
	struct ihsm_device *ihsm;	/* the device */
	spinlock_t lock;		/* of all that follows */
	u16 qid;			/* number */
	u16 vector;			/* index of its interrupt vector */
	bool irq_set;			/* the handler is installed */
	bool running;			/* commands are taken */
	u32 generation;			/* the device's start that it works for */
	u8 sq_log2;			/* entries of the submission ring */
	u8 cq_log2;			/* entries of the completion ring */
	unsigned int slots;		/* in use, at most IHSM_SLOTS */
	struct ihsm_sqe *sq;		/* submission ring */
	struct ihsm_cqe *cq;		/* completion ring */
	dma_addr_t sq_dma;		/* its bus address */
	dma_addr_t cq_dma;		/* likewise */
	/* shadow page's part that we write, or NULL: doorbells are registers */
	struct ihsm_shadow_host *host;
	/* the device's part; it may write anything at any time */
	struct ihsm_shadow_device *device;
	u32 sq_tail;			/* ours */
	u32 sq_head;			/* the device's, as last told */
	u32 cq_head;			/* ours */
	unsigned int waiters;		/* outstanding commands for which an interrupt is wanted */
	/* those of them that may share one: brief ones of a single context's rings */
	unsigned int patient;
	u64 patient_context;		/* the context */
	u32 irq_event;			/* the completion that an interrupt was asked for with */
	DECLARE_BITMAP(free, IHSM_SLOTS); /* slots that nobody has */
	wait_queue_head_t slot_wait;	/* for a free slot */
	u64 submitted;			/* commands given to the device */
	u64 completed;			/* commands that it answered */
	u64 errors;			/* those of them whose status was not success */
	u64 timeouts;			/* commands that were overdue */
	u64 missed;			/* completions that were there and nobody was told */
	u64 bogus;			/* completions that made no sense */
	struct ihsm_slot slot[IHSM_SLOTS]; /* the slots */
};

int ihsm_queue_init(struct ihsm_device *ihsm, struct ihsm_queue *queue, u16 qid, u16 vector);
void ihsm_queue_start(struct ihsm_queue *queue, u32 generation);
void ihsm_queue_stop(struct ihsm_queue *queue);
void ihsm_queue_fail(struct ihsm_queue *queue, int error);
struct ihsm_cmd *ihsm_cmd_alloc(u8 opcode, size_t bounce);
void ihsm_cmd_free(struct ihsm_cmd *cmd);
int ihsm_cmd_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd);
int ihsm_cmd_try_place(struct ihsm_queue *queue, struct ihsm_cmd *cmd);
int ihsm_queue_wait(struct ihsm_queue *queue);
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

/* One function */
struct ihsm_device {
	struct device dev;		/* of class ihsm; its last reference frees this */
	struct cdev cdev;		/* /dev/ihsmN */
	struct pci_dev *pdev;		/* the PCI function, until @gone */
	/* held for reading by whoever uses the device for a descriptor; remove waits here */
	struct rw_semaphore gate;
	bool gone;			/* the driver is unbound; under @gate */
	struct mutex control;		/* starting and stopping */
	unsigned int held;		/* enum ihsm_hold; none left: start; under @control */
	void __iomem *regs;		/* BAR 0 */
	u64 cap;			/* the capability register */
	u32 hw_version;			/* the version register */
	struct ihsm_limits limits;	/* what @cap allows */
	/* under @state_lock, read without it where a moment's delay does no harm */
	enum ihsm_driver_state state;
	spinlock_t state_lock;		/* innermost lock */
	wait_queue_head_t state_wait;	/* for changes of @state */
	u32 generation;			/* counts starts; never 0 once started */
	u32 epoch;			/* of the device's last start */
	u32 max_message;		/* largest message */
	u32 class_ms[IHSM_TIME_CLASSES]; /* longest time of each class */
	/* what the device said about itself; under @identify_lock */
	struct ihsm_identify identify;
	struct mutex identify_lock;	/* of @identify */
	unsigned int vectors;		/* interrupt vectors that we were given */
	unsigned int queues;		/* I/O queue pairs */
	/* all pairs, the admin queue first; what they have of the function goes with it */
	struct ihsm_queue *queue[1 + IHSM_MAX_QUEUES];
	u8 *cpu_queue;			/* which pair a processor uses */
	void *shadow;			/* both shadow pages, or NULL */
	dma_addr_t shadow_dma;		/* their bus address */
	atomic_t load_ms;		/* sum of the weights of outstanding commands */
	atomic_t contexts;		/* open files */
	struct workqueue_struct *wq;	/* ordered: watch, reset, orphans */
	/* looks after the device once a second while there are open files */
	struct delayed_work watch;
	struct work_struct reset_work;	/* restarts a device in state resetting */
	struct work_struct orphan_work;	/* cleans up after abandoned commands */
	/* looks what happened; waits for admin commands, so it is not on @wq */
	struct delayed_work event_work;
	struct llist_head orphans;	/* abandoned commands that have ended */
	u32 notice[IHSM_NOTICES];	/* how often each event happened; under @state_lock */
	/* reason of the reset that is due; NULL: somebody asked for it */
	const char *why;
	/* for the kernel's random numbers; without a name: not registered */
	struct hwrng hwrng;
	struct ihsm_hwmon *hwmon;	/* for hwmon, or NULL */
	struct device *hwmon_dev;	/* its device */
	/* of each sensor, for hwmon */
	char sensor_label[IHSM_MAX_SENSORS][sizeof_field(struct ihsm_sensor, label) + 1];
	struct fw_upload *upload;	/* for firmware images, or NULL */
	unsigned int upload_cancelled;	/* not zero: the upload that runs is to end */
	struct queue_groups *queue_groups; /* in sysfs, the directories of the queues */
};

/* ---- controller.c: registers, starting and stopping ---- */

int ihsm_controller_probe(struct ihsm_device *ihsm);
int ihsm_controller_alloc(struct ihsm_device *ihsm);
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
int ihsm_reset_wait(struct ihsm_device *ihsm, unsigned int state);

/* Something may be wrong: the watch looks at the device soon. Any context. */
static inline void ihsm_look_now(struct ihsm_device *ihsm)
{
	mod_delayed_work(ihsm->wq, &ihsm->watch, 0);
}

void ihsm_restart(struct ihsm_device *ihsm);
void ihsm_die(struct ihsm_device *ihsm, const char *why);
unsigned long ihsm_time_limit(struct ihsm_device *ihsm, u32 weight_ms);

/* ---- context.c: open files ---- */

/* An open file */
struct ihsm_context {
	struct ihsm_device *ihsm;	/* holds a reference */
	u64 id;				/* the device's id, with the epoch */
	u32 generation;			/* start of the device that it belongs to */
	u32 max_message;		/* of that start */
	struct ihsm_cmd *end;		/* the command that ends it */
	/* events that its program was told of; under @state_lock of @ihsm */
	u32 seen[IHSM_NOTICES];
};

struct ihsm_context *ihsm_context_open(struct ihsm_device *ihsm);
void ihsm_context_close(struct ihsm_context *context);
int ihsm_enter(struct ihsm_device *ihsm, bool wait);

/* After ihsm_enter() */
static inline void ihsm_leave(struct ihsm_device *ihsm)
{
	up_read(&ihsm->gate);
}

/* ---- command.c: a program's message there and back ---- */

struct ihsm_cmd *ihsm_command_prepare(struct ihsm_context *context,
				      const struct ihsm_command *command, size_t own);
int ihsm_command_enter(struct ihsm_device *ihsm, struct ihsm_cmd *cmd, bool wait);
int ihsm_command_submit(struct ihsm_device *ihsm, struct ihsm_cmd *cmd);
int ihsm_command_error(const struct ihsm_cmd *cmd);
int ihsm_command_copy_out(const struct ihsm_cmd *cmd, u64 user);
int ihsm_command(struct ihsm_context *context, struct ihsm_command *command);

/* ---- uring.c: the same by io_uring ---- */

int ihsm_uring_command(struct io_uring_cmd *ioucmd, struct ihsm_context *context,
		       const struct ihsm_command *command, unsigned int issue_flags);
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
int ihsm_sysfs_queues(struct ihsm_device *ihsm);

#endif /* IHSM_H */
