package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"lightd/observed/streams"
)

const (
	// A flood is so many lines of so many bytes, each with its number in front.
	floodLines = 1_000_000
	shortest   = 40
	longest    = 200
	numberLen  = 7

	patternRounds = 3
	floodTime     = time.Minute
	floodRate     = 0.95
	floodMemory   = 32 << 20
	patternCost   = 0.1
)

// writeFlood writes the flood to a file.
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
func (l *lab) measureFlood(ctx context.Context) error {
	return l.onStage(ctx, true, func(s *stage) error { return s.measureFlood(ctx) })
}

func (s *stage) measureFlood(ctx context.Context) error {
	c := &comparison{
		what:   fmt.Sprintf("%d lines (%d MB) to one WebSocket client, log rotation on", floodLines, s.bytes/1e6),
		beside: "the Docker client's attach", unit: "MB/s", target: atLeast(floodRate),
	}
	lost := ""
	grown, err := s.grows(ctx, func() error {
		return s.inTurn(ctx, func(i int) error {
			raw, err := s.rawFlood(ctx, s.plain())
			if err != nil {
				return fmt.Errorf("flood raw: %w", err)
			}
			took, t, err := s.clientFlood(ctx, s.plain())
			if err != nil {
				return fmt.Errorf("flood to a client: %w", err)
			}
			say("round %d: raw %s, lightd %s", i+1, ms(raw), ms(took))
			lost += t.lost
			c.add(s.rate(raw), s.rate(took))
			return s.settled(ctx)
		}, c)
	})
	if err != nil {
		return err
	}
	s.report.Add("  of that lost", none(lost), "none", lost == "")
	s.report.Add("  growth of the daemon's memory meanwhile", mb(grown), "< 32 MB", grown < floodMemory)
	return nil
}

func none(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// measurePattern takes turns in flooding a client from a container whose start pattern never
// matches, and from one without a pattern.
func (l *lab) measurePattern(ctx context.Context) error {
	return l.onStage(ctx, true, func(s *stage) error { return s.measurePattern(ctx) })
}

func (s *stage) measurePattern(ctx context.Context) error {
	say("match a pattern against %d lines", floodLines)
	var with, without []time.Duration
	for range patternRounds {
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
	s.report.Add("the flood while a start pattern is looked for", fmt.Sprintf("%s, %.0f MB/s, %.0f %% less", ms(median(with)), s.rate(median(with)), 100*cost),
		"< 10 % less", cost < patternCost,
		times("with a pattern", with), times("without", without))
	return nil
}
