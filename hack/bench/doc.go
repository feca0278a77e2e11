// Command bench measures the daemon beside what the engine, the disk or the loopback takes for the same
// work alone, and prints one table with the targets. It promises:
//
//   - Every figure comes from this very run, on the engine that DOCKER_HOST names.
//   - It leaves nothing behind in Docker or on disk but its figures, however it ends.
//   - A missed target is a line of the table; the exit code is only about what did not run.
//   - The first line of the output says how noisy the machine is: fixed work is repeated, and the part by
//     which it differs is told with the load.
//   - A figure that has a floor is measured in turn with it, until the interval of the median of their
//     ratios holds the target no more, or a bound of rounds is reached: then it is undecided. See ratioOf.
//   - Every sample is kept as JSON in .bin/bench, with the floor's and the description of the machine.
//     What grows with the number of containers is drawn there too.
//
// # Scenarios
//
// "make bench" measures all of them, "make bench-quick" the most telling in small sizes, and
// "make bench BENCH='starts crash'" some; -list names them. Each is one file, and has a daemon and a data
// directory of its own.
//
// Not measured: etcd. It is another program with a network between, and its rate says nothing about what
// this one could reach on the same disk; Badger alone is the floor.
//
// # Measured
//
// On two cores, Docker 20.10, overlay2, cgroup v1:
//
//   - 50 containers from create to running, against the Docker client alone with its best
//     concurrency: 1.00 to 1.21 times its time (medians of three rounds: 5.8 s and 5.7 s; on slower
//     days 10.6 s and 8.8 s, 9.3 s and 9.3 s).
//   - From the engine's event of a crash until the start call reaches it, with 100 crashes and 500
//     known containers, 50 at once: median 7.3 ms, p99 17 ms on 2026-12-01; 8.6 and 120 ms the day before, when each
//     start listed the networks as well, which the engine answers late while it tears down. What is left is the
//     owner's mark, one call that all share that start at the same time.
//   - The daemon starts with 1,000 known running containers (simulated), until all are observed:
//     1.5 s on a busy machine, one list and one inspect each. With 10 of them ended meanwhile, until
//     all run: 4.4 s on a busy machine.
//   - Resident memory with no containers, and with 50 running: 27 MB, 34 MB.
//   - 50 or 1,000 running containers that nobody touches or follows, in 20 s: no call to Docker but
//     a ping each 30 s, no open stream, 0.05 % of a core.
//   - POST /containers, on disk when answered: median 1.0 to 3.3 ms, on slower days 10 to 17 ms. GET
//     /containers/:id: 0.3 ms.
//   - An apply of 1,000 new specs (1 MB), on disk when answered: 132 to 167 ms. The same list
//     unchanged: 29 to 51 ms. A dry run with every spec changed, with the plans: 0.31 to 0.42 s.
//   - A change, from the request until all of 1,000 watchers have it: median 31 to 36 ms. Memory of
//     each of them: 15 to 21 KB.
//   - The drift report of 1,000 containers: 63 to 76 ms. It, a plan and a dry run make no call to
//     Docker.
//   - 1,000,000 lines (119 MB) to one WebSocket client with log rotation on, against "docker attach"
//     alone: 23 to 30 MB/s, 0.86 to 0.96 of its rate; nothing lost; 24 MB of memory.
//   - The same to 100 clients, ten of which do not read: 90 get everything, 649 to 995 MB/s
//     together; 10 MB of memory.
//   - 200 containers of a real engine that run and that nobody asks about, on a busy machine (load 4 to 10 on
//     two cores): 0.20 to 0.25 % of a core for the daemon, 0.5 to 0.7 % for the engine. GET /stats of them: 0.34 s
//     the first time, which measures twice, and then a median of 42 ms for new figures, without the engine.
//   - A health check of each of them every 10 s: 1.3 to 1.6 % of a core by TCP, 1.9 to 2.0 % by HTTP.
//   - 10,000 events a second for 10 s, 100 in a transaction, to a webhook at a local HTTP server: the median is
//     delivered after 3 ms, p99 after 26 ms, the last one after 38 ms; 39 MB of memory.
//   - A file of 1 GiB, on a busy machine (load 15): uploaded to a volume, on disk when answered, 1.8 s, against 1.4 s
//     of cp and sync; downloaded 1.3 s. A list of 10,000 files with their MIME types: median 121 ms.
//   - A line at a WebSocket client after it is at the Docker client: median 0.27 to 0.29 ms.
package main
