package main

import (
	"context"
	"os"

	"lightd/cmd/lightd/tracing"
	"lightd/controller"
	"lightd/httpapi"
)

// openTracing has what is wired from now on traced, where the operator wants that.
func (d *daemon) openTracing(ctx context.Context, to tracingTo) (err error) {
	if to.Endpoint != "" {
		d.tracer, err = tracing.Open(ctx, tracing.Config{
			Endpoint: to.Endpoint, Sample: to.Sample, Version: version, Instance: d.store.Instance(), Getenv: os.Getenv, Log: d.log,
		})
	}
	return err
}

// The hooks of the parts are nil while tracing is off.

func (d *daemon) requestTracer() httpapi.Tracer {
	if d.tracer == nil {
		return nil
	}
	return d.tracer
}

func (d *daemon) reconcileTracer() controller.Tracer {
	if d.tracer == nil {
		return nil
	}
	return d.tracer
}

func (d *daemon) callTracer() func(ctx context.Context, op, target string) (context.Context, func(error)) {
	if d.tracer == nil {
		return nil
	}
	return d.tracer.StartCall
}
