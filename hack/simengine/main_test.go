package simengine_test

import (
	"testing"

	"lightd/hack/eventually"
)

func TestMain(m *testing.M) { eventually.Main(m) }
