package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// scenario is one measurement, which starts the daemons that it needs and stops them.
type scenario struct {
	name, about string
	// quick scenarios are measured by the short form too.
	quick   bool
	measure func(*lab, context.Context) error
}

// scenarios are in the order in which they are measured.
var scenarios = []scenario{
	{"starts", "containers from create to running, beside the Docker client alone", true, (*lab).measureStarts},
	{"power", "start, kill and delete of one container, beside the Docker client alone", false, (*lab).measurePower},
	{"quiet", "what running containers cost that nobody follows", false, (*lab).measureIdle},
	{"boot", "from exec to the first answer of the API, with 20 running containers", false, (*lab).measureBoot},
	{"crash", "from the engine's die event to the daemon's start call", true, (*lab).measureCrash},
	{"command", "a command over the WebSocket to its answer, beside attach alone", false, (*lab).measureCommand},
	{"latency", "a line at a WebSocket client after it is at the Docker client", true, (*lab).measureLatency},
	{"flood", "1,000,000 lines to one WebSocket client, beside attach alone", false, (*lab).measureFlood},
	{"pattern", "the same while a start pattern is looked for", false, (*lab).measurePattern},
	{"crowd", "the same to 100 clients, some of them stuck", false, (*lab).measureCrowd},
	{"watched", "figures and health checks of 200 running containers", false, (*lab).measureWatched},
	{"known", "a start with many known containers, simulated", true, (*lab).measureKnown},
	{"watches", "1,000 watchers of 1,000 containers, simulated", false, (*lab).measureWatches},
	{"apply", "a list of specs: new, unchanged and tried, simulated", true, (*lab).measureApply},
	{"writes", "POST by 1 and 64 clients, beside Badger alone", true, (*lab).measureWrites},
	{"reads", "GET by 1 and 64 clients, beside a handler that answers a constant", true, (*lab).measureReads},
	{"growth", "10 to 10,000 known containers, simulated, with plots", false, (*lab).measureGrowth},
	{"webhooks", "10,000 events a second to a webhook", false, (*lab).measureWebhooks},
	{"files", "a file of 1 GiB to a volume and back, beside cp", false, (*lab).measureFiles},
	{"binary", "the size of the program", false, (*lab).measureBinary},
}

// choose returns the scenarios that are named, with blanks or commas between them; without a name
// all, or those of the short form.
func choose(names string, quick bool) ([]scenario, error) {
	wanted := strings.FieldsFunc(names, func(r rune) bool { return r == ' ' || r == ',' })
	var chosen []scenario
	for _, s := range scenarios {
		if slices.Contains(wanted, s.name) || len(wanted) == 0 && (s.quick || !quick) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.name == name }) {
			var all strings.Builder
			list(&all)
			return nil, fmt.Errorf("there is no scenario %q; there are:\n%s", name, all.String())
		}
	}
	return chosen, nil
}

// list writes the scenarios for people; those of the short form have a star.
func list(to io.Writer) {
	for _, s := range scenarios {
		star := " "
		if s.quick {
			star = "*"
		}
		fmt.Fprintf(to, "%s %-9s %s\n", star, s.name, s.about)
	}
}

// size is how much is measured.
type size struct {
	fleet       int           // containers that are started at once
	rounds      int           // at most so many comparisons with a floor; from six on they can be decided
	turns       time.Duration // no further one after so long
	crashRounds int
	more        int // stopped containers beside the fleet that crashes
	requests    int // of one client in a round
	known       int // containers that a daemon knows when it starts
	ended       int // of those that end while it is away
	listed      int // specs that are applied at once
	applies     int // of the same list
	pings       int
	watchers    int
	changes     int // that the watchers are told
	idle, quiet time.Duration
	growth      []int
}

var (
	full = size{
		fleet: 50, rounds: 15, turns: 6 * time.Minute, crashRounds: 2, more: 450, requests: 300, known: 1000, ended: 10, listed: 1000, applies: 25, pings: 300,
		watchers: 1000, changes: 20, idle: 10 * time.Second, quiet: 20 * time.Second, growth: []int{10, 100, 1000, 10_000},
	}
	short = size{
		fleet: 12, rounds: 7, turns: 30 * time.Second, crashRounds: 2, more: 100, requests: 100, known: 300, ended: 10, listed: 300, applies: 15, pings: 150,
		watchers: 200, changes: 10, idle: 3 * time.Second, quiet: 5 * time.Second, growth: []int{10, 100, 1000},
	}
)
