package simengine_test

import (
	"testing"

	"lightd/hack/patient"
)

func TestMain(m *testing.M) { patient.Main(m) }
