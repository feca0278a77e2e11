package desired

import "testing"

// FuzzPortRange: what passes is a range of ports.
func FuzzPortRange(f *testing.F) {
	for _, s := range []string{"1", "65535", "25565-25600", "0", "65536", "2-1", "-1", "1-", "-", "+1", "1-2-3", "0x10", "١"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		eps, err := PortRange{IP: "0.0.0.0", Ports: &text}.Endpoints()
		if err == nil && (len(eps) == 0 || eps[0].Port < 1 || eps[len(eps)-1].Port > 65535) {
			t.Errorf("%q is %v", text, eps)
		}
	})
}
