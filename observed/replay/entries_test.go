package replay

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestTerminalLogOfLongLines: Docker writes the time before each part of a line, the same for
// all. A time that the program prints is text.
func TestTerminalLogOfLongLines(t *testing.T) {
	now := time.Now().UTC()
	at := func(ago time.Duration) string { return now.Add(-ago).Format(stampForm) + " " }
	printed := at(time.Hour) + at(-time.Hour)
	parts := []string{
		at(9*time.Second) + strings.Repeat("\uFFFD", part), at(9*time.Second) + "end " + printed + "\r\n",
		at(8*time.Second) + "left", at(7*time.Second) + strings.Repeat("x", part-10), at(6*time.Second) + "next\r\n",
	}
	log := newEntries(strings.NewReader(strings.Join(parts, "")), true)
	var got strings.Builder
	for {
		e, err := log.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
		got.Write(e.text)
	}
	want := strings.Repeat("\uFFFD", part) + "end " + printed + "\r\nleft" + strings.Repeat("x", part-10) + "next\r\n"
	if got.String() != want {
		t.Errorf("got %d bytes, want %d", got.Len(), len(want))
	}
}
