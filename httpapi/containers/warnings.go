package containers

import (
	"fmt"
	"time"

	"lightd/desired"
	"lightd/desired/store"
	"lightd/httpapi/rest"
)

// manyPorts is from how many published ports on a write warns of the time that the engine takes for
// them: it binds and releases each by itself, one after the other, whether they are in a row or not.
const manyPorts = 50

// What the engine takes for one port, on an idle machine and on one that is busy: see the limits in
// the README.
const (
	portIdle = 50 * time.Millisecond
	portBusy = 300 * time.Millisecond
)

// warningsOf names what a write accepted and may yet surprise whoever sent it.
func (h *Handlers) warningsOf(w store.Written) (list []rest.Detail) {
	if w.Action != desired.Created && w.Action != desired.Updated {
		return nil
	}
	if w.Power == desired.PowerRunning && h.store.Cordon() != nil {
		list = append(list, rest.Detail{Field: "power", Message: "the node is cordoned: no container starts until that ends"})
	}
	if has := w.Limits.Within(h.cores).CPU; has < w.Limits.CPU {
		list = append(list, rest.Detail{Field: "limits.cpu", Message: fmt.Sprintf("%v cores, and the host has %d: the container gets these", w.Limits.CPU, h.cores)})
	}
	n := len(w.Ports)
	if n < manyPorts {
		return list
	}
	seconds := func(each time.Duration) int { return int((time.Duration(n) * each).Round(time.Second).Seconds()) }
	return append(list, rest.Detail{Field: "ports", Message: fmt.Sprintf("%d published ports: the engine needs about %d s, up to %d s on a busy machine, for them at each start and at each end of the process",
		n, seconds(portIdle), seconds(portBusy))})
}
