package harness

import (
	"errors"
	"testing"
)

// Must fails a test at once for an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Value returns what passes the value of a call on, and fails the test at once for its error:
//
//	data := harness.Value[[]byte](t)(os.ReadFile(name))
func Value[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		Must(t, err)
		return v
	}
}

// WantErr fails a test at once unless an error is another one.
func WantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}
