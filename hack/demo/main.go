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
	home := flag.String("dir", "", "the `directory` to make for all files, instead of a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	out := newReport(os.Stdout)
	err := run(ctx, *binary, *home, out)
	stop()
	if err != nil {
		out.failure(err)
		os.Exit(1)
	}
	out.summary()
}

// run plays the story and then clears the stage, whatever happened.
func run(ctx context.Context, binary, home string, out *report) (err error) {
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	docker, err := connect(ctx)
	if err != nil {
		return err
	}
	defer docker.Close()
	dir, err := makeDir(home)
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

// makeDir makes the demo's directory, and returns a path without symbolic links, as mounts
// need it.
func makeDir(home string) (string, error) {
	dir, err := home, error(nil)
	if home == "" {
		dir, err = os.MkdirTemp("", "lightd-demo-")
	} else {
		err = os.Mkdir(home, 0o755) // one that is there already is somebody else's
	}
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return real, nil
}
