package controller

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// checkHost keeps the result of a probe of what a recreation needs of the host.
func (a *execution) checkHost() {
	check := a.probeHost()
	check.Hash = runHash(a.spec, a.st)
	a.host = &check
}

// runHash is the hash of the run container that the spec describes.
func runHash(spec desired.Container, st status.Status) string {
	return spec.Hash(st.Install.RunImage(spec.Image))
}

// probeHost tries what Docker reports only by failing: host paths, and free host ports.
func (a *execution) probeHost() plan.HostCheck {
	check := plan.HostCheck{At: time.Now()}
	if err := a.checkHostPaths(a.spec.Spec); err != nil {
		check.Reason, check.Message = status.ReasonMountUnavailable, err.Error()
		return check
	}
	if !a.cfg.LocalPorts {
		return check
	}
	for _, p := range a.spec.Ports {
		if portHeldBy(a.seen.Run, p.Endpoint()) {
			continue
		}
		if err := probePort(p.Endpoint()); err != nil {
			check.Reason, check.Message = status.ReasonPortUnavailable, err.Error()
			return check
		}
	}
	return check
}

// portRefused says which port an engine did not bind, and why, where this host shows nothing in its way.
func (a *execution) portRefused(err error) string {
	port := "one of its ports"
	for _, p := range a.spec.Ports {
		if strings.Contains(err.Error(), net.JoinHostPort(p.IP, strconv.Itoa(p.Port))) || len(a.spec.Ports) == 1 {
			port = "port " + p.Endpoint().String()
			break
		}
	}
	switch text := err.Error(); {
	case strings.Contains(text, "already allocated"):
		return port + ` is given to another container by the engine ("docker ps" shows it)`
	case strings.Contains(text, "cannot assign requested address"):
		return port + ": the engine's host does not have that address"
	}
	return port + " is in use on the engine's host by another program"
}

// mountDenied says which mount the engine may not reach.
func (a *execution) mountDenied(err error) string {
	what := "a mount"
	if a.cfg.VolumePath != nil && strings.Contains(err.Error(), a.cfg.VolumePath(a.spec.VolumeID)) {
		what = "the volume"
	} else if a.cfg.Data != nil && strings.Contains(err.Error(), a.cfg.Data.Path(a.spec.InternalID)) {
		what = "the data directory of the container"
	}
	for _, m := range a.spec.Mount {
		if m.Source != "" && strings.Contains(err.Error(), m.Source) {
			what = "the mount source " + m.Source
		}
	}
	return "the engine has no right to reach " + what + `: a rootless one needs a daemon of its own user ("lightd check"), and one that maps users directories above it that are open to pass through`
}

// portHeldBy reports whether the container itself binds what overlaps e now: while it runs, and on a Podman also
// once it is prepared for a start, when it has a process and is not running.
func portHeldBy(run *observed.Container, e desired.Endpoint) bool {
	prepared := run != nil && run.Phase == observed.Created && run.PID != 0
	if !run.Running() && !prepared {
		return false
	}
	return slices.ContainsFunc(run.Binds, func(p desired.Port) bool { return p.Endpoint().Overlaps(e) })
}

// probePort binds e for a moment. Only what is certainly in the way is an error: what this
// process may not bind, the engine may.
func probePort(e desired.Endpoint) error {
	ip, err := netip.ParseAddr(e.IP)
	if err != nil {
		return fmt.Errorf("read address of %s: %w", e, err)
	}
	address := netip.AddrPortFrom(ip, uint16(e.Port))
	switch e.Protocol {
	case desired.UDP:
		var conn *net.UDPConn
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(address)); err == nil {
			return conn.Close()
		}
	default:
		var listener *net.TCPListener
		if listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(address)); err == nil {
			return listener.Close()
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		who := cmp.Or(PortHolder(e), "another program")
		return fmt.Errorf("port %s is in use on this host by %s", e, who)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("port %s: this host does not have that address", e)
	}
	return nil
}
