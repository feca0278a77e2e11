package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	latencyMedian = 200 * time.Microsecond
	latencyP99    = 500 * time.Microsecond
)

// measureLatency measures how much later than at the Docker client a line is at a client.
func (l *lab) measureLatency(ctx context.Context) error {
	return l.onStage(ctx, false, func(s *stage) error { return s.measureLatency(ctx) })
}

func (s *stage) measureLatency(ctx context.Context) error {
	say("print %d lines one by one", s.size.pings)
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
	raw, through := arrivalsAtAttach(conn.Reader, "ping"), c.arrivals(`"data":"ping`)
	var later []time.Duration
	for i := range s.size.pings {
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
	s.report.Add("line at the Docker client to line at a WebSocket client, idle", spread(later), "median < 0.2 ms, p99 < 0.5 ms",
		median(later) < latencyMedian && quantile(later, 0.99) < latencyP99, times("lightd after raw", later))
	return nil
}

// arrivalsAtAttach returns when each text with a mark comes, until the stream ends.
func arrivalsAtAttach(r io.Reader, mark string) <-chan time.Time {
	at := make(chan time.Time, 1)
	go func() {
		defer close(at)
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], []byte(mark)) {
				at <- time.Now()
			}
		}
	}()
	return at
}

// arrivals is the same of a WebSocket client.
func (c *receiver) arrivals(mark string) <-chan time.Time {
	at := make(chan time.Time, 1)
	go func() {
		defer close(at)
		for {
			message, err := c.next()
			if err != nil {
				return
			}
			if bytes.Contains(message, []byte(mark)) {
				at <- time.Now()
			}
		}
	}()
	return at
}
