// SPDX-License-Identifier: GPL-2.0-only
/* stage.c - one play: what is valid is set up, the actors act, all is taken down and looked at */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/kselftest/tap.h"
#include "play.h"

#define ACT_MS		8000		/* a play is over after that, whoever still acts */
#define END_MS		60000		/* then it can be taken down */
#define OBJECTS_SLACK	8		/* a flow, a ticket of the neighbour's: they come and go */

static struct realm neighbour;
static struct board *board;
static long long baseline;		/* objects that the neighbour alone is made of */
static int control = -1;

static const struct cast *const casts[ACTOR_COUNT] = {
	[ACTOR_STACK] = &stack_cast, [ACTOR_MANAGER] = &manager_cast, [ACTOR_ADMIN] = &admin_cast,
	[ACTOR_CONTROL] = &control_cast,
};

const struct cast *play_cast(unsigned int actor)
{
	return casts[actor];
}

/* ---- for the actors --------------------------------------------------------------------------------- */

int stage_call(int fd, unsigned long number, void *arg)
{
	return ioctl(fd, number, arg) ? errno : 0;
}

void stage_any_call(struct stage *s, struct dice *d)
{
	static const unsigned long numbers[] = {
		IPSP_IOC_ATTACH, IPSP_IOC_LAYOUT, IPSP_IOC_KICK, IPSP_IOC_GETMSG, IPSP_IOC_PUTMSG, IPSP_IOC_CONTROL,
		IPSP_IOC_HANDLE_ADD, IPSP_IOC_HANDLE_SET, IPSP_IOC_HANDLE_DEL, IPSP_IOC_HANDLE_GET, IPSP_IOC_HASH_KEY,
		IPSP_IOC_STORE, IPSP_IOC_TAKE, IPSP_IOC_RELIEF, IPSP_IOC_RETIRE, IPSP_IOC_LABEL,
	};
	unsigned long number = numbers[dice_below(d, sizeof(numbers) / sizeof(numbers[0]))];
	unsigned char arg[512] = { 0 };

	if (dice_one_in(d, 8))
		number ^= 1ul << dice_below(d, 32);
	dice_spoil(d, arg, sizeof(arg), dice_below(d, 6));
	stage_call(s->fd, number, arg);
}

void stage_found(const struct stage *s, const char *format, ...)
{
	va_list ap;

	if (s->board->finding[0])
		return;
	va_start(ap, format);
	vsnprintf(s->board->finding, sizeof(s->board->finding), format, ap);
	va_end(ap);
}

int stage_open(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/dev/ipsec-port/%s", name);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* This thread's calls that sleep are interrupted, each within 10 ms. */
static void alarm_begin(timer_t *timer)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	const struct itimerspec often = { .it_interval.tv_nsec = 10000000, .it_value.tv_nsec = 10000000 };
	struct sigaction action = { .sa_handler = on_alarm };

	event._sigev_un._tid = (int)syscall(SYS_gettid);
	sigaction(SIGALRM, &action, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, timer) || timer_settime(*timer, 0, &often, NULL))
		_exit(5);
}

static void act_step(struct stage *s, const struct cast *cast, unsigned int i)
{
	const struct step *step = &s->row->step[i];
	const struct kind *kind = &cast->kind[step->kind];
	struct dice d = dice_of(step->seed);

	if (s->is_told) {
		printf("# step %u: %s %s 0x%08x\n", i, cast->name, kind->name, step->seed);
		fflush(stdout);
	}
	kind->run(s, &d);
}

void stage_act(struct stage *s, unsigned int actor)
{
	timer_t timer;
	unsigned int i;

	alarm_begin(&timer);
	while (!__atomic_load_n(&s->board->over, __ATOMIC_RELAXED)) {
		i = __atomic_fetch_add(&s->board->next[actor], 1, __ATOMIC_RELAXED);
		if (i >= s->row->steps)
			break;
		if (s->row->step[i].actor == actor)
			act_step(s, casts[actor], i);
	}
	timer_delete(timer);
	__atomic_store_n(&s->board->done[actor], 1, __ATOMIC_RELAXED);
}

static void *act_thread(void *arg)
{
	struct stage *s = arg;

	stage_act(s, s->fd == s->realm.port ? ACTOR_MANAGER : ACTOR_STACK);
	return NULL;
}

/* ---- the stack's life --------------------------------------------------------------------------------- */

/* Behind its own steps it answers honestly until the play is over. */
static void stack_after(struct stage *s)
{
	struct dice d = dice_of(1);
	timer_t timer;

	alarm_begin(&timer);
	while (!__atomic_load_n(&s->board->over, __ATOMIC_RELAXED)) {
		casts[ACTOR_STACK]->kind[0].run(s, &d);
		usleep(1000);
	}
}

