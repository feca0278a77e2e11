// Package stdin writes what clients type to the processes of containers, and sets the size of their
// terminals.
//
// What it promises:
//
//   - However many clients may write to a container, it has one input connection, which is closed with
//     the run. It is open as long as a client has an Input, so that the first command of a client takes no
//     longer than the next.
//   - What different clients write is never mixed within one Write, nor on one line.
//   - Nothing is written before those who follow the output get what is printed from then on: a client has the
//     answer to its first command. Nor is it refused before the engine has shown whether the container runs.
//   - Nothing is ever written twice, and no write waits longer than 5 s for its turn, nor then for
//     the program to read.
//
// # Size
//
// A terminal is 80 by 24 until a client sets a size (Input.Resize), which is set again at each start
// while that client is there. Docker 20.10 starts it with 0 by 0, and it gets its size 1 s later: the
// signal of that would meet an init process without its child, which warns in the output; a daemon
// that ends within that second leaves it at 0 by 0. Later releases start it with 80 by 24. Like input it is no desired state: nothing of it is kept.
//
// # Input
//
// The input of a process is one stream, in which each client has a line of its own, and a stop
// command is one (WriteLine). What a client leaves open is written at once, as a program may
// want keys and not lines. Where somebody else writes then,
//
//   - with a terminal the open line is taken back first, by ^E and the kill character ^U. Its
//     client goes on where it was: what it had typed is typed again before its next text, as
//     far as it has no other keys in it than those that erase. A program that reads keys without
//     a line discipline or a line editor gets these as they are;
//   - without a terminal nothing can take it back: it is ended with a newline. What its client
//     writes next is refused once (ErrLineTaken), so that the rest of a command is not run as one.
//
// A line of more than 4,095 bytes for a terminal, which the kernel would cut and hand over as a line,
// is refused before anything of it is written; keys, up to 16 bytes at once, are not counted.
//
// A run that is older than the daemon, and one to which a write timed out, counts as one with an
// open line: before the first text the program gets ^E ^U, or an empty line. What is written
// past the daemon, by docker attach for instance, is not known.
package stdin
