package engine

import (
	"testing"

	"github.com/docker/docker/api/types/network"
)

// TestNetworkByItsExactName: parts of names find nothing, and twins are known as such. An interface that was
// given no name has the engine's.
func TestNetworkByItsExactName(t *testing.T) {
	list := []network.Summary{
		{Name: "lan2", ID: "1"}, {Name: "lan", ID: "0123456789abcdef", Driver: "bridge"}, {Name: "twin", ID: "2"}, {Name: "twin", ID: "3"},
		{Name: "own", Driver: "bridge", ID: "0123456789abcdef", Options: map[string]string{optionBridge: "own0"}}, {Name: "wire", Driver: "macvlan", ID: "0123456789abcdef"},
	}
	for name, want := range map[string]string{"lan": "br-0123456789ab", "own": "own0", "wire": ""} {
		if n, ok := exactly(name, list); !ok || n.Ambiguous || n.Bridge != want {
			t.Errorf("%s: %+v", name, n)
		}
	}
	if n, ok := exactly("twin", list); !ok || !n.Ambiguous {
		t.Errorf("twins: %+v", n)
	}
	if n, ok := exactly("la", list); ok {
		t.Errorf("a part of a name: %+v", n)
	}
}
