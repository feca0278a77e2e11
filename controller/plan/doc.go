// Package plan decides. It does no input or output and reads no clock.
//
// Decide takes what should be (a spec), what was recorded (a status) and what is (an
// observation), and returns the status and the events to record and the one step to
// take next. The same inputs always give the same answer, so the controller, a dry run
// and a report of drift cannot disagree.
//
// What wins over what, from the top:
//
//	engine unreachable    nothing is decided on stale knowledge
//	deletion              ends an installation, stops, removes, finalizes
//	pause                 nothing is touched
//	cordon of the node    of what follows, only what ends something is done
//	power stopped         what runs and must not is stopped, whatever else waits
//	terminal refusal      nothing is tried until the spec changes
//	installation          image, old container away, script once, entry point, container
//	a stop under way      is brought to its end
//	recreation            checked first, then stop, remove, create
//	limits, entry point   fixed in place
//	power                 stop, restart, start
//
// Simulate plays the decisions to their end, to show what a change would bring.
//
// Every decision is safe to repeat and safe to lose: a step is recorded before it is
// executed, and its result is read from Docker, never from the memory of having executed it.
package plan
