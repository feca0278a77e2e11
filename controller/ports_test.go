package controller

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"lightd/controller/datadir"
	"lightd/controller/plan"
	"lightd/desired"
	"lightd/observed"
	"lightd/observed/status"
)

// TestPortIsTried: only what is certainly in the way is an error, and a port that was tried is
// free afterwards.
func TestPortIsTried(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	freed, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := freed.Addr().(*net.TCPAddr).Port
	freed.Close()
	busyTCP, busyUDP := tcp.Addr().(*net.TCPAddr).Port, udp.LocalAddr().(*net.UDPAddr).Port
	for name, c := range map[string]struct {
		at   desired.Endpoint
		want string
	}{
		"busy":             {desired.Endpoint{IP: "127.0.0.1", Port: busyTCP, Protocol: desired.TCP}, "in use"},
		"busy for all":     {desired.Endpoint{IP: "0.0.0.0", Port: busyTCP, Protocol: desired.TCP}, "in use"},
		"busy, UDP":        {desired.Endpoint{IP: "127.0.0.1", Port: busyUDP, Protocol: desired.UDP}, "in use"},
		"free":             {desired.Endpoint{IP: "127.0.0.1", Port: free, Protocol: desired.TCP}, ""},
		"free, UDP":        {desired.Endpoint{IP: "127.0.0.1", Port: busyTCP, Protocol: desired.UDP}, ""},
		"no such address":  {desired.Endpoint{IP: "192.0.2.1", Port: free, Protocol: desired.TCP}, "does not have that address"},
		"the kernel minds": {desired.Endpoint{IP: "fe80::1", Port: free, Protocol: desired.TCP}, ""}, // without a zone
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				err := probePort(c.at)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
}

// TestOwnPortIsNoObstacle while the container runs.
func TestOwnPortIsNoObstacle(t *testing.T) {
	own := desired.Port{IP: "127.0.0.1", Port: 7001, Protocol: desired.TCP}
	for name, c := range map[string]struct {
		run  *observed.Container
		at   desired.Endpoint
		held bool
	}{
		"none":       {nil, own.Endpoint(), false},
		"running":    {&observed.Container{State: observed.State{Phase: observed.Running}, Config: observed.Config{Binds: []desired.Port{own}}}, own.Endpoint(), true},
		"overlaps":   {&observed.Container{State: observed.State{Phase: observed.Running}, Config: observed.Config{Binds: []desired.Port{own}}}, desired.Endpoint{IP: "0.0.0.0", Port: 7001, Protocol: desired.TCP}, true},
		"another":    {&observed.Container{State: observed.State{Phase: observed.Running}, Config: observed.Config{Binds: []desired.Port{own}}}, desired.Endpoint{IP: "127.0.0.1", Port: 7002, Protocol: desired.TCP}, false},
		"prepared":   {&observed.Container{State: observed.State{Phase: observed.Created, PID: 7}, Config: observed.Config{Binds: []desired.Port{own}}}, own.Endpoint(), true},
		"created":    {&observed.Container{State: observed.State{Phase: observed.Created}, Config: observed.Config{Binds: []desired.Port{own}}}, own.Endpoint(), false},
		"not up yet": {&observed.Container{State: observed.State{Phase: observed.Exited}, Config: observed.Config{Binds: []desired.Port{own}}}, own.Endpoint(), false},
	} {
		t.Run(name, func(t *testing.T) {
			if portHeldBy(c.run, c.at) != c.held {
				t.Errorf("held: %v", !c.held)
			}
		})
	}
}

// TestCheckOfTheHost reports what stands in the way of a container, and of which one.
func TestCheckOfTheHost(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	busy := []desired.Port{{IP: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Protocol: desired.TCP, ContainerPort: 1}}
	files, err := datadir.Open(filepath.Join(t.TempDir(), "containers"))
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := errors.Join(files.Make("a"), os.Symlink(t.TempDir(), link), os.Symlink("a", files.Path("b"))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ports    []desired.Port
		run      *observed.Container
		mounts   error
		local    bool
		snapshot string
		volume   string
		id       string
		want     status.Reason
	}{
		"nothing":                      {local: true},
		"a busy port":                  {ports: busy, local: true, want: status.ReasonPortUnavailable},
		"a busy port of its own":       {ports: busy, local: true, run: &observed.Container{State: observed.State{Phase: observed.Running}, Config: observed.Config{Binds: busy}}},
		"a port of another host":       {ports: busy},
		"a mount":                      {mounts: desired.Invalid("mount", "it is not there"), want: status.ReasonMountUnavailable},
		"no directory of its volume":   {volume: filepath.Join(t.TempDir(), "none"), want: status.ReasonMountUnavailable},
		"a volume that is a link":      {volume: link, want: status.ReasonMountUnavailable},
		"a link for its data":          {id: "b", want: status.ReasonMountUnavailable},
		"nothing, for an installation": {local: true, snapshot: "snapshot:1"},
	} {
		t.Run(name, func(t *testing.T) {
			c.volume = cmp.Or(c.volume, t.TempDir())
			acts := &executor{cfg: Config{Host: Host{LocalPorts: c.local, Data: files, CheckMounts: func(desired.Spec) error { return c.mounts },
				VolumePath: func(string) string { return c.volume }}}}
			spec := desired.Container{Spec: desired.Spec{InternalID: cmp.Or(c.id, "a"), Image: "image:1", Ports: c.ports}}
			a := &execution{executor: acts, log: slog.New(slog.DiscardHandler), spec: spec, seen: observed.Snapshot{Run: c.run}, st: status.Status{Install: status.Install{Snapshot: c.snapshot}}}
			a.checkHost()
			image := "image:1"
			if c.snapshot != "" {
				image = c.snapshot
			}
			want := plan.HostCheck{Hash: spec.Hash(image), At: a.host.At, Reason: c.want, Message: a.host.Message}
			if *a.host != want || (c.want != "") != (a.host.Message != "") || time.Since(a.host.At) > time.Minute {
				t.Errorf("got %+v, want %+v", *a.host, want)
			}
		})
	}
}

// TestExplainRefusal: a port that only the engine's answer shows as taken, and a mount that only the engine cannot
// reach, are waited for, and are no failure of the step.
func TestExplainRefusal(t *testing.T) {
	files, err := datadir.Open(filepath.Join(t.TempDir(), "containers"))
	if err != nil {
		t.Fatal(err)
	}
	volume := t.TempDir()
	acts := &executor{log: slog.New(slog.DiscardHandler), cfg: Config{Host: Host{Data: files,
		CheckMounts: func(desired.Spec) error { return nil }, VolumePath: func(string) string { return volume }}}}
	a := &execution{executor: acts, log: slog.New(slog.DiscardHandler), step: plan.Step{Kind: plan.StartContainer}, spec: desired.Container{Spec: desired.Spec{InternalID: "a",
		Ports: []desired.Port{{IP: "1.2.3.4", Port: 80, Protocol: desired.TCP}, {IP: "0.0.0.0", Port: 80, Protocol: desired.UDP}}}}}
	failed := fmt.Errorf("start container a: %w", fmt.Errorf("%w: Bind for 0.0.0.0:80 failed: port is already allocated", cerrdefs.ErrInternal))
	v := a.classify(a.explain(failed))
	var st status.Status
	events := v.patch(&st)
	const plain = `port 0.0.0.0:80/udp is given to another container by the engine ("docker ps" shows it)`
	if synced := st.Get(status.Synced); synced.Reason != status.ReasonPortUnavailable || v.retry != plan.BlockedRetry || synced.Message != plain {
		t.Errorf("got %+v, again after %s", synced, v.retry)
	}
	if len(events) != 1 || !strings.HasPrefix(events[0].Message, "PortUnavailable: "+plain) || !strings.Contains(events[0].Message, "port is already allocated") {
		t.Errorf("the events are %+v", events)
	}
	denied := a.classify(a.explain(fmt.Errorf("%w: invalid mount config for type \"bind\": stat %s: permission denied", cerrdefs.ErrInvalidArgument, volume)))
	denied.patch(&st)
	if synced := st.Get(status.Synced); synced.Reason != status.ReasonMountUnavailable || denied.retry != plan.BlockedRetry || !strings.HasPrefix(synced.Message, "the engine has no right to reach the volume: ") {
		t.Errorf("got %+v of a volume that the engine cannot reach, again after %s", synced, denied.retry)
	}
	for text, want := range map[string]string{
		"Bind for 0.0.0.0:81 failed: port is already allocated":         "one of its ports is given to another container",
		"listen tcp4 1.2.3.4:80: bind: cannot assign requested address": "port 1.2.3.4:80/tcp: the engine's host does not have that address",
		"listen udp4 0.0.0.0:80: bind: address already in use":          "port 0.0.0.0:80/udp is in use on the engine's host by another program",
	} {
		if got := a.portRefused(errors.New(text)); !strings.HasPrefix(got, want) {
			t.Errorf("%s is %q", text, got)
		}
	}
}