static void stack_life(struct stack *stack, const void *how)
{
	struct stage s = *(const struct stage *)how;
	pthread_t other;

	s.stack = *stack;
	s.fd = stack->fd;
	s.realm.port = -1;		/* the manager's: not ours */
	if (pthread_create(&other, NULL, act_thread, &s))
		_exit(4);
	stage_act(&s, ACTOR_STACK);
	pthread_join(other, NULL);
	stack_after(&s);
	_exit(0);
}

static pid_t stack_again(const struct stage *s)
{
	struct stack stack = { .realm = &s->realm };
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(s->realm.port);
	stack_enter(&stack);
	ioctl(stack.fd, IPSP_IOC_KICK, IPSP_KICK_WAIT);
	stack_life(&stack, s);
	_exit(0);
}

/* ---- the stage's own process ----------------------------------------------------------------------------- */

static void *manager_thread(void *arg)
{
	stage_act(arg, ACTOR_MANAGER);
	return NULL;
}

static pid_t actor_start(const struct stage *stage, unsigned int actor)
{
	struct stage s = *stage;
	pid_t child = fork();

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(s.realm.port);
	s.fd = actor == ACTOR_CONTROL ? control : stage_open(s.realm.name);
	stage_act(&s, actor);
	_exit(0);
}

/* A stack that attached waits for the end of its snapshot: it gets one, whatever else is being said. */
static void keep_events(struct stage *s)
{
	_Alignas(64) unsigned char bytes[128] = { 0 };
	struct ipsp_record *rec = (struct ipsp_record *)bytes;
	struct ipsp_event e;

	while ((e = realm_event(&s->realm, 0)).event)
		if (e.event == IPSP_EVENT_STACK_ATTACHED) {
			rec->type = IPSP_REC_SNAPSHOT_END;
			rec->control_len = sizeof(struct ipsp_snapshot);
			rec->len = sizeof(bytes);
			realm_control(&s->realm, rec, 0);
		}
}

static void keep(struct stage *s)
{
	struct ipsp_attach a = { .role = IPSP_ROLE_MANAGER };

	while (!__atomic_load_n(&s->board->over, __ATOMIC_RELAXED)) {
		ioctl(s->realm.port, IPSP_IOC_ATTACH, &a);	/* a step may have left it without a role */
		keep_events(s);
		if (waitpid(s->realm.stack, NULL, WNOHANG) == s->realm.stack)
			s->realm.stack = stack_again(s);
		usleep(2000);
	}
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* By a quorum of one what is believed is a ballot. */
static void stage_begin(struct stage *s)
{
	const struct ipsp_compartment alone = { .deadline_ms = 300 };
	const struct ipsp_compartment voting = { .deadline_ms = 300, .successor_ms = 60000, .stacks = 1,
						 .mode = IPSP_MODE_VOTE, .quorum = 1 };
	const uint32_t scene = s->row->scene;

	realm_begin_as(&s->realm, PLAY_NET, scene_kind(scene), scene_votes(scene) ? voting : alone);
}

static void stage_count(const struct stage *s)
{
	const struct ipsp_stats stats = realm_stats(&s->realm);

	s->board->released = stats.counter[IPSP_COUNT_RELEASED];
	s->board->in = stats.counter[IPSP_COUNT_IN_PACKETS];
}

static void stage_live(struct stage *s, int ready)
{
	const struct realm *const both[] = { &s->realm, &neighbour };
	pthread_t manager[2];
	pid_t admin, operator;
	unsigned int i;

	stage_begin(s);
	realm_rules(both, 2);
	s->fd = s->realm.port;
	realm_start(&s->realm, stack_life, s);
	admin = actor_start(s, ACTOR_ADMIN);
	operator = actor_start(s, ACTOR_CONTROL);
	for (i = 0; i < 2; i++)
		if (pthread_create(&manager[i], NULL, manager_thread, s))
			tap_give_up("a thread");
	if (write(ready, "", 1) != 1)
		tap_give_up("the stage's word");
	keep(s);
	stop(s->realm.stack);
	stop(admin);
	stop(operator);
	for (i = 0; i < 2; i++)
		pthread_join(manager[i], NULL);
	if (realm_balance(&s->realm))
		stage_found(s, "the stage's ledger is out of balance by %lld", realm_balance(&s->realm));
	stage_count(s);
	_exit(0);
}

/* ---- the world's side -------------------------------------------------------------------------------------- */

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int all_done(void)
{
	unsigned int i;

	for (i = 0; i < ACTOR_COUNT; i++)
		if (!__atomic_load_n(&board->done[i], __ATOMIC_RELAXED))
			return 0;
	return 1;
}

/* 0, or the stage is still there after so long. */
static int wait_for(pid_t stage, int ms, int *status)
{
	const long end = now_ms() + ms;

	while (waitpid(stage, status, WNOHANG) != stage) {
		if (now_ms() > end)
			return -1;
		usleep(2000);
	}
	return 0;
}

/*
 * All compartments but the neighbour's go. Packets of the stage may still be on their way, some of them behind a BYPASS
 * that its stack said: without a rule they would leave in clear, as any other packet then does. So its rules turn into
 * drop and stand until the next play's take their place, in one step.
 */
static void take_down(void)
{
	struct ipsp_compartment c;
	struct ipsp_name n;
	int i = 0;

	for (;;) {
		c = (struct ipsp_compartment){ .index = i };
		if (ioctl(control, IPSP_CTL_COMPARTMENT_GET, &c))
			return;
		n = (struct ipsp_name){ .flags = IPSP_DELF_RULES_DROP };
		memcpy(n.name, c.name, sizeof(n.name));
		if (!strcmp(c.name, neighbour.name) || ioctl(control, IPSP_CTL_COMPARTMENT_DEL, &n))
			i++;
	}
}

static long long objects(void)
{
	struct ipsp_stats s = { 0 };

	if (ioctl(control, IPSP_CTL_STATS, &s))
		tap_give_up("stats");
	return (long long)(s.counter[IPSP_COUNT_OBJECTS_MADE] - s.counter[IPSP_COUNT_OBJECTS_FREED]);
}

/* What the stage made goes. */
static void judge_objects(const struct stage *s)
{
	int i;

	for (i = 0; i < 1500 && objects() > baseline + OBJECTS_SLACK; i++)
		usleep(20000);
	if (i < 1500)
		return;
	stage_found(s, "%lld objects more than before", objects() - baseline);
	baseline = objects();		/* told once */
}

static void judge_stage(const struct stage *s, int is_ended, int status)
{
	if (!is_ended)
		stage_found(s, "the stage could not be ended");
	else if (!WIFEXITED(status) || WEXITSTATUS(status))
		stage_found(s, "the stage ended with status 0x%x", status);
}

static void judge_neighbour(const struct stage *s)
{
	static __u64 known[IPSP_DROP_COUNT];	/* each is told once */
	struct ipsp_stats stats;
	unsigned int i;

	if (realm_event(&neighbour, 0).event)
		stage_found(s, "the neighbour's stack was harmed");
	if (realm_balance(&neighbour))
		stage_found(s, "the neighbour's ledger is out of balance by %lld", realm_balance(&neighbour));
	stats = realm_stats(&neighbour);
	for (i = 1; i < IPSP_DROP_COUNT; i++) {
		if (stats.drop[i] > known[i])
			stage_found(s, "%llu of the neighbour's packets were dropped for reason %u",
				    stats.drop[i] - known[i], i);
		known[i] = stats.drop[i];
	}
}

/* Until everybody has come to the end of the row, or the time is up. */
static void attend(int ready)
{
	const long end = now_ms() + ACT_MS;
	static uint32_t serial = 1000;
	char byte;

	if (read(ready, &byte, 1) != 1)
		return;
	while (!all_done() && now_ms() < end) {
		traffic_some(serial++);
		usleep(3000);
	}
	traffic_some(serial++);		/* what the last step did is seen, however late we are */
}

static pid_t stage_start(struct stage *s, int *ready)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		tap_give_up("pipe");
	child = fork();
	if (!child) {
		close(ends[0]);
		setpgid(0, 0);
		stage_live(s, ends[1]);
	}
	close(ends[1]);
	*ready = ends[0];
	return child;
}

