// Package terminal is the terminal side of the command line: the three streams, and what
// they are connected to.
//
// It guarantees that a terminal that was put into raw mode is restored, whatever ends the
// program that this process can handle: a return, a panic, a signal. Reading from a terminal
// ends when it is cancelled, so that no read outlives its owner.
package terminal
