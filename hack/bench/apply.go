package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"lightd/hack/simengine"
)

const (
	newTarget       = 500 * time.Millisecond
	unchangedTarget = 50 * time.Millisecond
)

// measureApply measures a list of specs: new, unchanged, and only tried. The engine is
// simulated, and a daemon of its own keeps nothing else.
func (l *lab) measureApply(ctx context.Context) error {
	return l.simulated(func(_ *simengine.Sim, p *proxy) error {
		return l.with(ctx, p.host(), func(d *daemon) error {
			list, err := l.wholeList(ctx, d)
			if err != nil {
				return err
			}
			say("apply %d specs", l.size.listed)
			return l.measureList(ctx, d, p, list)
		})
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
	pool := map[string]any{"ip": "127.0.0.1", "ports": fmt.Sprintf("%d-%d", 30000, 30000+l.size.listed-1)}
	if err := d.must(ctx, http.MethodPost, "/network/ports", pool, nil); err != nil {
		return nil, err
	}
	specs := make([]map[string]any, l.size.listed)
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
	if done.Created != l.size.listed {
		return fmt.Errorf("apply new specs: %+v", done)
	}
	what := fmt.Sprintf("apply of %d new specs in %d KB, on disk when answered", l.size.listed, len(list)>>10)
	l.report.Add(what, ms(took), "< 500 ms", took < newTarget, times("lightd", []time.Duration{took}))
	if err := d.must(ctx, http.MethodPost, "/apply?wait=synced&timeout=10m", list, nil); err != nil {
		return err
	}
	l.report.Note("  until all are made and in sync, as ?wait=synced tells", fmt.Sprintf("%.1f s", time.Since(began).Seconds()))
	if err := settle(ctx, p); err != nil {
		return err
	}
	var each []time.Duration
	mark := p.mark()
	for range l.size.applies {
		began := time.Now()
		if err := d.must(ctx, http.MethodPost, "/apply", list, &done); err != nil {
			return err
		}
		each = append(each, time.Since(began))
		if done.Unchanged != l.size.listed {
			return fmt.Errorf("apply unchanged specs: %+v", done)
		}
	}
	began = time.Now()
	changed := json.RawMessage(strings.ReplaceAll(string(list), "2048", "4096"))
	if err := d.must(ctx, http.MethodPost, "/apply?dry_run=true", changed, &done); err != nil {
		return err
	}
	took = time.Since(began)
	if done.Updated != l.size.listed {
		return fmt.Errorf("try changed specs: %+v", done)
	}
	if err := settle(ctx, p); err != nil {
		return err
	}
	calls, _ := p.since(mark)
	l.report.Add("  the same list again, unchanged", spread(each), "median < 50 ms", median(each) < unchangedTarget, times("lightd", each))
	l.report.Note(fmt.Sprintf("  dry run of it, each of %d changed, with every plan", l.size.listed), ms(took), times("lightd", []time.Duration{took}))
	l.report.Add("  Docker calls of both", listed(calls), "0", len(calls) == 0)
	return nil
}
