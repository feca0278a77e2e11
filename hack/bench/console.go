package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"lightd/observed/streams"
)

const (
	// A flood is so many lines of so many bytes, each with its number in front.
	floodLines = 1_000_000
	shortest   = 40
	longest    = 200
	numberLen  = 7

	floodRounds = 3
	floodTime   = time.Minute
	crowdSize   = 100
	stuck       = 10
	pings       = 300

	floodRate     = 0.8
	floodMemory   = 32 << 20
	crowdMemory   = 64 << 20
	patternCost   = 0.1
	latencyTarget = 2 * time.Millisecond
)

// stage is a daemon with containers that print when they are told to.
type stage struct {
	*lab
	d     *daemon
	bytes int64 // of a flood
}

// measureConsole measures what a client gets of what a container prints, beside what the
// Docker client alone gets of the same container.
func (l *lab) measureConsole(ctx context.Context) (err error) {
	own, err := l.apart("console")
	if err != nil {
		return err
	}
	own.config = filepath.Join(own.dir, "config.yaml") // which lets enough clients in
	if err := os.WriteFile(own.config, fmt.Appendf(nil, "consoles: {per_container: %d}\n", 2*crowdSize), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	d, err := own.start(ctx, l.docker.DaemonHost())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	s := &stage{lab: own, d: d}
	defer func() { l.table = own.table }()
	if err := s.set(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"flood", s.measureFlood}, {"pattern", s.measurePattern}, {"crowd", s.measureCrowd}, {"latency", s.measureLatency}} {
		if l.only == "" || l.only == "console" || l.only == part.name {
			if err := part.measure(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// The containers of a stage: one without a start pattern, one with a pattern that it never
// prints.
func (s *stage) plain() string   { return s.run + "-console-plain" }
func (s *stage) waiting() string { return s.run + "-console-waiting" }

// set makes the flood and the containers. They print it for each line that they are sent,
// or with "ping" that line.
func (s *stage) set(ctx context.Context) error {
	var volume struct {
		VolumeID string `json:"volume_id"`
		Path     string
	}
	if err := s.d.must(ctx, http.MethodPost, "/volumes", nil, &volume); err != nil {
		return err
	}
	if err := s.writeFlood(filepath.Join(volume.Path, "flood")); err != nil {
		return fmt.Errorf("write the flood: %w", err)
	}
	mark := s.d.events.mark()
	for id, pattern := range map[string]string{s.plain(): "", s.waiting(): `^\d+ .*never printed \d+$`} {
		spec := s.spec(id, volume.VolumeID, "running", 0)
		spec["startup_command"] = `while read x; do case $x in ping*) echo $x;; *) cat flood; date +%s%N >>done;; esac; done`
		spec["tty"], spec["limits"] = false, map[string]any{"memory": 64 << 20}
		if pattern != "" {
			spec["start_pattern"] = pattern
		}
		if err := s.d.must(ctx, http.MethodPost, "/containers", spec, nil); err != nil {
			return err
		}
	}
	if _, err := s.d.await(ctx, mark, "Running", []string{s.plain()}); err != nil {
		return err
	}
	_, err := s.d.await(ctx, mark, "Starting", []string{s.waiting()})
	return err
}

func (s *stage) writeFlood(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	filler := bytes.Repeat([]byte("[Server thread/INFO]: all work and no play makes Jack a dull boy; "), 4)
	for i := range floodLines {
		n := shortest + random.IntN(longest-shortest+1)
		fmt.Fprintf(w, "%0*d ", numberLen, i)
		_, _ = w.Write(filler[:n-numberLen-2])
		_ = w.WriteByte('\n')
		s.bytes += int64(n)
	}
	return w.Flush()
}

// attach attaches the Docker client to a container.
func (s *stage) attach(ctx context.Context, id string, output bool) (types.HijackedResponse, error) {
	return s.docker.ContainerAttach(ctx, "lightd-"+id, container.AttachOptions{Stream: true, Stdin: true, Stdout: output, Stderr: output})
}

// rawFlood has a container print the flood to the Docker client, and returns how long it
// took.
func (s *stage) rawFlood(ctx context.Context, id string) (time.Duration, error) {
	conn, err := s.attach(ctx, id, true)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	began := time.Now()
	if _, err := io.WriteString(conn.Conn, "flood\n"); err != nil {
		return 0, err
	}
	_ = conn.Conn.SetReadDeadline(time.Now().Add(floodTime))
	var t tally
	r, buf := bufio.NewReaderSize(conn.Reader, 256<<10), make([]byte, 64<<10)
	for t.lines < floodLines {
		head, err := streams.ReadHeader(r)
		if err != nil {
			return 0, fmt.Errorf("after line %d: %w", t.lines, err)
		}
		for left := int(head.Length); left > 0; {
			n, err := r.Read(buf[:min(left, len(buf))])
			if err != nil {
				return 0, fmt.Errorf("after line %d: %w", t.lines, err)
			}
			t.lines += int64(bytes.Count(buf[:n], []byte("\n")))
			left -= n
		}
	}
	return time.Since(began), nil
}

// order sends a line to a container with the Docker client, on no output stream.
func (s *stage) order(ctx context.Context, id, line string) error {
	conn, err := s.attach(ctx, id, false)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.WriteString(conn.Conn, line+"\n")
	return err
}

// settled waits until no output stream lingers.
func (s *stage) settled(ctx context.Context) error { return sleep(ctx, lingerTime) }

// lingerTime is a little more than the daemon keeps an output stream open that nobody
// follows any more.
const lingerTime = 11 * time.Second

// clientFlood has a container print the flood to one WebSocket client.
func (s *stage) clientFlood(ctx context.Context, id string) (time.Duration, *tally, error) {
	c, err := s.d.receive(ctx, id)
	if err != nil {
		return 0, nil, err
	}
	defer c.close()
	if err := sleep(ctx, 300*time.Millisecond); err != nil { // the stream is opened
		return 0, nil, err
	}
	t := &tally{}
	began := time.Now()
	if err := s.order(ctx, id, "flood"); err != nil {
		return 0, nil, err
	}
	c.within(floodTime)
	err = c.flood(t)
	return time.Since(began), t, err
}

// rate is a flood's in MB/s.
func (s *stage) rate(took time.Duration) float64 { return float64(s.bytes) / 1e6 / took.Seconds() }

// measureFlood takes turns in reading the flood raw and with a client.
func (s *stage) measureFlood(ctx context.Context) error {
	say("print %d lines raw and through the daemon, %d times", floodLines, floodRounds)
	var raw, through []time.Duration
	lost := ""
	grown, err := s.grows(ctx, func() error {
		for range floodRounds {
			took, err := s.rawFlood(ctx, s.plain())
			if err != nil {
				return fmt.Errorf("flood raw: %w", err)
			}
			raw = append(raw, took)
			took, t, err := s.clientFlood(ctx, s.plain())
			if err != nil {
				return fmt.Errorf("flood to a client: %w", err)
			}
			through, lost = append(through, took), lost+t.lost
			if err := s.settled(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	ratio := s.rate(median(through)) / s.rate(median(raw))
	s.table.Note(fmt.Sprintf("%d lines (%d MB) to the Docker client's attach", floodLines, s.bytes/1e6),
		fmt.Sprintf("%s, %.0f MB/s", ms(median(raw)), s.rate(median(raw))))
	s.table.Add("  to one WebSocket client, log rotation on", fmt.Sprintf("%s, %.0f MB/s, %.2f of that", ms(median(through)), s.rate(median(through)), ratio),
		"0.8", ratio >= floodRate)
	s.table.Add("  of that lost", none(lost), "none", lost == "")
	s.table.Add("  growth of the daemon's memory meanwhile", mb(grown), "< 32 MB", grown < floodMemory)
	return nil
}

func none(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func mb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// grows returns by how much the memory of the daemon grew at most while fn ran.
func (s *stage) grows(ctx context.Context, fn func() error) (int64, error) {
	before, err := s.d.resident()
	if err != nil {
		return 0, err
	}
	done, ended := make(chan struct{}), make(chan struct{})
	most := before
	go func() {
		defer close(ended)
		for {
			if now, err := s.d.resident(); err == nil {
				most = max(most, now)
			}
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	err = fn()
	close(done)
	<-ended
	return most - before, err
}

// measurePattern takes turns in flooding a client from a container whose start pattern never
// matches, and from one without a pattern.
func (s *stage) measurePattern(ctx context.Context) error {
	say("match a pattern against %d lines", floodLines)
	var with, without []time.Duration
	for range floodRounds {
		for id, all := range map[string]*[]time.Duration{s.waiting(): &with, s.plain(): &without} {
			took, t, err := s.clientFlood(ctx, id)
			if err != nil {
				return fmt.Errorf("flood to a client: %w", err)
			}
			if t.lost != "" {
				return fmt.Errorf("flood to a client: %s", t.lost)
			}
			*all = append(*all, took)
		}
	}
	cost := 1 - s.rate(median(with))/s.rate(median(without))
	s.table.Add("  the same while a start pattern is looked for", fmt.Sprintf("%s, %.0f MB/s, %.0f %% less", ms(median(with)), s.rate(median(with)), 100*cost),
		"< 10 % less", cost < patternCost)
	return nil
}

// measureCrowd has many clients follow the flood, of which some do not read.
func (s *stage) measureCrowd(ctx context.Context) error {
	say("print %d lines to %d clients, %d of them stuck", floodLines, crowdSize, stuck)
	var clients []*receiver
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	for range crowdSize {
		c, err := s.d.receive(ctx, s.plain())
		if err != nil {
			return err
		}
		clients = append(clients, c)
	}
	tallies, took := make([]tally, crowdSize-stuck), time.Duration(0)
	grown, err := s.grows(ctx, func() error {
		began := time.Now()
		if err := s.order(ctx, s.plain(), "flood"); err != nil {
			return err
		}
		errs := make([]error, len(tallies))
		var all sync.WaitGroup
		for i := range tallies {
			clients[i].within(floodTime)
			all.Go(func() { errs[i] = clients[i].flood(&tallies[i]) })
		}
		all.Wait()
		took = time.Since(began)
		return errors.Join(errs...)
	})
	complete := 0
	var lost []string
	for i := range tallies {
		if tallies[i].complete() {
			complete++
		} else {
			lost = append(lost, tallies[i].lost)
		}
	}
	if err != nil {
		say("  %v", err)
	}
	slices.Sort(lost)
	for _, text := range slices.Compact(lost) {
		say("  %s", text)
	}
	s.table.Add(fmt.Sprintf("clients that get all of them, of %d beside %d stuck ones", len(tallies), stuck),
		fmt.Sprintf("%d in %s, %.0f MB/s together", complete, ms(took), float64(len(tallies))*s.rate(took)), strconv.Itoa(len(tallies)), complete == len(tallies))
	s.table.Add("  growth of the daemon's memory meanwhile", mb(grown), "< 64 MB", grown < crowdMemory)
	return nil
}

// measureLatency measures how much later than at the Docker client a line is at a client.
func (s *stage) measureLatency(ctx context.Context) error {
	say("print %d lines one by one", pings)
	if err := s.settled(ctx); err != nil {
		return err
	}
	conn, err := s.attach(ctx, s.plain(), true)
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := s.d.receive(ctx, s.plain())
	if err != nil {
		return err
	}
	defer c.close()
	raw, through := make(chan time.Time, 1), make(chan time.Time, 1)
	go func() {
		defer close(raw)
		buf := make([]byte, 4096)
		for {
			n, err := conn.Reader.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], []byte("ping")) {
				raw <- time.Now()
			}
		}
	}()
	go func() {
		defer close(through)
		for {
			message, err := c.next()
			if err != nil {
				return
			}
			if bytes.Contains(message, []byte(`"data":"ping`)) {
				through <- time.Now()
			}
		}
	}()
	var later []time.Duration
	for i := range pings {
		if err := sleep(ctx, 30*time.Millisecond); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn.Conn, "ping %d\n", i); err != nil {
			return err
		}
		a, ok := <-raw
		b, also := <-through
		if !ok || !also {
			return errors.New("wait for a line: the stream ended")
		}
		later = append(later, b.Sub(a))
	}
	s.table.Add("line at the Docker client to line at a WebSocket client, idle", spread(later), "median < 2 ms", median(later) < latencyTarget)
	return nil
}
