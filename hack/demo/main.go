package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// cleaning is how long the demo may take to remove what it made.
const cleaning = time.Minute

func main() {
	binary := flag.String("lightd", ".bin/lightd", "the `program` to show")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	out := newReport(os.Stdout)
	err := run(ctx, *binary, out)
	stop()
	if err != nil {
		out.failure(err)
		os.Exit(1)
	}
	out.summary()
}

// run plays the story and then clears the stage, whatever happened.
func run(ctx context.Context, binary string, out *report) (err error) {
	docker, err := connect(ctx)
	if err != nil {
		return err
	}
	defer docker.Close()
	dir, err := temporary()
	if err != nil {
		return err
	}
	defer func() {
		if e := os.RemoveAll(dir); e != nil {
			err = errors.Join(err, fmt.Errorf("remove the temporary directory: %w", e))
		}
	}()
	s := &story{out: out, docker: docker, dir: dir, binary: binary}
	err = s.play(ctx)
	switch {
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	case err != nil:
		s.explain(ctx)
	}
	// The cleaning goes on whatever signals come.
	left, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	return errors.Join(err, s.clear(left))
}

// temporary makes the demo's directory, by a path without symbolic links, as mounts
// need it.
func temporary() (string, error) {
	dir, err := os.MkdirTemp("", "lightd-demo-")
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return real, nil
}
