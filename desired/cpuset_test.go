package desired

import "testing"

func TestCPUSetIsChecked(t *testing.T) {
	for _, c := range []struct{ set, old, host, want string }{
		{"", "", "0-1", ""}, {"0", "", "0-1", ""}, {"0-1", "", "0-1", ""}, {"1,0", "", "0-1", ""}, {"0,0-1,1", "", "0-1", ""}, {"7", "", "", ""},
		{"0-3,5", "", "0-7", ""}, {"2-3", "", "0-1,2,3", ""},
		{"2", "", "0-1", "limits.cpuset: the host has no CPU 2: it has 0-1"}, {"0-2", "", "0-1", "limits.cpuset: the host has no CPU 2: it has 0-1"},
		{"1-4", "", "0-1,4-5", "limits.cpuset: the host has no CPU 2: it has 0-1,4-5"},
		{"2", "2", "0-1", ""}, {"2", "3", "0-1", "limits.cpuset: the host has no CPU 2: it has 0-1"},
		{"1-0", "", "", `limits.cpuset: "1-0" must be numbers of CPUs and ranges of them, as in 0-3,5`},
		{"-1", "", "", `limits.cpuset: "-1" must be numbers of CPUs and ranges of them, as in 0-3,5`},
		{"0,", "", "", `limits.cpuset: "0," must be numbers of CPUs and ranges of them, as in 0-3,5`},
		{" 0", "", "", `limits.cpuset: " 0" must be numbers of CPUs and ranges of them, as in 0-3,5`},
		{"9999", "", "", `limits.cpuset: "9999" must be numbers of CPUs and ranges of them, as in 0-3,5`},
		{"0-1-2", "", "", `limits.cpuset: "0-1-2" must be numbers of CPUs and ranges of them, as in 0-3,5`},
	} {
		var f faults
		f.checkCPUSet(c.set, c.old, c.host)
		got := ""
		if err := f.err(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q after %q on %q: %q", c.set, c.old, c.host, got)
		}
	}
}
