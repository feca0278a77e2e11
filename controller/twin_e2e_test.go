package controller_test

import "testing"

func TestTwinsAreReplacedOnARealEngine(t *testing.T) {
	t.Parallel()
	n := newNode(t, t.TempDir())
	n.clean()
	replacesTwins(t, n, newDocker(t))
}
