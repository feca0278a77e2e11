package controller

import (
	"net"
	"strings"
	"testing"

	"lightd/desired"
	"lightd/observed"
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
				err := tryPort(c.at)
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
		"running":    {&observed.Container{Phase: observed.Running, Binds: []desired.Port{own}}, own.Endpoint(), true},
		"overlaps":   {&observed.Container{Phase: observed.Running, Binds: []desired.Port{own}}, desired.Endpoint{IP: "0.0.0.0", Port: 7001, Protocol: desired.TCP}, true},
		"another":    {&observed.Container{Phase: observed.Running, Binds: []desired.Port{own}}, desired.Endpoint{IP: "127.0.0.1", Port: 7002, Protocol: desired.TCP}, false},
		"not up yet": {&observed.Container{Phase: observed.Exited, Binds: []desired.Port{own}}, own.Endpoint(), false},
	} {
		t.Run(name, func(t *testing.T) {
			if held(c.run, c.at) != c.held {
				t.Errorf("held: %v", !c.held)
			}
		})
	}
}
