package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"lightd/hack/simengine"
)

const (
	// listed specs are applied at once, applies times when they are there already.
	wholeList = 1000
	applies   = 25

	newTarget       = 500 * time.Millisecond
	unchangedTarget = 50 * time.Millisecond
)

// measureApply measures a list of specs: new, unchanged, and only tried. The engine is
// simulated, and a daemon of its own keeps nothing else.
func (l *lab) measureApply(ctx context.Context) error {
	return l.simulated("apply", func(own *lab, _ *simengine.Sim, p *proxy) error {
		d, err := own.start(ctx, p.host())
		if err != nil {
			return err
		}
		list, err := own.wholeList(ctx, d)
		if err == nil {
			say("apply %d specs", wholeList)
			err = l.measureList(ctx, d, p, list)
		}
		return errors.Join(err, d.stop())
	})
}

// applied is what the answer to an apply counts.
type applied struct{ Created, Updated, Unchanged int }

// wholeList is the body of an apply, as a panel sends it.
func (l *lab) wholeList(ctx context.Context, d *daemon) (json.RawMessage, error) {
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return nil, err
	}
	pool := map[string]any{"ip": "127.0.0.1", "ports": fmt.Sprintf("%d-%d", 30000, 30000+wholeList-1)}
	if err := d.must(ctx, http.MethodPost, "/network/ports", pool, nil); err != nil {
		return nil, err
	}
	specs := make([]map[string]any, wholeList)
	for i := range specs {
		specs[i] = l.spec(fmt.Sprintf("listed-%d", i), volumes[0], "stopped", 30000+i)
		maps.Copy(specs[i], map[string]any{
			"start_pattern":   "Done .* For help",
			"env":             map[string]string{"EULA": "true", "VERSION": "1.21", "MEMORY": "2048"},
			"labels":          map[string]string{"panel": "bench", "owner": fmt.Sprint(i % 50)},
			"stop":            map[string]any{"command": "stop", "timeout": "30s"},
			"startup_command": "exec java -Xmx2G -jar server.jar nogui" + strings.Repeat(" --option=value", 40),
		})
	}
	return json.Marshal(map[string]any{"containers": specs})
}

func (l *lab) measureList(ctx context.Context, d *daemon, p *proxy, list json.RawMessage) error {
	var done applied
	began := time.Now()
	if err := d.must(ctx, http.MethodPost, "/apply", list, &done); err != nil {
		return err
	}
	took := time.Since(began)
	if done.Created != wholeList {
		return fmt.Errorf("apply new specs: %+v", done)
	}
	what := fmt.Sprintf("apply of %d new specs in %d KB, on disk when answered", wholeList, len(list)>>10)
	l.table.Add(what, ms(took), "< 500 ms", took < newTarget)
	if err := d.must(ctx, http.MethodPost, "/apply?wait=synced&timeout=10m", list, nil); err != nil {
		return err
	}
	l.table.Note("  until all are made and in sync, as ?wait=synced tells", fmt.Sprintf("%.1f s", time.Since(began).Seconds()))
	if err := settle(ctx, p); err != nil {
		return err
	}
	var each []time.Duration
	mark := p.mark()
	for range applies {
		began := time.Now()
		if err := d.must(ctx, http.MethodPost, "/apply", list, &done); err != nil {
			return err
		}
		each = append(each, time.Since(began))
		if done.Unchanged != wholeList {
			return fmt.Errorf("apply unchanged specs: %+v", done)
		}
	}
	began = time.Now()
	changed := json.RawMessage(strings.ReplaceAll(string(list), "2048", "4096"))
	if err := d.must(ctx, http.MethodPost, "/apply?dry_run=true", changed, &done); err != nil {
		return err
	}
	took = time.Since(began)
	if done.Updated != wholeList {
		return fmt.Errorf("try changed specs: %+v", done)
	}
	if err := settle(ctx, p); err != nil {
		return err
	}
	calls, _ := p.since(mark)
	l.table.Add("  the same list again, unchanged", spread(each), "median < 50 ms", median(each) < unchangedTarget)
	l.table.Note(fmt.Sprintf("  dry run of it, each of %d changed, with every plan", wholeList), ms(took))
	l.table.Add("  Docker calls of both", listed(calls), "0", len(calls) == 0)
	return nil
}
