package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// many is how many containers of a real engine are measured and checked at once.
	many = 200
	// watchTime is how long what that costs is measured.
	watchTime = 30 * time.Second
	// samples is how often GET /stats is asked, each time for new figures.
	samples   = 20
	statsCPU  = 0.01
	checksCPU = 0.02
	probePort = 8000
)

// measureWatched measures what figures and health checks of many running containers cost.
func (l *lab) measureWatched(ctx context.Context) error {
	engine, err := enginePID(l.docker.DaemonHost())
	if err != nil {
		return err
	}
	return l.with(ctx, l.docker.DaemonHost(), func(d *daemon) error {
		if err := l.crowdOfMany(ctx, d); err != nil {
			return err
		}
		if err := sleep(ctx, l.size.idle); err != nil {
			return err
		}
		cost, err := l.costOf(ctx, d, engine, watchTime/3)
		if err != nil {
			return err
		}
		l.report.Add(fmt.Sprintf("%d running, nobody asks for figures, CPU", many), cost.text(), "< 1 % of a core", cost.daemon < statsCPU)
		if err := l.measureStats(ctx, d, engine); err != nil {
			return err
		}
		return errors.Join(
			l.measureChecks(ctx, d, engine, "tcp", map[string]any{"tcp": probePort}),
			l.measureChecks(ctx, d, engine, "http", map[string]any{"http": map[string]any{"port": probePort, "path": "/"}}),
		)
	})
}

// ofMany are the ids of the containers.
func (l *lab) ofMany() []string {
	ids := make([]string, many)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-watched-%d", l.run, i)
	}
	return ids
}

// crowdOfMany starts the containers, each with a small HTTP server.
func (l *lab) crowdOfMany(ctx context.Context, d *daemon) error {
	say("start %d containers", many)
	volumes, err := d.furnish(ctx, 1)
	if err != nil {
		return err
	}
	mark := d.events.mark()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, id := range l.ofMany() {
		group.Go(func() error {
			spec := l.spec(id, volumes[0], "running", 0)
			spec["startup_command"] = fmt.Sprintf("mkdir -p /tmp/w && echo ok > /tmp/w/index.html && exec httpd -f -p %d -h /tmp/w", probePort)
			return d.must(groupCtx, http.MethodPost, "/containers", spec, nil)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err = d.await(ctx, mark, "Running", l.ofMany())
	return err
}

// measureStats measures GET /stats, each time for figures that are new.
func (l *lab) measureStats(ctx context.Context, d *daemon, engine int) error {
	say("figures of %d containers", many)
	took := make([]time.Duration, samples)
	cost, err := l.cost(d, engine, func() error {
		for i := range took {
			began := time.Now()
			var answer struct {
				Stats []struct {
					Usage *struct{} `json:"usage"`
				} `json:"stats"`
			}
			if err := d.must(ctx, http.MethodGet, "/stats", nil, &answer); err != nil {
				return err
			}
			took[i] = time.Since(began)
			measured := 0
			for _, s := range answer.Stats {
				if s.Usage != nil {
					measured++
				}
			}
			if measured != many {
				return fmt.Errorf("GET /stats has figures of %d containers, not of %d", measured, many)
			}
			if err := sleep(ctx, 2*time.Second); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	l.report.Note(fmt.Sprintf("GET /stats of %d, the first, which measures twice", many), ms(took[0]))
	l.report.Note("  every 2 s, for new figures", spread(took[1:]), times("lightd", took))
	l.report.Note("  CPU meanwhile", cost.text())
	return nil
}

// measureChecks measures health checks of all containers, one every 10 s of each.
func (l *lab) measureChecks(ctx context.Context, d *daemon, engine int, kind string, check map[string]any) error {
	say("%s checks of %d containers", kind, many)
	check["every"] = "10s"
	mark := d.events.mark()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, id := range l.ofMany() {
		group.Go(func() error {
			return d.must(groupCtx, http.MethodPatch, "/containers/"+id, map[string]any{"health": nil}, nil)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, id := range l.ofMany() {
		group.Go(func() error {
			return d.must(ctx, http.MethodPatch, "/containers/"+id, map[string]any{"health": check}, nil)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if _, err := d.await(ctx, mark, "Healthy", l.ofMany()); err != nil {
		return err
	}
	cost, err := l.costOf(ctx, d, engine, watchTime)
	if err != nil {
		return err
	}
	l.report.Add(fmt.Sprintf("%d %s checks every 10 s, CPU", many, kind), cost.text(), "< 2 % of a core", cost.daemon < checksCPU)
	return nil
}

// parts are the parts of a core that the daemon and the engine take.
type parts struct{ daemon, engine float64 }

func (p parts) text() string {
	return fmt.Sprintf("daemon %.2f %%, engine %.2f %% of a core", 100*p.daemon, 100*p.engine)
}

// costOf measures a time in which nothing is asked.
func (l *lab) costOf(ctx context.Context, d *daemon, engine int, long time.Duration) (parts, error) {
	return l.cost(d, engine, func() error { return sleep(ctx, long) })
}

func (l *lab) cost(d *daemon, engine int, fn func() error) (p parts, err error) {
	began := time.Now()
	mine, err := d.cpu()
	if err != nil {
		return p, err
	}
	theirs, err := cpuOfTree(engine)
	if err != nil {
		return p, err
	}
	if err := fn(); err != nil {
		return p, err
	}
	took := time.Since(began)
	mineNow, err := d.cpu()
	if err != nil {
		return p, err
	}
	theirsNow, err := cpuOfTree(engine)
	return parts{float64(mineNow-mine) / float64(took), float64(theirsNow-theirs) / float64(took)}, err
}

// enginePID is the process that listens on the engine's socket.
func enginePID(host string) (pid int, err error) {
	path, unix := strings.CutPrefix(host, "unix://")
	if !unix {
		return 0, fmt.Errorf("the engine at %s is not on a unix socket", host)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		return 0, fmt.Errorf("find the engine's process: %w", err)
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("find the engine's process: %w", err)
	}
	var peer *syscall.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		peer, failed = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("find the engine's process: %w", err)
	}
	return int(peer.Pid), nil
}

// userHz is the unit of CPU times in /proc, the same on every Linux that Go runs on.
const userHz = 100

// cpuOfTree is the CPU time that a process and its children have taken: dockerd with its containerd.
func cpuOfTree(root int) (total time.Duration, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	parent, used := map[int]int{}, map[int]time.Duration{}
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		text := string(data)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) < 13 {
			continue
		}
		numbers := make([]int, 3)
		for i, field := range []int{1, 11, 12} {
			numbers[i], _ = strconv.Atoi(fields[field])
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		parent[pid], used[pid] = numbers[0], time.Duration(numbers[1]+numbers[2])*time.Second/userHz
	}
	for pid := range used {
		var way []int
		for at := pid; at > 1 && !slices.Contains(way, at); at = parent[at] {
			if way = append(way, at); at == root {
				total += used[pid]
				break
			}
		}
	}
	return total, nil
}
