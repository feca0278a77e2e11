package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"lightd/desired"
	"lightd/observed"
	"lightd/observed/blueprint"
)

func TestConfigs(t *testing.T) {
	b := blueprint.Blueprint{
		Name: "lightd-a", Image: "img", Labels: map[string]string{observed.LabelID: "a"},
		Entrypoint: []string{"/bin/sh"}, Env: []string{"A=1"}, Init: true, OpenStdin: true, TTY: true,
		Mounts: []observed.Mount{{Source: "/src", Target: "/dst", ReadOnly: true}},
		Ports: []desired.Port{
			{IP: "0.0.0.0", Port: 80, Protocol: desired.TCP},
			{IP: "127.0.0.1", Port: 81, Protocol: desired.UDP, ContainerPort: 8081},
		},
		Limits:        desired.Limits{Memory: 64 << 20, Swap: 1 << 20, CPU: 0.5, PIDs: 100},
		RestartPolicy: "no", Log: observed.Log{Driver: "json-file", MaxSize: "1m", MaxFile: "2"},
	}
	config, host := configs(b)
	if !reflect.DeepEqual(config.Labels, b.Labels) || !slices.Equal(config.Env, b.Env) {
		t.Errorf("something was added to labels %v or environment %v", config.Labels, config.Env)
	}
	bindings := nat.PortMap{"80/tcp": {{HostIP: "0.0.0.0", HostPort: "80"}}, "8081/udp": {{HostIP: "127.0.0.1", HostPort: "81"}}}
	if !reflect.DeepEqual(host.PortBindings, bindings) || len(config.ExposedPorts) != 2 {
		t.Errorf("ports %v exposed %v", host.PortBindings, config.ExposedPorts)
	}
	if host.Memory != 64<<20 || host.MemorySwap != 65<<20 || host.NanoCPUs != 5e8 || *host.PidsLimit != 100 {
		t.Errorf("limits %+v", host.Resources)
	}
	if host.RestartPolicy.Name != "no" || host.Privileged || !*host.Init || !host.Mounts[0].ReadOnly {
		t.Errorf("host config %+v", host)
	}
	if got := limits(host.Resources); got != b.Limits {
		t.Errorf("limits read back %+v, want %+v", got, b.Limits)
	}
}

