package firewall

import (
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// inNetwork runs the rest of a test in a network namespace of its own, which ends with the test's thread.
func inNetwork(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("this test is of the tier e2e and needs to be root: %v", err)
	}
}

var policy = Policy{Interface: "lightd0", HostPorts: []PortRange{{53, 53, "udp"}, {8000, 8010, "tcp"}}}

func keeper(t *testing.T, tune func(*Config)) (*Keeper, *[]State) {
	var changes []State
	c := Config{Policy: policy, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Changed: func(s State) { changes = append(changes, s) }}
	if tune != nil {
		tune(&c)
	}
	return New(c), &changes
}

// TestTableIsPutBack whatever was done to it, and is left alone while it is as it should be.
func TestTableIsPutBack(t *testing.T) {
	inNetwork(t)
	k, changes := keeper(t, nil)
	if err := k.Ensure(); err != nil || !k.State().InPlace() || k.State().Restored != 0 {
		t.Fatalf("%v, %+v", err, k.State())
	}
	if err := k.Ensure(); err != nil || k.State().Restored != 0 {
		t.Fatalf("put back without a cause: %+v", k.State())
	}
	conn, err := nftables.New()
	if err != nil {
		t.Fatal(err)
	}
	ours := &nftables.Table{Name: defaultTable, Family: nftables.TableFamilyINet}
	input := &nftables.Chain{Name: "input", Table: ours}
	rules := func() []*nftables.Rule {
		list, err := conn.GetRules(ours, input)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	drop := nftables.ChainPolicyDrop
	told, last := 0, ""
	for i, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"flushed ruleset", func() { conn.FlushRuleset() }, "not there"},
		{"removed table", func() { conn.DelTable(ours) }, "not there"},
		{"flushed chain", func() { conn.FlushChain(input) }, "rules of chain input"},
		{"removed rule", func() { _ = conn.DelRule(rules()[len(rules())-1]) }, "rules of chain input"},
		{"rule in front", func() {
			conn.InsertRule(&nftables.Rule{Table: ours, Chain: input, Exprs: []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}})
		}, "rules of chain input"},
		{"another policy", func() {
			conn.AddChain(&nftables.Chain{Name: "input", Table: ours, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: &priority, Policy: &drop})
		}, "chain input"},
		{"another chain", func() { conn.AddChain(&nftables.Chain{Name: "more", Table: ours}) }, "3 chains"},
	} {
		c.do()
		if err := conn.Flush(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if err := k.Ensure(); err != nil {
			t.Fatal(err)
		}
		if st := k.State(); st.Restored != i+1 || !strings.Contains(st.Altered, c.want) {
			t.Errorf("%s: %+v", c.name, st)
		}
		if err := k.Ensure(); err != nil || k.State().Restored != i+1 {
			t.Errorf("%s: not put back: %+v", c.name, k.State())
		}
		if now := k.State().Altered; now != last { // the same again is reported once for a while
			told, last = told+1, now
		}
	}
	if len(*changes) != told || told < 4 {
		t.Errorf("%d changes, want %d: %+v", len(*changes), told, *changes)
	}
}

// TestUnchangedRulesAreNotRead again: a check of them allocates next to nothing.
func TestUnchangedRulesAreNotRead(t *testing.T) {
	inNetwork(t)
	k, _ := keeper(t, nil)
	for range 2 { // the second one reads what the first one has made
		if err := k.Ensure(); err != nil {
			t.Fatal(err)
		}
	}
	made := testing.AllocsPerRun(20, func() {
		if err := k.Ensure(); err != nil {
			t.Fatal(err)
		}
	})
	if made > 200 {
		t.Errorf("%.0f allocations", made)
	}
}

// TestInstancesKeepTheirOwnTables: daemons whose containers are on different networks leave each other's alone.
func TestInstancesKeepTheirOwnTables(t *testing.T) {
	inNetwork(t)
	one, changes := keeper(t, func(c *Config) { c.Table, c.Others = "lightd-one", []string{"br-games"} })
	two, more := keeper(t, func(c *Config) { c.Table = "lightd-two" })
	for range 2 {
		for _, k := range []*Keeper{one, two} {
			if err := k.Ensure(); err != nil || !k.State().InPlace() {
				t.Fatalf("%v, %+v", err, k.State())
			}
		}
	}
	if len(*changes)+len(*more) > 0 {
		t.Errorf("changes %+v and %+v", *changes, *more)
	}
	if err := two.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := one.Ensure(); err != nil || one.State().Restored != 0 {
		t.Errorf("%v, %+v", err, one.State())
	}
}

// TestFirewallThatCannotBeHad is reported as missing, and ends a start where it is required.
func TestFirewallThatCannotBeHad(t *testing.T) {
	for _, required := range []bool{false, true} {
		k, changes := keeper(t, func(c *Config) { c.Elsewhere, c.Required = "the engine is on another host", required })
		for range 2 {
			if err := k.Ensure(); (err != nil) != required {
				t.Errorf("required %t: %v", required, err)
			}
		}
		if st := k.State(); st.InPlace() || !strings.Contains(st.Missing, "another host") || len(*changes) != 1 {
			t.Errorf("%+v, %d changes", st, len(*changes))
		}
	}
	off, changes := keeper(t, func(c *Config) { c.Off = true })
	if err := off.Ensure(); err != nil || off.State().InPlace() || off.State().Missing != "" || len(*changes) != 0 {
		t.Errorf("%v %+v", err, off.State())
	}
}

// TestFirewallThatIsOff removes the table of an earlier configuration.
func TestFirewallThatIsOff(t *testing.T) {
	inNetwork(t)
	on, _ := keeper(t, nil)
	if err := on.Ensure(); err != nil || !on.State().InPlace() {
		t.Fatalf("%v %+v", err, on.State())
	}
	for range 2 { // there is none the second time
		if err := on.table.remove(); err != nil {
			t.Error(err)
		}
	}
	if what, err := on.table.differs(); err != nil || what != "it is not there" {
		t.Errorf("%q %v", what, err)
	}
}

func TestParsePorts(t *testing.T) {
	got, err := ParsePorts([]string{"53", "80/tcp", "100-200/udp"})
	if want := []PortRange{{53, 53, "tcp"}, {53, 53, "udp"}, {80, 80, "tcp"}, {100, 200, "udp"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"", "0", "x", "65536", "1-", "2-1", "1/icmp", "1-2-3", "-1", "1/"} {
		if got, err := ParsePorts([]string{bad}); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}
