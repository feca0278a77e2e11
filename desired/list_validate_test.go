package desired

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestOverlapsIsOverlaps compares the set with the comparison of each with each.
func TestOverlapsIsOverlaps(t *testing.T) {
	ips := []string{"0.0.0.0", "::", "127.0.0.1", "::1", "10.0.0.1", "no address"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var set Overlaps[int]
		var list []Endpoint
		for range random.IntN(6) {
			e := Endpoint{IP: ips[random.IntN(len(ips))], Port: 1 + random.IntN(2), Protocol: []Protocol{TCP, UDP}[random.IntN(2)]}
			set.Add(e, len(list))
			list = append(list, e)
		}
		e := Endpoint{IP: ips[random.IntN(len(ips)-1)], Port: 1, Protocol: TCP}
		want := false
		for _, other := range list {
			want = want || other.IP != "no address" && e.Overlaps(other)
		}
		by, got := set.Find(e)
		foreign := got && list[by].IP == "no address"
		if got != want && !foreign || got && !foreign && !e.Overlaps(list[by]) {
			t.Fatalf("%v among %v: got %v %d, want %v", e, list, got, by, want)
		}
	}
}

func TestCheckTogether(t *testing.T) {
	port := func(ip string, n int) Port { return Port{IP: ip, Port: n} }
	of := func(id string, ports ...Port) Spec { return Spec{InternalID: id, Ports: ports} }
	for name, c := range map[string]struct {
		specs []Spec
		want  string
	}{
		"nothing":          {nil, ""},
		"apart":            {[]Spec{of("a", port("", 1)), of("b", port("", 2)), of("c", port("10.0.0.1", 3)), of("d", port("10.0.0.2", 3))}, ""},
		"an id twice":      {[]Spec{of("a"), of("b"), of("a", port("", 1))}, "list[2].internal_id: is that of list[0]"},
		"a port twice":     {[]Spec{of("a", port("", 1)), of("b", port("", 2), port("0.0.0.0", 1))}, "list[1].ports[1]: 0.0.0.0:1/tcp overlaps list[0].ports[0]"},
		"under a wildcard": {[]Spec{of("a", port("127.0.0.1", 1)), of("b", port("0.0.0.0", 1))}, "list[1].ports[0]: 0.0.0.0:1/tcp overlaps list[0].ports[0]"},
		"over a wildcard":  {[]Spec{of("a", port("::", 1)), of("b", port("127.0.0.1", 1))}, "list[1].ports[0]: 127.0.0.1:1/tcp overlaps list[0].ports[0]"},
		"an address in disguise": {[]Spec{of("a", port("::ffff:10.0.0.1", 1)), of("b", port("10.0.0.1", 1))},
			"list[1].ports[0]: 10.0.0.1:1/tcp overlaps list[0].ports[0]"},
		"to be assigned":               {[]Spec{of("a", port("", 0)), of("b", port("", 0))}, ""},
		"another protocol":             {[]Spec{of("a", port("", 1)), of("b", Port{Port: 1, Protocol: UDP})}, ""},
		"its own is Validate's to say": {[]Spec{of("a", port("", 1), port("", 1))}, ""},
	} {
		got := ""
		if err := ValidateList("list", c.specs); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var f ErrorList
	if f.Err("list") != nil || f.Take(errors.New("x")) || !f.Take(nil) {
		t.Error("took what it cannot hold")
	}
	for i := range 130 {
		f.Take(Invalid(fmt.Sprintf("list[%d].x", i), "is wrong"))
	}
	var invalid *ValidationError
	if err := f.Err("list"); !errors.As(err, &invalid) || len(invalid.Fields) != 101 || !strings.HasSuffix(err.Error(), "list: has more faults (30)") {
		t.Errorf("got %v", f.Err("list"))
	}
}

func TestIn(t *testing.T) {
	inner := fmt.Errorf("%w: of a", ErrPortInUse)
	at := AtField("list[1]", AtField("ports[2]", inner))
	var located *FieldPathError
	if !errors.As(at, &located) || located.Field != "list[1].ports[2]" || !errors.Is(at, ErrPortInUse) || located.Err != inner {
		t.Errorf("got %v", at)
	}
	if got := AtField("list[1]", Invalid("env.A", "is bad")).Error(); got != "list[1].env.A: is bad" {
		t.Errorf("got %q", got)
	}
}
