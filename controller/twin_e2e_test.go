package controller_test

import (
	"testing"

	"lightd/hack/harness"
)

func TestTwinsAreReplacedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	replacesTwins(t, n, harness.Docker(t))
}
