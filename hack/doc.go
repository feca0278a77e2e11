// Package hack holds what development needs and the program does not: the engines that tests run
// against, the demo, the benchmarks, and the rules that no compiler checks.
//
// # What is here
//
//	engine        a Docker engine where none answers: hack/engine up, down; or one of another kind
//	engine-kinds  which kinds of engines there are
//	engines       the main job on each kind of engine, in a table
//	images        the images of the tests, and a registry to pull from
//	apt           installs a package of Debian or Ubuntu that a test needs
//	quota-kernel  runs a program under a Linux that has project quotas, where this one has none
//	test          runs the tiers of the tests
//	package       the Debian package, the service, the container image
//	openapi       makes a TypeScript and a Go client of the OpenAPI document
//	console.html  a console in one page, opened by a test in Chromium
//	prometheus    a configuration, alerts and a dashboard, tried on a real Prometheus
//	otlp          the receiver of the OpenTelemetry Collector, which takes the traces of a test
//	simengine     a simulated Docker engine, with faults and a clock
//	faultyregistry  Debian's docker-registry behind proxies that misbehave
//	harness       what tests of several packages set up alike
//	releases      a data directory of each released version, which every later one opens
//	conform       checks HTTP exchanges by the OpenAPI document
//	eventually    waits for a condition in a test
//	demo          the whole daemon at work: a script that calls the command line and compares with a
//	              golden text
//	bench         what the daemon takes, beside the engine alone
//	bench-go      the Go benchmarks of two revisions in turn, compared by benchstat
//	soak          a long load on the real daemon and engine: nothing is lost, nothing grows
//	table, plot   figures as text, with what they have to be, and over time or a size as SVG
//	program       runs the program as a process
//
// Tests of this package hold the rooms and their imports, the README's table of what heals, and
// the files at the top level.
//
// # How to develop
//
//	make build        .bin/lightd
//	make test-unit    the first tier of the tests: under a minute, no engine
//	make test-sim     the second: long, simulated
//	make test-e2e     the third: a real engine
//	make test         lint, then all three with the race detector
//	make histories    random writes, faults and crashes, simulated
//	make lint         gofmt, go vet, staticcheck
//	make audit        known vulnerabilities, and why each direct dependency is there
//	make demo         about 30 s, to read along
//	make bench        the figures; make bench-quick some of them, in 4 minutes
//	make bench-go     the hot paths, beside the revision before
//	make soak         two hours of load: hack/soak/doc.go
//	make package      .bin/lightd_*.deb; make image is a container image
//	make engines      the main job on each kind of engine
//	make package-test the package under a real systemd: some 30 s, and two builds
//	make reproducible package and image made twice, and compared
//	make engine-down  stops what the tests started
//
// A history is a list of random writes, faults and crashes of the daemon against the simulated
// engine; all invariants are checked after each step. HISTORIES=1000 says how many are played, and
// SEED= repeats those of a seed that was printed.
//
// # The tiers of the tests
//
// The name of a test's file says its tier, whatever the package:
//
//	x_test.go      unit        beside the code, needs no engine; all of them take less than a minute
//	x_sim_test.go  simulated   random histories, a crash at every point, a daemon beside the
//	                           simulated engine
//	x_e2e_test.go  end to end  a real engine and registry, a browser, mounts, kills; needs root
//
// hack/test runs a tier and prints how long it took. Only the last one finds an engine: a test of
// another tier that needs one fails, and no test is skipped because none answers. TEST_FLAGS are
// more flags of go test, PACKAGES are the packages.
//
// hack/engine up takes the engine that answers at DOCKER_HOST or the default socket. Where none
// does, it installs and starts one, as root on Debian or Ubuntu. Chromium, Prometheus, Node.js and npm are
// installed likewise where a test needs them; the picture that the browser takes is in
// .bin/console.png. hack/images pulls ubuntu:22.04 or, where no registry is reached, builds an
// image from the machine's own Debian or Ubuntu.
//
// # Variables
//
//   - LIGHTD_TEST_IMAGE is the small image of the tests (lightd-test/busybox:latest).
//   - LIGHTD_DEMO_IMAGE is the image of the demo and of tests with packages, Debian or Ubuntu
//     (lightd-test/debian:latest; the demo takes ubuntu:22.04 if it is there).
//   - LIGHTD_TEST_HISTORIES and LIGHTD_TEST_SEED: how many histories (15), and of which seed (1; 0
//     draws one).
//   - LIGHTD_TEST_KILLINGS: how many rounds the daemon is killed in at random moments on the real
//     engine (9), with the same seed.
//   - LIGHTD_TEST_REGISTRY_PORT is the port of the registry (5000).
//   - LIGHTD_ENGINE_DIR and LIGHTD_ENGINE_SOCKET: where hack/engine keeps its engine, and where that
//     listens.
//
// # Which room imports which
//
//	desired     specs, validation, database    nothing of ours
//	observed    the Docker side, status        desired
//	controller  queue, steps, plan             desired, observed
//	httpapi     routes, streams                desired, observed,
//	                                           controller/plan
//	cmd/lightd  wiring, command line           all
//	hack        everything above               all
//
// Docker's client is imported in observed and hack only (and by tests), gin in httpapi only, and of
// client-go nothing but the workqueue. Each package says in its comment what it guarantees.
package hack
