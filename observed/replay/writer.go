package replay

import (
	"time"
)

// Writer joins entries of the log into chunks.
type Writer struct {
	Composer
	// Stamps puts the time of the log before each line, as Docker writes it. It moves no position.
	Stamps bool
	inLine bool // with Stamps: the last line has no end yet
	// Hand is called with each chunk or notice, and the position behind it.
	Hand func(text, notice string, p Position)
}

// Turn starts a container, behind a position in its text; nil is its beginning.
func (w *Writer) Turn(containerID string, from *Position) {
	w.Flush()
	w.Container = ContainerKey(containerID)
	for i := range w.outs {
		w.outs[i].reset(time.Time{}, false)
		if from != nil {
			w.outs[i].reset(from.outs[i].at, false)
			w.outs[i].base = from.outs[i]
		}
	}
}

// Add appends an entry.
func (w *Writer) Add(e Entry) {
	if w.Stamps && !w.inLine {
		w.Composer.Add(Untracked, []byte(e.at.UTC().Format(stampForm)+" "), e.at)
	}
	w.inLine = !e.whole()
	w.Composer.Add(e.out, e.text, e.at)
	for len(w.Buf) >= MaxChunk {
		w.cut(LineCut(w.Buf[:MaxChunk]))
	}
}

func (w *Writer) cut(n int) {
	text := w.Take(n)
	w.Hand(text, "", w.Position())
}

// Notice emits a notice, behind the text before it.
func (w *Writer) Notice(text string) {
	w.Flush()
	w.Hand("", text, w.Position())
}

// Flush emits the rest of the text.
func (w *Writer) Flush() {
	if len(w.Buf) > 0 {
		w.cut(len(w.Buf))
	}
}

// Position returns the position behind what was emitted. For an output that was silent it is as late
// as that of the other: the log has both in one order.
func (w *Writer) Position() Position {
	p := w.Composer.Position(time.Time{})
	last := p.last()
	for i := range p.outs {
		if p.outs[i].at.IsZero() {
			p.outs[i].at = last
		}
	}
	return p
}