int play(const struct row *row, int is_told, char finding[PLAY_FINDING])
{
	struct stage s = { .row = row, .board = board, .is_told = is_told };
	int ready, status = 0, is_ended;
	pid_t child;

	memset(board, 0, sizeof(*board));
	traffic_round(scene_kind(row->scene));
	fflush(stdout);
	child = stage_start(&s, &ready);
	attend(ready);
	__atomic_store_n(&board->over, 1, __ATOMIC_RELAXED);
	is_ended = !wait_for(child, END_MS, &status);
	close(ready);
	kill(-child, SIGKILL);
	judge_stage(&s, is_ended, status);
	scene_played(row->scene, board);
	take_down();
	judge_objects(&s);
	if (traffic_judge(finding))
		return 1;
	judge_neighbour(&s);
	memcpy(finding, board->finding, PLAY_FINDING);
	return finding[0] != '\0';
}

/* ---- the world ------------------------------------------------------------------------------------------------- */

void play_begin(void)
{
	const struct realm *const one[] = { &neighbour };
	char finding[PLAY_FINDING];

	world_begin();
	world_ipv6();
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	control = open("/dev/ipsec-port/control", O_RDWR | O_CLOEXEC);
	if (board == MAP_FAILED || control < 0)
		tap_give_up("the stage");
	realm_begin(&neighbour, PLAY_NEIGHBOUR, 60000);
	realm_rules(one, 1);
	realm_start(&neighbour, stack_honest, NULL);
	traffic_begin(&neighbour);
	if (traffic_neighbour(finding))
		tap_give_up(finding);
	baseline = objects();
}

void play_end(void)
{
	traffic_end();
	realm_stop(&neighbour);
	realm_rules(NULL, 0);
	realm_end(&neighbour);
	close(control);
}
