package socket

import (
	"fmt"

	"lightd/observed/console"
)

// Why not encoding/json: console text is most of what a daemon sends, and this takes a
// third of the time.

// encodeChunk writes the message of a piece of console text, or of a gap in it. Its Lost is
// told apart, for it differs between clients.
func encodeChunk(c console.Chunk) []byte {
	b := make([]byte, 0, len(c.Text)+len(c.Text)/16+len(c.Notice)+len(c.Position)+64)
	if c.Notice != "" {
		b = append(b, `{"event":"daemon_message","data":`...)
		b = appendString(b, c.Notice)
		return append(b, '}')
	}
	b = append(b, `{"event":"console","data":`...)
	b = appendString(b, c.Text)
	b = append(b, `,"position":`...)
	b = appendString(b, c.Position)
	return append(b, '}')
}

// plainBytes are those that stand for themselves in a string of RFC 8259.
var plainBytes = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return plain
}()

// appendString appends text, which is valid UTF-8, as a JSON string.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if plainBytes[c] {
			continue
		}
		b = append(b, text[from:i]...)
		from = i + 1
		switch c {
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	b = append(b, text[from:]...)
	return append(b, '"')
}
