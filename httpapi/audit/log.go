package audit

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Output is where the lines go.
type Output string

// The outputs.
const (
	ToFile   Output = "file"
	ToStdout Output = "stdout"
	Off      Output = "off"
)

// Config are the settings of a Log.
type Config struct {
	Output Output
	// DataDir is where the directory of the files is.
	DataDir string
	Limits  Limits
	Stdout  io.Writer
	// ConsoleInput records the text of console input too.
	ConsoleInput bool
	// Log receives when lines are lost.
	Log *slog.Logger
}

const (
	// maxAddresses bounds the addresses that failures are counted by, maxInputs the connections of input.
	maxAddresses, maxInputs = 64, 8192
	// widestFailures is how long failures of an address that goes on are counted into one line.
	widestFailures = time.Minute
	// flushEvery is how often windows are compared with the clock.
	flushEvery = 200 * time.Millisecond
)

// sink is where encoded lines go.
type sink interface {
	write(line []byte) error
	close() error
}

// Log is the audit. A nil Log records nothing. Its methods may be called by any goroutine.
type Log struct {
	log          *slog.Logger
	consoleInput bool
	denied       *flood
	input        *flood
	once         sync.Once
	ending       chan struct{}
	ended        sync.WaitGroup

	mu   sync.Mutex
	sink sink   // guarded by mu
	lost uint64 // lines since the last one that was written; guarded by mu
}

// Open returns the audit; nil where it is off. Close it. A file that cannot be opened is tried again for each
// line, and those before are lost.
func Open(c Config) *Log {
	l := &Log{log: c.Log, consoleInput: c.ConsoleInput, ending: make(chan struct{})}
	switch c.Output {
	case Off:
		return nil
	case ToStdout:
		l.sink = newStream(c.Stdout, l.lose)
	default:
		f := &file{dataDir: c.DataDir, limits: c.Limits, now: time.Now}
		if err := f.open(); err != nil {
			l.log.Error("audit file cannot be opened; lines are lost until it can", "error", err)
		}
		l.sink = f
	}
	l.denied = newFlood(l.Write, maxAddresses, widestFailures)
	l.input = newFlood(l.Write, maxInputs, narrowest)
	l.ended.Go(l.run)
	return l
}

// run writes the lines of floods as their windows end.
func (l *Log) run() {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.ending:
			return
		case now := <-tick.C:
			l.denied.flush(now, false)
			l.input.flush(now, false)
		}
	}
}

// Close writes what was counted, and closes the file. Lines that come later are lost.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.once.Do(func() { close(l.ending) })
	l.ended.Wait()
	l.denied.flush(time.Now(), true)
	l.input.flush(time.Now(), true)
	l.mu.Lock()
	out := l.sink
	l.sink = closed{}
	l.mu.Unlock()
	if err := out.close(); err != nil {
		return fmt.Errorf("close audit: %w", err)
	}
	return nil
}

// Write writes a line. Where that fails it is counted as lost.
func (l *Log) Write(line Line) {
	if l == nil {
		return
	}
	data := line.encode()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.lost
	if lost > 0 {
		// In one write: the count alone would fit where the line does not.
		data = append(Line{Time: line.Time, Event: EventLost, Count: int(lost)}.encode(), data...)
	}
	if err := l.sink.write(data); err != nil {
		l.loseLocked(err)
		return
	}
	if l.lost = 0; lost > 0 {
		l.log.Warn("audit is written again", "lost", lost)
	}
}

// Denied records a request that was refused for who sent it. Those of one source are counted together.
func (l *Log) Denied(source string, line Line) {
	if l != nil {
		line.Event = EventDenied
		l.denied.add(source, line)
	}
}

// Input records console input of a source. Its text is recorded only where that is configured.
func (l *Log) Input(source string, line Line, text string) {
	if l == nil {
		return
	}
	line.Event, line.Bytes = EventInput, int64(len(text))
	if l.consoleInput {
		line.Text = text
		l.Write(line)
		return
	}
	l.input.add(source, line)
}

// Lost returns how many lines were lost since one could be written; 0 while they can be.
func (l *Log) Lost() uint64 {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

func (l *Log) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loseLocked(err)
}

func (l *Log) loseLocked(err error) {
	if l.lost++; l.lost == 1 {
		l.log.Error("audit lines are lost", "error", err)
	}
}

// closed is the sink of a Log that was closed.
type closed struct{}

func (closed) write([]byte) error { return errors.New("audit is closed") }
func (closed) close() error       { return nil }
