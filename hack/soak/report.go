package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"

	"lightd/controller/firewall"
	"lightd/hack/table"
	"lightd/observed"
	"lightd/observed/blueprint"
)

// sharedNetwork is what all instances of an engine share, and stays.
var sharedNetwork = "network " + blueprint.DefaultNetwork.Name

// report writes samples and plots, and prints the summary. It returns an error when the run has failed.
func (r *run) report() error {
	r.inspectLog()
	err := r.writeSamples()
	var t table.Table
	t.Note("load", fmt.Sprintf("%s, seed %d, %d times the engine or the daemon restarted", r.options.duration, r.options.seed, r.disturbances.Load()))
	t.Note("answers", r.recorder.summary())
	t.Note("operations", r.operations())
	warm := warmUp(r.options.duration)
	for _, f := range figures {
		v := f.judge(r.samples.of[f.metric], warm)
		switch {
		case !v.judged || f.restarts && r.options.kills:
			t.Note(f.name, "not judged: "+v.text(f))
		default:
			t.Add(f.name, v.text(f), f.limit(), v.flat)
			if !v.flat {
				r.fail("%s is not flat: %s", f.name, v.text(f))
			}
		}
	}
	t.Add("failures", count(float64(len(r.failures))), "0", len(r.failures) == 0)
	if err = errors.Join(err, t.Print(os.Stdout)); err != nil {
		return err
	}
	return r.verdict()
}

// writeSamples writes the samples and their plots.
func (r *run) writeSamples() error {
	if r.samples == nil {
		return nil
	}
	return errors.Join(
		r.samples.writeCSV(filepath.Join(r.options.out, "samples.csv")),
		r.samples.writeSVG(filepath.Join(r.options.out, "samples.svg"), fmt.Sprintf("soak of %s, SEED=%d", r.options.duration, r.options.seed)))
}

// limit says by how much a figure may grow.
func (f figure) limit() string {
	return fmt.Sprintf("grows by < 5 %% or %s", f.text(f.floor))
}

// shown is how many failures are printed; ops.log has all.
const shown = 20

func (r *run) verdict() error {
	if len(r.failures) == 0 {
		return nil
	}
	for _, text := range r.failures[:min(len(r.failures), shown)] {
		fmt.Println("\nFAILED: " + text)
	}
	return fmt.Errorf("%d failures; %s has the operations, daemon.log the daemon's side", len(r.failures), filepath.Join(r.options.out, "ops.log"))
}

func (r *run) operations() string {
	total, parts := 0, []string{}
	for _, name := range slices.Sorted(maps.Keys(r.counts)) {
		total += r.counts[name]
		parts = append(parts, fmt.Sprintf("%d %s", r.counts[name], name))
	}
	return fmt.Sprintf("%d: %s", total, strings.Join(parts, ", "))
}

// inspectLog fails the run for what the daemon logs of its own faults.
func (r *run) inspectLog() {
	file, err := os.Open(filepath.Join(r.options.out, "daemon.log"))
	if err != nil {
		r.fail("read the log of the daemon: %v", err)
		return
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		// The end of an installation is judged by its reason, when all has come to rest.
		line := lines.Text()
		if strings.Contains(line, "panic") || strings.Contains(line, "level=ERROR") && !strings.Contains(line, `msg="container event"`) {
			r.fail("the daemon logged: %s", line)
		}
	}
}

// sweep removes what a run that was cut short has left in Docker and in the kernel.
func (r *run) sweep(instance string) error {
	if instance == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	left, err := r.engine.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", observed.LabelInstance+"="+instance)),
	})
	for _, c := range left {
		removeErr := r.engine.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if !cerrdefs.IsNotFound(removeErr) {
			err = errors.Join(err, removeErr)
		}
	}
	return errors.Join(err, firewall.New(firewall.Config{Table: firewall.Prefix + instance[:8]}).Remove())
}
