package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"lightd/hack/simengine"
)

// TestNextAttemptIsShown: a start that a failure or a backoff delays is named with its time and its
// number, the same by the interface and at the command line; what was read can be written back.
func TestNextAttemptIsShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	api := d.api()
	failing := d.sim.Inject(simengine.Rule{Method: http.MethodPost, Route: "/containers/{id}/start", Status: 500,
		Message: "driver failed programming external connectivity on endpoint lightd-web (" + strings.Repeat("a1", 32) + "): no"})
	d.do("apply", "-f", d.file("web.yaml", d.web("web", "power: running"))).want(0)
	in := regexp.MustCompile(`in [0-9ms]+ \(attempt ([0-9]+)\)`)
	shown := func(from int) (number int) {
		poll(t, func() error {
			c := api.send("GET", "/containers/web", "").want(200, "").json
			attempt, _ := c["attempt"].(float64)
			at, _ := c["next_attempt_at"].(string)
			when, err := time.Parse(time.RFC3339, at)
			if err != nil || int(attempt) < from || time.Until(when) < 2*time.Second {
				return fmt.Errorf("attempt %v at %q", c["attempt"], at)
			}
			number = int(attempt)
			plan := api.send("GET", "/containers/web/plan", "").json
			if plan["attempt"] != c["attempt"] || plan["next_attempt_at"] != at {
				return fmt.Errorf("the plan says %v at %v, the container %v at %v", plan["attempt"], plan["next_attempt_at"], c["attempt"], at)
			}
			for _, args := range [][]string{{"plan", "web"}, {"describe", "web"}} {
				out := d.do(args...).want(0).out
				if m := in.FindStringSubmatch(out); m == nil || m[1] != fmt.Sprint(number) {
					return fmt.Errorf("%v says\n%s", args, out)
				}
			}
			return nil
		})
		return number
	}
	shown(3)
	d.do("plan", "web").want(0, "StartContainer   power is running", "waits, StepFailed: start container ", "on endpoint lightd-web: no")
	read := api.send("GET", "/containers/web", "").text
	api.send("PUT", "/containers/web", read).want(200, "")
	failing.Release()
	d.do("restart", "web").want(0)
	d.running("web")
	if c := api.send("GET", "/containers/web", "").json; c["attempt"] != nil || c["next_attempt_at"] != nil {
		t.Errorf("an attempt is announced of what runs: %v at %v", c["attempt"], c["next_attempt_at"])
	}
	// A crash loop.
	for ends := 1; ends < 5; ends++ {
		if err := d.sim.Exit("lightd-web", 1); err != nil {
			t.Fatal(err)
		}
		if ends < 4 {
			api.until("web", "running again", func(c view) bool { return c.Restarts == ends && c.State == "running" })
		}
	}
	if number := shown(5); number != 5 {
		t.Errorf("attempt %d after four ends", number)
	}
}
