package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"lightd/hack/simengine"
)

// apart returns the lab for a daemon of its own, on data of its own.
func (l *lab) apart(name string) (*lab, error) {
	own := *l
	own.dir = filepath.Join(l.dir, name)
	if err := os.Mkdir(own.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make scratch directory: %w", err)
	}
	return &own, nil
}

// simulated measures with a daemon apart, on an engine that is simulated.
func (l *lab) simulated(name string, measure func(own *lab, sim *simengine.Sim, p *proxy) error) (err error) {
	own, err := l.apart(name)
	if err != nil {
		return err
	}
	sim := simengine.New(simengine.Options{AnyMounts: true, LogBytes: 1 << 10})
	defer func() { err = errors.Join(err, sim.Close()) }()
	sim.AddImage(l.image, simengine.ImageConfig{})
	socket := filepath.Join(own.dir, "sim.sock")
	if err := sim.Serve(socket); err != nil {
		return err
	}
	p, err := listen(filepath.Join(own.dir, "engine.sock"), "unix://"+socket)
	if err != nil {
		return err
	}
	defer p.close()
	return measure(own, sim, p)
}
