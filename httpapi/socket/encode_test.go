package socket

import (
	"encoding/json"
	"strings"
	"testing"

	"lightd/observed/console"
)

func FuzzEncodeChunk(f *testing.F) {
	f.Add("hello \x1b[1mworld\x1b[m\r\n", "AQ")
	f.Add("\"\\\x00\x7f\t\u2028é😀\uFFFD", "")
	f.Fuzz(func(t *testing.T, text, position string) {
		text, position = strings.ToValidUTF8(text, "\uFFFD"), strings.ToValidUTF8(position, "\uFFFD")
		var got struct{ Event, Data, Position string }
		if err := json.Unmarshal(encodeChunk(console.Chunk{Text: text, Position: position}), &got); err != nil {
			t.Fatal(err)
		}
		if got.Event != "console" || got.Data != text || got.Position != position {
			t.Errorf("got %q at %q for %q at %q", got.Data, got.Position, text, position)
		}
	})
}

func TestEncodeNotice(t *testing.T) {
	got := string(encodeChunk(console.Chunk{Notice: `it's "gone"`, Position: "AQ"}))
	if want := `{"event":"daemon_message","data":"it's \"gone\""}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func BenchmarkEncodeChunk(b *testing.B) {
	c := console.Chunk{Text: strings.Repeat("[12:34:56] [Server thread/INFO]: somebody moved to 1234, 64, -567 and fell\n", 800)}
	b.SetBytes(int64(len(c.Text)))
	for b.Loop() {
		encodeChunk(c)
	}
}

func BenchmarkMarshal(b *testing.B) {
	text := strings.Repeat("[12:34:56] [Server thread/INFO]: somebody moved to 1234, 64, -567 and fell\n", 800)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := json.Marshal(textMessage{"console", text}); err != nil {
			b.Fatal(err)
		}
	}
}
