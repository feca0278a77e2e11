package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"lightd/controller"
	"lightd/controller/plan"
	"lightd/observed/engine"
	"lightd/observed/journal"
)

// Metrics are those of one daemon. The methods may be used by any number of goroutines.
type Metrics struct {
	registry    *prometheus.Registry
	reconciles  *prometheus.HistogramVec
	steps       *prometheus.HistogramVec
	engineCalls *prometheus.HistogramVec
	commits     prometheus.Histogram
	events      *prometheus.CounterVec
	restarts    *prometheus.CounterVec
	queues      queues
}

// New returns metrics that have counted nothing, of a daemon of a version.
func New(version string) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	auto := promauto.With(registry)
	auto.NewGaugeVec(prometheus.GaugeOpts{
		Name: "lightd_build_info", Help: "1, with the version of the daemon and of Go.",
	}, []string{"version", "goversion"}).WithLabelValues(version, runtime.Version()).Set(1)
	m := &Metrics{
		registry: registry,
		reconciles: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lightd_reconcile_duration_seconds", Help: "How long reconciles of one container took.",
			Buckets: prometheus.ExponentialBuckets(1e-4, 4, 8),
		}, []string{"result"}),
		steps: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lightd_step_duration_seconds", Help: "How long steps took that bring a container to its spec.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 10),
		}, []string{"step", "result"}),
		engineCalls: auto.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lightd_engine_call_duration_seconds", Help: "How long the engine took to answer.",
			Buckets: prometheus.ExponentialBuckets(1e-3, 4, 8),
		}, []string{"call", "result"}),
		commits: auto.NewHistogram(prometheus.HistogramOpts{
			Name: "lightd_database_commit_seconds", Help: "How long commits of the database took to be on disk.",
			Buckets: prometheus.ExponentialBuckets(2.5e-4, 4, 8),
		}),
		events: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "lightd_events_total", Help: "Events that were written to the journal since the daemon started.",
		}, []string{"type"}),
		restarts: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "lightd_restarts_total", Help: "Processes that are started again, since the daemon started.",
		}, []string{"cause"}),
		queues: newQueues(auto),
	}
	for _, cause := range controller.RestartCauses() {
		m.restarts.WithLabelValues(cause)
	}
	for _, t := range journal.Types {
		m.events.WithLabelValues(string(t))
	}
	return m
}

// The results of a reconcile, a step and a call.
const (
	resultOK     = "ok"
	resultFailed = "failed"
)

func resultOf(err error) string {
	if err != nil {
		return resultFailed
	}
	return resultOK
}

// ReconcileEnded counts a reconcile.
func (m *Metrics) ReconcileEnded(took time.Duration, err error) {
	m.reconciles.WithLabelValues(resultOf(err)).Observe(took.Seconds())
}

// StepEnded counts a step.
func (m *Metrics) StepEnded(kind plan.Kind, took time.Duration, err error) {
	m.steps.WithLabelValues(string(kind), resultOf(err)).Observe(took.Seconds())
}

// EngineCalled counts a call of the engine. The result is the class of its error.
func (m *Metrics) EngineCalled(call string, took time.Duration, err error) {
	result := resultOK
	if err != nil {
		result = engine.Classify(err).String()
	}
	m.engineCalls.WithLabelValues(call, result).Observe(took.Seconds())
}

// Commit makes a commit of the database, and counts it.
func (m *Metrics) Commit(commit func() error) error {
	began := time.Now()
	err := commit()
	m.commits.Observe(time.Since(began).Seconds())
	return err
}

// Restarted counts the restart of a process.
func (m *Metrics) Restarted(cause string) { m.restarts.WithLabelValues(cause).Inc() }

// Event counts an event of the journal.
func (m *Metrics) Event(e journal.Event) { m.events.WithLabelValues(string(e.Type)).Inc() }

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}
