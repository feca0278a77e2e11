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

// options are the flags.
type options struct {
	binary, image, log, out string
	names                   string
	quick                   bool
	rounds                  int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.binary, "lightd", filepath.Join(".bin", "lightd"), "the `program` to measure")
	flag.StringVar(&o.image, "image", "lightd-test/busybox:latest", "the `image` of all containers, present on the engine")
	flag.StringVar(&o.log, "log", "", "`file` that the daemon's log is kept in")
	flag.StringVar(&o.out, "out", filepath.Join(".bin", "bench"), "`directory` that the figures and plots are written to")
	flag.StringVar(&o.names, "scenarios", "", "measure only these `scenarios`, with blanks or commas between them")
	flag.BoolVar(&o.quick, "quick", false, "measure less: the most telling scenarios, in small sizes")
	flag.IntVar(&o.rounds, "rounds", 0, "compare with a floor at most so `often`; 0 is as often as the form does")
	listing := flag.Bool("list", false, "list the scenarios; those of the short form have a star")
	constant := flag.Int("constant", 0, "serve an answer of so many `bytes` until killed: the floor of the scenario reads")
	flag.Parse()
	if *listing {
		list(os.Stdout)
		return
	}
	var err error
	if *constant > 0 {
		err = serveConstant(*constant)
	} else {
		err = bench(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, o options) (err error) {
	chosen, err := choose(o.names, o.quick)
	if err != nil {
		return err
	}
	l, err := newLab(o)
	if err != nil {
		return err
	}
	// After the daemons have stopped, which the scenarios see to.
	defer func() { err = errors.Join(err, l.close()) }()
	began := time.Now()
	l.report.Began, l.report.Quick = began, o.quick
	if l.report.Machine, err = describe(ctx, l.docker, l.dir); err != nil {
		return err
	}
	if l.report.Noise, err = measureNoise(ctx, l.docker, l.dir); err != nil {
		return fmt.Errorf("measure the noise of this machine: %w", err)
	}
	fmt.Println(l.report.Noise.text)
	failed := l.measure(ctx, chosen)
	l.report.Machine.LoadAfter = load()
	m := l.report.Machine
	fmt.Printf("%s;\ntook %s, load average %s before and %s after\n\n", m.text(), time.Since(began).Round(time.Second), m.LoadBefore, m.LoadAfter)
	err = l.report.table.Print(os.Stdout)
	if l.report.BendFirst != "" {
		fmt.Printf("\nwhat bends first: %s\n", l.report.BendFirst)
	}
	path, unwritten := l.report.write(o.out)
	if unwritten == nil {
		fmt.Println("\nevery sample:", path)
	}
	return errors.Join(failed, err, unwritten)
}

// say tells whoever waits for the table what is going on.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// sleep waits, unless ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
