package socket

import (
	"math/bits"

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

// appendString appends text, which is valid UTF-8, as a string of RFC 8259.
func appendString(b []byte, text string) []byte {
	b = append(b, '"')
	for {
		n := plainRun(text)
		b = append(b, text[:n]...)
		if n == len(text) {
			return append(b, '"')
		}
		switch c := text[n]; c {
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		case '"', '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		text = text[n+1:]
	}
}

const hex = "0123456789abcdef"

// plainRun returns how many bytes at the beginning of text stand for themselves in a string.
// It looks at eight at a time: a byte of the mask is set for each one that does not.
func plainRun(text string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(text); n += 8 {
		t := text[n : n+8]
		x := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		quote, slash := x^('"'*ones), x^('\\'*ones)
		mask := ((x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & tops
		if mask != 0 {
			return n + bits.TrailingZeros64(mask)/8
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c < ' ' || c == '"' || c == '\\' {
			break
		}
	}
	return n
}
