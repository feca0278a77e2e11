// Command soak loads the real program on a real engine for a long time, and holds that it neither loses
// anything nor grows: make soak. It promises:
//
//   - It ends by itself: the load after SOAK, everything behind it within bounds. An interrupt ends it early, and
//     keeps the samples.
//   - No load leaves the machine: it is bounded in requests a second and in containers, over loopback.
//   - It leaves nothing behind in Docker, in the kernel or outside .bin/soak, however it ends.
//   - Its exit code is 0 when all of what follows holds, else 1, with the reasons.
//
// # Settings
//
//	make soak                two hours
//	make soak SOAK=10m       any other duration of the load; what follows it takes 1 to 10 minutes
//	SOAK_RATE=50             the most requests a second
//	SEED=1                   plays the choices of another run again, whose seed was printed; 0 draws one
//	SOAK_FLAGS=-kills        kills the daemon by SIGKILL now and then, too
//	SOAK_FLAGS="-engine docker28"  on an engine of another kind, of those in hack/engine-kinds
//	SOAK_FLAGS=-shared       uses the engine that DOCKER_HOST names and starts none; that is never restarted
//
// It needs root, for the engine that it starts with hack/engine in a network of its own. "go run ./hack/soak
// -help" lists all flags.
//
// # The load
//
// Twenty slots have a container each. One goroutine for each slot creates it, and chooses every two seconds or so
// what happens to it: power, limits, environment, another port, a reinstallation, files of its volume, an archive
// of them, a line on its console that has to be answered, a crash, a write that has to be refused, a deletion;
// and by hand through the engine: kill, stop, start, remove, rename, update, disconnect, pause. Half of the writes
// wait for their goal. Six readers use what is left of the rate, and four follow
// consoles and events for a while. One watch and one stream of all events are
// followed from the beginning to the end. About every three minutes the slots pause until the engine has nothing to
// do, and it is stopped, with all its containers, and started again. In the middle of a start it is not: Docker 20.10
// then loses track of ports ("port is already allocated", moby/moby#20486) and of tasks ("task already exists").
//
// Under this load Docker 20.10 may hang for good: two operations of its libnetwork wait for each other's locks (SIGUSR1
// has it write the stacks of its goroutines: PutObjectAtomic waits for SandboxByID, which waits for processEndpointDelete).
// The daemon says so, and nothing but a restart of the engine helps. Later engines are not known to.
//
// What is chosen depends on the seed alone, and on what was acknowledged; when it happens depends on the machine.
//
// # What is held
//
//   - Refusals: only those of the tables in transport.go, each with its reason.
//   - Writes: generation and spec of each container, and each file, are as was last acknowledged.
//   - Installations: no script ran more often than requested.
//   - Convergence: within five minutes each container is as specified, its plan is empty, and nothing drifts. A
//     backoff is ended by a start, and an installation that the engine cut off by a reinstallation, as by an operator.
//   - Journal: the events that were followed have no gap, and what is kept of them is the same.
//   - Watch: what it told adds up to the list.
//   - Nothing is left after all were deleted: no container, image, network or volume of the engine, no directory;
//     and the daemon has at most ten goroutines and ten open files more than before the load.
//   - Log: no panic, and no error but those of containers' events.
//   - Flatness, as follows.
//
// # Flat
//
// /metrics is read each five seconds. Samples of the warm-up are left out: a tenth of the duration, ten minutes at
// most. Of the rest, the first third is compared with the last one. Memory, heap, goroutines and open files have
// grown when the median of the last third AND the trend (by least squares over the whole rest, from its first sample
// to its last one) both exceed the median of the first third by more than 5 %, and by more than a floor: 16 MB of heap,
// which is the history of changes that watches go on from (8 MiB) with as much garbage; 25 goroutines, 25 files, about
// what one burst of starts takes; and 64 MB of resident memory, as the memtable of the
// database and its log (32 MiB each) become resident as they are written to, between two flushes. The heap has them
// whole from the beginning, so that a leak shows there first. The size of the database goes up and down with its
// garbage: the maximum of the last third may exceed that of the first one by 5 %, or by what is collected at
// once: 96 MB. Beside -kills only the database is judged, as the rest begins again with each process.
//
// # Results
//
//	.bin/soak/samples.svg    a panel for each figure; dashed lines are restarts
//	.bin/soak/samples.csv    the raw samples
//	.bin/soak/ops.log        each operation with its end and duration, each refusal, each failure
//	.bin/soak/daemon.log     the log of the daemon
//	.bin/soak/engine.log     that of the engine
//
// A failure has its time in ops.log: read what happened to that container before, and what the daemon logged of it.
// The table on standard output has all figures.
//
// Two hours on two cores with Docker 28 (2026-12-01, -seed 2615082942): 344,380 answers and 309,004 operations, the engine
// or the daemon restarted 33 times, no failure. From the first third to the last one: resident memory 159 to 175 MB,
// heap 96 MB, goroutines 161 to 146, open files 76 to 71, the database at most 159 and 221 MB, of which it gave back 90
// within ten minutes.
package main
