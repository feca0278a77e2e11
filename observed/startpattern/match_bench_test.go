package startpattern

import (
	"bytes"
	"testing"
)

// BenchmarkMatcher matches a flood of lines while a pattern is armed.
func BenchmarkMatcher(b *testing.B) {
	for name, line := range map[string]string{
		"plain":   "[12:00:00 INFO]: Preparing spawn area, and this is what a line of such a program looks like: 57 %\r\n",
		"colours": "\x1b[32m[12:00:00 INFO]: \x1b[mPreparing spawn area, and this is what a line of such looks like: \x1b[1m57\x1b[m %\r\n",
		"prompt":  "> \r\x1b[K[12:00:00 INFO]: Preparing spawn area, and this is what a line of such a program looks like\r\n",
	} {
		b.Run(name, func(b *testing.B) {
			re, err := compileExpression(`^\[[0-9:]+ INFO\]: Done`)
			if err != nil {
				b.Fatal(err)
			}
			m := matcher{re: re}
			chunk := bytes.Repeat([]byte(line), 32<<10/len(line))
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				if m.feed(1, chunk) {
					b.Fatal("matched")
				}
			}
		})
	}
}
