package plan

import (
	"fmt"
	"net/netip"
	"slices"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// nextPublished waits where the process runs and the engine has not published a port that the
// container was made with. Neither a restart nor a recreation changes what the engine is
// configured to do, so there is no step: the engine's restart leads to another observation.
func (r *planner) nextPublished() next {
	missing := r.unpublished()
	if len(missing) == 0 {
		return next{upToDate: true}
	}
	p := missing[0]
	message := fmt.Sprintf("the process runs, and the engine does not publish %s/%s", netip.AddrPortFrom(address(p.IP), uint16(p.Port)), p.Protocol)
	if more := len(missing) - 1; more > 0 {
		message += fmt.Sprintf(" and %d more", more)
	}
	return next{wait: status.ReasonPortNotPublished, upToDate: true,
		message: message + `: check the engine's daemon.json, and the networks of the container`}
}

// unpublished returns the ports of the spec that the container was made with and that the engine
// has not bound for it. A process that is being stopped needs none.
func (r *planner) unpublished() []desired.Port {
	run := r.in.Seen.Run
	if !run.Running() || r.st.Stopping != nil || r.in.EffectivePower() != desired.PowerRunning {
		return nil
	}
	var missing []desired.Port
	for _, p := range r.in.Spec.Ports {
		published := func(have desired.Port) bool {
			return have.Port == p.Port && have.Protocol == p.Protocol && have.ContainerPort == p.ContainerPort &&
				(have.IP == p.IP || address(have.IP).IsUnspecified())
		}
		if slices.Contains(run.Binds, p) && !slices.ContainsFunc(run.Published, published) {
			missing = append(missing, p)
		}
	}
	return missing
}

// address returns the zero Addr for what is no address.
func address(ip string) netip.Addr {
	addr, _ := netip.ParseAddr(ip)
	return addr
}

// release gives back ports that nothing names or binds any more.
func (r *planner) release() (next, bool) {
	if len(r.in.Spec.Releasing) == 0 || len(r.Releasable()) == 0 {
		return next{}, false
	}
	return step(ReleasePorts, "no container binds them any more"), true
}

// Releasable returns the ports that may be given back.
func (r *planner) Releasable() []desired.Endpoint { return Releasable(r.in.Spec, r.in.Seen.Run) }

// Releasable returns the claimed ports that c names no longer and run does not bind.
func Releasable(c desired.Container, run *observed.Container) []desired.Endpoint {
	var free []desired.Endpoint
	for _, p := range c.Releasing {
		held := false
		if run != nil {
			for _, b := range run.Binds {
				held = held || b.Endpoint() == p.Endpoint()
			}
		}
		if !held {
			free = append(free, p.Endpoint())
		}
	}
	return free
}
