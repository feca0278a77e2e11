// Package terminal is the person's end of the command line: the three streams, and what
// they are connected to.
//
// It guarantees that a terminal that was put into raw mode is put back, whatever ends the
// program that this process can notice: a return, a panic, a signal. Reading from a terminal
// ends when it is told to, so that no read outlives its owner.
package terminal
