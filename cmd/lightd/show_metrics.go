package main

import (
	"os"
	"syscall"

	"lightd/cmd/lightd/metrics"
	shown "lightd/httpapi/view"
	"lightd/observed/records"
)

// showMetrics has the metrics show what the daemon has.
func (d *daemon) showMetrics(cfg config, statuses *records.Statuses) {
	views := shown.Viewer{Statuses: statuses, Engine: d.cache, Space: d.store.Space, NextAttempt: d.controller.NextAttempt}
	d.journal.Subscribe(d.metrics.Event) // this ends with the daemon
	d.metrics.Show(metrics.State{
		Containers: d.store.Containers, Status: statuses.Get, StateOf: views.State, Drift: d.controller.Drift, EngineUp: d.cache.Up, Node: statuses.Node,
		Ports: d.store.Ports, Volumes: d.volumes.List, Webhooks: d.webhooks.Webhooks,
		Clients: d.api.Clients, Dropped: d.console.Dropped,
		DatabaseSize: func() int64 { return sizeOnDisk(cfg.database()) }, Space: d.store.Space,
		Each: metrics.Each{
			On: func() bool { return d.config.Load().Metrics.PerContainer }, Usage: d.sampler.Measure,
			VolumeSize: func(id string) (int64, bool) {
				size, measured := d.volumes.LastSize(id)
				return size.Bytes, measured
			},
			Matter: views.Attention,
		},
	})
}

// sizeOnDisk is what the files of a directory take of the disk in bytes; a file that vanishes meanwhile is none.
func sizeOnDisk(dir string) (size int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			if sys, known := info.Sys().(*syscall.Stat_t); known {
				size += sys.Blocks * 512
			}
		}
	}
	return size
}
