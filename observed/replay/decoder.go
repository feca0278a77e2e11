package replay

import (
	"bytes"
	"unicode/utf8"
)

// MaxChunk bounds one piece of text, in bytes.
const MaxChunk = 64 << 10

// Decoder turns a stream of bytes into valid UTF-8. Each byte that is part of no character
// becomes U+FFFD; a character that is split over reads is joined.
type Decoder struct {
	carry [utf8.UTFMax]byte
	n     int
}

// Append decodes p behind dst. Up to three bytes of an unfinished character are kept back.
func (d *Decoder) Append(dst, p []byte) []byte {
	for d.n > 0 {
		for !utf8.FullRune(d.carry[:d.n]) {
			if len(p) == 0 {
				return dst
			}
			d.carry[d.n] = p[0]
			d.n++
			p = p[1:]
		}
		dst = d.shift(dst)
	}
	whole := wholeRunes(p)
	d.n = copy(d.carry[:], p[whole:])
	return appendValid(dst, p[:whole])
}

// Flush ends the stream: what was kept back is no character.
func (d *Decoder) Flush(dst []byte) []byte {
	for d.n > 0 {
		dst = d.shift(dst)
	}
	return dst
}

func (d *Decoder) shift(dst []byte) []byte {
	r, size := utf8.DecodeRune(d.carry[:d.n])
	d.n = copy(d.carry[:], d.carry[size:d.n])
	return utf8.AppendRune(dst, r)
}

func appendValid(dst, p []byte) []byte {
	if utf8.Valid(p) {
		return append(dst, p...)
	}
	for len(p) > 0 {
		r, size := utf8.DecodeRune(p)
		dst = utf8.AppendRune(dst, r)
		p = p[size:]
	}
	return dst
}

// LineCut returns where to cut p, which is valid UTF-8 but for a character cut off at its
// end: behind its last line, or if it has none, behind its last whole character.
func LineCut(p []byte) int {
	if n := bytes.LastIndexByte(p, '\n') + 1; n > 0 {
		return n
	}
	if n := wholeRunes(p); n > 0 {
		return n
	}
	return len(p)
}

// wholeRunes returns the length of p without a character that is cut off at its end.
func wholeRunes(p []byte) int {
	for at := len(p) - 1; at >= max(0, len(p)-utf8.UTFMax+1); at-- {
		if utf8.RuneStart(p[at]) {
			if !utf8.FullRune(p[at:]) {
				return at
			}
			break
		}
	}
	return len(p)
}
