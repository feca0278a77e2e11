package controller_test

import (
	"testing"

	"lightd/hack/harness"
)

func TestDriftRoundTripOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	roundTrip(t, n, harness.Docker(t))
}
