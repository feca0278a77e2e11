package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/desired/kv"
	"lightd/desired/store"
	"lightd/httpapi/api"
	"lightd/observed/drift"
	"lightd/observed/status"
)

// State is what the daemon has. All of it is read from memory, or from the database.
type State struct {
	Containers func() []desired.Container
	// Status is what the controller recorded of a container, and StateOf the state of that as clients
	// see it.
	Status  func(id string) (status.Status, bool)
	StateOf func(status.Status) status.State
	// Drift compares a container with Docker; known is false while it cannot be seen.
	Drift    func(desired.Container) (fields []plan.Field, known bool)
	EngineUp func() (up bool, since time.Time)
	// Node is what the controller has recorded of the node.
	Node     func() status.NodeStatus
	Ports    func() ([]desired.PoolPort, error)
	Volumes  func() ([]store.Volume, error)
	Webhooks func() []api.Webhook
	// Clients is how many have a WebSocket open, Dropped how many bytes of output they missed.
	Clients func() int
	Dropped func() int64
	// DatabaseSize is what the files of the database take of the disk in bytes, and Space what is left on that.
	DatabaseSize func() int64
	Space        func() kv.Space
	Each         Each
}

// Show shows s with each answer from now on. It is called once.
func (m *Metrics) Show(s State) { m.registry.MustRegister(collector{s}) }

// collector implements prometheus.Collector.
type collector struct{ state State }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lightd_"+name, help, labels, nil)
}

var (
	containersDesc = describe("containers", "Containers, by state.", "state")
	conditionsDesc = describe("container_conditions", "Containers, by what a condition of theirs is.", "type", "status", "reason")
	driftedDesc    = describe("containers_drifted", "Containers that differ from their specs, by kind of the difference.", "kind")
	engineUpDesc   = describe("engine_up", "1 while Docker answers and its events are followed, else 0.")
	sinceDesc      = describe("engine_since_seconds", "For how long Docker is up, or down.")
	cordonedDesc   = describe("node_cordoned", "1 while the node is cordoned or drained, else 0.")
	drainedDesc    = describe("node_drained", "1 once a drain has found nothing left that runs, else 0.")
	portsDesc      = describe("ports", "Ports of the pool, by whether a container can have them.", "protocol", "state")
	volumesDesc    = describe("volumes", "Volumes.")
	volumeSizeDesc = describe("volume_bytes", "Size of the volumes that were measured, together.")
	clientsDesc    = describe("websocket_clients", "Clients of WebSockets, and of logs that are followed.")
	droppedDesc    = describe("console_dropped_bytes_total", "Output that was dropped for clients which were too slow.")
	lagDesc        = describe("webhook_lag_events", "Events of the journal behind what is delivered.", "webhook")
	failuresDesc   = describe("webhook_failures", "Attempts that have failed since the last success.", "webhook")
	missedDesc     = describe("webhook_missed_total", "Events that the journal had dropped before they were delivered.", "webhook")
	deliveredDesc  = describe("webhook_last_delivery_seconds", "When the last delivery was, since 1970; 0 is never.", "webhook")
	databaseDesc   = describe("database_bytes", "What the files of the database take of the disk.")
	diskFreeDesc   = describe("disk_free_bytes", "What is free on the disk of the data directory.")
)

// Describe implements prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		containersDesc, conditionsDesc, driftedDesc, engineUpDesc, sinceDesc, cordonedDesc, drainedDesc, portsDesc, volumesDesc, volumeSizeDesc, clientsDesc,
		droppedDesc, lagDesc, failuresDesc, missedDesc, deliveredDesc, databaseDesc, diskFreeDesc,
	} {
		to <- d
	}
	c.state.Each.describe(to)
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	up, since := c.state.EngineUp()
	gauge(engineUpDesc, oneIf(up))
	gauge(sinceDesc, time.Since(since).Seconds())
	node := c.state.Node()
	gauge(cordonedDesc, oneIf(node.Cordon != nil))
	gauge(drainedDesc, oneIf(node.Drained))
	c.collectContainers(gauge)
	c.collectPool(gauge)
	gauge(clientsDesc, float64(c.state.Clients()))
	counter(droppedDesc, float64(c.state.Dropped()))
	for _, w := range c.state.Webhooks() {
		gauge(lagDesc, float64(w.Lag), w.Name)
		gauge(failuresDesc, float64(w.Failures), w.Name)
		counter(missedDesc, float64(w.Missed), w.Name)
		gauge(deliveredDesc, unix(w.LastDelivery), w.Name)
	}
	gauge(databaseDesc, float64(c.state.DatabaseSize()))
	gauge(diskFreeDesc, float64(c.state.Space().Free))
	if c.state.Each.On() {
		c.state.Each.collect(c.state, gauge, counter)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// unix is t in seconds since 1970; 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}

// states and kinds are shown with 0 too, so that an alert has a series from the beginning.
var (
	states = []status.State{
		status.StateOffline, status.StateStarting, status.StateRunning, status.StateStopping, status.StateBackOff, status.StateUnknown,
	}
	kinds = []drift.Kind{drift.Spec, drift.MovedTag, drift.Deferred}
)

// condition is a condition without its text.
type condition struct {
	kind   status.ConditionType
	status status.ConditionStatus
	reason status.Reason
}

// collectContainers counts containers by what they are like.
func (c collector) collectContainers(gauge func(*prometheus.Desc, float64, ...string)) {
	inState, inCondition, drifted := map[status.State]int{}, map[condition]int{}, map[drift.Kind]int{}
	for _, container := range c.state.Containers() {
		st, _ := c.state.Status(container.InternalID)
		inState[c.state.StateOf(st)]++
		for _, one := range st.Conditions {
			inCondition[condition{one.Type, one.Status, one.Reason}]++
		}
		for kind := range kindsOf(c.state.Drift(container)) {
			drifted[kind]++
		}
	}
	for _, state := range states {
		gauge(containersDesc, float64(inState[state]), string(state))
	}
	for one, n := range inCondition {
		gauge(conditionsDesc, float64(n), string(one.kind), string(one.status), string(one.reason))
	}
	for _, kind := range kinds {
		gauge(driftedDesc, float64(drifted[kind]), string(kind))
	}
}

// kindsOf returns the kinds of the differences of a container; none while Docker cannot be seen.
func kindsOf(fields []plan.Field, known bool) map[drift.Kind]bool {
	found := map[drift.Kind]bool{}
	for _, f := range fields {
		found[f.Kind] = known
	}
	return found
}

// endpoints are ports of the pool that are counted together.
type endpoints struct {
	protocol desired.Protocol
	inUse    bool
}

// collectPool counts what is shared by containers. What cannot be read is left out: the database says so
// elsewhere.
func (c collector) collectPool(gauge func(*prometheus.Desc, float64, ...string)) {
	if ports, err := c.state.Ports(); err == nil {
		count := map[endpoints]int{}
		for _, p := range ports {
			count[endpoints{p.Protocol, p.InUse}]++
		}
		for _, protocol := range []desired.Protocol{desired.TCP, desired.UDP} {
			gauge(portsDesc, float64(count[endpoints{protocol, false}]), string(protocol), "free")
			gauge(portsDesc, float64(count[endpoints{protocol, true}]), string(protocol), "in_use")
		}
	}
	if volumes, err := c.state.Volumes(); err == nil {
		var size int64
		for _, v := range volumes {
			if v.Size != nil {
				size += *v.Size
			}
		}
		gauge(volumesDesc, float64(len(volumes)))
		gauge(volumeSizeDesc, float64(size))
	}
}
