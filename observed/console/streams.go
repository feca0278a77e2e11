package console

// Streams opens the streams of a container; the engine does.
type Streams interface{}