func TestPresenceText(t *testing.T) {
	for want, p := range map[string]Presence{
		"1 container, 0 images, 2 volumes":             {Containers: 1, Volumes: 2},
		"2 containers, 1 image, 1 volume and the mark": {Containers: 2, Images: 1, Volumes: 1, Marked: true},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestLimitsReadBack(t *testing.T) {
	minus := int64(-1)
	for _, c := range []struct {
		name string
		from container.Resources
		want desired.Limits
	}{
		{"none", container.Resources{}, desired.Limits{}},
		{"no swap accounting", container.Resources{Memory: 10, MemorySwap: -1}, desired.Limits{Memory: 10, Swap: desired.UnlimitedSwap}},
		{"swap off", container.Resources{Memory: 10, MemorySwap: 10}, desired.Limits{Memory: 10}},
		{"quota", container.Resources{CPUQuota: 50_000}, desired.Limits{CPU: 0.5}},
		{"quota and period", container.Resources{CPUQuota: 50_000, CPUPeriod: 25_000}, desired.Limits{CPU: 2}},
		{"no bound on processes", container.Resources{PidsLimit: &minus}, desired.Limits{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := limits(c.from); got != c.want {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestBinds(t *testing.T) {
	got := binds(nat.PortMap{
		"80/tcp": {{HostIP: "", HostPort: "9"}, {HostIP: "::0", HostPort: "8"}},
		"53/udp": {{HostIP: "127.0.0.1", HostPort: ""}, {HostIP: "127.0.0.1", HostPort: "0"}},
	})
	want := []desired.Port{
		{IP: "::", Port: 8, Protocol: desired.TCP, ContainerPort: 80},
		{IP: "0.0.0.0", Port: 9, Protocol: desired.TCP, ContainerPort: 80},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestInstant(t *testing.T) {
	if got := instant("0001-01-01T00:00:00Z"); !got.IsZero() {
		t.Errorf("never is %v", got)
	}
	if got := instant("2024-02-03T04:05:06.000000007Z"); !got.Equal(time.Date(2024, 2, 3, 4, 5, 6, 7, time.UTC)) {
		t.Errorf("got %v", got)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Class
	}{
		{nil, None},
		{fmt.Errorf("x: %w", cerrdefs.ErrNotFound), NotFound},
		{fmt.Errorf("x: %w", cerrdefs.ErrConflict), Conflict},
		{fmt.Errorf("x: %w", cerrdefs.ErrInvalidArgument), Refused},
		{fmt.Errorf("x: %w", cerrdefs.ErrPermissionDenied), Refused},
		{fmt.Errorf("x: %w", cerrdefs.ErrUnavailable), Unavailable},
		{fmt.Errorf("x: %w", ErrTimeout), Unavailable},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), Unavailable},
		{fmt.Errorf("x: %w", io.ErrUnexpectedEOF), Unavailable},
		{fmt.Errorf("x: %w", cerrdefs.ErrInternal), Other},
		{errors.New("not found"), Other},
	} {
		if got := Classify(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
}

func TestFollowPull(t *testing.T) {
	// Each line of a stream, and the sum after it. That of the layer with an id of twelve was
	// recorded from Docker 20.10, which left out its last report.
	stream := []struct {
		line           string
		current, total int64
	}{
		{`{"status":"Pulling from library/game","id":"2"}`, 0, 0},
		{`{"status":"Already exists","progressDetail":{},"id":"base"}`, 0, 0},
		{`{"status":"Pulling fs layer","progressDetail":{},"id":"5116a73919ae"}`, 0, 0},
		{`{"status":"Pulling fs layer","progressDetail":{},"id":"b"}`, 0, 0},
		{`{"status":"Waiting","progressDetail":{},"id":"b"}`, 0, 0},
		{`{"status":"Downloading","progressDetail":{"current":539136,"total":80024611},"progress":"[=> ]","id":"5116a73919ae"}`, 539136, 80024611},
		{`{"status":"Downloading","progressDetail":{"current":1,"total":2},"progress":"[=> ]","id":"b"}`, 539137, 80024613},
		{`{"status":"Downloading","progressDetail":{"current":7},"progress":"7 B","id":"unsized"}`, 539144, 80024620},
		{`{"status":"Downloading","progressDetail":{"current":66376192,"total":80024611},"progress":"[=> ]","id":"5116a73919ae"}`, 66376200, 80024620},
		{`{"status":"Verifying Checksum","progressDetail":{},"id":"5116a73919ae"}`, 80024619, 80024620},
		{`{"status":"Download complete","progressDetail":{},"id":"5116a73919ae"}`, 80024619, 80024620},
		{`{"status":"Retrying in 5 seconds","progressDetail":{},"id":"b"}`, 80024619, 80024620},
		{`{"status":"Downloading","progressDetail":{"total":2},"progress":"[> ]","id":"b"}`, 80024618, 80024620},
		{`{"status":"Extracting","progressDetail":{"current":557056,"total":80024611},"progress":"[=> ]","id":"5116a73919ae"}`, 80024618, 80024620},
		{`{"status":"Pull complete","progressDetail":{},"id":"5116a73919ae"}`, 80024618, 80024620},
		{`{"status":"Download complete","progressDetail":{},"id":"b"}`, 80024620, 80024620},
		{`{"status":"Digest: sha256:00"}`, 80024620, 80024620},
		{`{"status":"Status: Downloaded newer image for game:2"}`, 80024620, 80024620},
	}
	var text strings.Builder
	for _, s := range stream {
		text.WriteString(s.line + "\r\n")
	}
	n := 0
	err := follow(strings.NewReader(text.String()), func(p Progress) {
		if s := stream[n]; p.Current != s.current || p.Total != s.total || !strings.Contains(s.line, p.Status) {
			t.Errorf("after %s\n%+v, want %d of %d", s.line, p, s.current, s.total)
		}
		n++
	})
	if err != nil || n != len(stream) {
		t.Errorf("%d of %d lines, %v", n, len(stream), err)
	}
	for _, c := range []struct {
		in   string
		want Class
	}{
		{`{"status":"x"} {"errorDetail":{"message":"toomuch"},"error":"toomuch"}`, Other},
		{`{"errorDetail":{"code":401,"message":"no"},"error":"no"}`, Refused},
		{`{"errorDetail":{"code":404,"message":"no"},"error":"no"}`, NotFound},
		{`{"status":"x"`, Unavailable},
	} {
		if err := follow(strings.NewReader(c.in), func(Progress) {}); Classify(err) != c.want {
			t.Errorf("%s: %v is %v, want %v", c.in, err, Classify(err), c.want)
		}
	}
}

func TestSignalRefusesWhatIsNoName(t *testing.T) {
	e, err := New(Config{Host: "unix:///nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Signal(t.Context(), "c", "TERM; reboot"); Classify(err) != Refused {
		t.Errorf("got %v", err)
	}
}
